package cleanup_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/test/pages"
)

// handedShelf has ubuntu:22.04, postgres:15 and redis:7, pulled 40 days ago; postgres was handed out three times, last three days
// ago, and once one of its platforms by its own digest; ubuntu 35 days ago.
func handedShelf(t *testing.T) *pages.Shelf {
	t.Helper()
	var at atomic.Pointer[time.Time] // the store looks at it whenever it likes
	is := func(now time.Time) { at.Store(&now) }
	is(pages.Clock)
	s := pages.New(t, func(o *storage.Options) {
		o.Now = func() time.Time { return *at.Load() }
		o.UndoWindow = 10 * time.Minute
	})
	day := 24 * time.Hour
	s.Pull("ubuntu:22.04")
	s.Pull("postgres:15", "linux/amd64", "linux/arm64")
	s.Pull("redis:7")
	hand := func(reference string, digest image.Digest, ago time.Duration) {
		ref, err := image.ParseReference(reference)
		if err != nil {
			t.Fatal(err)
		}
		if digest == "" {
			digest = s.Target(reference).Digest
		} else {
			ref = ref.WithTag("").WithDigest(digest)
		}
		is(pages.Clock.Add(40*day - ago))
		s.Store.Downloads.Downloaded(ref, digest)
	}
	hand("ubuntu:22.04", "", 35*day)
	hand("postgres:15", "", 20*day)
	hand("postgres:15", "", 10*day)
	hand("postgres:15", "", 3*day)
	hand("postgres:15", s.Target("postgres:15").Images[1].Manifest, 2*day)
	is(pages.Clock.Add(40 * day))
	if err := s.Store.Downloads.WriteDownloads(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Configure(func(o *handlers.Options) { o.Now = func() time.Time { return *at.Load() } })
	return s
}

func TestTheListShowsAndSortsByWhatWasHandedOut(t *testing.T) {
	s := handedShelf(t)
	page := s.Get("/images?sort=-handed")
	page.Is(t, http.StatusOK, "Handed out", `title="Handed out 3 times, last on 2026-12-29 09:30:00 UTC"`, "3 days ago", `title="Not handed out"`)
	order := func(body string, names ...string) {
		t.Helper()
		at := 0
		for _, name := range names {
			i := strings.Index(body[at:], `id="row-`+name)
			if i < 0 {
				t.Fatalf("%s is missing or out of order", name)
			}
			at += i
		}
	}
	order(page.Body, "postgres:15", "ubuntu:22.04", "redis:7")
	order(s.Get("/images?sort=handed").Body, "redis:7", "ubuntu:22.04", "postgres:15")
	grouped := s.Get("/images?sort=-handed&group=repository")
	grouped.Is(t, http.StatusOK, `title="Handed out 3 times, last on 2026-12-29 09:30:00 UTC"`)
	order(grouped.Body, "docker.io/library/postgres", "docker.io/library/ubuntu", "docker.io/library/redis")
	s.Get("/images/docker.io/library/postgres").Is(t, http.StatusOK, "3 days ago")
	if text := s.Get("/images?sort=-handed", "Accept", "text/plain").Body; strings.Count(text, "\n") != 3 {
		t.Errorf("as text: %q", text)
	}
}

func TestThePageOfAnImageSaysHowOftenItWasHandedOut(t *testing.T) {
	s := handedShelf(t)
	page := s.Get("/images/docker.io/library/postgres:15?platform=linux%2Farm64")
	page.Is(t, http.StatusOK, "3 times", "1 of this platform", "last 3 days ago", `title="Handed out 3 times, last on 2026-12-29 09:30:00 UTC"`)
	s.Get("/images/docker.io/library/postgres@"+string(s.Target("postgres:15").Digest)).Is(t, http.StatusOK, "3 times", "0 of this platform")
	s.Get("/images/"+string(s.Target("postgres:15").Images[1].ID)).Is(t, http.StatusOK, "1 time", "last 2 days ago")
	s.Get("/images/docker.io/library/redis:7").Is(t, http.StatusOK, "0 times", "counted since 2026-11-22")
}

func TestPruningWhatIsUnusedSaysWhatStaysAndWhy(t *testing.T) {
	s := handedShelf(t)
	page := s.Get("/prune?all=1&unused=30d")
	page.Is(t, http.StatusOK, "Stays: used since then", "handed out 2 days ago", `name="unused" value="30d"`, "docker image prune --all<", "docker knows no filter unused")
	page.Golden(t, "prune-unused")
	s.Get("/prune/summary?all=1&unused=30d", "HX-Request", "true", "HX-Request-Type", "partial").Is(t, http.StatusOK, "2 images, ", "1 stays: used since then")
	s.Get("/prune?all=1&unused=4w2d").Is(t, http.StatusOK, "handed out 2 days ago")
	s.Get("/prune?all=1&unused=36d").Is(t, http.StatusOK, "handed out 5 weeks ago")
	s.Get("/prune?all=1&unused=41d").Is(t, http.StatusOK, "Nothing to prune", "kept, for the reasons below", "pulled 5 weeks ago")
	s.Get("/prune?unused=30d").Is(t, http.StatusOK, "Nothing to prune", "No image is chosen by these filters.")
	s.Post("/prune", pruneForm(page, t)).WentTo(t, "/storage", "Pruned 2 images. Their ")
	shelfHas(s, "postgres:15")
	s.Post("/removals/1/undo", url.Values{"back": {"/images"}}).WentTo(t, "/images", "2 references are back")
	s.Get("/images/docker.io/library/ubuntu:22.04").Is(t, http.StatusOK, "1 time", "last 5 weeks ago")
}

func TestAWrongSpanIsNamed(t *testing.T) {
	s := pages.New(t)
	for query, says := range map[string]string{
		"?unused=soon":                         "&#34;soon&#34; is not a span of time",
		"?unused=0d":                           "is not a span of time",
		"?unused=30d&unused=20d":               "There is more than one span of time",
		"?all=1&unused=2026-01-31":             "Give weeks, days or hours, such as 4w, 30d or 720h",
		"?unused=" + strings.Repeat("9", 2001): "at most 2000 are read",
	} {
		page := s.Get("/prune" + query)
		page.Is(t, http.StatusBadRequest, says, `name="unused"`, `aria-invalid="true"`)
		page.Lacks(t, `name="plan"`)
	}
	s.Get("/prune?unused=30x", "Accept-Language", "ko").Is(t, http.StatusBadRequest, "올바른 기간이 아닙니다")
}
