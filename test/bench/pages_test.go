//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/test/browser"
	"github.com/stowage/stowage/test/shelf"
)

// The sizes of shelf that the Images page is measured at, in tags.
var shelfSizes = []int{100, 10_000, 100_000}

// How often each view is asked for: first without measuring, then with.
const (
	viewWarmUp   = 10
	viewRequests = 100
)

// view is one way to look at the list. "{n}" in its path is another number in each request.
type view struct {
	name string
	path string
}

func listViews(tags int) []view {
	last := (tags + 49) / 50
	return []view{
		{"first page, by name", "/images"},
		{"by name, descending", "/images?sort=-name"},
		{"by platforms", "/images?sort=platforms"},
		{"by image ID", "/images?sort=id"},
		{"by creation, newest first", "/images?sort=-created"},
		{"by pull, newest first", "/images?sort=-pulled"},
		{"by size, largest first", "/images?sort=-size"},
		{"by unpacked size, largest first", "/images?sort=-unpacked"},
		{"by update, what needs somebody first", "/images?sort=update"},
		{"by how often it was handed out", "/images?sort=-handed"},
		{"the page in the middle", fmt.Sprintf("/images?page=%d", (last+1)/2)},
		{"the last page", fmt.Sprintf("/images?page=%d", last)},
		{"the last page by size", fmt.Sprintf("/images?sort=-size&page=%d", last)},
		{"filter, many rows (`postgres`)", "/images?q=postgres"},
		{"filter, few rows (`golang:1.0.`)", "/images?q=golang%3A1.0."},
		{"filter, many rows, by size", "/images?q=postgres&sort=-size"},
		{"filter, no row", "/images?q=no-such-image"},
		{"filter by the first digits of an ID", "/images?q=00a4"},
		{"another text each time", "/images?q={n}."},
		{"`reference=*:latest`", "/images?reference=*:latest"},
		{"`reference` with a class, by creation", "/images?reference=*/*/[a-m]*:1.?.*&sort=-created"},
		{"four of `reference`, another one each time",
			"/images?reference=ub*&reference=*/*/api-*&reference=*:*-rc1&reference=*/*{n}/*"},
		{"`dangling=true`, by pull", "/images?dangling=true&sort=-pulled"},
		{"`dangling=false`, the page in the middle", fmt.Sprintf("/images?dangling=false&page=%d", max(1, last*9/20))},
		{"`label=stage=ci`, by size", "/images?label=stage%3Dci&sort=-size"},
		{"`label` that none has", "/images?label=no-such-label"},
		{"`before` and `since`", "/images?before=ubuntu&since=debian"},
		{"`until=8760h`, by unpacked size", "/images?until=8760h&sort=unpacked"},
		{"registry and platform", "/images?registry=quay.io&platform=linux/arm64"},
		{"update available, by creation", "/images?update=available&sort=created"},
		{"pinned", "/images?pinned=1"},
		{"all kinds at once", "/images?q=a&reference=*/*/*&dangling=false&label=stage&label=team&since=ubuntu&until=24h&registry=ghcr.io&platform=linux/amd64&update=current&sort=-unpacked&digests=1&no-trunc=1"},
		{"by repository", "/images?group=repository"},
		{"by repository, filtered, by size", "/images?label=stage%3Dci&platform=linux/arm64&sort=-size&group=repository"},
		{"one repository", "/images/docker.io/library/ubuntu"},
	}
}

// viewFigure is what one view cost.
type viewFigure struct {
	name   string
	median time.Duration
	p95    time.Duration
	gzip   int // bytes of the compressed answer
}

// shelfFigures are the views of one size of shelf, and the server's memory after all of them.
type shelfFigures struct {
	tags  int
	views []viewFigure
	now   int64
	peak  int64
	wire  int64 // bytes of a first visit, only where it was measured
}

