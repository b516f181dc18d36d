package distribution

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/mirror"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
)

const hub = "docker.io"

// large is an image for amd64 and arm64 with one layer of some size each.
func large(size int64) sample.Index {
	x := multi("large")
	for i, architecture := range []string{"amd64", "arm64"} {
		m := made(architecture, "large-"+architecture)
		m.Steps = append(m.Steps, sample.Step{By: "COPY data", Layer: sample.NewLayer(sample.Gzip, sample.Data("srv/data", architecture, 3*size))})
		x.Entries[i] = m
	}
	return x
}

// client pulls as engines do: the tag by HEAD, the index by digest, the platform's manifest, then its blobs.
func (s *testShelf) client(name, tag, platform string, b sample.Built) (total int64) {
	s.t.Helper()
	s.ask(http.MethodHead, name+"/manifests/"+tag).is(http.StatusOK, nil)
	s.get(name+"/manifests/"+b.Digest().String()).is(http.StatusOK, b.Body)
	one, ok := b.For(platform)
	if !ok {
		s.t.Fatalf("no image for %s", platform)
	}
	s.get(name+"/manifests/"+one.Digest().String()).is(http.StatusOK, nil)
	for _, blob := range one.Blobs {
		r := s.get(name + "/blobs/" + blob.Descriptor.Digest.String())
		if r.status != http.StatusOK || image.DigestOf(r.body) != blob.Descriptor.Digest {
			s.t.Errorf("%s: status %d, %d bytes that are not the blob", r.path, r.status, len(r.body))
		}
		total += int64(len(r.body))
	}
	return total
}

// pulls waits for all pulls and gives their records, newest first.
func (s *testShelf) pulls() []job.Job {
	s.t.Helper()
	for _, j := range s.jobs.Active() {
		s.over(j.ID)
	}
	page, _, err := s.store.Jobs.Jobs(s.t.Context(), 0, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}

func TestWhatIsMissingIsFetchedForAClientByAPullOfTheTagAndThePlatform(t *testing.T) {
	for _, name := range []string{"library/debian", "debian", "docker.io/library/debian"} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, hub)
			ref, b := s.push("debian:12", multi("mirror"))
			s.client(name, "12", "linux/arm64", b)
			jobs := s.pulls()
			if len(jobs) != 1 || jobs[0].State != job.Done || jobs[0].Reference() != ref || fmt.Sprint(jobs[0].Outcome.Pulled) != "[linux/arm64]" {
				t.Fatalf("pulls: %+v", jobs)
			}
			if by := jobs[0].By; len(by) != 1 || by[0] != "client 127.0.0.1 (Go-http-client/1.1)" {
				t.Errorf("requesters: %q", by)
			}
			stored, err := s.store.Images.Resolved(t.Context(), ref)
			if err != nil || stored.Digest != b.Digest() || len(stored.Images) != 1 {
				t.Errorf("stored: %+v, %v", stored, err)
			}
			for d, n := range s.faulty.ServedBlobs() {
				if size := blobSize(t, s, d); n != size {
					t.Errorf("%d bytes of blob %s were served, which has %d", n, d, size)
				}
			}
			if n := s.faulty.Count(http.MethodHead, "/manifests/12"); n != 1 {
				t.Errorf("the tag was asked for %d times", n)
			}

			// The other platform adds to it, under the same tag.
			s.client(name, "12", "linux/amd64", b)
			if jobs = s.pulls(); len(jobs) != 2 || jobs[0].Reference() != ref {
				t.Errorf("pulls: %+v", jobs)
			}
			if stored, err = s.store.Images.Resolved(t.Context(), ref); err != nil || len(stored.Images) != 2 {
				t.Errorf("stored: %+v, %v", stored, err)
			}
			if n := s.faulty.Count(http.MethodHead, "/manifests/12"); n != 1 {
				t.Errorf("the tag was asked for %d times", n)
			}
		})
	}
}

