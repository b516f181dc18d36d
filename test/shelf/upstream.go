package shelf

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// Asking are addresses of a server that make it ask registries: those of ref and of its repository.
func Asking(repository, tag string) []string {
	r := url.QueryEscape(repository)
	return []string{
		"/search?q=nginx", "/search?q=redis&official=1&stars=1", "/search?repo=" + r, "/search?repo=" + r + "&tag=" + tag,
		"/search?q=nginx&repo=" + r + "&match=1",
		"/pull?ref=" + r + ":" + tag, "/pull?ref=" + r + "&all=1",
	}
}

// Asked counts what registries and search services were asked.
func Asked(all ...*Upstream) (n int) {
	for _, u := range all {
		n += len(u.Requests())
	}
	return n
}

// UpstreamBase starts the registry that the tests pull from, the distribution project's own in a process of its own,
// once for all tests and gives its base address.
var UpstreamBase = sync.OnceValues(startDistribution)

func startDistribution() (string, error) {
	binary, err := DistributionTool()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "stowage-registry-")
	if err != nil {
		return "", fmt.Errorf("make the registry's folder: %w", err)
	}
	AtEnd(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "config.yml")
	settings := "version: 0.1\nlog: {level: info, formatter: text, accesslog: {disabled: true}}\nhttp: {addr: '127.0.0.1:0'}\n" +
		"storage: {filesystem: {rootdirectory: '" + filepath.Join(dir, "store") + "'}}\n"
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return "", fmt.Errorf("write the registry's settings: %w", err)
	}
	cmd := exec.Command(binary, "serve", config)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	p, err := startProcess(cmd)
	if err != nil {
		return "", err
	}
	AtEnd(func() {
		_ = p.Cmd.Process.Signal(syscall.SIGTERM)
		_ = p.end(5 * time.Second) // it has nothing that could be lost
	})
	at := regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)
	line, err := p.AwaitLine(at.MatchString)
	if err != nil {
		return "", err
	}
	return "http://" + at.FindStringSubmatch(line)[1], nil
}

// Upstream is a registry as one test sees it: at an address of its own, with a record of what was asked for,
// and with the faults and holds that the test wants.
type Upstream struct {
	*fake.Faulty
	Host string // such as 127.0.0.1:38211
	push fake.Destination
}

// RealUpstream puts a recording proxy in front of the distribution registry.
func RealUpstream(t *testing.T) *Upstream {
	t.Helper()
	base, err := UpstreamBase()
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		// What the client gave up half-way is part of the tests.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if !errors.Is(err, context.Canceled) {
				w.WriteHeader(http.StatusBadGateway)
			}
		},
	}
	return serveUpstream(t, proxy, fake.URL(base))
}

// SampleUpstream is a registry in this process, which also takes images that break rules.
func SampleUpstream(t *testing.T) *Upstream {
	t.Helper()
	r := fake.NewEmptyRegistry()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return serveUpstream(t, r, fake.Handler(r))
}

func serveUpstream(t *testing.T, registry http.Handler, push fake.Destination) *Upstream {
	t.Helper()
	u := StandIn(t, registry)
	u.push = push
	return u
}

// Holds puts an image into the registry, below the tags.
func (u *Upstream) Holds(t *testing.T, repository string, source sample.Source, tags ...string) sample.Built {
	t.Helper()
	b, err := fake.Push(t.Context(), u.push, repository, source, tags...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Library puts images of the sample library into the registry.
func (u *Upstream) Library(t *testing.T, repository, tag string) sample.Built {
	t.Helper()
	source, ok := sample.Lookup(sampleLibrary(), repository, tag)
	if !ok {
		t.Fatalf("the sample library has no %s:%s", repository, tag)
	}
	return u.Holds(t, repository, source, tag)
}

// sampleLibrary is built once, since building takes longer than pushing.
var sampleLibrary = sync.OnceValue(sample.Library)

// Ref names something in the registry.
func (u *Upstream) Ref(name string) string { return u.Host + "/" + name }

// Address is the path of the page of something in the registry.
func (u *Upstream) Address(name string) string { return "/images/" + u.Host + "/" + name }