func measurePages(t *testing.T) []shelfFigures {
	var all []shelfFigures
	for _, tags := range shelfSizes {
		t.Run(fmt.Sprintf("%d tags", tags), func(t *testing.T) { all = append(all, measureShelf(t, tags)) })
		if t.Failed() {
			t.FailNow()
		}
	}
	return all
}

func measureShelf(t *testing.T, tags int) shelfFigures {
	t.Helper()
	data := t.TempDir()
	shelf.StartOn(t, data, nil).Stop() // makes the database
	seedShelf(t, data, tags)
	s := shelf.StartOn(t, data, nil)
	f := shelfFigures{tags: tags}
	for _, v := range listViews(tags) {
		f.views = append(f.views, measureView(s, v))
	}
	f.now, f.peak = shelf.MemoryOf(s.Cmd.Process.Pid, "VmRSS"), shelf.MemoryOf(s.Cmd.Process.Pid, "VmHWM")
	b := browser.Open(t, s)
	b.Open("/images")
	b.See("main table")
	f.wire = b.OverTheWire()
	return f
}

// measureView asks for a view over one connection. The times are the server's own, from its log: from the first
// middleware to the last byte of the compressed answer.
func measureView(s *shelf.Server, v view) viewFigure {
	s.T.Helper()
	client := http.Client{Transport: &http.Transport{DisableCompression: true, MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	f := viewFigure{name: v.name}
	asked := map[string]bool{}
	last := ""
	for i := range viewWarmUp + viewRequests {
		path := strings.ReplaceAll(v.path, "{n}", strconv.Itoa(i))
		req, err := http.NewRequestWithContext(s.T.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			s.T.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip")
		req.Header.Set("Sec-Fetch-Site", "none")
		resp, err := client.Do(req)
		if err != nil {
			s.T.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "gzip" {
			s.T.Fatalf("GET %s: %s, encoding %q, %v", path, resp.Status, resp.Header.Get("Content-Encoding"), err)
		}
		if f.gzip = len(body); i >= viewWarmUp {
			last = resp.Header.Get("X-Request-Id")
			asked[last] = true
		}
	}
	if _, err := s.AwaitLine(func(l string) bool { return strings.Contains(l, last) }); err != nil {
		s.T.Fatal(err)
	}
	var times []time.Duration
	for line := range strings.Lines(s.Logs()) {
		var entry struct {
			ID   string        `json:"request_id"`
			Took time.Duration `json:"took"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && asked[entry.ID] {
			times = append(times, entry.Took)
		}
	}
	if len(times) != viewRequests {
		s.T.Fatalf("%s: the log has %d of %d requests", v.path, len(times), viewRequests)
	}
	f.median, f.p95 = median(times), quantile(times, 0.95)
	return f
}

// writePages writes the table of the views.
func writePages(out *bytes.Buffer, all []shelfFigures) {
	fmt.Fprintf(out, "### The Images page, server time in ms, median and 95th percentile of %d requests\n\n|",
		viewRequests)
	for _, f := range all {
		fmt.Fprintf(out, " | %s tags | gzip", thousands(f.tags))
	}
	fmt.Fprintf(out, " |\n|---%s|\n", strings.Repeat("|---:|---:", len(all)))
	for i, v := range all[0].views {
		fmt.Fprintf(out, "| %s", v.name)
		for _, f := range all {
			fmt.Fprintf(out, " | %s, %s | %.1f kB", milliseconds(f.views[i].median), milliseconds(f.views[i].p95),
				float64(f.views[i].gzip)/1000)
		}
		fmt.Fprintf(out, " |\n")
	}
	fmt.Fprintf(out, "| memory of the server afterwards")
	for _, f := range all {
		fmt.Fprintf(out, " | %s | at most %s", mebibytes(float64(f.now)), mebibytes(float64(f.peak)))
	}
	fmt.Fprintf(out, " |\n| first visit in Chromium, all files")
	for _, f := range all {
		fmt.Fprintf(out, " | %.1f kB over the wire |", float64(f.wire)/1000)
	}
	fmt.Fprintf(out, " |\n")
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e6) }

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}