func blobSize(t *testing.T, s *testShelf, d image.Digest) int64 {
	t.Helper()
	f, size, err := s.store.Blobs.OpenBlob(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return size
}

func TestOtherRegistriesThanThoseMirroredAreNotAsked(t *testing.T) {
	s := newShelf(t, "ghcr.io")
	_, b := s.push("debian:12", multi("mirror"))
	s.get("debian/manifests/12").refused(http.StatusNotFound, nameUnknown)
	s.get("debian/manifests/"+b.Digest().String()).refused(http.StatusNotFound, nameUnknown)
	s.get("debian/manifests/12?ns=quay.io").refused(http.StatusNotFound, nameUnknown)
	if r := s.faulty.Requests(); len(r) != 0 {
		t.Errorf("the registry was asked: %+v", r)
	}
	s.get("debian/manifests/12?ns=ghcr.io").refused(http.StatusNotFound, manifestUnknown)
	if r := s.faulty.Requests(); len(r) == 0 {
		t.Error("the registry of ?ns= was not asked")
	}
}

func TestABlobFlowsToTheClientBeforeItsLastByteHasCome(t *testing.T) {
	s := newShelf(t, hub)
	_, b := s.push("debian:12", large(2<<20))
	one, _ := b.For("linux/amd64")
	layer := one.Layers()[1].Descriptor
	hold := s.faulty.Hold(fake.GetBlob(layer.Digest), 1<<20)
	t.Cleanup(hold.Release)
	s.get("debian/manifests/12")
	s.get("debian/manifests/" + one.Digest().String())
	res, err := http.Get(s.server.URL + "/v2/debian/blobs/" + layer.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got := make([]byte, 1<<20)
	if _, err := io.ReadFull(res.Body, got); err != nil || res.ContentLength != layer.Size {
		t.Fatalf("of %d bytes: %v", res.ContentLength, err)
	}
	if s.store.Blobs.HasBlob(image.Descriptor{Digest: layer.Digest, Size: layer.Size}) {
		t.Fatal("all of the layer was there already")
	}
	// Another one begins in the middle, of what is there.
	part := s.get("debian/blobs/"+layer.Digest.String(), "Range", "bytes=1000-1999")
	part.is(http.StatusPartialContent, got[1000:2000])
	part.says("Content-Range", fmt.Sprintf("bytes 1000-1999/%d", layer.Size))
	hold.Release()
	rest, err := io.ReadAll(res.Body)
	if all := append(got, rest...); err != nil || image.DigestOf(all) != layer.Digest {
		t.Errorf("%d bytes: %v", len(all), err)
	}
	if n := s.faulty.Served(layer.Digest); n != layer.Size {
		t.Errorf("%d bytes were fetched of %d", n, layer.Size)
	}
}

func TestAClientGoesOnWithABlobThatAPullBringsAfterARestart(t *testing.T) {
	s := newShelf(t, hub)
	_, b := s.push("debian:12", large(2<<20))
	one, _ := b.For("linux/amd64")
	layer := one.Layers()[1].Descriptor
	hold := s.faulty.Hold(fake.GetBlob(layer.Digest), 1<<20)
	t.Cleanup(hold.Release)
	s.get("debian/manifests/12")
	s.get("debian/manifests/" + one.Digest().String())
	<-hold.Reached()
	s.restart(mirror.Options{Registries: []string{hub}, Fresh: time.Hour}) // it has handed out nothing yet
	path := "debian/blobs/" + layer.Digest.String()
	first := s.get(path, "Range", "bytes=0-499999")
	first.says("Content-Range", fmt.Sprintf("bytes 0-499999/%d", layer.Size))
	hold.Release()
	rest := s.get(path, "Range", "bytes=500000-")
	if image.DigestOf(append(first.body, rest.body...)) != layer.Digest {
		t.Errorf("%d and %d bytes of %d", len(first.body), len(rest.body), layer.Size)
	}
	s.pulls()
	other, _ := b.For("linux/arm64")
	s.get("debian/blobs/"+other.Layers()[1].Descriptor.Digest.String()).refused(http.StatusNotFound, blobUnknown)
}

func TestTwentyClientsCauseOneFetchOfEachBlobAndOneQuestion(t *testing.T) {
	s := newShelf(t, hub)
	ref, b := s.push("debian:12", large(1<<20))
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() { s.client("debian", "12", "linux/amd64", b) })
	}
	clients.Wait()
	if jobs := s.pulls(); len(jobs) == 0 || jobs[0].State != job.Done {
		t.Fatalf("pulls: %+v", jobs)
	}
	one, _ := b.For("linux/amd64")
	for _, blob := range one.Blobs {
		if n := s.faulty.Count(http.MethodGet, "/blobs/"+blob.Descriptor.Digest.String()); n != 1 {
			t.Errorf("blob %s was fetched %d times", blob.Descriptor.Digest, n)
		}
	}
	for method, path := range map[string]string{http.MethodHead: "/manifests/12", http.MethodGet: "/manifests/" + b.Digest().String()} {
		if n := s.faulty.Count(method, path); n != 1 {
			t.Errorf("%s %s: %d times", method, path, n)
		}
	}
	if stored, err := s.store.Images.Resolved(t.Context(), ref); err != nil || stored.Digest != b.Digest() {
		t.Errorf("stored: %+v, %v", stored, err)
	}
}

