package page

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/views/ui"
)

// maxFlash bounds the text of a message in bytes: browsers drop a cookie over 4 KiB.
const maxFlash = 1500

// flashValue is a message as it stands in its cookie. A person can put anything there, and so could another service of
// the same host name: the text is escaped where it is shown, and of what can be undone there is a number only, never
// an address.
type flashValue struct {
	Kind  ui.Kind `json:"k"`
	Text  string  `json:"t"`
	Undo  int64   `json:"u,omitempty"`
	Until int64   `json:"e,omitempty"` // seconds since 1970
}

// Redirect sends the browser on after an action (post, redirect, get) with a message for the next page.
func Redirect(c echo.Context, to string, flash ui.Flash) error {
	if flash.Text != "" {
		c.SetCookie(&http.Cookie{Name: FlashCookie, Value: writeFlash(flash), Path: "/", MaxAge: 60, HttpOnly: true,
			SameSite: http.SameSiteLaxMode})
	}
	return c.Redirect(http.StatusSeeOther, to)
}

func writeFlash(flash ui.Flash) string {
	v := flashValue{Kind: flash.Kind, Text: CutText(flash.Text, maxFlash), Undo: flash.Undo}
	if flash.Undo != 0 {
		v.Until = flash.Until.Unix()
	}
	b, err := json.Marshal(v)
	if err != nil { // texts and numbers always marshal
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// CutText cuts a text at a whole character so that it has at most n bytes and an ellipsis.
func CutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// takeFlash reads the message of the action before this page and forgets it.
func (h *Site) takeFlash(c echo.Context) ui.Flash {
	value := cookie(c, FlashCookie)
	if value == "" || Partial(c) {
		return ui.Flash{}
	}
	c.SetCookie(&http.Cookie{Name: FlashCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return ReadFlash(value, h.options.Now())
}

// ReadFlash reads a message; an empty one where it cannot be read. What can no longer be undone at now is not offered.
func ReadFlash(value string, now time.Time) ui.Flash {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return ui.Flash{}
	}
	var v flashValue
	if err := json.Unmarshal(b, &v); err != nil {
		return ui.Flash{}
	}
	flash := ui.Flash{Kind: ui.ParseKind(string(v.Kind)), Text: CutText(v.Text, maxFlash)}
	if until := time.Unix(v.Until, 0); v.Undo > 0 && until.After(now) && until.Year() < 10000 {
		flash.Undo, flash.Until = v.Undo, until
	}
	return flash
}
