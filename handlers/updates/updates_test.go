package updates_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
)

// checked is a shelf with ubuntu:rolling and redis:7 in front of a registry that misbehaves when it is told to.
type checked struct {
	*pages.Shelf
	reg    *fake.Registry
	faulty *fake.Faulty
}

const rollingPage = "/images/docker.io/library/ubuntu:rolling"

func newChecked(t *testing.T) checked {
	t.Helper()
	reg := fake.NewEmptyRegistry()
	c := checked{reg: reg, faulty: fake.NewFaulty(reg)}
	c.Shelf = pages.NewInFront(t, reg, c.faulty)
	c.PullRolling(reg, 1)
	return c
}

// move makes the registry's tag point to another version.
func (c checked) move(version int) {
	c.T.Helper()
	source, err := sample.Rolling(version)
	if err == nil {
		err = c.reg.Push(c.T.Context(), "library/ubuntu", source, "rolling")
	}
	if err != nil {
		c.T.Fatal(err)
	}
}

// check asks about the tag, and tells which requests for manifests that took.
func (c checked) check() (page pages.Answer, asked []string) {
	c.T.Helper()
	before := len(c.faulty.Requests())
	if a := c.Post(rollingPage+"/check", nil); a.Status != http.StatusSeeOther || a.Header.Get("Location") != rollingPage {
		c.T.Fatalf("%d to %q: %s", a.Status, a.Header.Get("Location"), a.Body)
	}
	for _, r := range c.faulty.Requests()[before:] {
		if strings.Contains(r.Path, "/manifests/") || strings.Contains(r.Path, "/blobs/") {
			asked = append(asked, r.Method)
		}
	}
	return c.Get(rollingPage), asked
}

func TestAPullSettlesWhetherATagIsUpToDate(t *testing.T) {
	c := newChecked(t)
	c.Get(rollingPage).Is(t, http.StatusOK, `data-update="current"`, "up to date", "was asked by a pull")
}

func TestACheckAsksByOneHEADAndShowsBothDigests(t *testing.T) {
	c := newChecked(t)
	here := c.Target("ubuntu:rolling").Digest
	page, asked := c.check()
	page.Is(t, http.StatusOK, `data-update="current"`, "was asked by a check")
	if got := strings.Join(asked, " "); got != "HEAD" {
		t.Errorf("asked by %q, want one HEAD", got)
	}
	c.move(2)
	page, asked = c.check()
	page.Is(t, http.StatusOK, `data-update="available"`, "update available", string(here), `href="/pull?ref=ubuntu:rolling&amp;platform=linux/amd64"`)
	if got := strings.Join(asked, " "); got != "HEAD" {
		t.Errorf("asked by %q, want one HEAD", got)
	}
	if now := c.Target("ubuntu:rolling").Digest; now != here {
		t.Errorf("a check moved the tag from %s to %s", here, now)
	}
	c.PullRolling(c.reg, 2)
	if there := c.Target("ubuntu:rolling").Digest; there == here || !strings.Contains(page.Body, string(there)) {
		t.Errorf("the page did not show the registry's digest %s", there)
	}
	c.Get(rollingPage).Is(t, http.StatusOK, `data-update="current"`)
	c.move(1)
	page, _ = c.check()
	page.Is(t, http.StatusOK, `data-update="available"`, string(here))
}

func TestWhatKeepsAnAnswerAwayIsUnknownAndNeverUpToDate(t *testing.T) {
	for name, tt := range map[string]struct {
		fault       fake.Fault
		state, says string
		gets        int
	}{
		"a tag that is gone":   {fake.Status(http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown"), "gone", "The registry no longer has this tag.", 1},
		"a repository is gone": {fake.Status(http.StatusNotFound, "NAME_UNKNOWN", "repository name not known"), "gone", "The registry no longer has this tag.", 1},
		"no sign-in":           {fake.Status(http.StatusUnauthorized, "UNAUTHORIZED", "authentication required"), "unknown", "", 1},
		"not allowed":          {fake.Status(http.StatusForbidden, "DENIED", "denied"), "unknown", "", 1},
		"too many requests":    {fake.TooManyRequests("120"), "unknown", "rate limit", 0},
		"a failing registry":   {fake.Status(http.StatusBadGateway, "", ""), "unknown", "", 1},
		"a broken connection":  {func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }, "unknown", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecked(t)
			c.faulty.On(fake.Manifests, tt.fault)
			page, asked := c.check()
			page.Is(t, http.StatusOK, `data-update="`+tt.state+`"`, tt.says)
			page.Lacks(t, ">up to date<")
			// The client may repeat a HEAD, over a connection that was closed or for a sign-in.
			heads := strings.Repeat("HEAD ", max(1, len(asked)-tt.gets))
			if got := strings.Join(asked, " "); got != strings.TrimSpace(heads+strings.Repeat("GET ", tt.gets)) {
				t.Errorf("asked by %q, want HEAD and then %d GET", got, tt.gets)
			}
		})
	}
}

