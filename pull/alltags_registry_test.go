package pull_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/storage"
)

// site is a real registry over HTTP with one repository of many tags, and a queue over the real storage.
type site struct {
	*testing.T
	faults *fake.Faulty
	client *registry.Client
	store  *storage.Store
	jobs   *job.Runner
	queue  *pull.Queue
	dir    string
	repo   image.Repository
	layers map[digest.Digest]bool // of all images
	tags   int
}

// built is what the library has of some repositories, built once for all tests.
var built = sync.OnceValues(func() (map[string]sample.Built, error) {
	all := map[string]sample.Built{}
	for _, e := range sample.Library() {
		if e.Repository != "library/postgres" && e.Repository != "library/redis" && e.Repository != "charts/mychart" {
			continue
		}
		b, err := e.Source.Build()
		if err != nil {
			return nil, err
		}
		for _, tag := range e.Tags {
			all[strings.ReplaceAll(e.Repository, "/", "-")+"-"+tag] = b
		}
	}
	return all, nil
})

func newSite(t *testing.T) *site {
	t.Helper()
	reg := fake.NewEmptyRegistry()
	s := &site{T: t, faults: fake.NewFaulty(reg), dir: t.TempDir(), layers: map[digest.Digest]bool{}}
	tags, err := built()
	if err != nil {
		t.Fatal(err)
	}
	for tag, b := range tags {
		if err := reg.Push(t.Context(), "team/app", b, tag); err != nil {
			t.Fatal(err)
		}
		s.tags++
		for m := range b.All() {
			for _, l := range m.Layers() {
				s.layers[l.Descriptor.Digest] = true
			}
		}
	}
	server := httptest.NewServer(s.faults)
	t.Cleanup(func() {
		server.Close()
		if err := reg.Close(); err != nil {
			t.Error(err)
		}
	})
	host := strings.TrimPrefix(server.URL, "http://")
	s.repo = image.Repository(host + "/team/app")
	if s.client, err = registry.New(registry.Options{InsecureHosts: []string{host}, AllowPrivate: true, DockerConfig: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	s.open()
	t.Cleanup(func() {
		s.faults.Reset()
		s.close()
	})
	return s
}

func (s *site) open() {
	s.Helper()
	var err error
	if s.store, err = storage.Open(context.Background(), storage.Options{Dir: s.dir}); err != nil {
		s.Fatal(err)
	}
	s.jobs = job.NewRunner(s.store.Jobs, nil, nil)
	s.queue = pull.New(pull.Options{
		Source: s.client, Blobs: s.store.Blobs, Space: s.store.Space, Images: s.store.Images, Recorder: s.store.Recorder, Runner: s.jobs, DefaultPlatform: parse(s.T, "linux/amd64"), Backoff: fetch.Backoff{First: time.Millisecond},
		Concurrency: 1, // so that what is served and never read, when a connection ends, is none of the other layers
	})
	if err := s.queue.Start(context.Background()); err != nil {
		s.Fatal(err)
	}
}

func (s *site) close() {
	s.Helper()
	if err := s.queue.Close(context.Background()); err != nil {
		s.Error(err)
	}
	if err := s.store.Close(); err != nil {
		s.Error(err)
	}
}

// survey waits for what the registry has.
func (s *site) survey(platforms ...image.Platform) pull.Survey {
	s.Helper()
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		known, err := s.queue.Survey(s.repo, "", platforms)
		if err != nil {
			s.Fatal(err)
		}
		if known.Done {
			tick.Stop()
			return known
		}
	}
}

func (s *site) start(platforms ...image.Platform) int64 {
	s.Helper()
	j, _, err := s.queue.Pull(s.Context(), pull.Request{Reference: image.Reference{Repository: s.repo}, AllTags: true, Platforms: platforms, By: image.ActorNamed("ann")})
	if err != nil {
		s.Fatal(err)
	}
	return j.ID
}

func (s *site) end(id int64) job.Job {
	s.Helper()
	states, cancel := s.jobs.Subscribe(id)
	defer cancel()
	for range states {
	}
	j, err := s.store.Jobs.Job(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	return j
}

// served is how many bytes of layers the registry sent.
func (s *site) served() (n int64) {
	for d, bytes := range s.faults.ServedBlobs() {
		if s.layers[d] {
			n += bytes
		}
	}
	return n
}

// count is how many tags are in a state.
func count(j job.Job, state pull.TagState) (n int) {
	for _, l := range allTags(j).Tags {
		if l.State == state {
			n++
		}
	}
	return n
}

// stopsAt holds a layer that postgres 16 has of its own after n bytes, pulls, and waits until those are on disk.
func (s *site) stopsAt(n int64) (id int64, hold *fake.Hold) {
	s.Helper()
	tags, err := built()
	if err != nil {
		s.Fatal(err)
	}
	m, ok := tags["library-postgres-16"].For("linux/amd64")
	if !ok {
		s.Fatal("no linux/amd64")
	}
	layers := m.Layers()
	largest := layers[0].Descriptor
	for _, l := range layers {
		if l.Descriptor.Size > largest.Size {
			largest = l.Descriptor
		}
	}
	hold = s.faults.Hold(fake.GetBlob(largest.Digest), n)
	id = s.start()
	states, cancel := s.jobs.Subscribe(id)
	defer cancel()
	for j := range states {
		for _, l := range j.Progress.Layers {
			if l.Digest == largest.Digest && l.Bytes == n {
				return id, hold
			}
		}
	}
	s.Fatal("the pull ended before")
	return 0, nil
}

func TestSurveyIsByteForByteWhatAPullOfAllTagsDownloads(t *testing.T) {
	for _, names := range []string{"", "linux/amd64 linux/arm64", "linux/s390x"} {
		t.Run("platforms "+names, func(t *testing.T) {
			s := newSite(t)
			var platforms []image.Platform
			for _, p := range strings.Fields(names) {
				platforms = append(platforms, parse(t, p))
			}
			known := s.survey(platforms...)
			if known.Tags != s.tags || known.Asked != s.tags || known.Problem != nil || known.Here != 0 || known.Fetch == 0 || s.served() != 0 {
				t.Fatalf("%d bytes served for the survey %+v", s.served(), known)
			}
			s.faults.Forget()
			j := s.end(s.start(platforms...))
			if j.State != job.Done {
				t.Fatalf("%s: %+v", j.State, j.Problem)
			}
			if got := s.served(); got != known.Fetch || allTags(j).Fetched != known.Fetch {
				t.Errorf("%d bytes of layers served, %d shown, the survey said %d", got, allTags(j).Fetched, known.Fetch)
			}
			if skipped := count(j, pull.TagSkipped); skipped != known.Lacking || skipped == 0 {
				t.Errorf("%d tags skipped, the survey said %d; the chart is one", skipped, known.Lacking)
			}
			var reads int
			for _, r := range s.faults.Requests() {
				if r.Method == http.MethodGet && strings.Contains(r.Path, "/manifests/") {
					reads++
				}
			}
			if reads > 1 { // the chart is refused by what it is, and not kept
				t.Errorf("%d manifests read again", reads)
			}
		})
	}
}

func TestCrashInTheMiddleOfAllTagsCostsNoByteTwice(t *testing.T) {
	s := newSite(t)
	known := s.survey()
	id, hold := s.stopsAt(20_000)
	s.close()
	hold.Abort() // not before the end, and without the rest
	s.open()
	j := s.end(id)
	if j.State != job.Done || count(j, pull.TagDone) != s.tags-1 {
		t.Errorf("%s with %d of %d tags done: %+v", j.State, count(j, pull.TagDone), s.tags, j.Problem)
	}
	if got := s.served(); got != known.Fetch {
		t.Errorf("%d bytes of layers served, want %d", got, known.Fetch)
	}
}

func TestCancelInTheMiddleOfAllTagsLeavesWholeTagsForTheNextPull(t *testing.T) {
	s := newSite(t)
	known := s.survey()
	id, hold := s.stopsAt(20_000)
	if err := s.jobs.Cancel(id, "bob"); err != nil {
		t.Fatal(err)
	}
	j := s.end(id)
	hold.Abort()
	done, waiting := count(j, pull.TagDone), count(j, pull.TagWaiting)
	if j.State != job.Cancelled || done+waiting+count(j, pull.TagSkipped) != s.tags || waiting == 0 {
		t.Errorf("%s: %v", j.State, states(j))
	}
	for _, l := range allTags(j).Tags {
		_, err := s.store.Images.Resolved(t.Context(), image.Reference{Repository: s.repo, Tag: l.Tag})
		if stored := err == nil; stored != (l.State == pull.TagDone) {
			t.Errorf("%s is %s, stored: %t", l.Tag, l.State, stored)
		}
	}
	j = s.end(s.start())
	if j.State != job.Done || count(j, pull.TagUpToDate) != done {
		t.Errorf("%s: %v, want %d up to date", j.State, states(j), done)
	}
	if got := s.served(); got != known.Fetch {
		t.Errorf("%d bytes of layers served for both, want %d", got, known.Fetch)
	}
}

func TestBrokenTagOfARealRegistryFailsAlone(t *testing.T) {
	s := newSite(t)
	s.faults.On(fake.GetManifest("library-redis-7-zstd"), fake.Status(500, "UNKNOWN", "it broke"))
	j := s.end(s.start())
	if j.State != job.Failed || count(j, pull.TagFailed) != 1 || count(j, pull.TagDone) != s.tags-2 || !strings.HasPrefix(j.Problem.Message.String(), "1 of ") {
		t.Errorf("%s, %+v: %v", j.State, j.Problem, states(j))
	}
}

func TestRateLimitInTheMiddleOfARealRegistryEndsThePull(t *testing.T) {
	s := newSite(t)
	s.faults.On(fake.GetManifest("library-postgres-15"), fake.TooManyRequests("36000"))
	j := s.end(s.start())
	if j.State != job.Failed || j.Problem.Kind != image.RateLimited || count(j, pull.TagFailed) != 1 {
		t.Errorf("%s, %+v: %v", j.State, j.Problem, states(j))
	}
	known := s.survey()
	if known.Problem == nil || known.Problem.Kind != image.RateLimited {
		t.Errorf("survey %+v", known)
	}
	if done := count(j, pull.TagDone); done+1+count(j, pull.TagWaiting)+count(j, pull.TagSkipped) != s.tags {
		t.Errorf("%v", states(j))
	}
}
