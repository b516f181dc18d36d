package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/views/ui"
)

// ImageAddress answers GET /images/*: a repository, a tag, a digest or an image ID, and its sections. A
// familiar form is sent to the canonical address, so that a page has one address only.
func (h *Handlers) ImageAddress(c echo.Context) error {
	if strings.Trim(c.Param("*"), "/") == "" {
		return c.Redirect(http.StatusFound, "/images")
	}
	a, err := h.imageAddress(c)
	if err != nil {
		return err
	}
	if to := a.redirectFrom(c.Request().URL.EscapedPath()); to != "" {
		if q := c.Request().URL.RawQuery; q != "" {
			to += "?" + q
		}
		return c.Redirect(http.StatusFound, to)
	}
	switch {
	case a.section == ui.SectionDelete:
		return h.deletePlan(c, a)
	case a.section == ui.SectionArchive:
		return h.imageArchive(c, a)
	case a.section == ui.SectionChanges:
		return h.changes(c, a)
	case a.section == ui.SectionPin, a.section == ui.SectionUnpin, a.section == ui.SectionCheck:
		return pinAddress(c, a)
	case a.idPrefix == "" && a.ref.Tag == "" && a.ref.Digest == "":
		if done, err := h.repositoryArchive(c, a); done || err != nil {
			return err
		}
		return h.repositoryPage(c, a)
	}
	return h.imagePage(c, a)
}

// ImageAction answers POST /images/*: the forms that delete, pin, unpin and check for an update.
func (h *Handlers) ImageAction(c echo.Context) error {
	a, err := h.imageAddress(c)
	if err != nil {
		return err
	}
	switch a.section {
	case ui.SectionDelete:
		return h.deleteImage(c, a)
	case ui.SectionPin:
		return h.pinImage(c, a)
	case ui.SectionCheck:
		return h.checkTag(c, a)
	case ui.SectionUnpin:
		return h.unpinImage(c, a)
	}
	return echo.ErrMethodNotAllowed
}

// redirectFrom gives the canonical path where the request's is another.
func (a address) redirectFrom(path string) string {
	if path == a.canonical {
		return ""
	}
	return a.canonical
}
