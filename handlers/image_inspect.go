package handlers

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views"
)

// inspectSection shows docker's JSON, and answers with nothing but it for Accept: application/json or raw=1.
func (h *Handlers) inspectSection(c echo.Context, s *subject) error {
	config, err := h.config(c, s)
	if err != nil {
		return err
	}
	b, err := image.Inspect(image.Inspected{ID: s.shown.ID, Config: config, Tags: s.names.Tags, Digests: s.names.Digests, Unpacked: s.shown.Unpacked})
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Add(echo.HeaderVary, echo.HeaderAccept)
	if wantsJSON(c.Request().Header.Get(echo.HeaderAccept)) || c.QueryParam("raw") == "1" {
		header.Set(echo.HeaderCacheControl, "no-store")
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, b)
	}
	return h.renderImage(c, http.StatusOK, s, views.InspectSection(views.InspectView{
		JSON: b, SizeUnknown: s.shown.Unpacked < 0, Link: s.digestLink(), RawURL: withQuery(s.url(views.SectionInspect), "raw=1"), Command: s.docker("inspect", ""),
	}))
}

// wantsJSON tells whether an Accept header names JSON and no web page: browsers ask for a page.
func wantsJSON(accept string) bool {
	wants := false
	for part := range strings.SplitSeq(accept, ",") {
		mediaType, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil && q <= 0 {
			continue
		}
		switch mediaType {
		case "text/html", "application/xhtml+xml":
			return false
		case echo.MIMEApplicationJSON:
			wants = true
		}
	}
	return wants
}

// withQuery adds a parameter to an address that may have some.
func withQuery(address, parameter string) string {
	if strings.Contains(address, "?") {
		return address + "&" + parameter
	}
	return address + "?" + parameter
}
