package page

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
)

// JSON reports whether a request asks for JSON, which browsers do not.
func JSON(r *http.Request) bool {
	return Wants(strings.Join(r.Header.Values("Accept"), ","), echo.MIMEApplicationJSON)
}

// PlainText reports whether a request asks for text: by curl -H 'Accept: text/plain' or curl -T, never by a browser.
func PlainText(r *http.Request) bool {
	return r.Method == http.MethodPut || Wants(strings.Join(r.Header.Values("Accept"), ","), echo.MIMETextPlain)
}

// JSONError answers with an error for programs, in the words that a pull's answer has it in. An internal one is not
// told.
func JSONError(c echo.Context, status int, e *image.Error) error {
	said := struct {
		Error  string     `json:"error"`
		Kind   image.Kind `json:"kind,omitzero"`
		Advice string     `json:"advice,omitzero"`
	}{Error: e.Message, Kind: e.Kind, Advice: e.Suggestion}
	if said.Error == "" || e.Kind == image.Internal {
		said.Error = strings.ToLower(http.StatusText(status))
	}
	return c.JSON(status, said)
}

// PlainError answers with an error in words, for people at a terminal. An internal one is not told.
func PlainError(c echo.Context, status int, e *image.Error) error {
	return PlainErrorWith(c, status, e)
}

// PlainErrorWith is PlainError with more lines.
func PlainErrorWith(c echo.Context, status int, e *image.Error, lines ...string) error {
	text := e.Message
	if text == "" || e.Kind == image.Internal {
		text = strings.ToLower(http.StatusText(status))
	}
	if e.Suggestion != "" {
		text += ". " + e.Suggestion
	}
	c.Response().Header().Set(echo.HeaderXContentTypeOptions, "nosniff")
	return c.String(status, strings.Join(append([]string{text}, lines...), "\n")+"\n")
}

// BareAnswer sets the headers of an answer that is no page.
func BareAnswer(c echo.Context) {
	header := c.Response().Header()
	header.Set(echo.HeaderCacheControl, "no-store")
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
}

// Wants reports whether an Accept header names a media type and no web page: browsers ask for a page.
func Wants(accept, mediaType string) bool {
	wanted := false
	for part := range strings.SplitSeq(accept, ",") {
		said, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil && q <= 0 {
			continue
		}
		switch said {
		case "text/html", "application/xhtml+xml":
			return false
		case mediaType:
			wanted = true
		}
	}
	return wanted
}

func AcceptsPages(c echo.Context) bool {
	return strings.Contains(c.Request().Header.Get(echo.HeaderAccept), echo.MIMETextHTML)
}
