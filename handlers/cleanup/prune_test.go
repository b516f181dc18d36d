package cleanup_test

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

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
)

var pruneHidden = regexp.MustCompile(`<input type="hidden" name="([\w!]+)" value="([^"]*)">`)

// pruneForm returns the fields of the form that carries a prune out, as a browser would send them.
func pruneForm(a pages.Answer, t *testing.T) url.Values {
	t.Helper()
	_, rest, found := strings.Cut(a.Main(), `action="/prune" method="post"`)
	if !found {
		t.Fatalf("there is no form to confirm\n%s", a.Main())
	}
	form := url.Values{}
	for _, m := range pruneHidden.FindAllStringSubmatch(rest, -1) {
		form.Add(m[1], html.UnescapeString(m[2]))
	}
	return form
}

// moved is a shelf whose tag ubuntu:rolling has moved twice, with a digest that somebody asked for and other tags.
func moved(t *testing.T, set ...func(*storage.Options)) *pages.Shelf {
	t.Helper()
	reg := fake.NewEmptyRegistry()
	s := pages.NewOn(t, reg, set...)
	for version := 1; version <= 3; version++ {
		s.PullRolling(reg, version)
	}
	return s
}

// dangling lists the digests without a tag that nobody asked for.
func dangling(s *pages.Shelf) (refs []image.Reference) {
	s.T.Helper()
	rows, _, err := s.Store.Lists.List(s.T.Context(), shelf.Query{Limit: 200})
	if err != nil {
		s.T.Fatal(err)
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
	if n := len(dangling(s)); n != 2 {
		t.Fatalf("%d digests are dangling", n)
	}
	before := counted(s)
	plan, err := s.Store.Removals.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	page := s.Get("/prune")
	page.Is(t, http.StatusOK, "Prune images", "Frees "+text.HumanSize(plan.Totals.Freed), "2 images", "docker image prune<", "pulled by digest", `href="/storage"`)
	page.Golden(t, "prune")
	if before.Reclaimable.Dangling != plan.Totals.Freed {
		t.Errorf("the Storage page says %d, the plan %d", before.Reclaimable.Dangling, plan.Totals.Freed)
	}
	s.Post("/prune", pruneForm(page, t)).WentTo(t, "/storage", "Pruned 2 images, freed "+text.HumanSize(plan.Totals.Freed))
	shelfHas(s, "ubuntu:rolling")
	if after := counted(s); before.Files.Blobs-after.Files.Blobs != plan.Totals.Freed {
		t.Errorf("%d bytes went from the disk, the plan said %d", before.Files.Blobs-after.Files.Blobs, plan.Totals.Freed)
	}
	again := s.Get("/prune")
	again.Is(t, http.StatusOK, "Nothing to prune", "A tag points at every image")
	again.Lacks(t, `method="post" action="/prune"`, `name="plan"`)
	again.Golden(t, "prune-nothing")
}

func TestAPruneIsUndoneFromThePageThatItLeadsTo(t *testing.T) {
	s := moved(t, undoable)
	was := s.Names()
	done := s.Post("/prune", pruneForm(s.Get("/prune"), t))
	done.WentTo(t, "/storage", "Pruned 2 images. Their ")
	shelfHas(s, "ubuntu:rolling")
	counted(s)
	page := next(s, done)
	page.Is(t, http.StatusOK, `action="/removals/1/undo" method="post"`, "until 09:40 UTC")
	s.Post("/removals/1/undo", url.Values{"back": {"/storage"}}).WentTo(t, "/storage", "2 references are back")
	if got := s.Names(); !slices.Equal(got, was) {
		t.Errorf("the shelf has %q, had %q", got, was)
	}
}

func TestPruningAllKeepsWhatIsPinnedAndSaysSo(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15")
	s.Pull("redis:7")
	s.Post("/images/docker.io/library/postgres:15/pin", url.Values{"note": {"runs in <production>"}})
	page := s.Get("/prune?all=1")
	page.Is(t, http.StatusOK, "Kept, and why", "runs in &lt;production&gt;", "docker image prune --all", "pins play the part of containers", `name="all" value="1" checked`)
	page.Golden(t, "prune-all")
	s.Post("/prune", pruneForm(page, t)).WentTo(t, "/storage", "Pruned 1 image, freed ")
	shelfHas(s, "postgres:15")
	kept := s.Get("/prune?all=1")
	kept.Is(t, http.StatusOK, "Nothing to prune", "kept, for the reasons below", "runs in &lt;production&gt;")
	kept.Lacks(t, `name="plan"`)
}

func TestFiltersChooseWhatIsPruned(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04")
	s.Pull("nginx:latest")
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
		page := s.Get("/prune" + query)
		page.Is(t, http.StatusOK)
		for _, name := range []string{"nginx", "ubuntu"} {
			goes := strings.Contains(page.Body, `title="docker.io/library/`+name+":")
			if goes != slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(w, name) }) {
				t.Errorf("%s: %s goes: %v, want %q", query, name, goes, want)
			}
		}
		if want == nil {
			page.Is(t, http.StatusOK, "No image is chosen by these filters.", "Without the filters")
		}
	}
	page := s.Get("/prune?all=1&until=0.5h&label=maintainer&label!=stage=ci")
	page.Is(t, http.StatusOK, "docker image prune --all --filter until=0.5h --filter label=maintainer --filter &#39;label!=stage=ci&#39;", `name="label!" value="stage=ci"`)
	s.Post("/prune", pruneForm(page, t)).WentTo(t, "/storage", "Pruned 1 image")
	shelfHas(s, "ubuntu:22.04")
}

