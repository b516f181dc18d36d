package distribution

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/mirror"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
)

// testShelf is the registry API over a real store, filled by real pulls from a registry of its own.
type testShelf struct {
	t        testing.TB
	dir      string
	upstream *fake.Registry
	faulty   *fake.Faulty   // in front of it
	mirror   *mirror.Mirror // nil where nothing is mirrored
	store    *storage.Store
	jobs     *job.Runner
	queue    *pull.Queue
	source   pull.Source
	server   *httptest.Server
	log      *bytes.Buffer // read it when no request is under way
}

// upstream is every registry of the world, as the sample registry at host has it.
type upstream struct {
	*registry.Client
	host string
}

func (u upstream) there(r image.Reference) image.Reference {
	r.Repository = image.Repository(u.host + "/" + r.Repository.Path())
	return r
}

func (u upstream) Head(ctx context.Context, r image.Reference) (image.Descriptor, error) {
	return u.Client.Head(ctx, u.there(r))
}

func (u upstream) Document(ctx context.Context, r image.Reference) (image.Document, error) {
	return u.Client.Document(ctx, u.there(r))
}

func (u upstream) Attestation(ctx context.Context, r image.Reference) (image.Attestation, error) {
	return u.Client.Attestation(ctx, u.there(r))
}

func (u upstream) Blob(ctx context.Context, r image.Repository, d image.Descriptor, offset int64) (io.ReadCloser, int64, error) {
	return u.Client.Blob(ctx, u.there(image.Reference{Repository: r}).Repository, d, offset)
}

