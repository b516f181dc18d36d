package web

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
)

// who finds out who asks, and whether they may.
type who struct {
	site     *page.Site
	entrance *auth.Entrance // nil: nobody signs in, and everybody may everything
}

func newWho(h *handlers.Handlers) who {
	w := who{site: h.Site}
	if h.People != nil {
		w.entrance = h.People.Entrance
	}
	return w
}

// refusalKey has, in echo's context, why a request is refused.
const refusalKey = "refusal"

// refusal returns why a request is refused; nil where it is not.
func refusal(c echo.Context) error {
	err, _ := c.Get(refusalKey).(error)
	return err
}

// ask puts into the request who makes it, and notes for whoever answers it that they may not.
func (w who) ask(c echo.Context, action image.Action) {
	if w.site == nil {
		return // there is no shelf that anybody could do anything to
	}
	if action == "" {
		action = image.ActionLook // only who may look learns that there is no such address
	}
	p, why := w.principal(c, action)
	r := c.Request()
	c.SetRequest(r.WithContext(auth.With(r.Context(), p)))
	if err := w.may(c, action, why); err != nil {
		c.Set(refusalKey, err)
	}
}

// may returns why a request is refused. why is what is wrong with what it shows of who makes it.
func (w who) may(c echo.Context, action image.Action, why error) error {
	ctx, ref := c.Request().Context(), subject(c.Request().URL.Path)
	if why != nil && (image.KindOf(why) == image.Internal || isAPI(c.Request().URL.Path)) {
		return why
	}
	err := auth.May(ctx, action, ref.Repository)
	if err != nil && image.KindOf(err) == image.SignIn && why != nil {
		return why // which says more
	}
	if err != nil && image.KindOf(err) == image.Forbidden {
		w.entrance.Refused(ctx, action, ref, err)
	}
	return err
}

// principal finds out who asks. What is wrong with what is shown comes with a stranger.
func (w who) principal(c echo.Context, action image.Action) (auth.Principal, error) {
	from := c.RealIP()
	if w.entrance == nil {
		return auth.Local(w.site.Local(c), from, ""), nil
	}
	v := auth.Visit{Address: from, Agent: c.Request().UserAgent(), Request: requestID(c.Request())}
	stranger := auth.Anonymous(from, v.Request, false)
	if action == image.ActionOpen || action == image.ActionOperate {
		return stranger, nil
	}
	p, err := w.shown(c, v, stranger)
	if err != nil {
		return stranger, err
	}
	return p, nil
}

// shown returns who makes a request by what it shows: a page's by the cookie of a session or by a token, one to the
// registry API by a token alone, since browsers send cookies for pages of other sites, too.
func (w who) shown(c echo.Context, v auth.Visit, stranger auth.Principal) (auth.Principal, error) {
	api := isAPI(c.Request().URL.Path)
	if token := tokenOf(c.Request()); auth.IsToken(token) || api && token != "" {
		if err := w.site.TakesSecrets(c); err != nil {
			return stranger, err
		}
		return w.entrance.Token(c.Request().Context(), v, token)
	}
	secret := w.site.Session(c)
	if api || secret == "" {
		return stranger, nil
	}
	p, err := w.entrance.Session(c.Request().Context(), v, secret)
	if err != nil || !p.Renew {
		return p, err
	}
	fresh, err := w.entrance.Renew(c.Request().Context(), p)
	if err == nil && fresh != "" {
		w.site.KeepSession(c, fresh, p.Until)
	}
	return p, err
}

// tokenOf returns what a request shows as a token: the password of its Basic authorization, whatever the name, or its
// bearer token; empty where it shows none.
func tokenOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// requestID returns the ID of a request, and gives it one where it has none: the record names it, as the log does.
func requestID(r *http.Request) string {
	id := r.Header.Get(echo.HeaderXRequestID)
	if !validRequestID.MatchString(id) {
		id = rand.Text()
		r.Header.Set(echo.HeaderXRequestID, id)
	}
	return id
}

// subject returns the image that a path is about; the zero value where it is about none.
func subject(path string) image.Reference {
	name, kind := "", ""
	if isAPI(path) {
		name, kind = strings.TrimPrefix(path, apiPath+"/"), "/"+apiKind(path)+"/"
		i := strings.LastIndex(name, kind)
		if i < 0 {
			return image.Reference{}
		}
		ref, err := image.ParseRepositoryReference(name[:i])
		if err != nil {
			return image.Reference{}
		}
		return ref
	}
	if !strings.HasPrefix(path, address.ImagesPath+"/") {
		return image.Reference{}
	}
	a, err := address.ParseImage(path)
	if err != nil {
		return image.Reference{}
	}
	return a.Ref
}

// refused answers requests that are refused in place of the handler.
func refused(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := refusal(c); err != nil {
			return err
		}
		return next(c)
	}
}

// refuseAPI answers a request to the registry API that is refused, in its form.
func refuseAPI(c echo.Context, err error) {
	e, status := answerOf(err, false)
	header, code := c.Response().Header(), "DENIED"
	switch status {
	case http.StatusUnauthorized:
		code = "UNAUTHORIZED"
		header.Set(echo.HeaderWWWAuthenticate, page.Challenge)
	case http.StatusInternalServerError:
		code = "UNKNOWN"
	}
	message := e.Message
	if message == "" {
		message = "internal error: the server's log says more"
	}
	if e.Suggestion != "" {
		message += ". " + e.Suggestion
	}
	plainError(c.Response(), status, code, message)
}

// lasting ends what lasts when what was shown for it does.
func (w who) lasting(next echo.HandlerFunc) echo.HandlerFunc {
	if w.entrance == nil {
		return next
	}
	return func(c echo.Context) error {
		r := c.Request()
		p, _ := auth.Of(r.Context())
		ctx, stop := w.entrance.Lasting(r.Context(), p)
		defer stop()
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}
