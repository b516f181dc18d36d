package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

// halfway is a pull that stands in the middle: the first and the last of its three layers are on disk, of the
// middle one exactly the first part.
type halfway struct {
	*upstream
	image sample.Built
	hold  *sample.Hold
	pull  string // the path of the pull's page
}

const part = 300_000 // bytes of the middle layer that come through, of about 700,000

// stopHalfway begins a pull and waits until it stands where it is held.
func stopHalfway(t *testing.T, s *stowage) *halfway {
	t.Helper()
	h := &halfway{upstream: realUpstream(t)}
	index := h.holds(t, "team/app", sample.Sized(3, 700_000, v1.Platform{OS: "linux", Architecture: "amd64"}), "1")
	h.image = platform(t, index, "linux/amd64")
	h.hold = h.Hold(sample.GetBlob(h.image.Layers()[1].Descriptor.Digest), part)
	h.pull = s.pull(h.ref("team/app:1"), "linux/amd64")
	s.await(h.pull, "half-way", func(p *page) bool {
		first, _ := p.layer(0)
		middle, bytes := p.layer(1)
		last, _ := p.layer(2)
		return bytes == strconv.Itoa(part) && strings.Contains(middle, "Downloading") &&
			strings.Contains(first, "Done") && strings.Contains(last, "Done")
	})
	return h
}

// checkResumed judges what the registry has served when the pull is done: each byte of each layer once, the
// middle one in two parts.
func (h *halfway) checkResumed(t *testing.T) {
	t.Helper()
	served := h.ServedBlobs()
	for i, b := range h.image.Layers() {
		if got := served[b.Descriptor.Digest]; got != b.Descriptor.Size {
			t.Errorf("layer %d: %d bytes served, it has %d", i, got, b.Descriptor.Size)
		}
	}
	var requests, ranges []string
	for _, r := range h.Requests() {
		if r.Blob == h.image.Layers()[1].Descriptor.Digest && r.Method == http.MethodGet {
			requests = append(requests, r.Method+" "+r.Range)
			if r.Range != "" {
				ranges = append(ranges, r.Range)
			}
		}
	}
	if want := "bytes=" + strconv.Itoa(part) + "-"; len(requests) != 2 || len(ranges) != 1 || ranges[0] != want {
		t.Errorf("requests for the half-fetched layer: %q, want a second one with Range %s", requests, want)
	}
	for _, i := range []int{0, 2} {
		if n := h.Count(http.MethodGet, h.image.Layers()[i].Descriptor.Digest.String()); n != 1 {
			t.Errorf("finished layer %d was asked for %d times", i, n)
		}
	}
}

func TestAPullGoesOnByItselfAfterKill9(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	h := stopHalfway(t, s)
	s.kill()
	h.hold.Abort() // what it held has nobody to go to

	again := startStowageOn(t, s.data, nil)
	again.awaitState(h.pull, "done").says(http.StatusOK, "Downloaded newer image for "+h.ref("team/app:1"))
	h.checkResumed(t)
	again.page(h.address("team/app:1")+"/layers").says(http.StatusOK, "3 layers", short(h.image.Layers()[1]))
	checkLayout(t, s.data)
}

func TestSIGTERMEndsAPullAndItsWatchersInTimeAndItGoesOnAtTheNextStart(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	h := stopHalfway(t, s)
	watched := make(chan bool) // a colleague's browser, in the middle of the stream
	events := s.events(t.Context(), h.pull)
	if !events.next() {
		t.Fatalf("the stream brings nothing:\n%s", s.logs())
	}
	go func() {
		for events.next() {
		}
		events.close()
		close(watched)
	}()

	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the end took %s", took)
	}
	<-watched // the stream has ended, it does not hang
	h.hold.Abort()

	again := startStowageOn(t, s.data, nil)
	again.awaitState(h.pull, "done").says(http.StatusOK, "Downloaded newer image for "+h.ref("team/app:1"))
	h.checkResumed(t)
}

func TestACancelledPullKeepsWhatItHasAndTheNextOneContinues(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	h := stopHalfway(t, s)
	if p := s.post(h.pull+"/cancel", nil); p.pullState() != "cancelled" {
		t.Fatalf("after the cancel: %d %s", p.status, p.text())
	}
	if rows := s.shelf(); len(rows) > 0 {
		t.Errorf("a cancelled pull is on the shelf: %v", rows)
	}
	h.hold.Abort()
	s.awaitState(s.pull(h.ref("team/app:1"), "linux/amd64"), "done")
	h.checkResumed(t)
}
