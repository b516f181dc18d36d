package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/ui"
)

// statusGone is what the log has for a request whose client went away before it was answered, as nginx has it.
const statusGone = 499

// errorHandler is the one place where an error becomes an answer: a page, or a fragment for htmx. What is
// not an image.Error is logged with the request's ID and shown as an internal error only. What has failed is never
// answered as a success, not even to a client that has gone.
func errorHandler(h *handlers.Handlers, log *slog.Logger) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return // the answer has begun
		}
		e, status := answerOf(err, stalled(c))
		if status == http.StatusRequestTimeout {
			c.Response().Header().Set(echo.HeaderConnection, "close") // the rest of the body is still to come
		} else if errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil {
			_ = c.NoContent(statusGone)
			return
		}
		requestID := c.Response().Header().Get(echo.HeaderXRequestID)
		told := (*guard.Panic)(nil) // which the door has told of
		if status >= http.StatusInternalServerError && e.Kind == image.Internal && !errors.As(err, &told) {
			log.Error("request failed", "request_id", requestID, "path", loggedPath(c.Request().URL), "error", err)
		}
		if ofAPI(c) {
			clear(c.Response().Header())
			plainError(c.Response(), http.StatusInternalServerError, "UNKNOWN", "internal error: the server's log says more")
			return
		}
		// The deadline of a body ends the request's context, and the answer is due nevertheless.
		asked := c.Request().Context()
		c.SetRequest(c.Request().WithContext(context.WithoutCancel(asked)))
		// Who sends an archive may be gone by the time it is refused.
		if err := renderError(c, h, status, e, requestID); err != nil && asked.Err() == nil {
			log.Error("render the error page", "request_id", requestID, "error", err)
		}
		if !c.Response().Committed {
			_ = c.NoContent(status)
		}
	}
}

// answerOf returns what a person may see of an error, and the status. stalled says that the request did not come whole,
// which is then what the error is about, unless the handler knows better.
func answerOf(err error, stalled bool) (*image.Error, int) {
	var he *echo.HTTPError
	if errors.As(err, &he) {
		return shown(err), he.Code
	}
	if stalled {
		return image.Errorf(image.Invalid, "what was sent did not arrive in time").
			Suggest("Send it again over a faster connection."), http.StatusRequestTimeout
	}
	e := shown(err)
	return e, page.Status(e.Kind)
}

// shown returns what a person may see of an error.
func shown(err error) *image.Error {
	var e *image.Error
	if errors.As(err, &e) && e.Kind != image.Internal { // which tells paths, queries and addresses of this server
		return e
	}
	var he *echo.HTTPError
	if errors.As(err, &he) {
		switch he.Code {
		case http.StatusNotFound:
			return &image.Error{Kind: image.NotFound}
		case http.StatusMethodNotAllowed, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			return &image.Error{Kind: image.Invalid}
		case http.StatusForbidden:
			return &image.Error{Kind: image.Forbidden}
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return image.Errorf(image.Unavailable, "this took too long").Suggest("Try again in a moment.")
	}
	return &image.Error{Kind: image.Internal}
}

func renderError(c echo.Context, h *handlers.Handlers, status int, e *image.Error, requestID string) error {
	if e.Kind == image.SignIn && h.People != nil {
		return h.People.AskToSignIn(c, e)
	}
	if page.PlainText(c.Request()) {
		return page.PlainError(c, status, e)
	}
	if page.JSON(c.Request()) {
		return page.JSONError(c, status, e)
	}
	view := ui.NewErrorView(c.Request().Context(), status, e)
	view.RequestID = requestID
	if page.Partial(c) {
		c.Response().Header().Set("HX-Retarget", "#toasts")
		c.Response().Header().Set("HX-Reswap", "beforeend")
		return page.Render(c, status, ui.ErrorFragment(view))
	}
	return page.Render(c, status, ui.ErrorPage(h.Site.Chrome(c, view.Title, ui.NavNone), view))
}
