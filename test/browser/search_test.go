package browser

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
	"github.com/stowage/stowage/views/text"
)

// searchWalk is one way from a word to a stored image.
type searchWalk struct {
	name      string
	scripting bool
	shape     fake.Hub                   // how Docker Hub's search answers
	pick      func(t *testing.T, b *Tab) // from the first page to the picked repository
}

func TestFromAWordToAStoredImageInABrowser(t *testing.T) {
	t.Parallel()
	walkSearch(t, searchWalk{name: "by the box in the header", scripting: true, pick: func(_ *testing.T, b *Tab) {
		b.Click("#box")
		b.Press("postgres")
		b.Click("#box-hit-0")
	}})
	// Docker Hub has said library/ before the names of official images, and says no digests of very old tags.
	walkSearch(t, searchWalk{name: "by the Search page, with library/ and without digests", scripting: true, shape: fake.Hub{Prefix: true, Bare: true}, pick: func(_ *testing.T, b *Tab) {
		b.Click(`header nav a[href="/search"]`)
		b.Click("#search-query")
		b.Press("postgres")
		b.Click(hit, "postgres")
	}})
}

func TestFromAWordToAStoredImageWithScriptingOff(t *testing.T) {
	t.Parallel()
	walkSearch(t, searchWalk{name: "by the box in the header", shape: fake.Hub{Prefix: true}, pick: func(_ *testing.T, b *Tab) {
		b.Enter("#box", "postgres")
		b.Click(hit, "postgres")
	}})
	walkSearch(t, searchWalk{name: "by the Search page, without digests", shape: fake.Hub{Bare: true}, pick: func(_ *testing.T, b *Tab) {
		b.Click(`header nav a[href="/search"]`)
		b.Enter("#search-query", "postgres")
		b.Click(hit, "postgres")
	}})
}

// The places of the Search page, for a repository's or a tag's name.
const (
	hit       = `#search-results a[data-row-link][href$="repo=%s"]`
	hitRow    = `#search-results li:has(> div a[data-row-link][href$="repo=%s"])`
	tagLink   = `#tag-list a[href$="&tag=%s"]`
	tagRow    = `#tag-list li:has(a[href$="&tag=%s"])`
	offer     = `#search-offers input[name=platform][value="%s"]`
	offerRow  = `#search-offers li:has(input[value="%s"])`
	pullTaken = `#search-offers form[action="/pulls"] .panel-foot button`
)

