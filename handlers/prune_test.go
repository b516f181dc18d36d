package handlers

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
)

var pruneHidden = regexp.MustCompile(`<input type="hidden" name="([\w!]+)" value="([^"]*)">`)

// pruneForm gives the fields of the form that carries a prune out, as a browser would send them.
func (a answer) pruneForm(t *testing.T) url.Values {
	t.Helper()
	_, rest, found := strings.Cut(a.main(), `action="/prune" method="post"`)
	if !found {
		t.Fatalf("there is no form to confirm\n%s", a.main())
	}
	form := url.Values{}
	for _, m := range pruneHidden.FindAllStringSubmatch(rest, -1) {
		form.Add(m[1], html.UnescapeString(m[2]))
	}
	return form
}

// moved is a shelf whose tag ubuntu:rolling has moved twice, with a digest that somebody asked for and other tags.
func moved(t *testing.T, set ...func(*storage.Options)) *testShelf {
	t.Helper()
	reg := fake.NewEmptyRegistry()
	s := newShelfOn(t, reg, set...)
	for version := 1; version <= 3; version++ {
		s.pullRolling(reg, version)
	}
	return s
}

// dangling lists the digests without a tag that nobody asked for.
func (s *testShelf) dangling() (refs []image.Reference) {
	s.t.Helper()
	rows, _, err := s.store.List(s.t.Context(), shelf.Query{Limit: 200})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range rows {
		if r.Reason == shelf.Dangling {
			refs = append(refs, r.Reference)
		}
	}
	return refs
}

func TestPruningShowsThePlanAndFreesExactlyThat(t *testing.T) {
	s := moved(t)
	if n := len(s.dangling()); n != 2 {
		t.Fatalf("%d digests are dangling", n)
	}
	before := s.counted()
	plan, err := s.store.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	page := s.get("/prune")
	page.is(t, http.StatusOK, "Prune images", "Frees "+text.HumanSize(plan.Totals.Freed), "2 images", "docker image prune<", "pulled by digest", `href="/storage"`)
	page.golden(t, "prune")
	if before.Reclaimable.Dangling != plan.Totals.Freed {
		t.Errorf("the Storage page says %d, the plan %d", before.Reclaimable.Dangling, plan.Totals.Freed)
	}
	s.post("/prune", page.pruneForm(t)).wentTo(t, "/storage", "Pruned 2 images, freed "+text.HumanSize(plan.Totals.Freed))
	s.has("ubuntu:rolling")
	if after := s.counted(); before.Files.Blobs-after.Files.Blobs != plan.Totals.Freed {
		t.Errorf("%d bytes went from the disk, the plan said %d", before.Files.Blobs-after.Files.Blobs, plan.Totals.Freed)
	}
	again := s.get("/prune")
	again.is(t, http.StatusOK, "Nothing to prune", "A tag points at every image")
	again.lacks(t, `method="post" action="/prune"`, `name="plan"`)
	again.golden(t, "prune-nothing")
}

func TestAPruneIsUndoneFromThePageThatItLeadsTo(t *testing.T) {
	s := moved(t, undoable)
	was := s.names()
	done := s.post("/prune", s.get("/prune").pruneForm(t))
	done.wentTo(t, "/storage", "Pruned 2 images. Their ")
	s.has("ubuntu:rolling")
	s.counted()
	page := s.next(done)
	page.is(t, http.StatusOK, `action="/removals/1/undo" method="post"`, "until 09:40 UTC")
	s.post("/removals/1/undo", url.Values{"back": {"/storage"}}).wentTo(t, "/storage", "2 references are back")
	if got := s.names(); !slices.Equal(got, was) {
		t.Errorf("the shelf has %q, had %q", got, was)
	}
}

func TestPruningAllKeepsWhatIsPinnedAndSaysSo(t *testing.T) {
	s := newShelf(t)
	s.pull("postgres:15")
	s.pull("redis:7")
	s.post("/images/docker.io/library/postgres:15/pin", url.Values{"note": {"runs in <production>"}})
	page := s.get("/prune?all=1")
	page.is(t, http.StatusOK, "Kept, and why", "runs in &lt;production&gt;", "docker image prune --all", "pins play the part of containers", `name="all" value="1" checked`)
	page.golden(t, "prune-all")
	s.post("/prune", page.pruneForm(t)).wentTo(t, "/storage", "Pruned 1 image, freed ")
	s.has("postgres:15")
	kept := s.get("/prune?all=1")
	kept.is(t, http.StatusOK, "Nothing to prune", "kept, for the reasons below", "runs in &lt;production&gt;")
	kept.lacks(t, `name="plan"`)
}