func TestATagIsFollowedUpstreamOnceTheAnswerIsOld(t *testing.T) {
	s := newShelf(t, hub)
	first := s.pull("debian:12", multi("old"), "linux/amd64")
	s.get("debian/manifests/12").is(http.StatusOK, first.Body)
	ref, second := s.push("debian:12", multi("new"))
	s.get("debian/manifests/12").is(http.StatusOK, first.Body)         // still fresh
	if n := s.faulty.Count(http.MethodHead, "/manifests/12"); n != 1 { // by the pull: its answer is one for clients, too
		t.Errorf("the tag was asked for %d times", n)
	}
	s.restart(mirror.Options{Registries: []string{hub}, Fresh: 0})
	s.client("debian", "12", "linux/amd64", second)
	if jobs := s.pulls(); len(jobs) != 2 || jobs[0].State != job.Done || !jobs[0].Outcome.Newer {
		t.Fatalf("pulls: %+v", jobs)
	}
	if stored, err := s.store.Images.Resolved(t.Context(), ref); err != nil || stored.Digest != second.Digest() {
		t.Errorf("stored: %+v, %v", stored, err)
	}
	s.get("debian/manifests/"+first.Digest().String()).is(http.StatusOK, first.Body) // dangling now
}

// restart puts another mirror in front of the same shelf.
func (s *testShelf) restart(o mirror.Options) {
	s.t.Helper()
	o.Queue, o.Jobs, o.Blobs, o.Images = s.queue, s.jobs, s.store.Blobs, s.store.Images
	s.mirror = mirror.New(o)
	s.server.Close()
	s.server = httptest.NewServer(New(Options{Serving: s.store.Serving, Blobs: s.store.Blobs, Images: s.store.Images, Downloads: s.store.Downloads, Mirror: s.mirror, Logger: s.logger()}))
}

func TestASecondTagOnAStoredDigestIsRecordedAndFetchesNothing(t *testing.T) {
	s := newShelf(t, hub)
	b := s.pull("debian:12", multi("mirror"), "linux/amd64")
	latest, _ := s.push("debian:latest", multi("mirror"))
	s.faulty.Forget()
	s.client("debian", "latest", "linux/amd64", b)
	s.pulls()
	if stored, err := s.store.Images.Resolved(t.Context(), latest); err != nil || stored.Digest != b.Digest() {
		t.Errorf("stored: %+v, %v", stored, err)
	}
	for d := range s.faulty.ServedBlobs() {
		t.Errorf("blob %s was fetched", d)
	}
}

func TestWhenTheRegistryIsDownWhatIsStoredIsServedAndSaidToBeStale(t *testing.T) {
	s := newShelf(t, hub)
	b := s.pull("debian:12", multi("mirror"), "linux/amd64")
	s.restart(mirror.Options{Registries: []string{hub}, Fresh: time.Hour, Logger: s.logger()})
	s.faulty.On(fake.Any, fake.Status(http.StatusServiceUnavailable, "UNAVAILABLE", "closed for today"))
	s.faulty.Forget()
	for range 3 {
		s.client("debian", "12", "linux/amd64", b)
	}
	if n := s.faulty.Count("", ""); n != 2 { // by HEAD, and by GET for what it says
		t.Errorf("the registry that is down was asked %d times", n)
	}
	ref := image.Reference{Repository: "docker.io/library/debian", Tag: "12"}
	if standing, known := s.mirror.Standing(ref); !known || standing.Err == nil || !standing.Heard.IsZero() {
		t.Errorf("standing: %+v, %v", standing, known)
	}
	if !strings.Contains(s.log.String(), "may be stale") || strings.Count(s.log.String(), "may be stale") != 1 {
		t.Errorf("the log does not say once that it may be stale: %s", s.log)
	}
	message, _ := s.get("debian/manifests/11").refused(http.StatusServiceUnavailable, unavailable)
	if !strings.Contains(message, "docker.io/library/debian:11") {
		t.Errorf("it says %q", message)
	}
	one, _ := b.For("linux/arm64")
	s.get("debian/manifests/"+one.Digest().String()).refused(http.StatusServiceUnavailable, unavailable)
}

