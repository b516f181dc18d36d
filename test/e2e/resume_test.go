package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

// halfway is a pull that stands in the middle: the first and the last of its three layers are on disk, of the
// middle one exactly the first part.
type halfway struct {
	*shelf.Upstream
	image sample.Built
	hold  *fake.Hold
	pull  string // the path of the pull's page
}

const part = 300_000 // bytes of the middle layer that come through, of about 700,000

// stopHalfway begins a pull and waits until it stands where it is held.
func stopHalfway(t *testing.T, s *shelf.Server) *halfway {
	t.Helper()
	h := &halfway{Upstream: shelf.RealUpstream(t)}
	index := h.Holds(t, "team/app", sample.Sized(3, 700_000, v1.Platform{OS: "linux", Architecture: "amd64"}), "1")
	h.image = shelf.Platform(t, index, "linux/amd64")
	h.hold = h.Hold(fake.GetBlob(h.image.Layers()[1].Descriptor.Digest), part)
	h.pull = s.Pull(h.Ref("team/app:1"), "linux/amd64")
	s.Await(h.pull, "half-way", func(p *shelf.Page) bool {
		first, _ := p.Layer(0)
		middle, bytes := p.Layer(1)
		last, _ := p.Layer(2)
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
	s := shelf.Start(t)
	h := stopHalfway(t, s)
	s.Kill()
	h.hold.Abort() // what it held has nobody to go to

	again := shelf.StartOn(t, s.Data, nil)
	again.AwaitState(h.pull, "done").Says(http.StatusOK, "Downloaded newer image for "+h.Ref("team/app:1"))
	h.checkResumed(t)
	again.Page(h.Address("team/app:1")+"/layers").Says(http.StatusOK, "3 layers", shelf.Short(h.image.Layers()[1]))
	shelf.CheckLayout(t, s.Data)
}

func TestSIGTERMEndsAPullAndItsWatchersInTimeAndItGoesOnAtTheNextStart(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	h := stopHalfway(t, s)
	watched := make(chan bool) // a colleague's browser, in the middle of the stream
	events := s.Events(t.Context(), h.pull)
	if !events.Next() {
		t.Fatalf("the stream brings nothing:\n%s", s.Logs())
	}
	go func() {
		for events.Next() {
		}
		events.Close()
		close(watched)
	}()

	began := time.Now()
	s.Stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the end took %s", took)
	}
	<-watched // the stream has ended, it does not hang
	h.hold.Abort()

	again := shelf.StartOn(t, s.Data, nil)
	again.AwaitState(h.pull, "done").Says(http.StatusOK, "Downloaded newer image for "+h.Ref("team/app:1"))
	h.checkResumed(t)
}

func TestACancelledPullKeepsWhatItHasAndTheNextOneContinues(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	h := stopHalfway(t, s)
	if p := s.Post(h.pull+"/cancel", nil); p.PullState() != "cancelled" {
		t.Fatalf("after the cancel: %d %s", p.Status, p.Text())
	}
	if rows := s.Images(); len(rows) > 0 {
		t.Errorf("a cancelled pull is on the shelf: %v", rows)
	}
	h.hold.Abort()
	s.AwaitState(s.Pull(h.Ref("team/app:1"), "linux/amd64"), "done")
	h.checkResumed(t)
}
