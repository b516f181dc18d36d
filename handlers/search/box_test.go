package search_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	searchpages "github.com/stowage/stowage/handlers/search"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
)

// boxed is the box over a shelf, with stand-ins for the search services of Docker Hub, Quay and a registry that
// is out of order.
type boxed struct {
	*pages.Shelf
	asked atomic.Int32 // requests to the services
}

// newBoxed opens it in front of a registry that has these references of any host, all of one image.
func newBoxed(t *testing.T, hub http.Handler, references ...string) *boxed {
	t.Helper()
	reg := fake.NewEmptyRegistry()
	one, ok := sample.Lookup(sample.Library(), "library/postgres", "15")
	if !ok {
		t.Fatal("the sample library has no postgres:15")
	}
	b := &boxed{Shelf: pages.NewOn(t, reg)}
	for _, reference := range references {
		ref, err := image.ParseReference(reference)
		if err != nil {
			t.Fatal(err)
		}
		if err := reg.Push(t.Context(), ref.Repository.Path(), one, ref.Tag); err != nil {
			t.Fatal(err)
		}
		b.Pull(reference, "linux/amd64")
	}
	serve := func(h http.Handler) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b.asked.Add(1)
			h.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	broken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	client, err := registry.New(registry.Options{
		DockerConfig: t.TempDir(), AllowPrivate: true,
		Registries: []registry.Entry{
			{Host: "docker.io", Label: "Docker Hub", Search: registry.SearchHub, SearchURL: serve(hub)},
			{Host: "quay.io", Label: "Quay", Search: registry.SearchQuay, SearchURL: serve(fake.Quay{Found: fake.QuayFound()}.Handler())},
			{Host: "harbor.example.com", Label: "Harbor", Search: registry.SearchHarbor, SearchURL: serve(broken)},
			{Host: "silent.example.com", Label: "Never asked", Search: registry.SearchOff},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	b.Ask(client)
	return b
}

func hubOfSamples() http.Handler { return fake.Hub{Found: fake.HubFound()}.Handler() }

// box asks as htmx does.
func (b *boxed) box(text string, headers ...string) pages.Answer {
	b.T.Helper()
	return b.Get("/search/box?q="+url.QueryEscape(text), append([]string{"HX-Request", "true", "HX-Request-Type", "partial"}, headers...)...)
}

// registries asks for the part that comes a moment later.
func (b *boxed) registries(text string, headers ...string) pages.Answer {
	b.T.Helper()
	return b.Get("/search/box?registries=1&q="+url.QueryEscape(text), append([]string{"HX-Request", "true", "HX-Request-Type", "partial"}, headers...)...)
}

// inOrder holds a fragment against texts that it must have one after the other.
func inOrder(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, after, found := strings.Cut(body, text)
		if !found {
			t.Fatalf("%q is missing, or not in this order (%q)", text, texts)
		}
		body = after
	}
}

func TestTheBoxOffersStoredImagesFirstAndThenRegistries(t *testing.T) {
	b := newBoxed(t, hubOfSamples(), "ghcr.io/acme/postgres-exporter:1", "postgres:15", "postgres:16", "redis:7.2")
	a := b.box("postgres")
	a.Golden(t, "box_stored")
	inOrder(t, a.Body, `href="/images/docker.io/library/postgres"`, "2 tags stored", `href="/images/docker.io/library/postgres:16"`, `href="/images/docker.io/library/postgres:15"`,
		`href="/images/ghcr.io/acme/postgres-exporter:1"`, "/search/box?q=postgres&amp;registries=1", `href="/search?q=postgres"`)
	a.Lacks(t, "redis")
	if n := b.asked.Load(); n != 0 {
		t.Errorf("%d requests for what the shelf has", n)
	}
	a = b.registries("postgres")
	a.Golden(t, "box_registries")
	inOrder(t, a.Body, `href="/search?q=postgres&amp;repo=postgres"`, "Official", "stored", "14,760", "quay.io/", "Could not be searched just now: Harbor")
	if n := strings.Count(a.Body, `role="option"`); n != searchpages.BoxHits {
		t.Errorf("%d hits, want %d", n, searchpages.BoxHits)
	}
	a.Lacks(t, "Never asked")
}

func TestTheBoxAsksNoRegistryForAReferenceOrForOneLetter(t *testing.T) {
	b := newBoxed(t, hubOfSamples())
	for _, text := range []string{"", "p", " p ", "한", "postgres:15", "ghcr.io/org/app", "docker pull postgres", "postgres@sha256:" + strings.Repeat("0", 64), "sha256:beef", "POSTGRES:15"} {
		b.box(text).Lacks(t, "registries=1", `id="box-all"`)
		b.registries(text).Lacks(t, `role="option"`)
	}
	if n := b.asked.Load(); n != 0 {
		t.Errorf("the services saw %d requests", n)
	}
}

func TestAPageOfAnotherSiteMakesTheBoxAskNoRegistry(t *testing.T) {
	b := newBoxed(t, hubOfSamples())
	elsewhere := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
	a := b.box("postgres", elsewhere...)
	a.Is(t, http.StatusOK, `id="box-all"`)
	a.Lacks(t, "registries=1")
	b.registries("postgres", elsewhere...).Lacks(t, `role="option"`)
	if n := b.asked.Load(); n != 0 {
		t.Errorf("the services saw %d requests", n)
	}
}

func TestTheBoxSaysWhatATextIs(t *testing.T) {
	b := newBoxed(t, hubOfSamples(), "postgres:15")
	target := b.Target("postgres:15")
	id := target.Images[0].ID
	layers, err := b.Store.Images.ImageLayers(t.Context(), target.Images[0].Manifest)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"redis:7": {`id="box-lead"`, `href="/pull?ref=redis:7"`, "pull from the registry"},
		"docker pull --platform linux/arm64 postgres:15": {`href="/pull?ref=postgres:15&amp;platform=linux/arm64"`, `href="/images/docker.io/library/postgres:15"`},
		id.Encoded()[:12]:                   {`id="box-lead"`, `href="/images/` + string(id) + `"`, id.Encoded()[:12], `href="/images/docker.io/library/postgres:15"`},
		string(layers[0].Digest):            {`href="/layers/` + string(layers[0].Digest) + `"`, "stored layer"},
		"https://hub.docker.com/_/postgres": {`href="/search?repo=postgres"`, "choose a tag", `href="/images/docker.io/library/postgres:15"`},
		"postgres:1":                        {`href="/pull?ref=postgres:1"`, `href="/images/docker.io/library/postgres:15"`},
		"POSTGRES:15":                       {"is not an image reference", "try postgres:15", `href="/images/docker.io/library/postgres:15"`},
		"0123456789ab":                      {"Nothing on the shelf has an ID or a digest that begins with 0123456789ab", `id="box-registries"`},
		"sha256:0123":                       {"Nothing on the shelf has an ID or a digest that begins with 0123"},
	} {
		a := b.box(text)
		a.Is(t, http.StatusOK)
		inOrder(t, a.Body, want...)
	}
	// The row of the image itself is enough.
	a := b.box("postgres:15")
	a.Is(t, http.StatusOK, `href="/images/docker.io/library/postgres:15"`)
	a.Lacks(t, "box-lead", "/pull")
}

func TestTheBestStoredMatchesComeFirst(t *testing.T) {
	b := newBoxed(t, hubOfSamples(), "ubuntu:22.04", "ghcr.io/acme/ubuntu:1", "ghcr.io/acme/not-ubuntu:1", "ubuntu-tools/x:1")
	inOrder(t, b.box("ubuntu").Body, "library/ubuntu:22.04", "ubuntu-tools/x:1", "acme/ubuntu:1", "acme/not-ubuntu:1")
	inOrder(t, b.box("docker.io/library/ubuntu:22").Body, "library/ubuntu:22.04")
}

func TestMoreStoredImagesThanTheBoxHasRoomForAreCounted(t *testing.T) {
	var references []string
	for _, tag := range strings.Fields("a b c d e f g h") {
		references = append(references, "acme/tool:"+tag)
	}
	b := newBoxed(t, hubOfSamples(), references...)
	a := b.box("tool")
	a.Is(t, http.StatusOK, `href="/images?q=tool"`, "All 8 stored matches", `data-heard="8 stored images match."`)
	if n := strings.Count(a.Body, "box-stored-"); n != searchpages.BoxRows {
		t.Errorf("%d rows, want %d", n, searchpages.BoxRows)
	}
}

func TestHostileTextInTheBoxIsOnlyText(t *testing.T) {
	b := newBoxed(t, fake.Hub{Found: []fake.Found{{Repository: "acme/app", Description: "<script>alert(1)</script>"}}}.Handler())
	for _, text := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "a\u202eb\x00c", strings.Repeat("😀", 150), strings.Repeat("x", 5000), "%zz\xff\xfe", `a'b"c`} {
		a := b.box(text)
		a.Is(t, http.StatusOK)
		a.Lacks(t, "<script", "<img", "\u202e", "\x00")
		if len(a.Body) > 20_000 {
			t.Errorf("%.40q: %d bytes", text, len(a.Body))
		}
	}
	a := b.registries("acme script")
	a.Is(t, http.StatusOK)
	a.Lacks(t, "<script")
}

