package page

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Help answers GET /help: the words, the addresses and the keys.
func (h *Site) Help(c echo.Context) error {
	return Render(c, http.StatusOK, ui.HelpPage(h.Chrome(c, text.T(c.Request().Context(), "help.title"), ui.NavNone)))
}