func TestWhatTheRegistryRefusesIsRefusedInTheSpecificationsWords(t *testing.T) {
	for name, c := range map[string]struct {
		fault  fake.Fault
		status int
		code   string
		retry  string
	}{
		"limited":  {fake.TooManyRequests("90"), http.StatusTooManyRequests, tooManyRequests, "8"},
		"no end":   {fake.TooManyRequests(""), http.StatusTooManyRequests, tooManyRequests, "60"},
		"sign in":  {fake.Challenge(`Basic realm="secret"`), http.StatusForbidden, denied, ""},
		"missing":  {fake.Status(http.StatusNotFound, "MANIFEST_UNKNOWN", "no"), http.StatusNotFound, manifestUnknown, ""},
		"web page": {fake.HTML(), http.StatusServiceUnavailable, unavailable, ""},
		"liar":     {fake.Replace("application/vnd.oci.image.index.v1+json", []byte(`{"schemaVersion":2}`)), http.StatusBadGateway, unavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, hub)
			s.push("debian:12", multi("mirror"))
			s.faulty.On(fake.Manifests, c.fault)
			r := s.get("debian/manifests/12")
			r.refused(c.status, c.code)
			if got := r.header.Get("Retry-After"); !strings.HasPrefix(got, c.retry) {
				t.Errorf("Retry-After is %q", got)
			}
			if got := r.header.Get("WWW-Authenticate"); got != "" {
				t.Errorf("clients are asked to sign in here: %q", got)
			}
		})
	}
}

func TestABlobThatIsNoneOfAnImageHandedOutIsNotFetched(t *testing.T) {
	s := newShelf(t, hub)
	_, b := s.push("debian:12", multi("mirror"))
	s.push("redis:7", made("amd64", "redis"))
	one, _ := b.For("linux/amd64")
	layer := one.Layers()[0].Descriptor.Digest.String()
	s.get("debian/blobs/"+layer).refused(http.StatusNotFound, nameUnknown)
	s.get("debian/manifests/" + one.Digest().String())
	s.get("redis/blobs/"+layer).refused(http.StatusNotFound, nameUnknown)
	s.ask(http.MethodHead, "debian/blobs/"+layer).says("Content-Length", fmt.Sprint(one.Layers()[0].Descriptor.Size))
}

func TestAnUpstreamThatBreaksHalfWayIsContinuedAndTheClientSeesNothingOfIt(t *testing.T) {
	s := newShelf(t, hub)
	_, b := s.push("debian:12", large(2<<20))
	one, _ := b.For("linux/amd64")
	layer := one.Layers()[1].Descriptor
	s.faulty.Times(1, fake.GetBlob(layer.Digest), fake.CloseAfter(700_000))
	s.client("debian", "12", "linux/amd64", b)
	if n := s.faulty.Served(layer.Digest); n != layer.Size {
		t.Errorf("%d bytes were fetched of %d", n, layer.Size)
	}
}

