package web_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/web"
)

// least are the lowest of those who may do what the routes do, as the design of the accounts has it.
var least = map[image.Action]string{
	image.ActionOpen: "anonymous", image.ActionSignIn: "anonymous", image.ActionSignOut: "anonymous",
	image.ActionPrefer: "anonymous", image.ActionOperate: "anonymous",

	image.ActionLook: "viewer", image.ActionDownload: "viewer", image.ActionAsk: "viewer", image.ActionTemplate: "viewer",
	image.ActionProfile: "viewer", image.ActionPassword: "viewer", image.ActionSessionEnd: "viewer",
	image.ActionTokenMake: "viewer", image.ActionTokenEnd: "viewer",

	image.ActionPull: "operator", image.ActionCheck: "operator", image.ActionPin: "operator",
	image.ActionUpload: "operator", image.ActionDelete: "operator",

	image.ActionFree: "admin", image.ActionMetrics: "admin", image.ActionAdminister: "admin",
	image.ActionPersonAdd: "admin", image.ActionPersonRole: "admin", image.ActionPersonCode: "admin",
	image.ActionPersonSignOut: "admin", image.ActionPersonDisable: "admin", image.ActionPersonEnable: "admin",
	image.ActionPersonRemove: "admin", image.ActionRecord: "admin", image.ActionRecordExport: "admin",
}

var rising = []string{"anonymous", "viewer", "operator", "admin"}

// visitor is somebody who walks over the routes.
type visitor struct {
	role string
	show func() http.Header // made anew for each request: some of them end sessions
}

func visitors(a *pages.Accounts) map[string]visitor {
	session := func(name string) func() http.Header {
		return func() http.Header { return http.Header{"Cookie": {a.Session(name)}} }
	}
	token := func(name string) func() http.Header {
		token := a.Token(name)
		return func() http.Header { return basic(token) }
	}
	revoked := a.Session("ada")
	if _, err := a.Tables.Sessions.EndAll(a.T.Context(), image.Server, a.Person("ada").ID, 0); err != nil {
		a.T.Fatal(err)
	}
	late := a.Token("late")
	a.Pass(25 * time.Hour)
	return map[string]visitor{
		"anonymous":         {"anonymous", func() http.Header { return http.Header{} }},
		"viewer":            {"viewer", session("vera")},
		"operator":          {"operator", session("olga")},
		"admin":             {"admin", session("ada")},
		"a revoked session": {"anonymous", func() http.Header { return http.Header{"Cookie": {revoked}} }},
		"an expired token":  {"anonymous", func() http.Header { return basic(late) }},
		"a made-up session": {"anonymous", func() http.Header { return http.Header{"Cookie": {pages.SessionCookie + "=made-up"}} }},
		"a viewer's token":  {"viewer", token("vera")},
	}
}

func basic(token string) http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth("x", token)
	return r.Header
}

// TestEveryRouteIsForThoseWhoMay walks over every route and every kind of the registry API, as everybody.
func TestEveryRouteIsForThoseWhoMay(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin", "other admin", "olga operator", "vera viewer", "late admin")
	all := visitors(a)
	for _, route := range web.Table(a.Web) {
		lowest, known := least[route.Action]
		if !known {
			t.Errorf("%s %s: nobody says who may %s", route.Method, route.Path, route.Action)
			continue
		}
		path := concrete(route.Path)
		api := strings.HasPrefix(path, "/v2")
		for name, v := range all {
			shown := v.show()
			token := shown.Get("Authorization") != ""
			if api && !token && v.role != "anonymous" {
				v.role = "anonymous" // cookies do not count there
			}
			r := httptest.NewRequest(route.Method, path, nil)
			r.RemoteAddr = "127.0.0.1:40000"
			r.Header = shown
			r.Header.Set("Accept", "application/json")
			w := httptest.NewRecorder()
			a.Pages.ServeHTTP(w, r)
			hold(t, route, path, name, v.role, lowest, token, w.Code)
		}
	}
}