func TestAHeadWithoutADigestIsSettledByTheBytesOfOneGET(t *testing.T) {
	c := newChecked(t)
	c.faulty.On(fake.Manifests, fake.NoDigest())
	for _, tt := range []struct {
		version int
		state   string
	}{{1, "current"}, {2, "available"}} {
		c.move(tt.version)
		page, asked := c.check()
		page.Is(t, http.StatusOK, `data-update="`+tt.state+`"`)
		if got := strings.Join(asked, " "); got != "HEAD GET" {
			t.Errorf("asked by %q, want a HEAD and a GET", got)
		}
	}
}

func TestARegistryThatSaidTooManyIsLeftAlone(t *testing.T) {
	c := newChecked(t)
	c.faulty.On(fake.Manifests, fake.TooManyRequests("3600"))
	if _, asked := c.check(); len(asked) != 1 {
		t.Fatalf("asked %d times", len(asked))
	}
	before := len(c.faulty.Requests())
	c.Post(rollingPage+"/check", nil).Is(t, http.StatusBadGateway, "is left alone for a while")
	c.Get(rollingPage).Is(t, http.StatusOK, `data-update="unknown"`)
	if asked := len(c.faulty.Requests()) - before; asked != 0 {
		t.Errorf("asked again %d times before the time was over", asked)
	}
}

func TestAllTagsAreCheckedInTheBackgroundByOneHEADEachAndAGETWhereThatIsRefused(t *testing.T) {
	c := newChecked(t)
	for _, tag := range []string{"1", "2", "3"} {
		if err := c.reg.Push(t.Context(), "library/app", sample.Image{Platform: pages.Amd64, Created: sample.Epoch, Steps: []sample.Step{
			{By: "COPY", Layer: sample.NewLayer(sample.Gzip, sample.Data("app", tag, 100))},
		}}, tag); err != nil {
			t.Fatal(err)
		}
		c.Pull("app:" + tag)
	}
	c.move(2)
	c.faulty.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/app/manifests/2") }, fake.Status(http.StatusNotFound, "MANIFEST_UNKNOWN", "gone"))
	c.faulty.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/app/manifests/3") }, fake.Status(http.StatusForbidden, "DENIED", "no"))
	before := len(c.faulty.Requests())
	if a := c.Post("/updates", nil); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/updates" {
		t.Fatalf("%d to %q", a.Status, a.Header.Get("Location"))
	}
	c.awaitChecks()
	requests := map[string]int{}
	for _, r := range c.faulty.Requests()[before:] {
		if strings.Contains(r.Path, "/manifests/") {
			requests[r.Method+" "+r.Path[strings.LastIndex(r.Path, "/")+1:]]++
		}
	}
	for _, tag := range []string{"rolling", "1", "2", "3"} {
		if requests["HEAD "+tag] != 1 {
			t.Errorf("%s was asked about %d times", tag, requests["HEAD "+tag])
		}
	}
	if len(requests) != 6 || requests["GET 2"] != 1 || requests["GET 3"] != 1 {
		t.Errorf("other requests were made: %v", requests)
	}
	page := c.Get("/updates")
	page.Is(t, http.StatusOK, "1 up to date, 1 with an update, 1 gone, 1 unknown", "asked for by mira", ">Update available<", ">Gone from the registry<", `action="/images/docker.io/library/app:3/check"`)
	state, err := c.Store.Tags.TagCheck(t.Context(), image.Reference{Repository: "docker.io/library/app", Tag: "1"})
	if err != nil || state.State != "current" {
		t.Errorf("app:1 is %+v, %v", state, err)
	}
}

func TestOneRepositoryIsChecked(t *testing.T) {
	c := newChecked(t)
	c.Post("/updates", url.Values{"repository": {"nothing"}}).Is(t, http.StatusNotFound, "Nothing of nothing is stored")
	c.Post("/updates", url.Values{"repository": {"ubuntu:rolling"}}).Is(t, http.StatusBadRequest, "(repository)")
	c.Post("/updates", url.Values{"repository": {"ubuntu"}})
	c.awaitChecks()
	c.Get("/updates").Is(t, http.StatusOK, "The tags of ubuntu", "1 up to date")
}

func TestOnlyATagHasUpdates(t *testing.T) {
	c := newChecked(t)
	c.Post("/images/docker.io/library/ubuntu@"+string(c.Target("ubuntu:rolling").Digest)+"/check", nil).Is(t, http.StatusBadRequest, "Only a tag can have an update")
	c.Post("/images/docker.io/library/ubuntu:nothing/check", nil).Is(t, http.StatusNotFound)
	if a := c.Get(rollingPage + "/check"); a.Status != http.StatusSeeOther || a.Header.Get("Location") != rollingPage {
		t.Errorf("%d to %q", a.Status, a.Header.Get("Location"))
	}
}

// awaitChecks waits until no run is under way.
func (c checked) awaitChecks() {
	c.T.Helper()
	for ctx := c.T.Context(); c.Handlers.Updates.Checker.State().Running != nil; {
		select {
		case <-ctx.Done():
			c.T.Fatal(ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