func TestTheBoxSpeaksKorean(t *testing.T) {
	b := newBoxed(t, hubOfSamples(), "postgres:15", "postgres:16")
	b.box("postgres", "Accept-Language", "ko").Is(t, http.StatusOK, "저장된 이미지", "모든 레지스트리에서 “postgres” 검색", "태그 2개 저장됨")
	b.box("redis:7", "Accept-Language", "ko").Is(t, http.StatusOK, "레지스트리에서 가져오기")
	b.registries("postgres", "Accept-Language", "ko").Is(t, http.StatusOK, "공식", "지금 검색할 수 없음: Harbor")
	b.box("데이터베이스").Is(t, http.StatusOK, "Search all registries for “데이터베이스”")
}

func TestNothingFoundIsSaid(t *testing.T) {
	b := newBoxed(t, hubOfSamples())
	b.registries("nosuchthinganywhere").Is(t, http.StatusOK, "Could not be searched just now: Harbor", `data-heard="0 repositories in registries.`)
}

func TestTheAddressOfTheBoxOpenedByItselfLeadsToTheSearchPage(t *testing.T) {
	b := newBoxed(t, hubOfSamples())
	a := b.Get("/search/box?q=postgres+15")
	if to := a.Header.Get("Location"); a.Status != http.StatusFound || to != "/search?q=postgres+15" {
		t.Errorf("%d to %q", a.Status, to)
	}
}

func TestTheBoxIsAFormWithScriptingOff(t *testing.T) {
	b := newBoxed(t, hubOfSamples())
	h := b.Get("/images")
	form := h.Body[strings.Index(h.Body, "<form"):]
	form = form[:strings.Index(form, "</form>")]
	for _, want := range []string{`action="/search"`, `method="get"`, `name="q"`, `value=""`, "Search registries, or paste an image reference"} {
		if !strings.Contains(form, want) {
			t.Errorf("the form lacks %s: %s", want, form)
		}
	}
	b.Get("/images?q=ubuntu").Is(t, http.StatusOK, `id="box" type="search" name="q" value=""`) // the list's filter is not the box's
}
