package web

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
)

// bodyTime bounds how long a form may take to arrive.
const bodyTime = 30 * time.Second

// body is a request's body that has to come in time. It remembers whether it did not: the server ends the request's
// context with the connection's deadline, so that a handler's own error may say anything.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	stalled bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		// From here on the server watches the connection for its end, which a deadline would look like.
		_ = b.control.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.stalled = true
	}
	return n, err
}

const bodyKey = "body"

// bodyDeadline keeps somebody who sends a body byte by byte from holding a connection for ever.
func bodyDeadline(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength == 0 {
			return next(c)
		}
		b := &body{ReadCloser: r.Body, control: http.NewResponseController(c.Response().Writer)}
		// A writer without deadlines, as in tests, has no connection to hold.
		_ = b.control.SetReadDeadline(time.Now().Add(bodyTime))
		r.Body = b
		c.Set(bodyKey, b)
		return next(c)
	}
}

// wholeForm reads a form before its handler looks at it, to whom a field that did not come is one that was left empty:
// a deletion would be of all platforms, and a check of all repositories. Uploads are read as they come.
func wholeForm(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r := c.Request(); r.ContentLength == 0 || r.Method != http.MethodPost || upload(c) {
			return next(c)
		}
		if _, err := c.FormParams(); err != nil {
			return image.Errorf(image.Invalid, "the form cannot be read").Because(err)
		}
		return next(c)
	}
}

// stalled reports whether the request's body did not come in time.
func stalled(c echo.Context) bool {
	b, ok := c.Get(bodyKey).(*body)
	return ok && b.stalled
}
