package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/images"
)

// filled is a shelf with a little of everything that the list shows: two platforms, two tags on one digest, another
// host, a digest that was asked for, a dangling one, and an image without a creation date.
func filled(t *testing.T) *testShelf {
	t.Helper()
	s := newShelf(t)
	s.pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	s.pull("ubuntu:latest", "linux/amd64")
	s.pull("ghcr.io/acme/api:v2.14.0", "linux/amd64")
	s.pull("test/no-created:latest")
	s.pull("redis@"+digestOf(t, "library/redis", "7"), "linux/amd64")
	return s
}

// digestOf gives what a tag of the sample registry points at.
func digestOf(t *testing.T, repository, tag string) string {
	t.Helper()
	reg, err := samples()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range reg.Tags() {
		if at.Repository == repository && at.Tag == tag {
			return at.Descriptor.Digest.String()
		}
	}
	t.Fatalf("the sample registry has no %s:%s", repository, tag)
	return ""
}

var rowLink = regexp.MustCompile(`<a class="min-w-0 hover:underline" href="/images/([^"]*)" data-row-link>`)

// rowsOf gives the addresses of a list's rows, in order.
func (a answer) rows() []string {
	var rows []string
	for _, m := range rowLink.FindAllStringSubmatch(a.body, -1) {
		name, _, _ := strings.Cut(strings.TrimPrefix(m[1], "docker.io/"), "@")
		rows = append(rows, strings.TrimPrefix(name, "library/"))
	}
	return rows
}

func TestTheImagesPageShowsTheShelf(t *testing.T) {
	s := filled(t)
	page := s.get("/images")
	page.is(t, http.StatusOK, "5 images in 4 repositories · ", " on disk", "by digest", "Pull image")
	page.golden(t, "images")
	s.get("/images?digests=1&sort=-size").golden(t, "images-digests")
}

func TestAnEmptyShelfSaysWhatToDoFirst(t *testing.T) {
	s := newShelf(t)
	page := s.get("/images")
	page.is(t, http.StatusOK, `action="/pull"`, `href="/pull?ref=ubuntu:22.04"`, `href="/pull?ref=postgres:15"`)
	page.golden(t, "images-empty")
}

func TestTheListIsSortedByEveryColumnBothWays(t *testing.T) {
	s := filled(t)
	for _, column := range []string{"name", "platforms", "id", "created", "pulled", "size", "unpacked"} {
		rising, falling := s.get("/images?sort="+column), s.get("/images?sort=-"+column)
		if column == "name" {
			rising = s.get("/images")
		}
		rising.is(t, http.StatusOK, `aria-sort="ascending"`, fmt.Sprintf(`href="/images?sort=-%s"`, column))
		falling.is(t, http.StatusOK, `aria-sort="descending"`)
		down := falling.rows()
		slices.Reverse(down)
		if up := rising.rows(); len(up) != 5 || !slices.Equal(up, down) {
			t.Errorf("%s: rising %q, falling turned round %q", column, up, down)
		}
	}
	if got := s.get("/images?sort=-size").rows()[0]; got != "ghcr.io/acme/api:v2.14.0" {
		t.Errorf("the biggest image is said to be %s", got)
	}
	if got := s.get("/images?sort=created").rows()[0]; got != "test/no-created:latest" {
		t.Errorf("the image without a date does not come first but %s", got)
	}
}

func TestTheFilterFindsNamesIDsAndDigests(t *testing.T) {
	s := filled(t)
	target := s.target("ubuntu:22.04")
	ubuntu := []string{"ubuntu:22.04", "ubuntu:latest"}
	for query, want := range map[string][]string{
		"ubuntu": ubuntu, "UBUNTU:la": {"ubuntu:latest"}, "ghcr.io/": {"ghcr.io/acme/api:v2.14.0"},
		s.store.Preferred(target.Images).ID.Encoded()[:8]: ubuntu, string(target.Digest)[:20]: ubuntu, "' OR 1=1 --": nil, "100%": nil,
	} {
		page := s.get("/images?q=" + url.QueryEscape(query))
		page.is(t, http.StatusOK, fmt.Sprintf("%d of 5", len(want)))
		if got := page.rows(); !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
}

func TestAFilterWithoutAMatchSaysSoAndCanBeCleared(t *testing.T) {
	s := filled(t)
	page := s.get("/images?q=nosuch&sort=-size")
	page.is(t, http.StatusOK, "0 of 5", "No image matches", "“nosuch”", `href="/images?sort=-size"`)
	page.lacks(t, "<table")
}

func TestTheListHasFiftyRowsAPage(t *testing.T) {
	s := newShelf(t)
	reg, err := samples()
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for i := range 120 {
		tags = append(tags, fmt.Sprintf("build-%03d", i))
	}
	if err := reg.Push(t.Context(), "team/many", sample.NoLayers(), tags...); err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		s.pull("team/many:" + tag)
	}
	for page, want := range map[string]string{"/images": "1–50 of 120", "/images?page=2": "51–100 of 120", "/images?page=3": "101–120 of 120", "/images/docker.io/team/many?page=3": "101–120 of 120"} {
		s.get(page).is(t, http.StatusOK, want)
	}
	first, last := s.get("/images?q=build-").rows(), s.get("/images?q=build-&page=3").rows()
	if len(first) != 50 || first[0] != "team/many:build-000" || len(last) != 20 || last[19] != "team/many:build-119" {
		t.Errorf("first page %q, last page %q", first, last)
	}
	s.get("/images?q=build-&page=2").is(t, http.StatusOK, `href="/images?q=build-"`, `href="/images?q=build-&amp;page=3"`)
	s.get("/images?page=4").is(t, http.StatusNotFound, "There is no page 4: the list has 3 (page)")
}

