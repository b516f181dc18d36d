package page

import "github.com/labstack/echo/v4"

const heldKey = "asks no registry"

// HoldAsking keeps a request from making this server ask registries: the page then says so and offers to.
func HoldAsking(c echo.Context) { c.Set(heldKey, true) }

// MayAsk reports whether a request by GET may make this server ask registries.
func MayAsk(c echo.Context) bool { return c.Get(heldKey) == nil }