// walkSearch types, picks a repository, picks a tag, ticks two platforms, pulls, and looks at the results again.
func walkSearch(t *testing.T, w searchWalk) {
	t.Run(w.name, func(t *testing.T) {
		t.Parallel()
		h := shelf.DockerHub(t, "library/postgres:15", "library/postgres:16")
		h.Answers(t, w.shape)
		like := h.Tags.TagsOf("library/postgres")[0]
		for _, tag := range fake.ServerTags(15, 15, true) {
			if !strings.Contains(tag.Tag, "-") {
				h.Tags.AddTags(like, tag)
			}
		}
		s := shelf.Start(t, shelf.ListRegistries(t, h.Listed()))
		b := Open(t, s)
		if !w.scripting {
			b.WithoutScripting()
		}
		b.Open("/")
		w.pick(t, b)

		// What docker search shows has its place, and what it does not too. Nothing is stored yet.
		row := b.Text(hitRow, "postgres")
		for _, want := range []string{"postgres", "Official", "A relational database with transactions", "14,760", "10B+ pulls"} {
			if !strings.Contains(row, want) {
				t.Errorf("the result does not say %q but %q", want, row)
			}
		}
		if strings.Contains(row, "stored") || strings.Contains(row, "library/") {
			t.Errorf("the result says %q", row)
		}
		b.See(hit+"[aria-current=true]", "postgres")

		// The newest version first, with the size of the server's own platform: an attestation is none, a variant may be null.
		b.See(tagLink, "15")
		names := Is[[]string](b, `Array.from(document.querySelectorAll("#tag-list [data-row-link]"), (a) => a.textContent)`)
		if i, j := slices.Index(names, "15.10"), slices.Index(names, "15.9"); names[0] != "16" || i < 1 || j < i {
			t.Errorf("the tags are %v", names)
		}
		var size int64
		for _, im := range like.Images {
			if im.Platform.Architecture == "amd64" {
				size = im.Size
			}
		}
		if row := b.Text(tagRow, "15"); !strings.Contains(row, text.HumanSize(size)) || strings.Contains(row, "stored") {
			t.Errorf("the tag does not say %s but %q", text.HumanSize(size), row)
		}
		if n := h.Registry.Count("", "/manifests/"); n != 0 {
			t.Errorf("%d requests for manifests before a tag was picked", n)
		}

		// The platforms of a tag: those that run, and no attestations.
		b.Click(tagLink, "15")
		b.See(offer+":checked", "linux/amd64")
		if asked := manifests(h.Registry); asked[0] != http.MethodHead+" 15" || slices.Contains(asked[1:], "HEAD 15") || slices.Contains(asked, "GET 15") {
			t.Errorf("the registry was asked for %v: once by HEAD, then by digest", asked)
		}
		if n := Is[int](b, `document.querySelectorAll("#search-offers input[name=platform]").length`); n != 6 {
			t.Errorf("%d platforms are offered, want 6", n)
		}
		if text := b.Text("#search-offers"); strings.Contains(text, "unknown") {
			t.Errorf("attestations are offered: %s", text)
		}
		b.Click(offer, "linux/arm64")
		b.See(offer+":checked", "linux/arm64")
		if text := b.Text("#search-offers .panel-foot"); w.scripting && !strings.Contains(text, "2 of 6 platforms") {
			t.Errorf("the foot says %q", text)
		}
		picked := b.Location()

		b.Click(pullTaken)
		b.See(`#pull[data-state="done"]`)
		if text := b.Text("#pull"); !strings.Contains(text, "Downloaded newer image for postgres:15") {
			t.Errorf("no outcome lines of docker's: %s", text)
		}
		for d, n := range h.Registry.ServedBlobs() {
			if got := blobSize(t, s, d.Encoded()); got != n {
				t.Errorf("blob %s: %d bytes served, %d stored", d, n, got)
			}
		}

		// The same address now marks what is stored, at the result, at the tag and at the platforms.
		asked := len(manifests(h.Registry))
		b.Open(picked)
		if row := b.Text(hitRow, "postgres"); !strings.Contains(row, "stored") {
			t.Errorf("the result is not marked as stored: %q", row)
		}
		for tag, stored := range map[string]bool{"15": true, "16": false} {
			if row := b.Text(tagRow, tag); strings.Contains(row, "stored") != stored {
				t.Errorf("tag %s is marked wrongly: %q", tag, row)
			}
		}
		for platform, stored := range map[string]bool{"linux/amd64": true, "linux/arm64": true, "linux/386": false} {
			marked := Is[bool](b, fmt.Sprintf(`document.querySelector(%q) !== null`, fmt.Sprintf(offerRow+" .badge-success", platform)))
			if marked != stored {
				t.Errorf("platform %s is marked wrongly: %s", platform, b.Text(offerRow, platform))
			}
		}
		for _, again := range manifests(h.Registry)[asked:] {
			if !strings.HasPrefix(again, http.MethodHead) {
				t.Errorf("what is known by its digest was fetched again: %s", again)
			}
		}
		s.Page("/images/docker.io/library/postgres:15").Says(http.StatusOK, "linux/amd64", "linux/arm64")
	})
}

// manifests lists what manifests the registry was asked for: the method and the tag or digest.
func manifests(u *shelf.Upstream) []string {
	var asked []string
	for _, r := range u.Requests() {
		if _, reference, ok := strings.Cut(r.Path, "/manifests/"); ok {
			asked = append(asked, r.Method+" "+reference)
		}
	}
	return asked
}

func TestARegistryWithoutASearchIsSearchedByItsCatalogAndPicked(t *testing.T) {
	t.Parallel()
	real := shelf.RealUpstream(t)
	nginx := real.Library(t, "library/nginx", "1.27-alpine")
	tags := fake.Pushed{fake.At("library/nginx", "1.27-alpine", nginx)}
	front := fake.NewLarge(real.Faulty, tags)
	front.AddRepositories("library/nginx", fake.ManyNames(300)...)
	u := shelf.ServeFaulty(t, real.Faulty, front)
	s := shelf.Start(t, "--registry=registry.example="+u.URL())
	b := Open(t, s)
	b.Open("/search?registry=registry.example")
	b.Click("#search-query")
	b.Press("checkout/api")
	b.Click(hit, "registry.example/checkout/api")
	b.Click(tagLink, "1.27-alpine")
	b.Click(pullTaken)
	b.See(`#pull[data-state="done"]`)
	b.Open("/search?q=checkout/api&registry=registry.example")
	if row := b.Text(hitRow, "registry.example/checkout/api"); !strings.Contains(row, "stored") {
		t.Errorf("the result is not marked as stored: %q", row)
	}
}
