package search

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/test/outside"
)

// held is a service that answers when it is let go.
type held struct {
	arrived chan string // the text of each request
	letGo   chan struct{}
}

func hold(t *testing.T) *held {
	h := &held{arrived: make(chan string, 1000), letGo: make(chan struct{})}
	t.Cleanup(h.release)
	return h
}

func (h *held) release() {
	select {
	case <-h.letGo:
	default:
		close(h.letGo)
	}
}

func (h *held) before(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		h.arrived <- req.URL.Query().Get("query")
		select {
		case <-h.letGo:
		case <-req.Context().Done():
			return
		}
		next(w, req)
	}
}

func TestASlowRegistryDoesNotDelayTheOthers(t *testing.T) {
	_, fast := outside.Server(t, answers(t, map[string]string{harborSearchPath: "harbor_search.json"}))
	_, failing := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 500, "", "") })
	h := hold(t)
	rec, slow := outside.Server(t, h.before(answers(t, map[string]string{hubSearchPath: "hub_search.json"})))
	c := client(t, registry.Options{Registries: []registry.Entry{
		{Host: image.DockerHub, SearchURL: "http://" + slow}, {Host: fast, Label: "Fast", Search: registry.SearchHarbor},
		{Host: failing, Search: registry.SearchV1},
	}})
	begun := time.Now()
	got := c.SearchAll(t.Context(), []string{image.DockerHub, fast, failing}, Question{Text: "nginx"}, 2*time.Second)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(got) != 3 || got[0].Registry.Host != image.DockerHub || got[1].Registry.Label != "Fast" ||
		got[2].Registry.Host != failing {
		t.Fatalf("answers are %+v", got)
	}
	outside.WantKind(t, got[0].Err, image.Unavailable, image.DockerHub, "did not answer within 2s", "again")
	if !got[0].Late || got[1].Late || got[2].Late {
		t.Errorf("late are %v, %v, %v", got[0].Late, got[1].Late, got[2].Late)
	}
	if got[1].Err != nil || len(got[1].Hits.Hits) != 2 {
		t.Errorf("the fast one said %+v", got[1])
	}
	outside.WantKind(t, got[2].Err, image.Unavailable, failing, "500")

	// What was begun goes on: the next look finds it.
	h.release()
	if hits := mustSearch(t, c, image.DockerHub, Question{Text: "nginx"}); len(hits.Hits) != 4 {
		t.Errorf("later there are %d results", len(hits.Hits))
	}
	if n := rec.Count(hubSearchPath); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestTheEndOfTheAskersContextEndsWhatWasBegun(t *testing.T) {
	h := hold(t)
	gone := make(chan struct{})
	_, slow := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		h.arrived <- ""
		<-req.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-h.arrived
		cancel()
	}()
	got := hubAt(t, slow).SearchAll(ctx, []string{image.DockerHub}, Question{Text: "nginx"}, time.Hour)
	if got[0].Err == nil {
		t.Error("there is an answer")
	}
	<-gone
}

func TestSearchesThatGoOnAreBounded(t *testing.T) {
	h := hold(t)
	_, slow := outside.Server(t, h.before(hubOf(1)))
	c := hubAt(t, slow)
	defer h.release()
	l := c.limiters.of(slow)
	waiting := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.waiting
	}
	for i := range 2 * mostLate {
		c.SearchAll(t.Context(), []string{image.DockerHub}, Question{Text: strings.Repeat("x", i+1)}, 5*time.Millisecond)
		want := max(0, min(i+1, mostLate)-slots)
		// to begin and to give up takes a moment
		for limit := time.Now().Add(10 * time.Second); waiting() != want; pass(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%d searches wait for their turn, want %d", waiting(), want)
			}
		}
	}
}

func TestAPanicHidesNobodysResults(t *testing.T) {
	_, fast := outside.Server(t, answers(t, map[string]string{harborSearchPath: "harbor_search.json"}))
	panics := func(req *http.Request) (*url.URL, error) {
		if strings.HasSuffix(req.URL.Host, "docker.io") || strings.HasSuffix(req.URL.Host, "docker.com") {
			panic("out of order")
		}
		return nil, nil
	}
	c := client(t, registry.Options{Proxy: panics,
		Registries: []registry.Entry{{Host: fast, Search: registry.SearchHarbor}}})
	got := c.SearchAll(t.Context(), []string{image.DockerHub, fast}, Question{Text: "nginx"}, time.Minute)
	outside.WantKind(t, got[0].Err, image.Internal, image.DockerHub)
	if got[1].Err != nil || len(got[1].Hits.Hits) != 2 {
		t.Errorf("the other one said %+v", got[1])
	}
	_, err := c.Search(t.Context(), image.DockerHub, Question{Text: "nginx"})
	outside.WantKind(t, err, image.Internal, image.DockerHub)
}

func TestTenLettersTypedQuicklyAreFewRequests(t *testing.T) {
	h := hold(t)
	rec, slow := outside.Server(t, h.before(answers(t, map[string]string{hubSearchPath: "hub_search.json"})))
	c := hubAt(t, slow)
	c.limiters.pace = time.Hour // however slow this machine is
	const word = "postgresql"
	for i := range len(word) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.Search(ctx, image.DockerHub, Question{Text: word[:i+1]})
			done <- err
		}()
		if i == 0 {
			<-h.arrived
		}
		cancel()
		if err := <-done; err == nil {
			t.Fatal("an answer came from a service that is held")
		}
	}
	if n := rec.Count(hubSearchPath); n < 1 || n > slots {
		t.Errorf("the service saw %d requests", n)
	}
}

func TestTheLastLetterGetsItsAnswer(t *testing.T) {
	h := hold(t)
	_, slow := outside.Server(t, h.before(answers(t, map[string]string{hubSearchPath: "hub_search.json"})))
	c := hubAt(t, slow)
	c.limiters.pace = time.Millisecond
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for _, text := range []string{"p", "po", "pos", "post", "postg"} {
		all.Go(func() { _, _ = c.Search(ctx, image.DockerHub, Question{Text: text}) })
	}
	for range slots {
		<-h.arrived
	}
	cancel()
	all.Wait()
	h.release()
	if hits := mustSearch(t, c, image.DockerHub, Question{Text: "postgres"}); len(hits.Hits) != 4 {
		t.Errorf("found %+v", hits)
	}
}
