package web

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/static"
	"github.com/stowage/stowage/views/address"
)

// route is an address with what a request to it does.
type route struct {
	method string
	path   string
	action image.Action
	answer echo.HandlerFunc // nil: the registry API's own router has it
	how    kind
	// below are the actions of an address that has one for each section; action is that of the others.
	below map[address.Section]image.Action
}

// kind says how a route is answered.
type kind int

const (
	plain     kind = iota // a GET that asks no registry
	asking                // a GET that may make this server ask registries
	streaming             // a GET that lasts as long as what it tells of: a HEAD of it would too
)

// table is the whole address map: pages, streams and the registry API. People bookmark these: they never change.
func table(o Options) []route {
	h := o.Handlers
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	routes := []route{
		{method: get, path: "/", action: image.ActionLook, answer: to(http.StatusFound, address.ImagesPath)},
		{method: get, path: "/images", action: image.ActionLook, answer: h.Images.List},
		{
			method: get, path: "/images/*", action: image.ActionLook, answer: h.Addresses.ImageAddress,
			below: map[address.Section]image.Action{address.SectionArchive: image.ActionDownload},
		},
		{
			method: post, path: "/images/*", action: image.ActionDelete, answer: h.Addresses.ImageAction,
			below: map[address.Section]image.Action{
				address.SectionPin: image.ActionPin, address.SectionUnpin: image.ActionPin, address.SectionCheck: image.ActionCheck,
			},
		},
		{method: get, path: "/layers/:digest", action: image.ActionLook, answer: h.Image.Layer},
		{method: get, path: "/archive", action: image.ActionDownload, answer: h.Archives.Archive},
		{method: get, path: "/delete", action: image.ActionLook, answer: h.Removals.Delete},
		{method: post, path: "/delete", action: image.ActionDelete, answer: h.Removals.DeleteSelected},
		{method: get, path: "/delete/summary", action: image.ActionLook, answer: h.Removals.DeleteSummary},
		{method: post, path: "/removals/:id/undo", action: image.ActionDelete, answer: h.Removals.UndoRemoval},
		{method: get, path: "/removals/:id/undo", action: image.ActionLook, answer: h.Removals.UndoAddress},

		{method: get, path: "/storage", action: image.ActionLook, answer: h.Storage.Page},
		{method: post, path: "/storage/sweep", action: image.ActionFree, answer: h.Storage.Sweep},
		{method: get, path: "/storage/sweep", action: image.ActionLook, answer: h.Storage.SweepAddress},
		{method: post, path: "/storage/unfinished", action: image.ActionFree, answer: h.Storage.FreeUnfinished},
		{method: get, path: "/storage/unfinished", action: image.ActionLook, answer: h.Storage.SweepAddress},
		{method: get, path: "/prune", action: image.ActionLook, answer: h.Prunes.Page},
		{method: get, path: "/prune/summary", action: image.ActionLook, answer: h.Prunes.Summary},
		{method: post, path: "/prune", action: image.ActionDelete, answer: h.Prunes.Prune},

		{method: get, path: "/search", action: image.ActionAsk, answer: h.Search.Page, how: asking},
		{method: get, path: "/search/box", action: image.ActionAsk, answer: h.Search.Box, how: asking},
		{method: get, path: "/pull", action: image.ActionAsk, answer: h.Pulls.Form, how: asking},
		{method: get, path: "/pulls", action: image.ActionLook, answer: h.Pulls.List},
		{method: post, path: "/pulls", action: image.ActionPull, answer: h.Pulls.Start},
		{method: get, path: "/pulls/:id", action: image.ActionLook, answer: h.Pulls.Page},
		{method: get, path: "/pulls/:id/events", action: image.ActionLook, answer: h.Pulls.Events, how: streaming},
		{method: post, path: "/pulls/:id/cancel", action: image.ActionPull, answer: h.Pulls.Cancel},
		// of a refused cancel, loaded again
		{method: get, path: "/pulls/:id/cancel", action: image.ActionLook, answer: toPull},

		{method: get, path: "/archives", action: image.ActionLook, answer: h.Archives.Uploads},
		{method: post, path: "/archives", action: image.ActionUpload, answer: h.Archives.PostArchive},
		{method: put, path: "/archives", action: image.ActionUpload, answer: h.Archives.PutArchive},
		// curl -T FILE …/archives/
		{method: put, path: "/archives/*", action: image.ActionUpload, answer: h.Archives.PutArchive},

		{method: get, path: "/help", action: image.ActionLook, answer: h.Site.Help},
		{method: get, path: "/updates", action: image.ActionLook, answer: h.Updates.Page},
		{method: post, path: "/updates", action: image.ActionCheck, answer: h.Updates.Check},
		{method: post, path: "/updates/cancel", action: image.ActionCheck, answer: h.Updates.Cancel},
		{method: get, path: "/updates/cancel", action: image.ActionLook,
			answer: to(http.StatusSeeOther, address.UpdatesPath)},

		{method: post, path: "/preferences", action: image.ActionPrefer, answer: h.Site.SavePreferences},
		{method: post, path: "/demo/move-tag", action: image.ActionPull, answer: h.Site.MoveDemoTag},

		{method: get, path: static.Prefix + "*", action: image.ActionOpen, answer: echo.WrapHandler(static.Handler())},
		{method: get, path: "/favicon.ico", action: image.ActionOpen,
			answer: to(http.StatusFound, static.URL("favicon.svg"))},

		{method: get, path: "/healthz", action: image.ActionOperate, answer: healthy},
		{method: get, path: "/readyz", action: image.ActionOperate, answer: ready(o)},
		{method: get, path: "/metrics", action: image.ActionMetrics,
			answer: echo.WrapHandler(promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))},

		{method: get, path: "/v2/*", action: image.ActionLook}, // that it is one, and what repositories there are
		{method: get, path: "/v2/*/manifests/*", action: image.ActionDownload},
		{method: get, path: "/v2/*/blobs/*", action: image.ActionDownload},
		{method: get, path: "/v2/*/tags/*", action: image.ActionLook},
		{method: get, path: "/v2/*/referrers/*", action: image.ActionLook},
	}
	if h.People == nil {
		return routes
	}
	people := h.People
	return append(routes,
		route{method: get, path: "/sign-in", action: image.ActionSignIn, answer: people.SignInPage},
		route{method: post, path: "/sign-in", action: image.ActionSignIn, answer: people.SignIn},
		route{method: get, path: "/sign-in/code", action: image.ActionSignIn, answer: people.CodePage},
		route{method: post, path: "/sign-in/code", action: image.ActionSignIn, answer: people.Redeem},
		route{method: post, path: "/sign-out", action: image.ActionSignOut, answer: people.SignOut},
		route{method: get, path: "/sign-out", action: image.ActionSignOut,
			answer: to(http.StatusSeeOther, address.SignInPath)},
		route{method: get, path: "/first-start", action: image.ActionSignIn, answer: people.FirstPage},
		route{method: post, path: "/first-start", action: image.ActionSignIn, answer: people.First},

		route{method: get, path: "/profile", action: image.ActionProfile, answer: people.Profile},
		route{method: post, path: "/profile/password", action: image.ActionPassword, answer: people.ChangePassword},
		route{method: post, path: "/profile/sessions/end", action: image.ActionSessionEnd, answer: people.EndSessions},
		route{method: post, path: "/profile/sessions/:id/end", action: image.ActionSessionEnd,
			answer: people.EndSession},
		route{method: post, path: "/profile/tokens", action: image.ActionTokenMake, answer: people.MakeToken},
		route{method: get, path: "/profile/password", action: image.ActionProfile,
			answer: to(http.StatusSeeOther, address.ProfilePath)},
		route{method: get, path: "/profile/tokens", action: image.ActionProfile,
			answer: to(http.StatusSeeOther, address.ProfilePath)},
		route{method: post, path: "/profile/tokens/:id/revoke", action: image.ActionTokenEnd,
			answer: people.RevokeToken},

		route{method: get, path: "/admin", action: image.ActionAdminister,
			answer: to(http.StatusSeeOther, address.PeoplePath)},
		route{method: get, path: "/admin/people", action: image.ActionAdminister, answer: people.List},
		route{method: post, path: "/admin/people", action: image.ActionPersonAdd, answer: people.Add},
		route{method: post, path: "/admin/people/:name/role", action: image.ActionPersonRole, answer: people.SetRole},
		route{method: post, path: "/admin/people/:name/code", action: image.ActionPersonCode, answer: people.NewCode},
		route{method: post, path: "/admin/people/:name/sign-out", action: image.ActionPersonSignOut,
			answer: people.SignOutPerson},
		route{method: post, path: "/admin/people/:name/disable", action: image.ActionPersonDisable,
			answer: people.Disable},
		route{method: post, path: "/admin/people/:name/enable", action: image.ActionPersonEnable,
			answer: people.Enable},
		route{method: post, path: "/admin/people/:name/remove", action: image.ActionPersonRemove,
			answer: people.Remove},

		route{method: get, path: "/admin/record", action: image.ActionRecord, answer: people.Record},
		route{method: get, path: "/admin/record/export", action: image.ActionRecordExport, answer: people.Export},
	)
}

