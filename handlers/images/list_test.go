package images_test

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
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/images"
)

var rowLink = regexp.MustCompile(`<a class="min-w-0 hover:underline" href="/images/([^"]*)" data-row-link>`)

// rows returns the addresses of a list's rows, in order.
func rows(a pages.Answer) []string {
	var rows []string
	for _, m := range rowLink.FindAllStringSubmatch(a.Body, -1) {
		name, _, _ := strings.Cut(strings.TrimPrefix(m[1], "docker.io/"), "@")
		rows = append(rows, strings.TrimPrefix(name, "library/"))
	}
	return rows
}

func TestTheImagesPageShowsTheShelf(t *testing.T) {
	s := pages.Filled(t)
	page := s.Get("/images")
	page.Is(t, http.StatusOK, "5 images in 4 repositories · ", " on disk", "by digest", "Pull image")
	page.Golden(t, "images")
	s.Get("/images?digests=1&sort=-size").Golden(t, "images-digests")
}

func TestAnEmptyShelfSaysWhatToDoFirst(t *testing.T) {
	s := pages.New(t)
	page := s.Get("/images")
	page.Is(t, http.StatusOK, `action="/pull"`, `href="/pull?ref=ubuntu:22.04"`, `href="/pull?ref=postgres:15"`)
	page.Golden(t, "images-empty")
}

func TestTheListIsSortedByEveryColumnBothWays(t *testing.T) {
	s := pages.Filled(t)
	for _, column := range []string{"name", "platforms", "id", "created", "pulled", "size", "unpacked"} {
		rising, falling := s.Get("/images?sort="+column), s.Get("/images?sort=-"+column)
		if column == "name" {
			rising = s.Get("/images")
		}
		rising.Is(t, http.StatusOK, `aria-sort="ascending"`, fmt.Sprintf(`href="/images?sort=-%s"`, column))
		falling.Is(t, http.StatusOK, `aria-sort="descending"`)
		down := rows(falling)
		slices.Reverse(down)
		if up := rows(rising); len(up) != 5 || !slices.Equal(up, down) {
			t.Errorf("%s: rising %q, falling turned round %q", column, up, down)
		}
	}
	if got := rows(s.Get("/images?sort=-size"))[0]; got != "ghcr.io/acme/api:v2.14.0" {
		t.Errorf("the biggest image is said to be %s", got)
	}
	if got := rows(s.Get("/images?sort=created"))[0]; got != "test/no-created:latest" {
		t.Errorf("the image without a date does not come first but %s", got)
	}
}

func TestTheFilterFindsNamesIDsAndDigests(t *testing.T) {
	s := pages.Filled(t)
	target := s.Target("ubuntu:22.04")
	ubuntu := []string{"ubuntu:22.04", "ubuntu:latest"}
	for query, want := range map[string][]string{
		"ubuntu": ubuntu, "UBUNTU:la": {"ubuntu:latest"}, "ghcr.io/": {"ghcr.io/acme/api:v2.14.0"},
		s.Store.Images.Preferred(target.Images).ID.Encoded()[:8]: ubuntu, string(target.Digest)[:20]: ubuntu, "' OR 1=1 --": nil, "100%": nil,
	} {
		page := s.Get("/images?q=" + url.QueryEscape(query))
		page.Is(t, http.StatusOK, fmt.Sprintf("%d of 5", len(want)))
		if got := rows(page); !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
}

func TestAFilterWithoutAMatchSaysSoAndCanBeCleared(t *testing.T) {
	s := pages.Filled(t)
	page := s.Get("/images?q=nosuch&sort=-size")
	page.Is(t, http.StatusOK, "0 of 5", "No image matches", "“nosuch”", `href="/images?sort=-size"`)
	page.Lacks(t, "<table")
}

func TestTheListHasFiftyRowsAPage(t *testing.T) {
	s := pages.New(t)
	reg, err := pages.Samples()
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
		s.Pull("team/many:" + tag)
	}
	for page, want := range map[string]string{"/images": "1–50 of 120", "/images?page=2": "51–100 of 120", "/images?page=3": "101–120 of 120", "/images/docker.io/team/many?page=3": "101–120 of 120"} {
		s.Get(page).Is(t, http.StatusOK, want)
	}
	first, last := rows(s.Get("/images?q=build-")), rows(s.Get("/images?q=build-&page=3"))
	if len(first) != 50 || first[0] != "team/many:build-000" || len(last) != 20 || last[19] != "team/many:build-119" {
		t.Errorf("first page %q, last page %q", first, last)
	}
	s.Get("/images?q=build-&page=2").Is(t, http.StatusOK, `href="/images?q=build-"`, `href="/images?q=build-&amp;page=3"`)
	s.Get("/images?page=4").Is(t, http.StatusNotFound, "There is no page 4: the list has 3 (page)")
}

