package cleanup

import (
	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
)

// forceParam reads force from the query or the form.
func forceParam(c echo.Context) (bool, error) {
	switch force := c.FormValue("force"); force {
	case "", "0", "false":
		return false, nil
	case "1", "true", "on":
		return true, nil
	default:
		return false, image.Errorf(image.Invalid, "the value of force is 1 or left out, not %.40q (force)", force)
	}
}

// platformField reads platform from the query or the form; zero where it is not given.
func platformField(c echo.Context) (image.Platform, error) {
	s := c.FormValue("platform")
	if s == "" {
		return image.Platform{}, nil
	}
	return image.ParsePlatform(s)
}

// backParam reads the page that an action leads back to; empty where it is not given.
func backParam(c echo.Context) string {
	back := c.FormValue("back")
	if back == "" {
		return ""
	}
	return page.BackPath(back)
}
