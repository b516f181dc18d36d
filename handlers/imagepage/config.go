package imagepage

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/views/imagepage"
)

// configSection shows how containers of the image are run.
func (h *Handlers) configSection(c echo.Context, s *subject) error {
	config, err := h.config(c, s)
	if err != nil {
		return err
	}
	return h.renderImage(c, http.StatusOK, s, imagepage.ConfigSection(imagepage.ConfigView{
		Config: config, Command: s.docker("inspect", "--format '{{json .Config}}'"),
	}))
}
