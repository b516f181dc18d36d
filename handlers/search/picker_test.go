package search_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/page"
	searchpages "github.com/stowage/stowage/handlers/search"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/address"
	views "github.com/stowage/stowage/views/search"
	"github.com/stowage/stowage/views/text"
)

// picker is the Search page over a real store, queue and client, with stand-ins for Docker Hub and its
// registry, which can be made to misbehave.
type picker struct {
	*pages.Shelf
	h        *handlers.Handlers
	registry *fake.Faulty
	large    *fake.Large
}

// newPicker opens an empty shelf. tagged, which may be nil, is what the search service tells of tags instead of
// what the registry has.
func newPicker(t testing.TB, tagged fake.Tagged) *picker {
	t.Helper()
	reg, err := pages.Samples()
	if err != nil {
		t.Fatal(err)
	}
	p := &picker{large: fake.NewLarge(reg, reg)}
	if tagged == nil {
		tagged = p.large
	}
	p.registry = fake.NewFaulty(fake.Beside(p.large, fake.Hub{Found: fake.HubFound(), Tagged: tagged}.Handler()))
	upstream := httptest.NewServer(p.registry)
	t.Cleanup(upstream.Close)
	host := strings.TrimPrefix(upstream.URL, "http://")
	amd64, now := image.Platform{OS: "linux", Architecture: "amd64"}, func() time.Time { return pages.Clock }
	store, err := storage.Open(t.Context(), storage.Options{Dir: t.TempDir(), DefaultPlatform: amd64, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	client, err := registry.New(registry.Options{DockerConfig: t.TempDir(), AllowPrivate: true, Registries: []registry.Entry{{
		Host: "docker.io", Label: "Docker Hub", Address: host, TLS: outbound.TLSOff, Search: registry.SearchHub, SearchURL: upstream.URL,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	jobs := job.NewRunner(store.Jobs, nil, now)
	queue := pull.New(pull.Options{Source: client, Blobs: store.Blobs, Space: store.Space, Images: store.Images, Recorder: store.Recorder, Runner: jobs, DefaultPlatform: amd64, Now: now})
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.registry.Reset()
		if err := errors.Join(queue.Close(context.Background()), client.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	test, _ := t.(*testing.T) // a benchmark asks the pages directly
	p.Shelf = &pages.Shelf{T: test, Store: store, Jobs: jobs, Queue: queue}
	p.h = handlers.New(handlers.Options{Shelf: pages.Of(store), Jobs: jobs, Queue: queue, Registry: client, Search: search.New(client, client.Outbound()), Logger: slog.New(slog.DiscardHandler), DefaultPlatform: amd64, LocalUser: "mira", Now: now})
	p.Pages = pages.Serve(t, p.h, pages.Clock)
	return p
}

// part asks for a part of the page as htmx does, from a page at the address from.
func (p *picker) part(id, address, from string) pages.Answer {
	p.T.Helper()
	return p.Get(address, "HX-Request", "true", "HX-Request-Type", "partial", "HX-Target", "div#"+id, "HX-Current-URL", "http://stowage.test"+from)
}

var (
	tagRows  = regexp.MustCompile(`data-row-link>([^<]*)</a>`)
	pickedIn = regexp.MustCompile(`(?s)<li data-row><span id="mark-[0-9a-f]{12}"[^>]* data-picked>.*?data-row-link>([^<]*)</a>`)
	pickerIn = regexp.MustCompile(`(?s)<section id="search-picker".*</section>`)
)

// tagsIn returns the tags in view.
func tagsIn(a pages.Answer) []string {
	var names []string
	for _, m := range tagRows.FindAllStringSubmatch(pickerOf(a), -1) {
		names = append(names, m[1])
	}
	return names
}

// pickerOf returns the part of a page that is the picker; all of an answer that has no page around it.
func pickerOf(a pages.Answer) string {
	if part := pickerIn.FindString(a.Body); part != "" {
		return part
	}
	return a.Body
}

func TestThePickerListsTheTagsNewestVersionFirst(t *testing.T) {
	p := newPicker(t, nil)
	p.large.AddTags(p.large.TagsOf("library/postgres")[0], fake.Dated{Tag: "15.9"}, fake.Dated{Tag: "15.10"}, fake.Dated{Tag: "15.10-bookworm"}, fake.Dated{Tag: "9.6"}, fake.Dated{Tag: "latest"})
	p.Pull("postgres:15")
	a := p.Get("/search?repo=postgres")
	a.Is(t, http.StatusOK, "Docker Hub · Pick a tag", `href="/images/docker.io/library/postgres"`, "docker pull postgres", `placeholder="Filter `,
		`href="/pull?ref=postgres&amp;all=1"`, `href="/search?repo=postgres&amp;tag=15.10-bookworm"`)
	got := tagsIn(a)
	want := slices.Clone(got)
	image.SortTags(want)
	pages.Same(t, "tags", got, want)
	if len(got) < 6 || got[0] != "latest" || slices.Index(got, "15.10") > slices.Index(got, "15.9") || slices.Index(got, "15") > slices.Index(got, "15.10") {
		t.Errorf("tags %v", got)
	}
}

func TestThePickerSaysWhatTheServiceKnowsOfTheTags(t *testing.T) {
	p := newPicker(t, nil)
	a := p.part(views.SearchTagsID, "/search?repo=postgres&match=16", "/search?repo=postgres")
	size := pages.Union(pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64"))
	a.Is(t, http.StatusOK, text.HumanSize(size), `title="linux/amd64 · `, "data-ago")
	remove := p.registry.On(fake.TagDetails, fake.Status(http.StatusInternalServerError, "", ""))
	silent := p.part(views.SearchTagsID, "/search?repo=postgres&match=15", "/search?repo=postgres")
	remove()
	silent.Is(t, http.StatusOK, ">15</a>")
	silent.Lacks(t, "data-ago", `title="linux/amd64`, "–")
}

func TestThePickerMarksStoredTagsAndThoseThatHaveMoved(t *testing.T) {
	reg, err := pages.Samples()
	if err != nil {
		t.Fatal(err)
	}
	said := fake.Pushed(slices.Clone(reg.TagsOf("library/postgres")))
	for i := range said {
		if said[i].Tag == "16" {
			said[i].Descriptor.Digest = image.DigestOf([]byte("another"))
		}
	}
	p := newPicker(t, said)
	p.Pull("postgres:15")
	p.Pull("postgres:16")
	rows := strings.Split(pickerOf(p.Get("/search?repo=postgres")), "<li data-row>")[1:]
	for _, row := range rows {
		name := tagRows.FindStringSubmatch(row)[1]
		if stored := strings.Contains(row, ">stored<"); stored != (name == "15" || name == "16") {
			t.Errorf("%s stored: %v", name, stored)
		}
		if moved := strings.Contains(row, ">moved<"); moved != (name == "16") {
			t.Errorf("%s moved: %v", name, moved)
		}
	}
	if len(rows) < 3 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestThePickerFiltersAndPagesTheTags(t *testing.T) {
	p := newPicker(t, nil)
	var more []fake.Dated
	for i := range 120 {
		more = append(more, fake.Dated{Tag: fmt.Sprintf("5.%d", i)})
	}
	p.large.AddTags(p.large.TagsOf("library/redis")[0], more...)
	all := len(p.large.TagsOf("library/redis"))
	first := p.Get("/search?q=red&repo=redis&match=5.")
	first.Is(t, http.StatusOK, fmt.Sprintf("120 of %d tags", all), "Page 1 of 3", `href="/search?q=red&amp;repo=redis&amp;match=5.&amp;tags=2"`,
		`href="/pull?ref=redis&amp;all=1&amp;match=5."`, "Pull these 120 tags…", `<input type="hidden" name="q" value="red">`)
	if got := tagsIn(first); len(got) != searchpages.TagsPerPage || got[0] != "5.119" || got[49] != "5.70" {
		t.Errorf("first page: %v", got)
	}
	third := p.part(views.SearchTagsID, "/search?repo=redis&match=5.&tags=3", "/search?repo=redis&match=5.")
	if got := tagsIn(third); len(got) != 20 || got[19] != "5.0" {
		t.Errorf("third page: %v", got)
	}
	picked := p.Get("/search?repo=redis&match=5.&tag=5.3")
	picked.Is(t, http.StatusOK, "Page 3 of 3", "data-picked", `href="/search?repo=redis&amp;match=5.&amp;tags=2&amp;tag=5.3"`)
	p.part(views.SearchTagsID, "/search?repo=redis&match=5.&tag=5.3", "/search?repo=redis&match=5.&tags=2&tag=5.3").Is(t, http.StatusOK, "Page 1 of 3")
	p.Get("/search?repo=redis&match=5.&tags=2&tag=5.3").Is(t, http.StatusOK, "Page 2 of 3")
	beyond := p.part(views.SearchTagsID, "/search?repo=redis&match=5.&tags=9", "/search?repo=redis&match=5.")
	beyond.Is(t, http.StatusOK, "Page 3 of 3")
	none := p.Get("/search?repo=redis&match=nosuch")
	none.Is(t, http.StatusOK, "No tag matches", "“nosuch”", `href="/pull?ref=redis:nosuch"`, "Show all tags")
	p.Get("/search?repo=redis&match=no+such").Lacks(t, "all the same")
}

func TestPickingATagOffersItsPlatformsAndReadsNoOther(t *testing.T) {
	p := newPicker(t, nil)
	index := pages.Built(t, "library/postgres", "15")
	a := p.Get("/search?repo=postgres&tag=15")
	a.Is(t, http.StatusOK, `action="/pulls" method="post" data-picks`, `name="ref" value="postgres:15"`, image.ShortDigest(index.Digest()), "docker pull --platform linux/amd64 postgres:15",
		`href="/pull?ref=postgres:15"`)
	all, ticked := pages.Boxes(a)
	pages.Same(t, "offered", all, []string{"linux/amd64", "linux/arm/v7", "linux/arm64", "linux/386", "linux/ppc64le", "linux/s390x"})
	pages.Same(t, "ticked", ticked, []string{"linux/amd64"})
	if m := pickedIn.FindStringSubmatch(a.Body); m == nil || m[1] != "15" {
		t.Errorf("picked in the list: %v", m)
	}
	ours := map[string]bool{"15": true, string(index.Digest()): true}
	for m := range index.All() {
		ours[string(m.Digest())] = true
	}
	var heads, gets int
	for _, r := range p.registry.Requests() {
		_, name, manifest := strings.Cut(r.Path, "/manifests/")
		switch {
		case !manifest:
		case !ours[name]:
			t.Errorf("%s %s", r.Method, r.Path)
		case r.Method == http.MethodHead:
			heads++
		default:
			gets++
		}
	}
	if heads != 1 || gets != 7 {
		t.Errorf("%d HEAD, %d GET; want 1 and 7", heads, gets)
	}
	p.registry.Forget()
	p.part(views.SearchOffersID, "/search?repo=postgres&tag=15", "/search?repo=postgres").Is(t, http.StatusOK, "linux/s390x")
	for _, r := range p.registry.Requests() {
		if r.Method == http.MethodGet && strings.Contains(r.Path, "/manifests/") {
			t.Errorf("read again: %s", r.Path)
		}
	}
}

func TestWhatIsPickedIsPulledAndMarkedAsStored(t *testing.T) {
	p := newPicker(t, nil)
	a := p.part(views.SearchOffersID, "/search?repo=postgres&tag=16", "/search?repo=postgres")
	_, ticked := pages.Boxes(a)
	start := p.Post("/pulls", url.Values{"ref": {"postgres:16"}, "platform": ticked})
	start.Is(t, http.StatusSeeOther)
	p.Pull("postgres:16", ticked...) // joins it, or finds it done
	p.Get("/search?repo=postgres&tag=16").Is(t, http.StatusOK, "Open what is stored of this repository", "nothing to download", `href="/images/docker.io/library/postgres:16"`)
}

func TestPartsOfThePickerComeByThemselves(t *testing.T) {
	p := newPicker(t, nil)
	from := "/search?q=post&repo=postgres&match=1&tag=16"
	whole := p.part(views.SearchPickerID, "/search?q=post&repo=redis", from)
	whole.Is(t, http.StatusOK, `<section id="search-picker"`, `<div id="search-tags">`, `<div id="search-offers"`)
	whole.Lacks(t, "<html", "<main")
	tags := p.part(views.SearchTagsID, "/search?q=post&repo=postgres&match=15", from)
	tags.Is(t, http.StatusOK, `<div id="search-tags">`, `name="tag" value="16"`)
	tags.Lacks(t, "<html", "search-offers\" class", "search-picker")
	if got, want := tags.Header.Get("HX-Replace-Url"), "/search?q=post&repo=postgres&match=15&tag=16"; got != want || tags.Header.Get("HX-Push-Url") != "" {
		t.Errorf("the address becomes %q (%q is pushed), want %q", got, tags.Header.Get("HX-Push-Url"), want)
	}
	offers := p.part(views.SearchOffersID, "/search?q=post&repo=postgres&match=1&tag=15", from)
	offers.Is(t, http.StatusOK, `<div id="search-offers"`, `hx-target="#`+markOf("16")+`"`, `hx-target="#`+markOf("15")+`"`)
	offers.Lacks(t, "<html", `id="search-tags"`)
	if n := strings.Count(offers.Body, "data-picked"); n != 1 {
		t.Errorf("%d tags are marked as picked", n)
	}
}

// markOf is the ID of a tag's mark.
func markOf(tag string) string { return "mark-" + image.ShortDigest(image.DigestOf([]byte(tag))) }

func TestAnotherPageOfTheTagsIsAStepThatOneCanGoBackFrom(t *testing.T) {
	p := newPicker(t, nil)
	p.large.AddTags(p.large.TagsOf("library/redis")[0], fake.ManyTags(100)...)
	a := p.part(views.SearchTagsID, "/search?repo=redis&tags=2", "/search?repo=redis&tag=7")
	if got, want := a.Header.Get("HX-Push-Url"), "/search?repo=redis&tags=2&tag=7"; got != want || a.Header.Get("HX-Replace-Url") != "" {
		t.Errorf("pushed: %q, want %q", got, want)
	}
}

func TestADigestInTheFilterLeadsToThePullForm(t *testing.T) {
	p := newPicker(t, nil)
	digest := string(image.DigestOf([]byte("x")))
	for name, tt := range map[string]struct{ match, ref string }{
		"digest":    {digest, "postgres@" + digest},
		"with at":   {"@" + digest, "postgres@" + digest},
		"reference": {"redis@" + digest, "redis@" + digest},
		"command":   {"docker pull redis@" + digest, "redis@" + digest},
	} {
		t.Run(name, func(t *testing.T) {
			p.registry.Forget()
			typed := "/search?" + url.Values{"repo": {"postgres"}, "match": {tt.match}}.Encode()
			a := p.part(views.SearchTagsID, typed, "/search?repo=postgres")
			if got, want := a.Header.Get("HX-Redirect"), "/pull?ref="+tt.ref; got != want {
				t.Errorf("leads to %q, want %q", got, want)
			}
			p.Get((address.Search{Repo: "docker.io/library/postgres", Match: tt.match}).String()).Is(t, http.StatusOK, `href="/pull?ref=`+tt.ref+`"`, "That is a digest")
			if n := len(p.registry.Requests()); n != 0 {
				t.Errorf("%d requests to the registry", n)
			}
		})
	}
	a := p.part(views.SearchTagsID, "/search?repo=postgres&match="+digest[:40], "/search?repo=postgres")
	a.Is(t, http.StatusOK, "No tag matches")
}

func TestThePickerSaysWhyThereAreNoTagsAndWhatToDo(t *testing.T) {
	for name, tt := range map[string]struct {
		repo  string
		fault fake.Fault
		texts []string
	}{
		"unknown":      {"acme/nosuch&tag=1", nil, []string{"Repository not found", "Check the name.", `href="/pull?ref=acme/nosuch"`}},
		"no tags":      {"postgres", fake.Replace("application/json", []byte(`{"name":"library/postgres","tags":null}`)), []string{"No tags", "by its digest", `name="match"`}},
		"sign-in":      {"postgres", fake.Challenge(`Basic realm="x"`), []string{"docker login"}},
		"rate limited": {"postgres", fake.TooManyRequests("3600"), []string{"Docker Hub takes no more requests for now", "until 20", "Try again"}},
		"failing":      {"postgres", fake.Status(http.StatusServiceUnavailable, "", "<b>maintenance</b>"), []string{"Docker Hub cannot be reached now", "&lt;b&gt;maintenance", "Try again"}},
		"web page":     {"postgres", fake.HTML(), []string{"Docker Hub cannot be reached now", "not as a registry does"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPicker(t, nil)
			if tt.fault != nil {
				p.registry.On(fake.TagLists, tt.fault)
			}
			a := p.Get("/search?repo=" + tt.repo)
			a.Is(t, http.StatusOK, tt.texts...)
			if len(tagsIn(a)) != 0 {
				t.Errorf("tags: %v", tagsIn(a))
			}
			if text := pickerOf(p.Get("/search?repo="+tt.repo, "Accept-Language", "ko")); strings.Contains(text, "Try again") || strings.Contains(text, "picker.") {
				t.Error("not in Korean")
			}
		})
	}
}

func TestTagsBehindASignInSayWhoHasToSignIn(t *testing.T) {
	p := newPicker(t, nil)
	hub, _ := p.h.Search.Registry.Find("docker.io")
	p.registry.On(fake.TagLists, fake.Challenge(`Basic realm="x"`))
	p.Get("/search?repo="+hub.Address+"/library/postgres").Is(t, http.StatusOK, "The tags need a sign-in", "docker login "+hub.Address)
}

func TestARegistryThatIsNotThereIsNamed(t *testing.T) {
	p := newPicker(t, nil)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	host := strings.TrimPrefix(gone.URL, "http://")
	p.Get("/search?repo="+host+"/team/app").Is(t, http.StatusOK, host+" cannot be reached now", "refuses connections")
}

func TestAPickedTagThatCannotBePulledSaysWhy(t *testing.T) {
	for name, tt := range map[string]struct {
		tag   string
		fault fake.Fault
		text  string
	}{
		"gone":         {"nosuch", nil, "Manifest for postgres:nosuch not found"},
		"rate limited": {"15", fake.TooManyRequests("3600"), "Rate limit reached"},
		"chart": {"15", fake.Replace("application/vnd.oci.image.manifest.v1+json",
			[]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`)), "Not a container image"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPicker(t, nil)
			if tt.fault != nil {
				p.registry.On(fake.Manifests, tt.fault)
			}
			a := p.Get("/search?repo=postgres&tag=" + tt.tag)
			a.Is(t, http.StatusOK, tt.text, "Try again", `href="/pull?ref=postgres:`+tt.tag+`"`, ">15</a>")
			a.Lacks(t, `action="/pulls"`)
		})
	}
}

func TestWhatARegistryIsTooSlowForLoadsItself(t *testing.T) {
	p := newPicker(t, nil)
	p.registry.Hold(fake.TagLists, -1)
	p.registry.Hold(fake.Manifests, -1)
	state := address.Search{Repo: "docker.io/library/postgres", Tag: "15"}
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, state.String(), nil), httptest.NewRecorder())
	v, err := p.h.Search.Picker(c, state, 50*time.Millisecond, true, true)
	if err != nil {
		t.Fatal(err)
	}
	a := pages.Rendered(t, text.English, views.SearchPicker(v))
	a.Is(t, 0, `<div id="search-tags"`, `<div id="search-offers"`, "Waiting for Docker Hub to list the tags…", "Reading the platforms of postgres:15…", "<noscript>")
	if n := strings.Count(a.Body, `hx-get="/search?repo=postgres&amp;tag=15" hx-trigger="load"`); n != 2 {
		t.Errorf("%d parts load themselves", n)
	}
}

func TestARegistryThatStaysSilentIsGivenUp(t *testing.T) {
	failed, err := searchpages.FailureOf(t.Context(), "docker.io/library/postgres", searchpages.PickerPartLimit, context.DeadlineExceeded)
	if err != nil || failed.Waiting || failed.Problem == nil || failed.Kind != image.Unavailable || !strings.Contains(failed.Problem.Message, "did not answer in time") {
		t.Errorf("%+v, %v", failed, err)
	}
	if _, err := searchpages.FailureOf(t.Context(), "docker.io/library/postgres", searchpages.PickerPartLimit, io.ErrUnexpectedEOF); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an error that is not for people: %v", err)
	}
}

func TestAnotherSiteCannotMakeThePickerAsk(t *testing.T) {
	p := newPicker(t, nil)
	state := address.Search{Repo: "docker.io/library/postgres", Tag: "15"}
	r := httptest.NewRequest(http.MethodGet, state.String(), nil)
	c := echo.New().NewContext(r, httptest.NewRecorder())
	page.HoldAsking(c)
	v, err := p.h.Search.SearchPicker(c, state)
	if err != nil {
		t.Fatal(err)
	}
	pages.Rendered(t, text.English, views.SearchPicker(v)).Is(t, 0, "The tags are not looked up yet", `href="/search?repo=postgres&amp;tag=15">Show the tags</a>`)
	if n := len(p.registry.Requests()); n != 0 {
		t.Errorf("%d requests to the registry", n)
	}
}

func TestHostileTagsAndFiltersAreOnlyText(t *testing.T) {
	p := newPicker(t, nil)
	long := strings.Repeat("x", 128)
	p.registry.On(fake.TagLists, fake.Replace("application/json",
		[]byte(`{"name":"library/postgres","tags":["<script>alert(1)</script>","../../etc","a b","\u202egnp","`+long+`","`+long+`x","ok",null,""]}`)))
	a := p.Get("/search?repo=postgres")
	a.Is(t, http.StatusOK)
	pages.Same(t, "tags", tagsIn(a), []string{"ok", long})
	filtered := p.Get("/search?" + url.Values{"repo": {"postgres"}, "match": {"\"><script>alert(1)</script>\u202e"}}.Encode())
	for filtered.Status == http.StatusFound {
		filtered = p.Get(filtered.Header.Get("Location"))
	}
	filtered.Is(t, http.StatusOK, "No tag matches", "&lt;script&gt;alert(1)")
	filtered.Lacks(t, "<script>alert", "has “\">")
	if strings.Contains(pickerOf(filtered), "\u202e”") {
		t.Error("a hidden character stands in a sentence")
	}
}

func TestWhatTheRegistrySaysOfItsAllowanceIsShown(t *testing.T) {
	p := newPicker(t, nil)
	p.Get("/search?repo=postgres").Lacks(t, "manifest requests left")
	p.registry.On(fake.Manifests, fake.RateLimit(100, 6*time.Hour))
	p.Get("/search?repo=postgres&tag=15").Is(t, http.StatusOK, "of 100 manifest requests left", "Docker Hub: ", "<summary", "As the registry said less than a second ago")
}

func TestThePickerSpeaksKorean(t *testing.T) {
	p := newPicker(t, nil)
	a := p.Get("/search?repo=postgres&tag=15", "Accept-Language", "ko")
	a.Is(t, http.StatusOK, "postgres</span></span> 가져오기", "태그를 선택한 다음", "모두 가져오기…")
	if strings.Contains(pickerOf(a), "picker.") {
		t.Error("a text is missing")
	}
}