// actions has the routes of the table by method and path.
type actions map[[2]string]*route

func newActions(routes []route) actions {
	a := actions{}
	for i, r := range routes {
		a[[2]string{r.method, r.path}] = &routes[i]
	}
	return a
}

// of returns what a request does, whichever surface it is for; empty where there is no such address. A HEAD does what a
// GET does.
func (a actions) of(c echo.Context) image.Action {
	method, path, of := c.Request().Method, c.Path(), c.Request().URL.Path
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if isAPI(of) {
		path = apiRoutes[apiKind(of)]
	}
	r := a[[2]string{method, path}]
	if r == nil {
		return ""
	}
	if below, ok := r.below[address.SectionOf(of)]; ok {
		return below
	}
	return r.action
}

// routes sets the table's routes. HEAD is answered like GET, without the body (RFC 9110, section 9.3.2); net/http
// leaves that out.
func routes(e *echo.Echo, o Options) {
	guard, who := newAsks(o), newWho(o.Handlers)
	for _, r := range table(o) {
		switch {
		case r.answer == nil:
		case r.method != http.MethodGet:
			e.Add(r.method, r.path, r.answer)
		case r.how == streaming:
			e.GET(r.path, r.answer, who.lasting, streams(o.connections))
		case r.how == asking:
			e.GET(r.path, r.answer, guard.asking)
			e.HEAD(r.path, r.answer, guard.asking)
		default:
			e.GET(r.path, r.answer, silent)
			e.HEAD(r.path, r.answer, silent)
		}
	}
}

// to leads to another address.
func to(status int, path string) echo.HandlerFunc {
	return func(c echo.Context) error { return c.Redirect(status, path) }
}

func toPull(c echo.Context) error {
	return c.Redirect(http.StatusSeeOther, address.PullsPath+"/"+url.PathEscape(c.Param("id")))
}

func healthy(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }
