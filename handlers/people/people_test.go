package people_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/test/pages"
)

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

// signIn signs in with the form, and returns the answer and its cookie as a header has it.
func signIn(a *pages.Accounts, name, back string, headers ...string) (pages.Answer, string) {
	a.T.Helper()
	got := a.Post("/sign-in", form("name", name, "password", pages.Password, "back", back), headers...)
	k, _ := got.CookieOf(pages.SessionCookie)
	if got.Status != http.StatusSeeOther || k == nil {
		a.T.Fatalf("sign in: %d\n%s", got.Status, got.Main())
	}
	return got, k.Name + "=" + k.Value
}

func TestWhoIsNotSignedInGetsThePageToSignInAt(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	got := a.As("", "/images/ubuntu:22.04?platform=linux/amd64")
	got.Is(t, http.StatusUnauthorized, `name="back" value="/images/ubuntu:22.04?platform=linux/amd64"`, ">ubuntu:22.04<")
	got.Lacks(t, "/storage", "/pulls")
	if got.Header.Get("WWW-Authenticate") != "" {
		t.Error("browsers ask with a box of their own")
	}
	a.Post("/pulls", nil, "Accept", "text/html").Lacks(t, `action="/sign-in" method="post"><input type="hidden"`)
}

func TestSigningInLeadsOn(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	got, cookie := signIn(a, "ada", "/pulls?state=done")
	if to := got.Header.Get("Location"); to != "/pulls?state=done" {
		t.Errorf("it leads to %s", to)
	}
	k, _ := got.CookieOf(pages.SessionCookie)
	if !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" || k.MaxAge <= 0 {
		t.Errorf("the cookie is %+v", k)
	}
	a.As(cookie, "/images").Is(t, http.StatusOK, "ada, administrator: menu", `href="/admin/people"`)
	if got := a.As(cookie, "/sign-in"); got.Status != http.StatusSeeOther {
		t.Errorf("somebody who is signed in is asked again: %d", got.Status)
	}
}

func TestSigningInLeadsToNoOtherSite(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	for _, back := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "/\t/evil.example", "javascript:alert(1)"} {
		got, _ := signIn(a, "ada", back)
		if to := got.Header.Get("Location"); to != "/" {
			t.Errorf("back=%q leads to %q", back, to)
		}
		page := a.As("", "/sign-in?back="+url.QueryEscape(back))
		page.Is(t, http.StatusOK, `action="/sign-in" method="post"><input type="hidden" name="back" value="/">`)
	}
}

func TestAWrongPasswordIsRefusedAndNeverSentBack(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	for _, name := range []string{"ada", "nobody"} {
		got := a.Post("/sign-in", form("name", name, "password", "something else entirely", "back", "/pulls"))
		got.Is(t, http.StatusUnauthorized, "The name or the password is wrong", `value="`+name+`"`, `value="/pulls"`, `role="alert"`)
		got.Lacks(t, "something else entirely")
		if _, set := got.CookieOf(pages.SessionCookie); set {
			t.Error("it gives a cookie")
		}
	}
}

// TestASessionThatSomebodyElseBroughtIsNotTaken has an attacker put a cookie into a browser before its owner signs in.
func TestASessionThatSomebodyElseBroughtIsNotTaken(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin", "mallory viewer")
	for _, planted := range []string{pages.SessionCookie + "=made-up-by-mallory", a.Session("mallory")} {
		_, cookie := signIn(a, "ada", "", "Cookie", planted)
		if cookie == planted {
			t.Error("the session has the secret that was there before")
		}
		if got := a.As(planted, "/images"); got.Status != http.StatusUnauthorized {
			t.Errorf("the one before is good for %d", got.Status)
		}
	}
}

