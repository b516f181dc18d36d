package handlers

import "github.com/labstack/echo/v4"

// mayAsk tells whether a request by GET may make this server ask registries. A page of another site must not
// be able to do that by an image, a frame or a script of its own, nor may one on another port of this machine;
// a link there that somebody clicks may. Browsers say which it is (Sec-Fetch-Site and its kin, W3C Fetch
// Metadata) to servers that they reach over TLS or on this machine; programs say nothing.
func mayAsk(c echo.Context) bool {
	h := c.Request().Header
	switch h.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none": // none: typed into the address bar, a bookmark
		return true
	}
	return h.Get("Sec-Fetch-Mode") == "navigate" && h.Get("Sec-Fetch-Dest") == "document" && h.Get("Sec-Fetch-User") == "?1"
}
