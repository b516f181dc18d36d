package search_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/handlers/page"
	searchpages "github.com/stowage/stowage/handlers/search"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/offer"
	views "github.com/stowage/stowage/views/search"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

var postgres = image.Reference{Repository: "docker.io/library/postgres", Tag: "15"}

// aPicker is a picked repository with a row of each kind.
func aPicker() views.PickerView {
	return views.PickerView{
		State: address.Search{Query: "postgres", Stars: 10, Repo: "docker.io/library/postgres", Tag: "15"},
		Host:  "Docker Hub", Shelf: "/images/docker.io/library/postgres",
		Tags: views.PickerTags{All: 1204, Matches: 1204, Latest: true, Page: 2, Pages: 25, Rows: []views.PickerTag{
			{Name: "16.1", Updated: pages.Clock.Add(-10 * 24 * time.Hour), Size: 154_000_000, Platform: "linux/amd64"},
			{Name: "15", Stored: true, Updated: pages.Clock.Add(-13 * 24 * time.Hour), Size: 152_000_000, Platform: "linux/amd64"},
			{Name: "15.5-bookworm", Stored: true, Moved: true, Size: 152_000_000},
			{Name: strings.Repeat("alpine.", 18), Size: -1},
		}},
		Allowance: &offer.Allowance{Registry: "Docker Hub", Limit: 100, Remaining: 87, Window: 6 * time.Hour, At: pages.Clock.Add(-time.Minute)},
	}
}

func TestThePickerLooksAsApproved(t *testing.T) {
	problem := func(e *image.Error) *ui.ErrorView {
		v := ui.NewErrorView(t.Context(), page.Status(e.Kind), e)
		return &v
	}
	found, none, unpicked, waiting, limited, failed, foreign, onward := aPicker(), aPicker(), aPicker(), aPicker(), aPicker(), aPicker(), aPicker(), aPicker()
	found.Offers = views.PickerOffers{Running: []int64{7}, Found: &offer.Found{
		Ref: postgres, Digest: image.DigestOf([]byte("index")), Index: true, Stored: image.DigestOf([]byte("old")), StoredURL: address.Of(postgres).String(),
		Default: "linux/amd64", Cost: offer.Cost{Ticked: 1, Fetch: 120_800_000, Free: 100_000_000},
		Offers: []offer.Offer{
			{Platform: "linux/amd64", Value: "linux/amd64", Default: true, Ticked: true, Priced: true, Size: 149_900_000, Here: 29_100_000, Fetch: 120_800_000, Blobs: "94ef9904d4df:120800000"},
			{Platform: "bad\u202e/<b>", Obstacle: offer.ObstacleInvalid},
		},
	}}
	none.State.Match, none.State.Tag = "no such<b>", ""
	none.Tags = views.PickerTags{All: 1204, Page: 1, Pages: 1, Typed: "nosuch"}
	unpicked.State.Tag = ""
	waiting.Tags, waiting.Offers = views.PickerTags{Waiting: true}, views.PickerOffers{Waiting: true}
	limited.Tags = views.PickerTags{Kind: image.RateLimited, Problem: problem(image.Errorf(image.RateLimited, "docker.io allows no more requests until %s: its rate limit is reached", "2026-11-22 10:00:00 UTC").Suggest("Wait."))}
	limited.State.Tag = ""
	limited.Allowance.Remaining = 0
	failed.Offers.Problem = problem(image.Errorf(image.NotImage, "%s is a Helm chart", "postgres:15"))
	foreign.Foreign, onward.Onward = true, "/pull?ref=postgres@sha256:1"
	for name, page := range map[string]templ.Component{
		"picker":          views.SearchPicker(found),
		"picker-unpicked": views.SearchPicker(unpicked),
		"picker-none":     views.SearchPicker(none),
		"picker-waiting":  views.SearchPicker(waiting),
		"picker-limited":  views.SearchPicker(limited),
		"picker-failed":   views.SearchPicker(failed),
		"picker-foreign":  views.SearchPicker(foreign),
		"picker-onward":   views.SearchPicker(onward),
		"picker-offers":   views.SearchOffersPart(found),
	} {
		t.Run(name, func(t *testing.T) {
			a := pages.Rendered(t, text.English, page)
			a.Lacks(t, "\u202e", "<b>", " style=", "<script>")
			a.Golden(t, name)
			if strings.Contains(pages.Rendered(t, text.Korean, page).Main(), "picker.") {
				t.Error("a text is missing in Korean")
			}
		})
	}
}

// bigRepository gives a repository 5,000 tags with sizes and dates, and picks one.
func bigRepository(t testing.TB, p *picker) (address string) {
	t.Helper()
	p.large.AddTags(p.large.TagsOf("library/postgres")[0], fake.ManyTags(5000)...)
	return "/search?repo=postgres&tag=15"
}

func TestThePageStaysSmallWithFiveThousandTags(t *testing.T) {
	const most = 100_000
	p := newPicker(t, nil)
	a := p.Get(bigRepository(t, p))
	a.Is(t, http.StatusOK, "5,0")
	if len(tagsIn(a)) != searchpages.TagsPerPage || len(a.Body) >= most {
		t.Errorf("%d tags, %d bytes of page", len(tagsIn(a)), len(a.Body))
	}
	long := aPicker()
	long.Tags.Rows = nil
	for range searchpages.TagsPerPage {
		long.Tags.Rows = append(long.Tags.Rows, views.PickerTag{Name: strings.Repeat("x", 128), Stored: true, Moved: true, Updated: pages.Clock, Size: 1e9, Platform: "linux/amd64"})
	}
	if n := len(pages.Rendered(t, text.English, views.SearchPicker(long)).Body); n >= most {
		t.Errorf("%d bytes with the longest names", n)
	}
}

// The registry answers at the first request; then its answers are remembered for a minute. What is measured is
// what this server does itself.
func BenchmarkPickerWithFiveThousandTags(b *testing.B) {
	p := newPicker(b, nil)
	address := bigRepository(b, p)
	for b.Loop() {
		w := httptest.NewRecorder()
		p.Pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
		if w.Code != http.StatusOK || w.Body.Len() == 0 {
			b.Fatal(w.Code)
		}
	}
}