// hold compares the status of an answer with who may.
func hold(t *testing.T, route web.Listed, path, name, role, lowest string, token bool, status int) {
	t.Helper()
	may := slices.Index(rising, role) >= slices.Index(rising, lowest)
	inHand := token && role != "anonymous" && lowest != "anonymous" &&
		auth.May(auth.With(t.Context(), auth.Principal{
			Actor: image.Actor{Kind: image.ActorPerson, Name: "x"}, Role: auth.Role(role), Via: auth.ViaToken,
		}), route.Action, "") != nil
	refused := status == http.StatusUnauthorized || status == http.StatusForbidden
	if route.Action == image.ActionSignIn {
		refused = status == http.StatusForbidden // an empty form is no good name and password
	}
	switch {
	case may && !inHand && refused:
		t.Errorf("%s %s is refused to %s: %d", route.Method, path, name, status)
	case (!may || inHand) && role == "anonymous" && status != http.StatusUnauthorized:
		t.Errorf("%s %s answers %s with %d, not 401", route.Method, path, name, status)
	case (!may || inHand) && role != "anonymous" && status != http.StatusForbidden:
		t.Errorf("%s %s answers %s with %d, not 403", route.Method, path, name, status)
	}
}

// concrete returns a path of a route. What it names is not there.
func concrete(path string) string {
	path = strings.NewReplacer(":id", "987654", ":digest", "sha256:"+strings.Repeat("0", 64), ":name", "nobody").Replace(path)
	switch {
	case path == "/v2/*":
		return "/v2/"
	case strings.HasPrefix(path, "/v2/"):
		return strings.Replace(strings.Replace(path, "*", "library/nothing", 1), "*", "latest", 1)
	case strings.HasPrefix(path, "/images/"):
		return strings.Replace(path, "*", "nothing:1", 1)
	}
	return strings.Replace(path, "*", "nothing", 1)
}

func TestACookieDoesNotCountAtTheRegistryAPI(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	cookie := a.Session("ada")
	if got := a.Get("/v2/", "Cookie", cookie); got.Status != http.StatusUnauthorized ||
		!strings.HasPrefix(got.Header.Get("WWW-Authenticate"), `Basic realm="`) ||
		!strings.Contains(got.Body, `"code":"UNAUTHORIZED"`) {
		t.Errorf("%d %v %s", got.Status, got.Header, got.Body)
	}
	if got := a.WithToken(a.Token("ada"), "/v2/"); got.Status != http.StatusOK {
		t.Errorf("with a token: %d %s", got.Status, got.Body)
	}
	if got := a.WithToken(pages.Password, "/v2/"); got.Status != http.StatusUnauthorized {
		t.Errorf("with a password: %d %s", got.Status, got.Body)
	}
}

func TestATokenIsNotTakenInTheClearFromTheNetwork(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	r := httptest.NewRequest(http.MethodGet, "/v2/", nil)
	r.RemoteAddr = "192.0.2.7:40000"
	r.SetBasicAuth("ada", a.Token("ada"))
	w := httptest.NewRecorder()
	a.Pages.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "plain HTTP") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	cookie := a.Session("ada")
	ctx, cancel := a.Entrance.Lasting(t.Context(), auth.Principal{Via: auth.ViaSession, Holds: 1})
	defer cancel()
	if got := a.Post("/sign-out", nil, "Cookie", cookie); got.Status != http.StatusSeeOther {
		t.Fatal(got.Status, got.Body)
	}
	if ctx.Err() == nil {
		t.Error("what follows the session goes on after signing out")
	}
}

func TestALocalServerNeedsNoSignIn(t *testing.T) {
	s := pages.New(t)
	for _, path := range []string{"/images", "/metrics", "/storage"} {
		if got := s.Get(path); got.Status != http.StatusOK {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
	for _, path := range []string{"/sign-in", "/profile", "/admin/people", "/first-start"} {
		if got := s.Get(path); got.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
}