func TestASignedOutCookieIsGoodForNothing(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	_, cookie := signIn(a, "ada", "")
	got := a.Post("/sign-out", nil, "Cookie", cookie)
	if k, set := got.CookieOf(pages.SessionCookie); got.Status != http.StatusSeeOther || !set || k.MaxAge >= 0 ||
		got.Header.Get("Clear-Site-Data") == "" {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	a.As(cookie, "/images").Is(t, http.StatusUnauthorized, "Your session has ended")
}

func TestHtmxIsLedToThePageToSignInAt(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	got := a.Get("/images", "HX-Request", "true", "HX-Request-Type", "partial", "HX-Current-URL", "http://example.com/images?q=a")
	if to := got.Header.Get("HX-Redirect"); to != "/sign-in?back=/images%3Fq%3Da" {
		t.Errorf("%d to %q", got.Status, to)
	}
}

func TestTheFirstStartMakesAnAdministrator(t *testing.T) {
	a := pages.NewAccounts(t)
	for _, path := range []string{"/images", "/sign-in"} {
		if got := a.As("", path); got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/first-start" {
			t.Errorf("%s: %d to %s", path, got.Status, got.Header.Get("Location"))
		}
	}
	code, err := a.Entrance.FirstCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page := a.As("", "/first-start")
	page.Is(t, http.StatusOK, "/data/first-start-code")
	page.Lacks(t, code)
	wrong := a.Post("/first-start", form("code", "AAAA-BBBB-CCCC", "name", "mira", "password", pages.Password))
	wrong.Is(t, http.StatusUnauthorized, `value="mira"`)
	got := a.Post("/first-start", form("code", strings.ToLower(code), "name", "mira", "display", "Mira Novak", "password", pages.Password))
	k, set := got.CookieOf(pages.SessionCookie)
	if got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/admin/people" || !set {
		t.Fatalf("%d %v\n%s", got.Status, got.Header, got.Main())
	}
	a.As(k.Name+"="+k.Value, "/admin/people").Is(t, http.StatusOK, "Mira Novak")
	if got := a.As("", "/first-start"); got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/sign-in" {
		t.Errorf("it is there still: %d", got.Status)
	}
	again := a.Post("/first-start", form("code", code, "name", "eve", "password", pages.Password))
	if _, set := again.CookieOf(pages.SessionCookie); set || again.Status < 400 {
		t.Errorf("a second administrator by the same code: %d", again.Status)
	}
}