func TestAnUpstreamThatLiesNeverHandsAWholeWrongBlobToAClientAndTheNextOneSucceeds(t *testing.T) {
	s := newShelf(t, hub)
	_, b := s.push("debian:12", large(1<<20))
	one, _ := b.For("linux/amd64")
	layer := one.Layers()[1].Descriptor
	stop := s.faulty.On(fake.GetBlob(layer.Digest), fake.Corrupt())
	s.get("debian/manifests/12")
	s.get("debian/manifests/" + one.Digest().String())
	res, err := http.Get(s.server.URL + "/v2/debian/blobs/" + layer.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode == http.StatusOK && (err == nil || int64(len(got)) >= layer.Size) {
		t.Errorf("%d bytes of %d, %v: the client takes them for the blob", len(got), layer.Size, err)
	}
	stop()
	for _, j := range s.jobs.Active() {
		s.over(j.ID)
	}
	s.client("debian", "12", "linux/amd64", b)
	if jobs := s.pulls(); jobs[0].State != job.Done {
		t.Errorf("the next pull: %+v", jobs[0])
	}
}

func TestAClientThatGoesAwayLeavesThePullAlone(t *testing.T) {
	s := newShelf(t, hub)
	ref, b := s.push("debian:12", large(2<<20))
	one, _ := b.For("linux/amd64")
	layer := one.Layers()[1].Descriptor
	hold := s.faulty.Hold(fake.GetBlob(layer.Digest), 500_000)
	t.Cleanup(hold.Release)
	s.get("debian/manifests/12")
	s.get("debian/manifests/" + one.Digest().String())
	res, err := http.Get(s.server.URL + "/v2/debian/blobs/" + layer.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	<-hold.Reached()
	if err := errors.Join(res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	hold.Release()
	if jobs := s.pulls(); len(jobs) != 1 || jobs[0].State != job.Done {
		t.Fatalf("pulls: %+v", jobs)
	}
	if stored, err := s.store.Images.Resolved(t.Context(), ref); err != nil || len(stored.Images) != 1 {
		t.Errorf("stored: %+v, %v", stored, err)
	}
}

func TestASingleManifestIsPulledWhenItsTagIsAskedFor(t *testing.T) {
	s := newShelf(t, hub)
	ref, b := s.push("redis:7", made("arm64", "redis")) // not the server's platform, which nobody asked for
	raw := s.get("redis/manifests/7")
	raw.is(http.StatusOK, b.Body)
	raw.says("Cache-Control", "no-cache")
	if jobs := s.pulls(); len(jobs) != 1 || jobs[0].State != job.Done {
		t.Fatalf("pulls: %+v", jobs)
	}
	if stored, err := s.store.Images.Resolved(t.Context(), ref); err != nil || stored.Digest != b.Digest() {
		t.Errorf("stored: %+v, %v", stored, err)
	}
	if !bytes.Equal(raw.body, s.get("redis/manifests/7").body) {
		t.Error("it is another one once it is stored")
	}
}

func TestATagThatMovedIsServedAsItIsStoredWhileTheRegistryLimitsManifests(t *testing.T) {
	s := newShelf(t, hub)
	first := s.pull("debian:12", multi("old"), "linux/amd64")
	_, second := s.push("debian:12", multi("new"))
	s.restart(mirror.Options{Registries: []string{hub}, Fresh: time.Hour})
	s.faulty.On(func(r *http.Request) bool { return r.Method == http.MethodGet && fake.Manifests(r) }, fake.TooManyRequests("90"))
	for range 3 {
		s.client("debian", "12", "linux/amd64", first)
	}
	if n := s.faulty.Count(http.MethodGet, "/manifests/"+second.Digest().String()); n != 1 {
		t.Errorf("the new index was asked for %d times", n)
	}
}

func TestABlobThatTheRegistryDoesNotHaveIsAnUnknownBlob(t *testing.T) {
	s := newShelf(t, hub)
	_, b := s.push("debian:12", multi("mirror"))
	one, _ := b.For("linux/amd64")
	layer := one.Layers()[0].Descriptor.Digest
	s.faulty.On(fake.GetBlob(layer), fake.Status(http.StatusNotFound, "BLOB_UNKNOWN", "no"))
	s.get("debian/manifests/" + one.Digest().String())
	s.get("debian/blobs/"+layer.String()).refused(http.StatusNotFound, blobUnknown)
}

// TestWhatIsRememberedOfARequestHoldsNothingElseOfIt asks for tags by long addresses.
func TestWhatIsRememberedOfARequestHoldsNothingElseOfIt(t *testing.T) {
	s := newShelf(t, hub)
	const count, each = 200, 60_000
	ask := func(from, to int) (bytes int64) {
		for i := from; i < to; i++ {
			s.get(fmt.Sprintf("debian/manifests/%d?a=%s", i, strings.Repeat("x", each))).is(http.StatusNotFound, nil)
		}
		runtime.GC()
		runtime.GC() // what pools keep is gone with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := ask(0, 20) // everything is set up
	if more := ask(20, 20+count) - before; more > count*each/4 {
		t.Errorf("%d bytes are kept of %d", more, count*each)
	}
}

// timed notes when the deadline for writing is set.
type timed struct {
	*httptest.ResponseRecorder
	until time.Time
	bare  bool // it was written to without a deadline
}

func (w *timed) SetWriteDeadline(t time.Time) error {
	w.until = t
	return nil
}

func (w *timed) WriteHeader(status int) {
	w.bare = w.bare || w.until.IsZero()
	w.ResponseRecorder.WriteHeader(status)
}

func (w *timed) Write(p []byte) (int, error) {
	w.bare = w.bare || w.until.IsZero()
	return w.ResponseRecorder.Write(p)
}

func TestNoAnswerWaitsForEverForItsClient(t *testing.T) {
	s := newShelf(t, hub)
	b := s.pull("debian:12", multi("stored"), "linux/amd64")
	_, other := s.push("redis:7", made("amd64", "fetched"))
	one, _ := b.For("linux/amd64")
	for _, path := range []string{
		"", "_catalog", "debian/tags/list", "debian/manifests/12", "debian/blobs/" + one.Layers()[0].Descriptor.Digest.String(), "debian/referrers/" + b.Digest().String(),
		"redis/manifests/7", "redis/blobs/" + other.Layers()[0].Descriptor.Digest.String(), "none/manifests/1",
	} {
		w := &timed{ResponseRecorder: httptest.NewRecorder()}
		s.server.Config.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v2/"+path, nil))
		if w.bare || w.Body.Len() == 0 || !w.until.IsZero() {
			t.Errorf("%s: %d bytes, without a deadline: %v, afterwards %s", path, w.Body.Len(), w.bare, w.until)
		}
	}
}

func TestAskingByHeadPullsNothing(t *testing.T) {
	s := newShelf(t, hub)
	_, b := s.push("redis:7", made("amd64", "redis"))
	s.ask(http.MethodHead, "redis/manifests/7").says("Docker-Content-Digest", b.Digest().String())
	s.ask(http.MethodHead, "redis/manifests/"+b.Digest().String()).is(http.StatusOK, nil)
	if jobs := s.pulls(); len(jobs) != 0 {
		t.Errorf("pulls: %+v", jobs)
	}
}

func TestWhatDescribesAnImageIsFetchedForAClientWithTheImage(t *testing.T) {
	s := newShelf(t, hub)
	ref, b := s.push("debian:12", multi("mirror"))
	s.client("debian", "12", "linux/arm64", b)
	one, _ := b.For("linux/arm64")
	described := 0
	for _, about := range b.Children {
		if about.Descriptor.Annotations["vnd.docker.reference.digest"] != one.Digest().String() {
			continue
		}
		described++
		s.get("debian/manifests/"+about.Digest().String()).is(http.StatusOK, about.Body)
		for _, blob := range about.Blobs {
			s.get("debian/blobs/"+blob.Descriptor.Digest.String()).is(http.StatusOK, blob.Data)
		}
	}
	if described != 1 {
		t.Fatalf("%d attestations describe the image", described)
	}
	if jobs := s.pulls(); len(jobs) != 1 && len(jobs) != 2 || jobs[0].State != job.Done || jobs[0].Reference() != ref {
		t.Fatalf("pulls: %+v", jobs)
	}
}

func TestPullingAStoredTagAgainLeavesNoRecordOfAPull(t *testing.T) {
	s := newShelf(t, hub)
	_, b := s.push("debian:12", multi("mirror"))
	s.client("debian", "12", "linux/amd64", b) // by the tag's HEAD
	if n := len(s.pulls()); n != 1 {
		t.Fatalf("%d pulls", n)
	}
	one, _ := b.For("linux/amd64")
	for range 2 {
		s.get("debian/manifests/12").is(http.StatusOK, b.Body)
		s.get("debian/manifests/"+one.Digest().String()).is(http.StatusOK, one.Body)
		s.client("debian", "12", "linux/amd64", b)
	}
	if n := len(s.pulls()); n != 1 {
		t.Errorf("%d pulls, with nothing to bring", n)
	}
}

func TestWhatAClientIsToldOfAMovedTagItsPageKnows(t *testing.T) {
	s := newShelf(t, hub)
	s.pull("debian:12", multi("old"), "linux/amd64")
	ref, second := s.push("debian:12", multi("new"))
	s.restart(mirror.Options{Checks: s.store.Tags, Registries: []string{hub}, Fresh: 0})
	check := func() shelf.UpdateState {
		t.Helper()
		c, err := s.store.Tags.TagCheck(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		return c.State
	}
	if got := check(); got != shelf.UpdateCurrent {
		t.Fatalf("before: %s", got)
	}
	s.ask(http.MethodHead, "debian/manifests/12").says("Docker-Content-Digest", second.Digest().String())
	if got := check(); got != shelf.UpdateAvailable {
		t.Errorf("a client was told of another digest, and the tag is %q", got)
	}
	s.push("debian:12", multi("old"))
	s.ask(http.MethodHead, "debian/manifests/12")
	if got := check(); got != shelf.UpdateCurrent {
		t.Errorf("the tag has come back, and is %q", got)
	}
	s.faulty.On(fake.Manifests, fake.Status(http.StatusNotFound, "MANIFEST_UNKNOWN", "no"))
	s.ask(http.MethodHead, "debian/manifests/12")
	if got := check(); got != shelf.UpdateGone {
		t.Errorf("the registry has no such tag any more, and it is %q", got)
	}
}
