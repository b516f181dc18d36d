package archives

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
)

// A sender may be slow, and may wait for as long as this server does; one that only holds its connection may not. So
// many bytes have to come while the server waits for so long altogether: 4 kB a second.
const (
	patience      = time.Minute
	patienceBytes = 256 << 10
	drainTime     = 5 * time.Second // for reading what is left of a refused upload
)

// errSlow is the cause of an error about a sender that is too slow.
var errSlow = fmt.Errorf("too little came in time: %w", os.ErrDeadlineExceeded)

// sentBody is the body of an upload: as long as it needs to be, and cut off when it only drips. It is read by one
// goroutine; interrupt may be called by another.
type sentBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	left    time.Duration // that the server still waits for
	got     int64         // bytes since left was set
	read    int64
	begun   bool
	whole   bool
	cut     atomic.Bool
}

func newSentBody(c echo.Context) *sentBody {
	return &sentBody{body: c.Request().Body, control: http.NewResponseController(c.Response().Writer), left: patience}
}

// Read implements io.Reader. Errors are image.Errors, but for io.EOF.
func (b *sentBody) Read(p []byte) (int, error) {
	b.begun = true
	start := time.Now()
	// A writer without deadlines, as in tests, has no connection to hold. It is set before cut is looked at: interrupt
	// does it the other way round.
	_ = b.control.SetReadDeadline(start.Add(b.left))
	if b.cut.Load() {
		return 0, brokeOff(os.ErrDeadlineExceeded)
	}
	n, err := b.body.Read(p)
	b.left -= time.Since(start)
	b.read += int64(n)
	if b.got += int64(n); b.got >= patienceBytes {
		b.got, b.left = 0, patience
	}
	switch {
	case errors.Is(err, io.EOF):
		// From here on the server watches the connection for its end, which a deadline would look like.
		b.whole = true
		_ = b.control.SetReadDeadline(time.Time{})
		return n, io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded) && !b.cut.Load():
		return n, image.Errorf(image.Invalid, "the archive came too slowly: less than %d kB in a minute", patienceBytes/1000).
			Because(errSlow).
			Suggest("Upload it again over a faster connection.")
	case err != nil:
		return n, brokeOff(err)
	}
	return n, nil
}

// end reads what follows the end of a form, which is nothing, so that the server watches the connection from then on.
func (b *sentBody) end() error {
	_, err := io.Copy(io.Discard, io.LimitReader(b, maxNameField))
	return err
}

// Close implements io.Closer.
func (b *sentBody) Close() error { return b.body.Close() }

// brokeOff is the error of an archive that did not come to its end.
func brokeOff(err error) error {
	return image.Errorf(image.Invalid, "the upload broke off before its end").Because(err).Suggest("Upload it again.")
}

// interrupt makes a Read that waits return, and every one after it fail.
func (b *sentBody) interrupt() {
	b.cut.Store(true)
	_ = b.control.SetReadDeadline(time.Unix(1, 0))
}

// giveUp reads what is left of an upload that is refused, where that is little: a sender that is still sending might
// not see the answer. Else the connection is closed after it. A sender that waits to be told to go on (Expect:
// 100-continue) is not.
func (b *sentBody) giveUp(c echo.Context) {
	r := c.Request()
	if b.whole || r.ContentLength == 0 {
		return
	}
	waits := !b.begun && r.Header.Get("Expect") != ""
	if !waits && !b.cut.Load() && r.ContentLength-b.read <= maxDrained {
		_ = b.control.SetReadDeadline(time.Now().Add(drainTime))
		n, err := io.Copy(io.Discard, io.LimitReader(b.body, maxDrained+1))
		if err == nil && n <= maxDrained {
			_ = b.control.SetReadDeadline(time.Time{})
			return
		}
	}
	c.Response().Header().Set(echo.HeaderConnection, "close")
}
