//go:build linux

package bench

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

// What is promised of searches in a large registry.
const (
	ownTimeLimit  = 200 * time.Millisecond // until the first results, without the registry's time
	pageSizeLimit = 100_000                // bytes, uncompressed
)

// How often each search is measured: on a server that was just started, and on one that knows the lists. The
// memory is that before and after so many searches, each for other words.
const (
	coldRounds     = 10
	warmSearches   = 100
	memorySearches = 200
)

// searchView is a search to measure; path gets the number of the request, so that the words differ.
type searchView struct {
	name string
	path func(i int) string
	cold bool // on a server that was just started
	most int  // bytes that its page may have; 0 is pageSizeLimit
}

func searchViews() []searchView {
	of := func(path string) func(int) string { return func(int) string { return path } }
	tags := fake.ManyTags(shelf.LargeTags)
	return []searchView{
		{"a word in the catalog, first of all", of("/search?q=api&registry=registry.example"), true, 0},
		{"the tags, first of all", of("/search?repo=" + shelf.LargeRepository), true, 0},
		{"a word in the catalog, each time another", func(i int) string {
			return "/search?q=" + url.QueryEscape(shelf.LargeWord(i)) + "&registry=registry.example"
		}, false, 0},
		{"100 results of a search service", of("/search?q=with&registry=docker.io&limit=100"), false, 0},
		{"100 results of the catalog", of("/search?q=api&registry=registry.example&limit=100"), false, 0},
		{"a word in both registries, each time another", func(i int) string { return "/search?q=" + url.QueryEscape(shelf.HubWord(i)) }, false, 0},
		{"a page of the tags, each time another", func(i int) string { return fmt.Sprintf("/search?repo=%s&tags=%d", shelf.LargeRepository, i+2) }, false, 0},
		{"the tags filtered, each time otherwise", func(i int) string {
			return "/search?repo=" + shelf.LargeRepository + "&match=" + url.QueryEscape(tags[i*37%len(tags)].Tag[:3])
		}, false, 0},
		{"25 results, 50 tags and a tag's platforms", func(i int) string {
			return "/search?q=nginx&registry=docker.io&repo=" + shelf.LargeRepository + "&tag=" + url.QueryEscape(tags[i].Tag)
		}, false, 0},
		{"100 results, 50 tags and a tag's platforms", func(i int) string {
			return "/search?q=with&registry=docker.io&limit=100&repo=" + shelf.LargeRepository + "&tag=" + url.QueryEscape(tags[i].Tag)
		}, false, 130_000}, // the most that an address can ask for; by htmx its parts come one by one
	}
}

func (v searchView) limit() int { return cmp.Or(v.most, pageSizeLimit) }

// searchFigure is what one search cost.
type searchFigure struct {
	searchView
	total, theirs, own []time.Duration
	page, gzip         int // bytes of the largest answer
}

// memoryFigure is the server's memory before and after searches.
type memoryFigure struct{ before, after, peak int64 }

func measureSearches(t *testing.T) ([]searchFigure, memoryFigure) {
	l := shelf.ServeLarge(t)
	views := searchViews()
	figures := make([]searchFigure, len(views))
	for round := range coldRounds {
		t.Run(fmt.Sprintf("round %d", round), func(t *testing.T) {
			s := shelf.Start(t, l.Args...)
			for i, v := range views {
				if v.cold {
					measureSearch(s, l, &figures[i], v.path(round))
				}
			}
		})
	}
	s := shelf.Start(t, l.Args...)
	for i, v := range views {
		figures[i].searchView = v
		if v.cold {
			continue
		}
		for n := range warmSearches {
			measureSearch(s, l, &figures[i], v.path(n))
		}
	}
	return figures, measureSearchMemory(t, l)
}

// measureSearch asks for a page. The time is the server's own, from its log. In that time the registries were busy for a
// part, which is theirs: they run in this process, and answer out of memory.
func measureSearch(s *shelf.Server, l *shelf.LargeRegistry, f *searchFigure, path string) {
	s.T.Helper()
	before := l.Spent()
	resp, body := fetch(s, path, "gzip")
	theirs := l.Spent() - before
	f.gzip = max(f.gzip, len(body))
	id := resp.Header.Get("X-Request-Id")
	line, err := s.AwaitLine(func(line string) bool { return strings.Contains(line, id) })
	if err != nil {
		s.T.Fatal(err)
	}
	var entry struct{ Took time.Duration }
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		s.T.Fatal(err)
	}
	f.total, f.theirs, f.own = append(f.total, entry.Took), append(f.theirs, theirs), append(f.own, entry.Took-theirs)
	_, body = fetch(s, path, "identity")
	f.page = max(f.page, len(body))
}