func TestFiltersChooseWhatIsPruned(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04")
	s.pull("nginx:latest")
	for query, want := range map[string][]string{
		"?all=1":                   {"nginx:latest", "ubuntu:22.04"},
		"?all=1&label=maintainer":  {"nginx:latest"},
		"?all=1&label!=maintainer": {"ubuntu:22.04"},
		"?all=1&label=org.opencontainers.image.ref.name=ubuntu":    {"ubuntu:22.04"},
		"?all=1&label=maintainer&label=org.opencontainers.image.x": nil,
		"?all=1&until=1990-01-01":                                  nil,
		"?all=1&until=0.5h":                                        {"nginx:latest", "ubuntu:22.04"},
		"?until=24h":                                               nil,
	} {
		page := s.get("/prune" + query)
		page.is(t, http.StatusOK)
		for _, name := range []string{"nginx", "ubuntu"} {
			goes := strings.Contains(page.body, `title="docker.io/library/`+name+":")
			if goes != slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(w, name) }) {
				t.Errorf("%s: %s goes: %v, want %q", query, name, goes, want)
			}
		}
		if want == nil {
			page.is(t, http.StatusOK, "No image is chosen by these filters.", "Without the filters")
		}
	}
	page := s.get("/prune?all=1&until=0.5h&label=maintainer&label!=stage=ci")
	page.is(t, http.StatusOK, "docker image prune --all --filter until=0.5h --filter label=maintainer --filter &#39;label!=stage=ci&#39;", `name="label!" value="stage=ci"`)
	s.post("/prune", page.pruneForm(t)).wentTo(t, "/storage", "Pruned 1 image")
	s.has("ubuntu:22.04")
}

func TestAPruneHasOneAddress(t *testing.T) {
	s := newShelf(t)
	for said, short := range map[string]string{
		"/prune?all=&until=&label=&label%21=":            "/prune",
		"/prune?all=0":                                   "/prune",
		"/prune?label=a+b&label=c&all=1":                 "/prune?all=1&label=a&label=b&label=c",
		"/prune?label%21=a%3Db&until=+2026-01-31+":       "/prune?until=2026-01-31&label!=a=b",
		"/prune/summary?all=1&until=720h":                "/prune?all=1&until=720h",
		"/prune?until=2026-01-31T10:00:00%2B02:00&all=1": "/prune?all=1&until=2026-01-31T10:00:00%2B02:00",
	} {
		page := s.get(said)
		if got := page.header.Get("Location"); page.status != http.StatusFound || got != short {
			t.Errorf("%s: %d to %q, want %q", said, page.status, got, short)
			continue
		}
		s.get(short).is(t, http.StatusOK)
	}
}

func TestAWrongFilterIsNamedAndTheFormKeepsWhatWasTyped(t *testing.T) {
	s := moved(t)
	for query, texts := range map[string][]string{
		"until=gestern&label=stage%3Dci&all=1": {"until: “gestern” is not a time", "24h or 720h", `value="gestern"`, `value="stage=ci"`, `name="all" value="1" checked`, `aria-invalid="true"`},
		"label=%3Dci":                          {"label: “=ci” is not a label", `value="=ci"`},
		"label!=%3Dx+ok":                       {"label!: “=x” is not a label", `value="=x ok"`},
		"all=yes":                              {"all: The value of all is 1 or left out"},
		"until=24h&until=48h":                  {"until: There is more than one time."},
		"until=" + strings.Repeat("9", 3000):   {"until: The filter has 3000 bytes"},
		"label=" + strings.Repeat("x", 3000):   {"label: The filter has 3000 bytes"},
		"label=" + strings.Repeat("a+", 60):    {"label: There are 60 labels"},
		"until=" + url.QueryEscape("\"><script>alert(1)</script>\u202e"):     {"&lt;script&gt;"},
		"label!=" + url.QueryEscape("=\"><script>alert(1)</script>\x1b[31m"): {"&lt;script&gt;"},
	} {
		for _, page := range []answer{
			s.get("/prune?" + query),
			s.post("/prune", parse(t, query+"&plan=sha256:x")),
			s.get("/prune?"+query, "HX-Request", "true", "HX-Request-Type", "partial"),
			s.get("/prune/summary?"+query, "HX-Request", "true", "HX-Request-Type", "partial"),
		} {
			status, texts := http.StatusBadRequest, texts
			if !strings.Contains(page.body, "<html") { // the form is on the page that htmx keeps
				status, texts = http.StatusUnprocessableEntity, texts[:1]
			}
			for i, text := range texts {
				texts[i] = strings.NewReplacer("“", "&#34;", "”", "&#34;").Replace(text)
			}
			page.is(t, status, texts...)
			page.lacks(t, `name="plan"`, "<script>alert", "\u202e is")
		}
	}
	if n := len(s.dangling()); n != 2 {
		t.Errorf("%d are dangling still", n)
	}
	s.get("/prune?until=gestern&all=1").golden(t, "prune-wrong")
}

