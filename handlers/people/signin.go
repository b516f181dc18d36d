package people

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/people"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// AskToSignIn answers whoever may not do something without signing in: a browser with the page to sign in at, a program
// in words.
func (h *Handlers) AskToSignIn(c echo.Context, e *image.Error) error {
	r, header := c.Request(), c.Response().Header()
	const status = http.StatusUnauthorized
	switch {
	case r.Header.Get("HX-Request") == "true":
		back := ""
		if u, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
			back = u.RequestURI()
		}
		return page.LeadOn(c, address.SignIn(address.Back(url.Values{"back": {back}})))
	case page.PlainText(r):
		header.Set(echo.HeaderWWWAuthenticate, page.Challenge)
		return page.PlainError(c, status, e)
	case page.JSON(r):
		header.Set(echo.HeaderWWWAuthenticate, page.Challenge)
		return page.JSONError(c, status, e)
	case !page.AcceptsPages(c):
		header.Set(echo.HeaderWWWAuthenticate, page.Challenge)
		return page.PlainError(c, status, e)
	}
	first, err := h.first(c)
	if err != nil {
		return err
	}
	if first {
		return c.Redirect(http.StatusSeeOther, address.FirstStartPath)
	}
	f := people.Form{}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		f.Back = address.Ours(r.URL.RequestURI())
	}
	if h.Site.Session(c) != "" {
		h.Site.DropSession(c)
		v := ui.NewErrorView(r.Context(), status, e)
		f.Wrong = &v
	}
	return h.signInPage(c, status, f)
}

// first reports whether the first administrator is still to come.
func (h *Handlers) first(c echo.Context) (bool, error) {
	has, err := h.Accounts.HasAdmin(c.Request().Context())
	return !has, err
}

func (h *Handlers) signInPage(c echo.Context, status int, f people.Form) error {
	chrome := h.Site.Chrome(c, text.T(c.Request().Context(), "people.sign_in"), ui.NavNone)
	return page.Render(c, status, people.SignInPage(chrome, f))
}

// SignInPage answers GET /sign-in?back=.
func (h *Handlers) SignInPage(c echo.Context) error {
	first, err := h.first(c)
	if err != nil {
		return err
	}
	if first {
		return c.Redirect(http.StatusSeeOther, address.FirstStartPath)
	}
	back := address.Back(c.QueryParams())
	if who(c).SignedIn() {
		return c.Redirect(http.StatusSeeOther, onTo(back))
	}
	return h.signInPage(c, http.StatusOK, people.Form{Back: back})
}

// onTo is where signing in leads.
func onTo(back string) string {
	if back == "" {
		return address.ImagesPath
	}
	return back
}

// SignIn answers POST /sign-in with the fields name, password and back.
func (h *Handlers) SignIn(c echo.Context) error {
	return h.enter(c, h.signInPage, func(form url.Values, f people.Form) (entered, error) {
		secret, session, err := h.Entrance.Password(c.Request().Context(), visit(c), f.Name, form.Get("password"))
		return entered{secret, session, onTo(f.Back), ui.Flash{}}, err
	})
}

// entered is a session that has begun, and where it leads.
type entered struct {
	secret  string
	session auth.Session
	to      string
	flash   ui.Flash
}

// enter answers a form that lets somebody in: by begin, or, where that refuses them, by the page with the form and what
// is wrong.
func (h *Handlers) enter(
	c echo.Context, again func(c echo.Context, status int, f people.Form) error,
	begin func(form url.Values, f people.Form) (entered, error),
) error {
	form, err := c.FormParams()
	if err != nil {
		return image.Errorf(image.Invalid, "the form cannot be read").Because(err)
	}
	f := people.Form{Back: address.Back(form), Name: form.Get("name"), Display: form.Get("display")}
	err = h.Site.TakesSecrets(c)
	if err == nil {
		var in entered
		if in, err = begin(form, f); err == nil {
			return h.in(c, in)
		}
	}
	v, status, err := wrong(c, err)
	if err != nil {
		return err
	}
	f.Wrong = v
	return again(c, status, f)
}

// in begins a session, in place of one that there was in this browser, and leads on.
func (h *Handlers) in(c echo.Context, e entered) error {
	if err := h.Entrance.SignOut(c.Request().Context(), who(c)); err != nil {
		h.Log.Warn("end the session before", "error", err) // the browser forgets it all the same
	}
	h.Site.KeepSession(c, e.secret, e.session.Ends)
	return page.Redirect(c, e.to, e.flash)
}

// CodePage answers GET /sign-in/code?back=.
func (h *Handlers) CodePage(c echo.Context) error {
	return h.codePage(c, http.StatusOK, people.Form{Back: address.Back(c.QueryParams())})
}

func (h *Handlers) codePage(c echo.Context, status int, f people.Form) error {
	chrome := h.Site.Chrome(c, text.T(c.Request().Context(), "people.code_title"), ui.NavNone)
	return page.Render(c, status, people.CodePage(chrome, f))
}

// Redeem answers POST /sign-in/code with the fields name, code, password and back.
func (h *Handlers) Redeem(c echo.Context) error {
	return h.enter(c, h.codePage, func(form url.Values, f people.Form) (entered, error) {
		secret, session, err := h.Entrance.Redeem(
			c.Request().Context(), visit(c), f.Name, form.Get("code"), form.Get("password"))
		return entered{secret, session, onTo(f.Back), ui.Flash{}}, err
	})
}

// SignOut answers POST /sign-out: nothing of the session stays, neither here nor in the browser.
func (h *Handlers) SignOut(c echo.Context) error {
	if err := h.Entrance.SignOut(c.Request().Context(), who(c)); err != nil {
		return err
	}
	h.Site.DropSession(c)
	c.Response().Header().Set("Clear-Site-Data", `"cache", "storage"`) // "cookies" would end the theme and the language
	flash := ui.Flash{Kind: ui.KindSuccess, Text: text.T(c.Request().Context(), "people.signed_out")}
	return page.Redirect(c, address.SignInPath, flash)
}

// FirstPage answers GET /first-start.
func (h *Handlers) FirstPage(c echo.Context) error {
	first, err := h.first(c)
	if err != nil {
		return err
	}
	if !first {
		return c.Redirect(http.StatusSeeOther, address.SignInPath)
	}
	return h.firstPage(c, http.StatusOK, people.Form{})
}

func (h *Handlers) firstPage(c echo.Context, status int, f people.Form) error {
	chrome := h.Site.Chrome(c, text.T(c.Request().Context(), "people.first_title"), ui.NavNone)
	return page.Render(c, status, people.FirstPage(chrome, people.FirstView{Form: f, File: h.CodeFile}))
}

// First answers POST /first-start with the fields code, name, display and password: makes the first administrator.
func (h *Handlers) First(c echo.Context) error {
	return h.enter(c, h.firstPage, func(form url.Values, f people.Form) (entered, error) {
		ctx := c.Request().Context()
		secret, session, err := h.Entrance.First(ctx, visit(c), form.Get("code"),
			auth.NewPerson{Name: f.Name, Display: f.Display, Password: form.Get("password")})
		if err == nil && h.FirstIsOut != nil {
			h.FirstIsOut()
		}
		flash := ui.Flash{Kind: ui.KindSuccess, Text: text.T(ctx, "people.first_done")}
		return entered{secret, session, address.PeoplePath, flash}, err
	})
}
