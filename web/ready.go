package web

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
)

// ready answers GET /readyz: 200, or 503 with each reason why requests cannot be answered as they should, and what to
// do.
func ready(o Options) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := o.Ready(c.Request().Context())
		if err == nil {
			return c.String(http.StatusOK, "ready\n")
		}
		o.Logger.Error("not ready", "error", err)
		var b strings.Builder
		b.WriteString("not ready\n")
		for _, reason := range reasons(err) {
			b.WriteString(told(shown(reason)))
		}
		return c.String(http.StatusServiceUnavailable, b.String())
	}
}

// reasons returns the errors that were joined.
func reasons(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, reasons(e)...)
	}
	return all
}

// told words an error for a terminal.
func told(e *image.Error) string {
	if e.Message == "" {
		return "internal error: the server's log says more\n"
	}
	text := e.Message + "\n"
	if e.Suggestion != "" {
		text += e.Suggestion + "\n"
	}
	return text
}