func parse(t *testing.T, query string) url.Values {
	t.Helper()
	form, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return form
}

func TestTheSummaryCountsWhileSomebodyChooses(t *testing.T) {
	s := moved(t)
	plan, err := s.store.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	part := s.get("/prune/summary?all=&until=&label=&label%21=", "HX-Request", "true", "HX-Request-Type", "partial")
	part.is(t, http.StatusOK, `<div id="prune-summary"`, "2 images, "+text.HumanSize(plan.Totals.Freed), fmt.Sprintf("%d layers deleted", plan.Totals.Layers))
	part.lacks(t, "<html", "<form")
	s.get("/prune/summary?until=200000h", "HX-Request", "true", "HX-Request-Type", "partial").is(t, http.StatusOK, "Nothing to prune")
}

func TestAPruneIsNotCarriedOutOnceTheShelfHasChanged(t *testing.T) {
	s := moved(t)
	old := s.get("/prune").pruneForm(t)
	pinned := s.dangling()[0]
	s.post(address.Of(pinned).String()+"/pin", nil)
	page := s.post("/prune", old)
	page.is(t, http.StatusConflict, "The shelf has changed", "Kept, and why", "1 image")
	if n := len(s.dangling()); n != 2 {
		t.Errorf("%d of 2 are left", n)
	}
	s.post("/prune", page.pruneForm(t)).wentTo(t, "/storage", "Pruned 1 image")
	if left := s.dangling(); !slices.Equal(left, []image.Reference{pinned}) {
		t.Errorf("%v are left, want %v", left, pinned)
	}
}

func TestADurationCountsFromWhenThePlanWasShown(t *testing.T) {
	s := moved(t)
	form := s.get("/prune?until=1h").pruneForm(t)
	if form.Get("until") != "1h" || form.Get("at") != fmt.Sprint(clock.UnixMilli()) {
		t.Fatalf("%v", form)
	}
	late := clock.Add(7 * time.Minute)
	s.configure(func(o *Options) { o.Now = func() time.Time { return late } })
	s.post("/prune", form).wentTo(t, "/storage", "Pruned 2 images")
}

func TestAMadeUpPlanIsNotCarriedOut(t *testing.T) {
	s := moved(t)
	for _, plan := range []string{"<script>", "sha256:" + strings.Repeat("0", 64), s.get("/prune?all=1").pruneForm(t).Get("plan")} {
		s.post("/prune", url.Values{"plan": {plan}, "at": {"-5"}}).is(t, http.StatusConflict, "The shelf has changed")
	}
	s.post("/prune", nil).is(t, http.StatusOK, `name="plan" value="sha256:`)
	if n := len(s.dangling()); n != 2 {
		t.Errorf("%d of 2 are left", n)
	}
}

func TestTwoPrunesAtOnceAreOnePrune(t *testing.T) {
	s := moved(t, undoable)
	form := s.get("/prune").pruneForm(t)
	answers := make([]answer, 4)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = s.post("/prune", form) })
	}
	all.Wait()
	done := 0
	for _, a := range answers {
		if a.status == http.StatusSeeOther {
			done++
		} else {
			a.is(t, http.StatusConflict, "The shelf has changed", "Nothing to prune")
		}
	}
	if removals, err := s.store.Removals(t.Context()); done != 1 || err != nil || len(removals) != 1 {
		t.Errorf("%d prunes were carried out, %d can be undone: %v", done, len(removals), err)
	}
	s.has("ubuntu:rolling")
}
