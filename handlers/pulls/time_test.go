package pulls_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/lookup"
	pullpages "github.com/stowage/stowage/handlers/pulls"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/test/pages"
)

// silent is a registry that never answers.
type silent struct{}

func (silent) Head(ctx context.Context, _ image.Reference) (image.Descriptor, error) {
	<-ctx.Done()
	return image.Descriptor{}, ctx.Err()
}

func (silent) Document(ctx context.Context, _ image.Reference) (image.Document, error) {
	<-ctx.Done()
	return image.Document{}, ctx.Err()
}

func (silent) Attestation(ctx context.Context, _ image.Reference) (image.Attestation, error) {
	<-ctx.Done()
	return image.Attestation{}, ctx.Err()
}

func (silent) Tags(ctx context.Context, _ image.Repository) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) Blob(ctx context.Context, _ image.Repository, _ image.Descriptor, _ int64) (io.ReadCloser, int64, error) {
	<-ctx.Done()
	return nil, 0, ctx.Err()
}

// inBubble runs a test over a real store and a registry that never answers, with a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T, h *handlers.Handlers, closing chan struct{})) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store, err := storage.Open(context.Background(), storage.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		jobs := job.NewRunner(store.Jobs, nil, nil)
		queue := pull.New(pull.Options{Source: silent{}, Blobs: store.Blobs, Space: store.Space, Images: store.Images, Recorder: store.Recorder, Runner: jobs})
		if err := queue.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		closing := make(chan struct{})
		test(t, handlers.New(handlers.Options{Shelf: pages.Of(store), Jobs: jobs, Queue: queue, Logger: slog.New(slog.DiscardHandler), Closing: closing}), closing)
		if err := errors.Join(queue.Close(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestPullFormWaitsForASlowRegistryNoLongerThanItsLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, h *handlers.Handlers, _ chan struct{}) {
		w, began := httptest.NewRecorder(), time.Now()
		c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/pull?ref=slow.example.com/app:1", nil), w)
		if err := h.Pulls.Form(c); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != lookup.ResolveLimit {
			t.Errorf("answered after %v", took)
		}
		pages.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}.Is(t, http.StatusBadGateway, "slow.example.com did not answer in time", `value="slow.example.com/app:1"`)
	})
}

func TestASilentStreamIsKeptAliveAndEndsWithTheServer(t *testing.T) {
	inBubble(t, func(t *testing.T, h *handlers.Handlers, closing chan struct{}) {
		ref, err := image.ParseReference("slow.example.com/app:1")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Pulls.Queue.Pull(context.Background(), pull.Request{Reference: ref}); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/pulls/1/events", nil), w)
		c.SetParamNames("id")
		c.SetParamValues("1")
		ended := make(chan error)
		go func() { ended <- h.Pulls.Events(c) }()
		<-time.After(3*pullpages.KeepAliveEvery + time.Second)
		synctest.Wait()
		if n := strings.Count(w.Body.String(), ": alive\n\n"); n != 3 {
			t.Errorf("%d signs of life in %v", n, 3*pullpages.KeepAliveEvery)
		}
		close(closing)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