func TestABadListAddressIsRefusedAndNamesThePart(t *testing.T) {
	s := filled(t)
	for query, part := range map[string]string{
		"sort=colour": "(sort)", "sort=--size": "(sort)", "sort=size,name": "(sort)", "sort=" + strings.Repeat("x", 9000): "(sort)",
		"page=0": "(page)", "page=-1": "(page)", "page=two": "(page)", "page=99999999999999999999": "(page)", "page=1000001": "(page)",
		"digests=yes": "(digests)", "q=" + strings.Repeat("a", 301): "(q)",
	} {
		for _, path := range []string{"/images", "/images/docker.io/library/ubuntu"} {
			s.get(path+"?"+query).is(t, http.StatusBadRequest, part)
		}
	}
}

func TestAListHasOneAddress(t *testing.T) {
	s := filled(t)
	for said, short := range map[string]string{
		"/images?q=": "/images", "/images?q=+&sort=name&page=1&digests=0": "/images", "/images?q=a&page=1": "/images?q=a",
		"/images/docker.io/library/ubuntu?q=&digests=1": "/images/docker.io/library/ubuntu?digests=1",
	} {
		page := s.get(said)
		if got := page.header.Get("Location"); page.status != http.StatusFound || got != short {
			t.Errorf("%s: %d to %q, want %q", said, page.status, got, short)
		}
	}
}

func TestHtmxGetsTheListAlone(t *testing.T) {
	s := filled(t)
	for _, path := range []string{"/images?q=ubuntu", "/images/docker.io/library/ubuntu?q=22"} {
		part := s.get(path, "HX-Request", "true", "HX-Request-Type", "partial")
		part.is(t, http.StatusOK, `<section id="image-list"`)
		part.lacks(t, "<html", "<h1")
		if vary := strings.Join(part.header.Values("Vary"), ", "); !strings.Contains(vary, "HX-Request-Type") || !strings.Contains(vary, "Accept,") || part.header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v let a part be kept as the page", part.header)
		}
	}
}

func TestARepositoryShowsItsTagsAndDigests(t *testing.T) {
	s := filled(t)
	s.pull("ubuntu@" + digestOf(t, "library/ubuntu", "rolling"))
	page := s.get("/images/docker.io/library/ubuntu")
	page.is(t, http.StatusOK, "2 tags · 1 digest without a tag", `href="/pull?ref=ubuntu"`)
	page.golden(t, "repository")
	if got, want := page.rows(), []string{"ubuntu:22.04", "ubuntu:latest", "ubuntu"}; !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
}

func TestARepositoryThatIsNotStoredOffersToPullIt(t *testing.T) {
	s := newShelf(t)
	s.get("/images/docker.io/library/nosuch").is(t, http.StatusNotFound, `href="/pull?ref=nosuch"`, "docker pull nosuch")
}

func TestHostileTextStaysText(t *testing.T) {
	s := newShelf(t)
	s.pull("acme/hostile:latest")
	q := url.QueryEscape("\u202e\"><script>alert(1)</script>\x1b[31m")
	page := s.get("/images?q=" + q)
	page.is(t, http.StatusOK, `&lt;script&gt;alert(1)`, `\u202e`, `\x1b`)
	page.lacks(t, "<script>alert")
	layer := s.store.Preferred(s.target("acme/hostile:latest").Images)
	layers, err := s.store.ImageLayers(t.Context(), layer.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	page = s.get("/layers/" + string(layers[0].Digest))
	page.is(t, http.StatusOK, "&lt;script&gt;alert(1)&lt;/script&gt;", `\u202e`)
	page.lacks(t, "<script>alert", "\u202e", "</td></tr></table>' #")
}

func TestThePagesAreInKorean(t *testing.T) {
	s := filled(t)
	for path, text := range map[string]string{
		"/images": "이미지 5개 · 저장소 4개 · 디스크 사용량", "/images?q=nosuch": "일치하는 이미지가 없습니다",
		"/images/docker.io/library/ubuntu": "태그 2개", "/images/docker.io/library/ubuntu:latest/delete": "ubuntu:latest 삭제",
	} {
		s.get(path, "Accept-Language", "ko").is(t, http.StatusOK, `<html lang="ko"`, text)
	}
}

func TestAnUnknownPlatformIsStoredAllTheSame(t *testing.T) {
	row := shelf.Row{Reference: image.Reference{Repository: "docker.io/library/odd", Tag: "1"}, ImageID: image.DigestOf(nil)}
	var page strings.Builder
	if err := images.ImageListPart(images.ImageList{Rows: []shelf.Row{row}, All: 1, Matches: 1, Pages: 1}).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	if text := page.String(); !strings.Contains(text, "unknown platform") || strings.Contains(text, "no platform stored") {
		t.Error(text)
	}
}

func TestAListWhoseRepositoryWentBecomesThePageThatSaysSo(t *testing.T) {
	s := newShelf(t)
	gone := s.get("/images/docker.io/library/gone?q=1", "HX-Request", "true", "HX-Request-Type", "partial")
	gone.is(t, http.StatusNotFound, "docker pull gone")
	gone.lacks(t, "<html")
	if gone.header.Get("HX-Retarget") != "#main" {
		t.Errorf("it goes to %q", gone.header.Get("HX-Retarget"))
	}
}
