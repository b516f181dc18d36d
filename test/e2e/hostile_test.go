//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/shelf"
)

// Ceilings of what a hostile document may cost.
const (
	mostOfPage   = 8 << 20   // bytes of a page
	mostOfAnswer = 24 << 20  // bytes of an answer that is no page: a manifest or config as it is, docker's JSON of one
	mostMemory   = 200 << 20 // resident, over all documents
)

// visited counts what was opened, by path.
type visited struct {
	mu    sync.Mutex
	paths map[string]bool
}

// answered is an answer that was read to its end and not kept.
type answered struct {
	status int
	bytes  int64
	page   bool
}

// openAll opens addresses two at a time and holds each answer against the ceilings.
func (v *visited) openAll(t *testing.T, s *shelf.Server, accept string, addresses ...string) {
	t.Helper()
	group := errgroup.Group{}
	group.SetLimit(2)
	for _, address := range addresses {
		group.Go(func() error {
			a, err := fetched(s, address, accept)
			if err != nil {
				return err
			}
			path, _, _ := strings.Cut(address, "?")
			v.mu.Lock()
			v.paths[path] = true
			v.mu.Unlock()
			// too large to be a page
			if a.status >= http.StatusInternalServerError || a.status == http.StatusUnprocessableEntity && a.page {
				return fmt.Errorf("%s: status %d", address, a.status)
			}
			if most := int64(mostOfAnswer); a.bytes > most || a.page && a.bytes > mostOfPage {
				return fmt.Errorf("%s: %d bytes", address, a.bytes)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func fetched(s *shelf.Server, address, accept string) (answered, error) {
	req, err := http.NewRequest(http.MethodGet, s.URL+address, nil)
	if err != nil {
		return answered{}, err
	}
	req.Header.Set("Accept", accept)
	hangs := shelf.Patience
	if shelf.RaceEnabled() { // large pages wait for one another, and each takes some ten times as long
		hangs *= 10
	}
	client := http.Client{Timeout: hangs, Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return answered{}, fmt.Errorf("%s: %w", address, err)
	}
	return answered{resp.StatusCode, n, strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")}, nil
}

// pagesOf are the addresses of everything that shows an image; other is another image of its repository.
func pagesOf(u *shelf.Upstream, d sample.BadDocument, b, other sample.Built) []string {
	image := b
	if m, ok := b.For("linux/amd64"); ok {
		image = m
	}
	tag, repository := u.Address("bad/"+d.Name+":1"), u.Address("bad/"+d.Name)
	byDigest := repository + "@" + b.Digest().String()
	id := "/images/" + image.Blobs[0].Descriptor.Digest.String()
	all := []string{repository, byDigest, id + "/config", "/pull?ref=" + url.QueryEscape(u.Ref("bad/"+d.Name+":1"))}
	for _, section := range []string{
		"", "/config", "/manifest", "/inspect", "/history", "/use", "/download", "/delete", "/manifest?document=index",
		"/manifest?raw=1", "/inspect?raw=1", "/inspect?format=json",
		"/inspect?format=" + url.QueryEscape("{{json .}}"), "/inspect?format=" +
			url.QueryEscape("{{range .Config.Env}}{{println .}}{{end}}{{.Config.Labels}}"),
	} {
		all = append(all, tag+section)
	}
	if layers := image.Layers(); len(layers) > 0 {
		all = append(all, "/layers/"+layers[0].Descriptor.Digest.String())
	}
	return append(all, byDigest+"/changes?from="+other.Digest().String(), repository+"@"+other.Digest().String()+
		"/changes?from="+b.Digest().String())
}

// Every page is opened over every document that is made to fill memory, pages or time, and over the library's hostile
// image, in one server: none is larger than a page may be, none fails, and the server's memory stays small.
func TestEveryPageOverEveryHostileDocumentIsBounded(t *testing.T) {
	t.Parallel()
	u := shelf.SampleUpstream(t)
	s := shelf.Start(t, "--registry="+u.Host)
	v := &visited{paths: map[string]bool{}}
	documents := append(sample.BadDocuments(), sample.BadDocument{Name: "hostile", Source: sample.Hostile()})
	for _, d := range documents {
		b := u.Holds(t, "bad/"+d.Name, d.Source, "1")
		if d.Refused != "" {
			if p := s.Page("/pull?ref=" + url.QueryEscape(u.Ref("bad/"+d.Name+":1"))); p.Status == http.StatusOK ||
				!strings.Contains(p.Text(), d.Refused) {
				t.Errorf("%s: the form says %d %s, want %q", d.Name, p.Status, p.Text(), d.Refused)
			}
			continue
		}
		pull := s.Pull(u.Ref("bad/"+d.Name+":1"), "linux/amd64")
		s.AwaitState(pull, "done")
		other := u.Holds(t, "bad/"+d.Name, sample.NoHistory(), "2")
		s.AwaitState(s.Pull(u.Ref("bad/"+d.Name+":2"), "linux/amd64"), "done")
		v.openAll(t, s, "text/html", append(pagesOf(u, d, b, other), pull)...)
		v.openAll(t, s, "text/plain", u.Address("bad/"+d.Name+":1"), u.Address("bad/"+d.Name+":1")+"?no-trunc=1")
		v.openAll(t, s, "application/json", u.Address("bad/"+d.Name+":1")+"/inspect")
	}
	v.openAll(t, s, "text/html", "/", "/images", "/images?group=repository", "/images?q=bad", "/images?label=label.1",
		"/archive?ref="+url.QueryEscape(u.Ref("bad/deep:1")), "/delete?ref="+url.QueryEscape(u.Ref("bad/deep:1")),
		"/delete/summary?ref="+url.QueryEscape(u.Ref("bad/deep:1")), "/storage", "/storage/sweep", "/storage/unfinished",
		"/prune?all=1", "/prune/summary?all=1", "/search?q=bad", "/search/box?q=bad",
		"/pulls", "/archives", "/help", "/updates", "/updates/cancel", "/favicon.ico", "/healthz", "/readyz", "/metrics",
		"/removals/1/undo", "/pulls/1/cancel")
	v.openAll(t, s, "text/plain", "/images", "/images?no-trunc=1")
	v.everyRoute(t)
	manyAtOnce(t, s, u)
	if peak := shelf.MemoryOf(s.Cmd.Process.Pid, "VmHWM"); peak > mostMemory && !shelf.RaceEnabled() {
		t.Errorf("the server took %d MiB of memory, want at most %d", peak>>20, mostMemory>>20)
	} else {
		t.Logf("the server took %d MiB of memory at most, over %d documents and %d addresses", peak>>20, len(documents),
			len(v.paths))
	}
}

// manyAtOnce opens large pages 30 at a time; a small page answers meanwhile.
func manyAtOnce(t *testing.T, s *shelf.Server, u *shelf.Upstream) {
	t.Helper()
	var group errgroup.Group
	for i := range 30 {
		address := u.Address("bad/"+[]string{"labels-of-markup", "many-variables", "labels-of-overrides"}[i%3]+":1") +
			"/inspect"
		group.Go(func() error {
			a, err := fetched(s, address, "text/html")
			if err == nil && (a.status != http.StatusOK || a.bytes > mostOfPage) {
				err = fmt.Errorf("%s: status %d, %d bytes", address, a.status, a.bytes)
			}
			return err
		})
	}
	began := time.Now()
	if a, err := fetched(s, u.Address("bad/hostile:1")+"/inspect", "text/html"); err != nil || a.status != http.StatusOK {
		t.Errorf("a small page among large ones: %+v, %v", a, err)
	}
	t.Logf("a small page among 30 large ones took %s", time.Since(began).Round(time.Millisecond))
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// everyRoute fails the test for an address of the route table under which nothing was opened.
func (v *visited) everyRoute(t *testing.T) {
	t.Helper()
	source, err := os.ReadFile("../../web/routes.go")
	if err != nil {
		t.Fatal(err)
	}
	// Rows that begin with their type are those of people, whose pages show no image.
	routes := regexp.MustCompile(`(?m)^\s*\{?method: get, path: "([^"]+)"(.*)`).FindAllStringSubmatch(string(source), -1)
	if len(routes) < 20 {
		t.Fatalf("%d routes were found in the route table", len(routes))
	}
	for _, m := range routes {
		if strings.HasPrefix(m[1], "/v2/") || strings.Contains(m[2], "how: streaming") { // no pages: other tests read them
			continue
		}
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`:\w+`).
			ReplaceAllString(strings.ReplaceAll(regexp.QuoteMeta(m[1]), `\*`, ".+"), "[^/]+") + "$")
		opened := false
		for path := range v.paths {
			opened = opened || pattern.MatchString(path)
		}
		if !opened {
			t.Errorf("nothing was opened under %s", m[1])
		}
	}
}