func TestABadListAddressIsRefusedAndNamesThePart(t *testing.T) {
	s := pages.Filled(t)
	for query, part := range map[string]string{
		"sort=colour": "(sort)", "sort=--size": "(sort)", "sort=size,name": "(sort)", "sort=" + strings.Repeat("x", 9000): "(sort)",
		"page=0": "(page)", "page=-1": "(page)", "page=two": "(page)", "page=99999999999999999999": "(page)", "page=1000001": "(page)",
		"digests=yes": "(digests)", "q=" + strings.Repeat("a", 301): "(q)",
	} {
		for _, path := range []string{"/images", "/images/docker.io/library/ubuntu"} {
			s.Get(path+"?"+query).Is(t, http.StatusBadRequest, part)
		}
	}
}

func TestAListHasOneAddress(t *testing.T) {
	s := pages.Filled(t)
	for said, short := range map[string]string{
		"/images?q=": "/images", "/images?q=+&sort=name&page=1&digests=0": "/images", "/images?q=a&page=1": "/images?q=a",
		"/images/docker.io/library/ubuntu?q=&digests=1": "/images/docker.io/library/ubuntu?digests=1",
	} {
		page := s.Get(said)
		if got := page.Header.Get("Location"); page.Status != http.StatusFound || got != short {
			t.Errorf("%s: %d to %q, want %q", said, page.Status, got, short)
		}
	}
}

func TestHtmxGetsTheListAlone(t *testing.T) {
	s := pages.Filled(t)
	for _, path := range []string{"/images?q=ubuntu", "/images/docker.io/library/ubuntu?q=22"} {
		part := s.Get(path, "HX-Request", "true", "HX-Request-Type", "partial")
		part.Is(t, http.StatusOK, `<section id="image-list"`)
		part.Lacks(t, "<html", "<h1")
		if vary := strings.Join(part.Header.Values("Vary"), ", "); !strings.Contains(vary, "HX-Request-Type") || !strings.Contains(vary, "Accept,") || part.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v let a part be kept as the page", part.Header)
		}
	}
}

func TestARepositoryShowsItsTagsAndDigests(t *testing.T) {
	s := pages.Filled(t)
	s.Pull("ubuntu@" + pages.DigestOf(t, "library/ubuntu", "rolling"))
	page := s.Get("/images/docker.io/library/ubuntu")
	page.Is(t, http.StatusOK, "2 tags · 1 digest without a tag", `href="/pull?ref=ubuntu"`)
	page.Golden(t, "repository")
	if got, want := rows(page), []string{"ubuntu:22.04", "ubuntu:latest", "ubuntu"}; !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
}

func TestARepositoryThatIsNotStoredOffersToPullIt(t *testing.T) {
	s := pages.New(t)
	s.Get("/images/docker.io/library/nosuch").Is(t, http.StatusNotFound, `href="/pull?ref=nosuch"`, "docker pull nosuch")
}

func TestHostileTextStaysText(t *testing.T) {
	s := pages.New(t)
	s.Pull("acme/hostile:latest")
	q := url.QueryEscape("\u202e\"><script>alert(1)</script>\x1b[31m")
	page := s.Get("/images?q=" + q)
	page.Is(t, http.StatusOK, `&lt;script&gt;alert(1)`, `\u202e`, `\x1b`)
	page.Lacks(t, "<script>alert")
	layer := s.Store.Images.Preferred(s.Target("acme/hostile:latest").Images)
	layers, err := s.Store.Images.ImageLayers(t.Context(), layer.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	page = s.Get("/layers/" + string(layers[0].Digest))
	page.Is(t, http.StatusOK, "&lt;script&gt;alert(1)&lt;/script&gt;", `\u202e`)
	page.Lacks(t, "<script>alert", "\u202e", "</td></tr></table>' #")
}

func TestThePagesAreInKorean(t *testing.T) {
	s := pages.Filled(t)
	for path, text := range map[string]string{
		"/images": "이미지 5개 · 저장소 4개 · 디스크 사용량", "/images?q=nosuch": "일치하는 이미지가 없습니다",
		"/images/docker.io/library/ubuntu": "태그 2개", "/images/docker.io/library/ubuntu:latest/delete": "ubuntu:latest 삭제",
	} {
		s.Get(path, "Accept-Language", "ko").Is(t, http.StatusOK, `<html lang="ko"`, text)
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
	s := pages.New(t)
	gone := s.Get("/images/docker.io/library/gone?q=1", "HX-Request", "true", "HX-Request-Type", "partial")
	gone.Is(t, http.StatusNotFound, "docker pull gone")
	gone.Lacks(t, "<html")
	if gone.Header.Get("HX-Retarget") != "#main" {
		t.Errorf("it goes to %q", gone.Header.Get("HX-Retarget"))
	}
}
