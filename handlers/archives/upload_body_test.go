package archives

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

// wire is a connection whose sender sends so many bytes every so often, with a read deadline as a socket has it. It is the
// ResponseWriter and the body at once.
type wire struct {
	*httptest.ResponseRecorder
	size  int
	every time.Duration
	total int

	mu       sync.Mutex
	deadline time.Time
	changed  chan struct{}
}

func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	close(w.changed)
	w.changed = make(chan struct{})
	return nil
}

func (w *wire) Read(p []byte) (int, error) {
	if w.total <= 0 {
		return 0, io.EOF
	}
	comes := time.NewTimer(w.every)
	defer comes.Stop()
	for {
		w.mu.Lock()
		deadline, changed := w.deadline, w.changed
		w.mu.Unlock()
		var late <-chan time.Time
		if !deadline.IsZero() {
			late = time.After(time.Until(deadline))
		}
		select {
		case <-comes.C:
			n := min(w.size, len(p), w.total)
			w.total -= n
			return n, nil
		case <-late:
			return 0, os.ErrDeadlineExceeded
		case <-changed:
		}
	}
}

func (w *wire) Close() error { return nil }

// sentOver returns the body of a request over a wire.
func sentOver(w *wire) *sentBody {
	w.ResponseRecorder, w.changed = httptest.NewRecorder(), make(chan struct{})
	r := httptest.NewRequest(http.MethodPut, "/archives", w)
	return newSentBody(echo.New().NewContext(r, w))
}

func TestASlowSenderIsWaitedForAndOneThatDripsIsNot(t *testing.T) {
	for name, tt := range map[string]struct {
		wire *wire
		cut  bool
	}{
		"a gigabyte in two hours":     {&wire{size: 150_000, every: time.Second, total: 1 << 30}, false},
		"a modem":                     {&wire{size: 5_000, every: time.Second, total: 20 << 20}, false},
		"a pause before each part":    {&wire{size: 1 << 20, every: 50 * time.Second, total: 100 << 20}, false},
		"a byte every 20 seconds":     {&wire{size: 1, every: 20 * time.Second, total: 1 << 20}, true},
		"a little less than is asked": {&wire{size: 4_000, every: time.Second, total: 20 << 20}, true},
		"silence":                     {&wire{size: 1 << 20, every: time.Hour, total: 1 << 20}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body, began := sentOver(tt.wire), time.Now()
				_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{body}, make([]byte, 1<<20))
				switch {
				case !tt.cut && err != nil:
					t.Errorf("it is cut off after %v: %v", time.Since(began), err)
				case !tt.cut && !tt.wire.deadline.IsZero():
					t.Error("a deadline is left, which ends the request while its layers are proved")
				case tt.cut && !errors.Is(err, errSlow):
					t.Errorf("after %v: %v", time.Since(began), err)
				case tt.cut && time.Since(began) > 2*patience:
					t.Errorf("it is cut off after %v only", time.Since(began))
				}
			})
		})
	}
}

// The server's own work between two reads is not the sender's slowness.
func TestASenderMayWaitForTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := sentOver(&wire{size: 1000, every: time.Millisecond, total: 100_000})
		for {
			time.Sleep(2 * patience) // in a bubble: no time passes
			if _, err := body.Read(make([]byte, 4096)); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestACancelReachesAReadThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := sentOver(&wire{size: 1, every: time.Hour, total: 10})
		ended := make(chan error)
		go func() {
			_, err := body.Read(make([]byte, 10))
			ended <- err
		}()
		synctest.Wait()
		body.interrupt()
		if err := <-ended; image.KindOf(err) != image.Invalid || errors.Is(err, errSlow) || !strings.Contains(err.Error(), "broke off") {
			t.Errorf("%v", err)
		}
		if _, err := body.Read(make([]byte, 10)); err == nil {
			t.Error("it is read on")
		}
	})
}

func TestASlowUploadIsNotLedOnAsIfItWereDone(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/archives", nil)
	r.Header.Set("Accept", "text/html")
	slow := image.Errorf(image.Invalid, "the archive came too slowly").Because(errSlow)
	err := (&Handlers{}).refuseUpload(echo.New().NewContext(r, httptest.NewRecorder()), nil, job.Job{ID: 7}, slow)
	var he *echo.HTTPError
	if !errors.As(err, &he) || he.Code != http.StatusRequestTimeout {
		t.Errorf("%v", err)
	}
}
