package shelf

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/regclient/regclient"
	"github.com/regclient/regclient/types/descriptor"
	"github.com/regclient/regclient/types/manifest"
	"github.com/regclient/regclient/types/ref"

	"github.com/stowage/stowage/image"
)

// Server is a running server.
type Server struct {
	*Process
	T        *testing.T
	URL      string // such as http://127.0.0.1:41729
	Data     string // the data folder
	Platform string // the default platform, as logged
	ended    bool   // the test has ended it and judged how
}

// Start starts a server on an empty data folder and waits until it is ready. More arguments follow those of the
// fixture, so they win.
func Start(t *testing.T, args ...string) *Server {
	t.Helper()
	return StartOn(t, t.TempDir(), nil, args...)
}

// StartOn starts a server on a data folder, with variables more in its environment.
func StartOn(t *testing.T, data string, env []string, args ...string) *Server {
	t.Helper()
	all := append([]string{"--listen=127.0.0.1:0", "--data=" + data, "--platform=linux/amd64"}, args...)
	return Launch(t, data, Command(t, env, all...))
}

// StartDemo starts `stowage demo`.
func StartDemo(t *testing.T) *Server {
	t.Helper()
	return Launch(t, "", Command(t, nil, "demo", "--listen=127.0.0.1:0"))
}

// Launch starts a server by a command of its own, which names the data folder, and waits until it is ready.
func Launch(t *testing.T, data string, cmd *exec.Cmd) *Server {
	t.Helper()
	s := &Server{T: t, Data: data}
	var err error
	if s.Process, err = startProcess(cmd); err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(s.close)
	line, err := s.AwaitLine(func(l string) bool { return strings.Contains(l, "Stowage is ready") })
	if err != nil {
		s.T.Fatal(err)
	}
	var ready struct{ Address, Platform string }
	if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.Address == "" {
		s.T.Fatalf("no address in %s: %v", line, err)
	}
	s.URL, s.Platform = ready.Address, ready.Platform
	if status, body := s.Get("/readyz"); status != http.StatusOK {
		s.T.Fatalf("GET /readyz: %d %s", status, body)
	}
	return s
}

// Host is the server's address without the scheme.
func (s *Server) Host() string { return strings.TrimPrefix(s.URL, "http://") }

// close stops a server that the test did not end itself.
func (s *Server) close() {
	if !s.ended {
		s.Stop()
	}
	if s.T.Failed() {
		s.T.Logf("log of %s:\n%s", s.URL, s.Logs())
	}
}

// Stop ends the server as a service manager does, and expects a clean end within the 10 s that are promised.
func (s *Server) Stop() {
	s.T.Helper()
	s.ended = true
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.T.Errorf("send SIGTERM: %v", err)
	}
	if err := s.end(10 * time.Second); err != nil {
		s.T.Errorf("the server did not end well: %v", err)
	}
	s.judgeLogs()
}

// Kill ends the server as a power cut does.
func (s *Server) Kill() {
	s.T.Helper()
	s.ended = true
	if err := s.Cmd.Process.Kill(); err != nil {
		s.T.Fatalf("send SIGKILL: %v", err)
	}
	<-s.done
	s.judgeLogs()
}

// judgeLogs fails the test for what no run may log, whatever a registry sends.
func (s *Server) judgeLogs() {
	s.T.Helper()
	for _, bad := range []string{"DATA RACE", "panic", `"level":"ERROR"`} {
		if logs := s.Logs(); strings.Contains(logs, bad) {
			s.T.Errorf("the server logged %q:\n%s", bad, logs)
			return
		}
	}
}

// Staged is what lies in the folder for what is not proved yet.
func (s *Server) Staged() []string {
	s.T.Helper()
	found, err := filepath.Glob(filepath.Join(s.Data, "ingest", "*"))
	if err != nil {
		s.T.Fatal(err)
	}
	return found
}

// Blobs is how many blobs the data folder holds.
func (s *Server) Blobs() int {
	s.T.Helper()
	entries, err := os.ReadDir(filepath.Join(s.Data, "blobs", "sha256"))
	if err != nil {
		s.T.Fatal(err)
	}
	return len(entries)
}

// CheckLayout reads the data folder as an OCI image layout with regclient, as regctl does: every name in index.json,
// every manifest that is stored below it, and every byte of their blobs against its digest. It gives the names.
func CheckLayout(t *testing.T, data string) map[string]digest.Digest {
	t.Helper()
	names := LayoutNames(t, data)
	client := regclient.New()
	for name, d := range names {
		if images := checkManifest(t, client, data, d); images == 0 {
			t.Errorf("%s: no image of it is stored", name)
		}
	}
	return names
}

// LayoutNames reads index.json: what it names, and the digests.
func LayoutNames(t *testing.T, data string) map[string]digest.Digest {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index v1.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatalf("index.json: %v\n%s", err, raw)
	}
	names := map[string]digest.Digest{}
	for _, m := range index.Manifests {
		names[m.Annotations[v1.AnnotationRefName]] = m.Digest
	}
	return names
}

// checkManifest verifies what a digest leads to, and gives how many images are stored below it. An index may list
// images that are not stored.
func checkManifest(t *testing.T, client *regclient.RegClient, data string, d digest.Digest) (images int) {
	t.Helper()
	at, err := ref.New("ocidir://" + data + "@" + d.String())
	if err != nil {
		t.Fatal(err)
	}
	m, err := client.ManifestGet(t.Context(), at)
	if err != nil {
		t.Errorf("regclient reads manifest %s: %v", d, err)
		return 0
	}
	if index, ok := m.(manifest.Indexer); ok {
		entries, err := index.GetManifestList()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if _, err := os.Stat(filepath.Join(data, "blobs", "sha256", e.Digest.Encoded())); errors.Is(err, os.ErrNotExist) {
				continue
			}
			images += checkManifest(t, client, data, e.Digest)
		}
		return images
	}
	im, ok := m.(manifest.Imager)
	if !ok {
		t.Fatalf("%s is neither an index nor an image", d)
	}
	config, err := im.GetConfig()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := im.GetLayers()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append([]descriptor.Descriptor{config}, layers...) {
		r, err := client.BlobGet(t.Context(), at, b)
		if err != nil {
			t.Errorf("regclient reads blob %s: %v", b.Digest, err)
			continue
		}
		sum := digest.SHA256.Digester()
		n, err := io.Copy(sum.Hash(), r)
		if err = errors.Join(err, r.Close()); err != nil || n != b.Size || sum.Digest() != b.Digest {
			t.Errorf("blob %s has %d bytes of digest %s, want %d: %v", b.Digest, n, image.ShortDigest(sum.Digest()), b.Size, err)
		}
	}
	return 1
}
