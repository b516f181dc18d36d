package page

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// SavePreferences keeps the theme or the language that somebody chose in a cookie and goes back.
func (h *Site) SavePreferences(c echo.Context) error {
	keep := func(name, value string) {
		age := int((365 * 24 * time.Hour).Seconds())
		if value == "" {
			age = -1
		}
		c.SetCookie(&http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, SameSite: http.SameSiteLaxMode})
	}
	form, err := c.FormParams()
	if err != nil {
		return image.Errorf(image.Invalid, "the form cannot be read").Because(err)
	}
	if form.Has("theme") {
		keep(themeCookie, string(ui.ParseTheme(form.Get("theme"))))
	}
	if form.Has("lang") {
		keep(langCookie, text.NegotiateLang(form.Get("lang"), ""))
	}
	return Redirect(c, address.Ours(form.Get("back")), ui.Flash{})
}
