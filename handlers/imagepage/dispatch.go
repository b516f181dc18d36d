package imagepage

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/views/address"
)

// ImageAddress answers GET /images/*: a repository, a tag, a digest or an image ID, and its sections. A
// familiar form is sent to the canonical address, so that a page has one address only.
func (h *Addresses) ImageAddress(c echo.Context) error {
	if strings.Trim(c.Param("*"), "/") == "" {
		return c.Redirect(http.StatusFound, address.ImagesPath)
	}
	a, err := h.imageAddress(c)
	if err != nil {
		return err
	}
	if to := a.String(); to != c.Request().URL.EscapedPath() {
		return redirectKeepingQuery(c, to)
	}
	switch {
	case a.Section == address.SectionDelete:
		return h.Rooms.DeletePlan(c, a)
	case a.Section == address.SectionArchive:
		return h.Rooms.Archive(c, a)
	case a.Section == address.SectionChanges:
		return h.Changes.Page(c, a)
	case a.Section == address.SectionPin, a.Section == address.SectionUnpin, a.Section == address.SectionCheck:
		return pinAddress(c, a)
	case a.IsRepository():
		if done, err := h.Rooms.RepositoryArchive(c, a); done || err != nil {
			return err
		}
		return h.Rooms.Repository(c, a)
	}
	return h.Pages.imagePage(c, a)
}

// ImageAction answers POST /images/*: the forms that delete, pin, unpin and check for an update.
func (h *Addresses) ImageAction(c echo.Context) error {
	a, err := h.imageAddress(c)
	if err != nil {
		return err
	}
	switch a.Section {
	case address.SectionDelete:
		return h.Rooms.Delete(c, a)
	case address.SectionPin:
		return h.Rooms.Pin(c, a)
	case address.SectionCheck:
		return h.Rooms.Check(c, a)
	case address.SectionUnpin:
		return h.Rooms.Unpin(c, a)
	}
	return echo.ErrMethodNotAllowed
}
