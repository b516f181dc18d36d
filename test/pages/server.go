package pages

import (
	"errors"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// ErrorsAsWeb answers errors as web has them, and fails the test for one that is not ours.
func ErrorsAsWeb(t testing.TB, h *handlers.Handlers) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		var known *image.Error
		if !errors.As(err, &known) {
			t.Errorf("%s %s: %v", c.Request().Method, c.Request().URL, err)
			known = &image.Error{Kind: image.Internal}
		}
		if page.PlainText(c.Request()) {
			if err := page.PlainError(c, page.Status(known.Kind), known); err != nil {
				t.Error(err)
			}
			return
		}
		view := ui.NewErrorView(c.Request().Context(), page.Status(known.Kind), known)
		if err := page.Render(c, view.Status, ui.ErrorPage(h.Site.Chrome(c, view.Title, ui.NavNone), view)); err != nil {
			t.Error(err)
		}
	}
}

// HeldAsWeb holds what web holds of the requests of these tests: those of other sites that nobody has clicked.
func HeldAsWeb(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if h := c.Request().Header; h.Get("Sec-Fetch-Site") == "cross-site" && h.Get("Sec-Fetch-User") == "" {
			page.HoldAsking(c)
		}
		return next(c)
	}
}

// Server has the addresses of the list's pages, and errors as web has them.
func (s *Shelf) Server(h *handlers.Handlers) http.Handler {
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			l := page.Locale(c)
			l.Now = s.Now
			c.SetRequest(c.Request().WithContext(text.WithLocale(c.Request().Context(), l)))
			return next(c)
		}
	})
	e.HTTPErrorHandler = ErrorsAsWeb(s.T, h)
	e.GET("/images", h.Images.List)
	e.GET("/images/*", h.Addresses.ImageAddress)
	e.HEAD("/images/*", h.Addresses.ImageAddress)
	e.GET("/archive", h.Archives.Archive)
	e.HEAD("/archive", h.Archives.Archive)
	e.POST("/images/*", h.Addresses.ImageAction)
	e.GET("/layers/:digest", h.Image.Layer)
	e.GET("/storage", h.Storage.Page)
	e.POST("/storage/sweep", h.Storage.Sweep)
	e.POST("/storage/unfinished", h.Storage.FreeUnfinished)
	e.GET("/storage/sweep", h.Storage.SweepAddress)
	e.GET("/prune", h.Prunes.Page)
	e.GET("/prune/summary", h.Prunes.Summary)
	e.POST("/prune", h.Prunes.Prune)
	e.GET("/delete", h.Removals.Delete)
	e.POST("/delete", h.Removals.DeleteSelected)
	e.GET("/delete/summary", h.Removals.DeleteSummary)
	e.POST("/removals/:id/undo", h.Removals.UndoRemoval)
	e.GET("/updates", h.Updates.Page)
	e.POST("/updates", h.Updates.Check)
	e.POST("/updates/cancel", h.Updates.Cancel)
	return e
}
