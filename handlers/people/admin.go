package people

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/people"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// List answers GET /admin/people.
func (h *Handlers) List(c echo.Context) error { return h.list(c, http.StatusOK, people.ListView{}) }

// list renders the page of all people, with what v says beyond that.
func (h *Handlers) list(c echo.Context, status int, v people.ListView) error {
	ctx := c.Request().Context()
	var err error
	if v.People, err = h.Accounts.List(ctx); err != nil {
		return err
	}
	v.You = who(c).Actor.Name
	return page.Render(c, status, people.ListPage(h.Site.Chrome(c, text.T(ctx, "people.people"), ui.NavAdmin), v))
}

// Add answers POST /admin/people with the fields name, display and role: makes an account, and the code with which its
// owner comes in. Nobody knows the password of another.
func (h *Handlers) Add(c echo.Context) error {
	f := people.Form{Name: c.FormValue("name"), Display: c.FormValue("display")}
	person, err := h.add(c, f, c.FormValue("role"))
	if err == nil {
		return h.newCode(c, person.Name)
	}
	v, status, err := wrong(c, err)
	if err != nil {
		return err
	}
	f.Wrong = v
	return h.list(c, status, people.ListView{Form: f})
}

func (h *Handlers) add(c echo.Context, f people.Form, role string) (auth.Person, error) {
	n := auth.NewPerson{}
	var err error
	if n.Name, err = auth.ParseName(f.Name); err != nil {
		return auth.Person{}, err
	}
	if n.Display, err = auth.ParseDisplay(f.Display); err != nil {
		return auth.Person{}, err
	}
	if n.Role, err = auth.ParseRole(role); err != nil {
		return auth.Person{}, err
	}
	return h.Accounts.Add(c.Request().Context(), who(c).Actor, n)
}

// NewCode answers POST /admin/people/:name/code: a code in place of a password that was forgotten. It is shown once.
func (h *Handlers) NewCode(c echo.Context) error { return h.newCode(c, c.Param("name")) }

func (h *Handlers) newCode(c echo.Context, name string) error {
	code, err := h.Entrance.Code(c.Request().Context(), who(c).Actor, name)
	if err != nil {
		return err
	}
	made := &people.MadeCode{Code: code, Name: name}
	if outside := h.Site.Outside(c); outside != "" {
		made.URL = outside + address.CodePath
	}
	return h.list(c, http.StatusOK, people.ListView{Code: made})
}

// SetRole answers POST /admin/people/:name/role with the field role. It holds at once.
func (h *Handlers) SetRole(c echo.Context) error {
	role, err := auth.ParseRole(c.FormValue("role"))
	if err != nil {
		return err
	}
	return h.alter(c, "people.role_set", func(ctx context.Context, by image.Actor, name string) error {
		return h.Accounts.SetRole(ctx, by, name, role)
	})
}

// SignOutPerson answers POST /admin/people/:name/sign-out: ends all sessions of somebody.
func (h *Handlers) SignOutPerson(c echo.Context) error {
	return h.alter(c, "people.signed_out_all", func(ctx context.Context, by image.Actor, name string) error {
		person, err := h.Accounts.One(ctx, name)
		if err != nil {
			return err
		}
		_, err = h.Sessions.EndAll(ctx, by, person.ID, 0)
		return err
	})
}

// Disable answers POST /admin/people/:name/disable: keeps somebody out, at once.
func (h *Handlers) Disable(c echo.Context) error {
	return h.alter(c, "people.disabled_done", h.Accounts.Disable)
}

// Enable answers POST /admin/people/:name/enable.
func (h *Handlers) Enable(c echo.Context) error {
	return h.alter(c, "people.enabled_done", h.Accounts.Enable)
}

// Remove answers POST /admin/people/:name/remove with the field confirm, which has the name once more.
func (h *Handlers) Remove(c echo.Context) error {
	if c.FormValue("confirm") != c.Param("name") {
		return image.Errorf(image.Invalid, "the name that was typed is another one, so nobody was removed").
			Suggest("Type %s to remove them.", c.Param("name"))
	}
	return h.alter(c, "people.removed", func(ctx context.Context, by image.Actor, name string) error {
		_, err := h.Accounts.Remove(ctx, by, name)
		return err
	})
}

// alter does something to the person whom the address names, and leads back to the list.
func (h *Handlers) alter(
	c echo.Context, done text.MessageID, f func(ctx context.Context, by image.Actor, name string) error,
) error {
	ctx, name := c.Request().Context(), c.Param("name")
	if err := f(ctx, who(c).Actor, name); err != nil {
		return err
	}
	return page.Redirect(c, address.PeoplePath, ui.Flash{Kind: ui.KindSuccess, Text: text.T(ctx, done, "Name", name)})
}