func TestAPersonWhoIsAddedComesInByTheirCode(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	ada := a.Session("ada")
	made := a.Post("/admin/people", form("name", "kim", "display", "Jiwon Kim", "role", "operator"), "Cookie", ada)
	made.Is(t, http.StatusOK, "Jiwon Kim", "/sign-in/code")
	code := regexp.MustCompile(`[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}`).FindString(made.Body)
	got := a.Post("/sign-in/code", form("name", "kim", "code", code, "password", pages.Password, "back", "/pulls"))
	if _, set := got.CookieOf(pages.SessionCookie); !set || got.Header.Get("Location") != "/pulls" {
		t.Errorf("%d %s", got.Status, got.Main())
	}
	signIn(a, "kim", "")
	if got := a.Post("/sign-in/code", form("name", "kim", "code", code, "password", pages.Password)); got.Status < 400 {
		t.Errorf("the code is good twice: %d", got.Status)
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin")
	ada := a.Session("ada")
	for path, f := range map[string]url.Values{
		"/admin/people/ada/disable": nil, "/admin/people/ada/role": form("role", "viewer"),
		"/admin/people/ada/remove": form("confirm", "ada"),
	} {
		if got := a.Post(path, f, "Cookie", ada); got.Status != http.StatusConflict {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
}

func TestADisabledPersonIsOutAtOnce(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin", "kim operator")
	ada, kim, token := a.Session("ada"), a.Session("kim"), a.Token("kim")
	if got := a.Post("/admin/people/kim/disable", nil, "Cookie", ada); got.Status != http.StatusSeeOther {
		t.Fatal(got.Status, got.Main())
	}
	if got := a.As(kim, "/images"); got.Status != http.StatusUnauthorized {
		t.Errorf("with the session: %d", got.Status)
	}
	if got := a.WithToken(token, "/v2/"); got.Status != http.StatusForbidden && got.Status != http.StatusUnauthorized {
		t.Errorf("with the token: %d", got.Status)
	}
	got := a.Post("/sign-in", form("name", "kim", "password", pages.Password))
	got.Is(t, http.StatusForbidden, "is disabled")
}

func TestATokenIsShownOnce(t *testing.T) {
	a := pages.NewAccounts(t, "kim operator", "ada admin")
	kim := a.Session("kim")
	made := a.Post("/profile/tokens", form("name", "laptop", "role", "operator", "days", "30"), "Cookie", kim)
	made.Is(t, http.StatusOK, "docker login example.com -u kim")
	token := regexp.MustCompile(`stw_[0-9A-Za-z]{49}`).FindString(made.Body)
	if !auth.IsToken(token) || made.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%q %v", token, made.Header)
	}
	if got := a.WithToken(token, "/v2/"); got.Status != http.StatusOK {
		t.Errorf("it is good for %d", got.Status)
	}
	profile := a.As(kim, "/profile")
	profile.Is(t, http.StatusOK, token[:8], "laptop")
	profile.Lacks(t, token)
	more := a.Post("/profile/tokens", form("name", "more", "role", "admin", "days", "30"), "Cookie", kim)
	more.Is(t, http.StatusForbidden, "no more than its owner")
	id := regexp.MustCompile(`/profile/tokens/\d+/revoke`).FindString(profile.Body)
	a.Post(id, nil, "Cookie", a.Session("ada")).Is(t, http.StatusNotFound) // who has no such token
	if got := a.Post(id, nil, "Cookie", kim); got.Status != http.StatusSeeOther {
		t.Errorf("revoke: %d", got.Status)
	}
	if got := a.WithToken(token, "/v2/"); got.Status != http.StatusUnauthorized {
		t.Errorf("after it was revoked it is good for %d", got.Status)
	}
}

func TestNobodyEndsTheSessionOfSomebodyElse(t *testing.T) {
	a := pages.NewAccounts(t, "kim operator", "ada admin")
	ada, kim := a.Session("ada"), a.Session("kim")
	a.Post("/profile/sessions/1/end", nil, "Cookie", kim).Is(t, http.StatusNotFound)
	if got := a.As(ada, "/images"); got.Status != http.StatusOK {
		t.Errorf("the session of ada: %d", got.Status)
	}
}

func TestChangingThePasswordEndsAllOtherSessions(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin", "kim operator")
	other := a.Session("kim")
	_, kim := signIn(a, "kim", "")
	const fresh = "another horse, another staple"
	a.Post("/profile/password", form("old", "not that one at all", "password", fresh), "Cookie", kim).
		Is(t, http.StatusBadRequest, "The old password is wrong")
	got := a.Post("/profile/password", form("old", pages.Password, "password", fresh), "Cookie", kim)
	k, set := got.CookieOf(pages.SessionCookie)
	if got.Status != http.StatusSeeOther || !set {
		t.Fatal(got.Status, got.Main())
	}
	for cookie, want := range map[string]int{
		k.Name + "=" + k.Value: http.StatusOK, other: http.StatusUnauthorized, kim: http.StatusUnauthorized,
	} {
		if got := a.As(cookie, "/images"); got.Status != want {
			t.Errorf("%d, want %d", got.Status, want)
		}
	}
}

func TestTheRecordSaysWhoDidWhat(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin", "kim operator")
	a.Pull("ubuntu:22.04")
	ada, kim := a.Session("ada"), a.Session("kim")
	pin := "/images/docker.io/library/ubuntu:22.04/pin"
	if got := a.Post(pin, form("note", "in use"), "Cookie", kim); got.Status != http.StatusSeeOther {
		t.Fatal(got.Status, got.Main())
	}
	a.Post("/storage/sweep", nil, "Cookie", kim).Is(t, http.StatusForbidden, "kim may not free the disk")
	if err := a.Entrance.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines, err := a.Record.Lines(t.Context(), shelf.LineQuery{By: "kim"})
	if err != nil || len(lines) != 3 || lines[0].Outcome != shelf.Refused || lines[0].Action != image.ActionFree ||
		lines[1].Action != image.ActionPin || lines[1].What.Repository != "docker.io/library/ubuntu" ||
		lines[1].From.Credential == "" || lines[1].From.Address != "127.0.0.1" {
		t.Errorf("%+v %v", lines, err)
	}
	page := a.As(ada, "/admin/record?by=kim&repository=ubuntu")
	page.Is(t, http.StatusOK, "ubuntu:22.04", ">pin<")
	page.Lacks(t, "kim may not free")
	export := a.Get("/admin/record/export?by=kim", "Cookie", ada)
	if n := strings.Count(export.Body, "\n"); n != 3 || !strings.Contains(export.Body, `"action":"pin"`) {
		t.Errorf("%d lines\n%s", n, export.Body)
	}
	a.As(ada, "/admin/record?action=record.export").Is(t, http.StatusOK, "/admin/record?by=kim")
	a.As(ada, "/admin/record?from=yesterday").Is(t, http.StatusBadRequest)
}

// deleted carries out a deletion as its form does.
func deleted(a *pages.Accounts, cookie, address string) pages.Answer {
	a.T.Helper()
	plan := a.As(cookie, address)
	f := plan.Form(a.T)
	return a.Post(address, f, "Cookie", cookie, "Accept", "text/html")
}

func TestAnOperatorChangesOnlyWhatIsTheirs(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin", "mira operator", "kim operator")
	a.Pull("ubuntu:22.04") // by mira
	ada, mira, kim := a.Session("ada"), a.Session("mira"), a.Session("kim")
	const ubuntu = "/images/docker.io/library/ubuntu:22.04"
	deleted(a, kim, ubuntu+"/delete").Is(t, http.StatusForbidden, "somebody else")
	a.Post("/pulls/1/cancel", nil, "Cookie", kim).Is(t, http.StatusForbidden)
	if got := a.Post(ubuntu+"/pin", form("note", "mine"), "Cookie", mira); got.Status != http.StatusSeeOther {
		t.Fatal(got.Status, got.Main())
	}
	a.Post(ubuntu+"/unpin", nil, "Cookie", kim).Is(t, http.StatusForbidden, "somebody else")
	a.Post(ubuntu+"/pin", form("note", "now mine"), "Cookie", kim).Is(t, http.StatusForbidden)
	if got := a.Post(ubuntu+"/unpin", nil, "Cookie", mira); got.Status != http.StatusSeeOther {
		t.Error("unpin one's own:", got.Status)
	}
	if got := deleted(a, mira, ubuntu+"/delete"); got.Status != http.StatusSeeOther {
		t.Error("delete one's own:", got.Status, got.Main())
	}
	a.Pull("ubuntu:22.04")
	if got := deleted(a, ada, ubuntu+"/delete"); got.Status != http.StatusSeeOther {
		t.Error("an administrator:", got.Status, got.Main())
	}
}

func TestWhatSomebodyMayNotDoIsNotShown(t *testing.T) {
	a := pages.NewAccounts(t, "ada admin", "vera viewer", "kim operator")
	a.Pull("ubuntu:22.04") // by mira
	const ubuntu = "/images/docker.io/library/ubuntu:22.04"
	changes := map[string][]string{
		"/images": {`class="cell-pick"`, `href="/archives"`, `>Pull image<`, ubuntu + `/delete`},
		ubuntu:    {ubuntu + `/delete`, ubuntu + `/pin`, ubuntu + `/check`},
		"/pulls":  {`href="/archives"`, `href="/pull"`},
	}
	vera, kim, ada := a.Session("vera"), a.Session("kim"), a.Session("ada")
	for path, marks := range changes {
		a.As(vera, path).Lacks(t, marks...)
		for _, m := range marks {
			if strings.Contains(m, "Pull image") {
				continue // with an icon before it
			}
			a.As(kim, path).Is(t, http.StatusOK, m)
		}
	}
	a.As(kim, "/storage").Lacks(t, `action="/prune"`)
	a.As(ada, "/storage").Is(t, http.StatusOK, `action="/prune"`)
	for cookie, admin := range map[string]bool{vera: false, kim: false, ada: true} {
		if got := strings.Contains(a.As(cookie, "/images").Body, `href="/admin/people"`); got != admin {
			t.Errorf("the way to the administration is shown: %v", got)
		}
	}
}