// fetch gets a page in an encoding.
func fetch(s *shelf.Server, path, encoding string) (*http.Response, []byte) {
	s.T.Helper()
	req, err := http.NewRequestWithContext(s.T.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", encoding)
	req.Header.Set("Sec-Fetch-Site", "none")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.T.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		s.T.Fatalf("GET %s: %s, %v", path, resp.Status, err)
	}
	return resp, body
}

// measureSearchMemory searches for some words, so that what is loaded once is loaded, then for many others.
func measureSearchMemory(t *testing.T, l *shelf.LargeRegistry) (f memoryFigure) {
	t.Helper()
	s := shelf.Start(t, l.Args...)
	search := func(from, to int) {
		for i := from; i < to; i++ {
			fetch(s, "/search?q="+url.QueryEscape(shelf.LargeWord(i))+"&registry=registry.example&limit=100", "gzip")
			fetch(s, "/search?q="+url.QueryEscape(shelf.HubWord(i))+"&repo="+shelf.LargeRepository+fmt.Sprintf("&tags=%d", i%100+2), "gzip")
		}
	}
	search(0, memorySearches/8)
	f.before = shelf.MemoryOf(s.Cmd.Process.Pid, "VmRSS")
	search(memorySearches/8, memorySearches/8+memorySearches)
	f.after, f.peak = shelf.MemoryOf(s.Cmd.Process.Pid, "VmRSS"), shelf.MemoryOf(s.Cmd.Process.Pid, "VmHWM")
	return f
}

// writeSearches writes the table of the searches, and fails the test for what is not as promised.
func writeSearches(t *testing.T, out *bytes.Buffer, all []searchFigure, m memoryFigure) {
	t.Helper()
	fmt.Fprintf(out, "### The Search page at %s repositories and %s tags, server time in ms, median and 95th percentile of %d requests (%d where it is the first of all)\n\n",
		thousands(shelf.LargeNames), thousands(shelf.LargeTags), warmSearches, coldRounds)
	fmt.Fprintf(out, "| | whole | of that the registry's | our own | page | gzip |\n|---|---:|---:|---:|---:|---:|\n")
	for _, f := range all {
		fmt.Fprintf(out, "| %s", f.name)
		for _, times := range [][]time.Duration{f.total, f.theirs, f.own} {
			fmt.Fprintf(out, " | %s, %s", milliseconds(median(times)), milliseconds(quantile(times, 0.95)))
		}
		fmt.Fprintf(out, " | %.1f kB | %.1f kB |\n", float64(f.page)/1000, float64(f.gzip)/1000)
		if own := quantile(f.own, 0.95); own > ownTimeLimit {
			t.Errorf("%s: %s of our own time, more than %s", f.name, own, ownTimeLimit)
		}
		if f.page > f.limit() {
			t.Errorf("%s: a page of %d bytes, more than %d", f.name, f.page, f.limit())
		}
	}
	fmt.Fprintf(out, "\nMemory of the server: %s before %s searches for other words each, %s after them, at most %s.\n\n",
		mebibytes(float64(m.before)), thousands(2*memorySearches), mebibytes(float64(m.after)), mebibytes(float64(m.peak)))
}

func TestThousandsOfTagsAndNamesMakeSmallPagesAndTakeNoMemory(t *testing.T) {
	t.Parallel()
	l := shelf.ServeLarge(t)
	s := shelf.Start(t, l.Args...)
	for _, v := range searchViews() {
		if _, body := fetch(s, v.path(0), "identity"); len(body) > v.limit() {
			t.Errorf("%s: a page of %d bytes, more than %d", v.name, len(body), v.limit())
		}
	}
	m := measureSearchMemory(t, l)
	if grown := m.after - m.before; grown > 24<<20 {
		t.Errorf("%d searches took %s of memory, from %s on", 2*memorySearches, mebibytes(float64(grown)), mebibytes(float64(m.before)))
	}
	t.Logf("memory: %+v", m)
}