// newShelf opens an empty shelf, which mirrors registries, if any.
func newShelf(t testing.TB, mirrored ...string) *testShelf {
	t.Helper()
	s := &testShelf{t: t, dir: t.TempDir(), upstream: fake.NewEmptyRegistry(), log: &bytes.Buffer{}}
	s.faulty = fake.NewFaulty(s.upstream)
	from := httptest.NewServer(s.faulty)
	amd64 := image.Platform{OS: "linux", Architecture: "amd64"}
	var err error
	if s.store, err = storage.Open(t.Context(), storage.Options{Dir: s.dir, DefaultPlatform: amd64}); err != nil {
		t.Fatal(err)
	}
	client, err := registry.New(registry.Options{DockerConfig: t.TempDir(), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	s.source = upstream{client, strings.TrimPrefix(from.URL, "http://")}
	s.jobs = job.NewRunner(s.store.Jobs, nil, nil)
	s.queue = pull.New(pull.Options{Source: s.source, Blobs: s.store.Blobs, Space: s.store.Space, Images: s.store.Images, Recorder: s.store.Recorder, Runner: s.jobs, DefaultPlatform: amd64})
	if err := s.queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(mirrored) > 0 {
		s.mirror = mirror.New(mirror.Options{Queue: s.queue, Jobs: s.jobs, Blobs: s.store.Blobs, Images: s.store.Images, Registries: mirrored, Fresh: time.Hour, Logger: s.logger()})
	}
	s.server = httptest.NewServer(New(Options{Serving: s.store.Serving, Blobs: s.store.Blobs, Images: s.store.Images, Downloads: s.store.Downloads, Mirror: s.mirror, Logger: s.logger()}))
	t.Cleanup(func() {
		s.server.Close()
		err := errors.Join(s.queue.Close(context.Background()), client.Close(), s.store.Close())
		from.Close()
		if err = errors.Join(err, s.upstream.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *testShelf) logger() *slog.Logger { return slog.New(slog.NewTextHandler(s.log, nil)) }

// made is an image for linux on an architecture, of one layer that holds a text.
func made(architecture, text string) sample.Image {
	return sample.Image{
		Platform: v1.Platform{OS: "linux", Architecture: architecture}, Created: sample.Epoch,
		Steps: []sample.Step{{By: "COPY " + text, Layer: sample.NewLayer(sample.Gzip, sample.Text("etc/motd", text), sample.Data("usr/"+text, text, 5000))}},
	}
}

// multi is an index of that image for amd64, arm64 and, where it is asked for, what describes them.
func multi(text string) sample.Index {
	return sample.Index{Entries: []sample.Source{made("amd64", text+"-amd64"), made("arm64", text+"-arm64")}, Attest: true}
}

// push pushes an image to the registry under a reference.
func (s *testShelf) push(reference string, source sample.Source) (image.Reference, sample.Built) {
	s.t.Helper()
	ref, err := image.ParseReference(reference)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := source.Build()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.upstream.Push(s.t.Context(), ref.Repository.Path(), b, ref.Tag); err != nil {
		s.t.Fatal(err)
	}
	return ref, b
}

// pull pushes an image to the registry under a reference and brings it onto the shelf: all of the platforms named.
func (s *testShelf) pull(reference string, source sample.Source, platforms ...string) sample.Built {
	s.t.Helper()
	ref, b := s.push(reference, source)
	req := pull.Request{Reference: ref, By: image.ActorNamed("mira")}
	for _, p := range platforms {
		platform, err := image.ParsePlatform(p)
		if err != nil {
			s.t.Fatal(err)
		}
		req.Platforms = append(req.Platforms, platform)
	}
	j, _, err := s.queue.Pull(s.t.Context(), req)
	if err != nil {
		s.t.Fatal(err)
	}
	// What is unpacked as quickly as the pull's end is written can have been proved broken by then.
	if kept := s.over(j.ID); kept.State != job.Done && !kept.Outcome.Broken {
		s.t.Fatalf("pull %s: %+v", reference, kept)
	}
	if err := s.store.Unpacker.AwaitUnpacked(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// over waits until a pull is over and gives its record.
func (s *testShelf) over(id int64) job.Job {
	s.t.Helper()
	states, cancel := s.jobs.Subscribe(id)
	defer cancel()
	for range states {
	}
	kept, err := s.store.Jobs.Job(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return kept
}

// delete deletes what a reference names.
func (s *testShelf) delete(reference string) {
	s.t.Helper()
	ref, err := image.ParseReference(reference)
	if err != nil {
		s.t.Fatal(err)
	}
	asked := shelf.Removal{Items: []shelf.RemovalItem{{Reference: ref}}}
	plan, err := s.store.Removals.PlanRemoval(s.t.Context(), asked)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.store.Removals.Remove(s.t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa")); err != nil {
		s.t.Fatal(err)
	}
}

// file returns the path of a blob's file.
func (s *testShelf) file(d image.Digest) string {
	return filepath.Join(s.dir, "blobs", "sha256", d.Encoded())
}

// replace puts other bytes where a blob's file is.
func (s *testShelf) replace(d image.Digest, with []byte) {
	s.t.Helper()
	if err := os.Remove(s.file(d)); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.file(d), with, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// reply is an answer, read to its end.
type reply struct {
	t      testing.TB
	path   string
	status int
	header http.Header
	body   []byte
}

// get asks for a path under /v2/; headers are name, value, name, value.
func (s *testShelf) get(path string, headers ...string) reply {
	s.t.Helper()
	return s.ask(http.MethodGet, path, headers...)
}

func (s *testShelf) ask(method, path string, headers ...string) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+"/v2/"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{s.t, method + " " + path, res.StatusCode, res.Header, body}
}

// is checks the status and, of a body, its bytes.
func (r reply) is(status int, body []byte) {
	r.t.Helper()
	if r.status != status || body != nil && !bytes.Equal(r.body, body) {
		r.t.Errorf("%s: status %d, %d bytes %.300q; want %d, %d bytes", r.path, r.status, len(r.body), r.body, status, len(body))
	}
}

// says checks a header.
func (r reply) says(name, want string) {
	r.t.Helper()
	if got := r.header.Get(name); got != want {
		r.t.Errorf("%s: %s is %q, want %q", r.path, name, got, want)
	}
}

// refused checks that the answer is an error in the specification's form, and gives its message and detail.
func (r reply) refused(status int, code string) (message string, d detail) {
	r.t.Helper()
	var said struct {
		Errors []struct {
			Code    string
			Message string
			Detail  detail
		}
	}
	if err := json.Unmarshal(r.body, &said); err != nil || r.status != status || len(said.Errors) != 1 || said.Errors[0].Code != code || said.Errors[0].Message == "" {
		r.t.Errorf("%s: status %d, %.300q (%v); want %d %s", r.path, r.status, r.body, err, status, code)
		return "", d
	}
	r.says("Content-Type", "application/json")
	r.says("Cache-Control", "no-store")
	r.says("Docker-Content-Digest", "")
	return said.Errors[0].Message, said.Errors[0].Detail
}

// decode reads a JSON body.
func (r reply) decode(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil || r.status != http.StatusOK {
		r.t.Fatalf("%s: status %d, %.300q: %v", r.path, r.status, r.body, err)
	}
}