func TestAPruneHasOneAddress(t *testing.T) {
	s := pages.New(t)
	for said, short := range map[string]string{
		"/prune?all=&until=&label=&label%21=":            "/prune",
		"/prune?all=0":                                   "/prune",
		"/prune?label=a+b&label=c&all=1":                 "/prune?all=1&label=a&label=b&label=c",
		"/prune?label%21=a%3Db&until=+2026-01-31+":       "/prune?until=2026-01-31&label!=a=b",
		"/prune/summary?all=1&until=720h":                "/prune?all=1&until=720h",
		"/prune?until=2026-01-31T10:00:00%2B02:00&all=1": "/prune?all=1&until=2026-01-31T10:00:00%2B02:00",
	} {
		page := s.Get(said)
		if got := page.Header.Get("Location"); page.Status != http.StatusFound || got != short {
			t.Errorf("%s: %d to %q, want %q", said, page.Status, got, short)
			continue
		}
		s.Get(short).Is(t, http.StatusOK)
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
		for _, page := range []pages.Answer{
			s.Get("/prune?" + query),
			s.Post("/prune", parse(t, query+"&plan=sha256:x")),
			s.Get("/prune?"+query, "HX-Request", "true", "HX-Request-Type", "partial"),
			s.Get("/prune/summary?"+query, "HX-Request", "true", "HX-Request-Type", "partial"),
		} {
			status, texts := http.StatusBadRequest, texts
			if !strings.Contains(page.Body, "<html") { // the form is on the page that htmx keeps
				status, texts = http.StatusUnprocessableEntity, texts[:1]
			}
			for i, text := range texts {
				texts[i] = strings.NewReplacer("“", "&#34;", "”", "&#34;").Replace(text)
			}
			page.Is(t, status, texts...)
			page.Lacks(t, `name="plan"`, "<script>alert", "\u202e is")
		}
	}
	if n := len(dangling(s)); n != 2 {
		t.Errorf("%d are dangling still", n)
	}
	s.Get("/prune?until=gestern&all=1").Golden(t, "prune-wrong")
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
	plan, err := s.Store.Removals.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	part := s.Get("/prune/summary?all=&until=&label=&label%21=", "HX-Request", "true", "HX-Request-Type", "partial")
	part.Is(t, http.StatusOK, `<div id="prune-summary"`, "2 images, "+text.HumanSize(plan.Totals.Freed), fmt.Sprintf("%d layers deleted", plan.Totals.Layers))
	part.Lacks(t, "<html", "<form")
	s.Get("/prune/summary?until=200000h", "HX-Request", "true", "HX-Request-Type", "partial").Is(t, http.StatusOK, "Nothing to prune")
}

func TestAPruneIsNotCarriedOutOnceTheShelfHasChanged(t *testing.T) {
	s := moved(t)
	old := pruneForm(s.Get("/prune"), t)
	pinned := dangling(s)[0]
	s.Post(address.Of(pinned).String()+"/pin", nil)
	page := s.Post("/prune", old)
	page.Is(t, http.StatusConflict, "The shelf has changed", "Kept, and why", "1 image")
	if n := len(dangling(s)); n != 2 {
		t.Errorf("%d of 2 are left", n)
	}
	s.Post("/prune", pruneForm(page, t)).WentTo(t, "/storage", "Pruned 1 image")
	if left := dangling(s); !slices.Equal(left, []image.Reference{pinned}) {
		t.Errorf("%v are left, want %v", left, pinned)
	}
}

func TestADurationCountsFromWhenThePlanWasShown(t *testing.T) {
	s := moved(t)
	form := pruneForm(s.Get("/prune?until=1h"), t)
	if form.Get("until") != "1h" || form.Get("at") != fmt.Sprint(pages.Clock.UnixMilli()) {
		t.Fatalf("%v", form)
	}
	late := pages.Clock.Add(7 * time.Minute)
	s.Configure(func(o *handlers.Options) { o.Now = func() time.Time { return late } })
	s.Post("/prune", form).WentTo(t, "/storage", "Pruned 2 images")
}

func TestAMadeUpPlanIsNotCarriedOut(t *testing.T) {
	s := moved(t)
	for _, plan := range []string{"<script>", "sha256:" + strings.Repeat("0", 64), pruneForm(s.Get("/prune?all=1"), t).Get("plan")} {
		s.Post("/prune", url.Values{"plan": {plan}, "at": {"-5"}}).Is(t, http.StatusConflict, "The shelf has changed")
	}
	s.Post("/prune", nil).Is(t, http.StatusOK, `name="plan" value="sha256:`)
	if n := len(dangling(s)); n != 2 {
		t.Errorf("%d of 2 are left", n)
	}
}

func TestTwoPrunesAtOnceAreOnePrune(t *testing.T) {
	s := moved(t, undoable)
	form := pruneForm(s.Get("/prune"), t)
	answers := make([]pages.Answer, 4)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = s.Post("/prune", form) })
	}
	all.Wait()
	done := 0
	for _, a := range answers {
		if a.Status == http.StatusSeeOther {
			done++
		} else {
			a.Is(t, http.StatusConflict, "The shelf has changed", "Nothing to prune")
		}
	}
	if removals, err := s.Store.Removals.Removals(t.Context()); done != 1 || err != nil || len(removals) != 1 {
		t.Errorf("%d prunes were carried out, %d can be undone: %v", done, len(removals), err)
	}
	shelfHas(s, "ubuntu:rolling")
}
