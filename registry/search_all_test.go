package registry

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
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
	_, fast := server(t, answers(t, map[string]string{harborSearchPath: "harbor_search.json"}))
	_, failing := server(t, func(w http.ResponseWriter, _ *http.Request) { errorBody(w, 500, "", "") })
	h := hold(t)
	rec, slow := server(t, h.before(answers(t, map[string]string{hubSearchPath: "hub_search.json"})))
	c := client(t, Options{AllowPrivate: true, Registries: []Listed{
		{Host: dockerHub, SearchURL: "http://" + slow}, {Host: fast, Label: "Fast", Search: SearchHarbor}, {Host: failing, Search: SearchV1},
	}})
	begun := time.Now()
	got := c.SearchAll(t.Context(), []string{dockerHub, fast, failing}, Query{Text: "nginx"}, 300*time.Millisecond)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(got) != 3 || got[0].Registry.Host != dockerHub || got[1].Registry.Label != "Fast" || got[2].Registry.Host != failing {
		t.Fatalf("answers are %+v", got)
	}
	wantKind(t, got[0].Err, image.Unavailable, dockerHub, "did not answer within 300ms", "again")
	if !got[0].Late || got[1].Late || got[2].Late {
		t.Errorf("late are %v, %v, %v", got[0].Late, got[1].Late, got[2].Late)
	}
	if got[1].Err != nil || len(got[1].Hits.Hits) != 2 {
		t.Errorf("the fast one said %+v", got[1])
	}
	wantKind(t, got[2].Err, image.Unavailable, failing, "500")

	// What was begun goes on: the next look finds it.
	h.release()
	if hits := mustSearch(t, c, dockerHub, Query{Text: "nginx"}); len(hits.Hits) != 4 {
		t.Errorf("later there are %d results", len(hits.Hits))
	}
	if n := rec.count(hubSearchPath); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestTheEndOfTheAskersContextEndsWhatWasBegun(t *testing.T) {
	h := hold(t)
	gone := make(chan struct{})
	_, slow := server(t, func(w http.ResponseWriter, req *http.Request) {
		h.arrived <- ""
		<-req.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-h.arrived
		cancel()
	}()
	got := hubAt(t, slow).SearchAll(ctx, []string{dockerHub}, Query{Text: "nginx"}, time.Hour)
	if got[0].Err == nil {
		t.Error("there is an answer")
	}
	<-gone
}

func TestSearchesThatGoOnAreBounded(t *testing.T) {
	h := hold(t)
	_, slow := server(t, h.before(hubOf(1)))
	c := hubAt(t, slow)
	defer h.release()
	going := func() int {
		c.services.answers.mu.Lock()
		defer c.services.answers.mu.Unlock()
		return len(c.services.answers.flights)
	}
	for i := range 2 * mostLate {
		c.SearchAll(t.Context(), []string{dockerHub}, Query{Text: strings.Repeat("x", i+1)}, 5*time.Millisecond)
		want := min(i+1, mostLate)
		for limit := time.Now().Add(10 * time.Second); going() != want; pass(time.Millisecond) { // to begin and to give up takes a moment
			if time.Now().After(limit) {
				t.Fatalf("%d searches go on, want %d", going(), want)
			}
		}
	}
}

func TestAPanicHidesNobodysResults(t *testing.T) {
	_, fast := server(t, answers(t, map[string]string{harborSearchPath: "harbor_search.json"}))
	panics := func(req *http.Request) (*url.URL, error) {
		if strings.HasSuffix(req.URL.Host, "docker.io") || strings.HasSuffix(req.URL.Host, "docker.com") {
			panic("out of order")
		}
		return nil, nil
	}
	c := client(t, Options{AllowPrivate: true, proxy: panics, Registries: []Listed{{Host: fast, Search: SearchHarbor}}})
	got := c.SearchAll(t.Context(), []string{dockerHub, fast}, Query{Text: "nginx"}, time.Minute)
	wantKind(t, got[0].Err, image.Internal, dockerHub)
	if got[1].Err != nil || len(got[1].Hits.Hits) != 2 {
		t.Errorf("the other one said %+v", got[1])
	}
	_, err := c.Search(t.Context(), dockerHub, Query{Text: "nginx"})
	wantKind(t, err, image.Internal, dockerHub)
}

func TestTenLettersTypedQuicklyAreFewRequests(t *testing.T) {
	h := hold(t)
	rec, slow := server(t, h.before(answers(t, map[string]string{hubSearchPath: "hub_search.json"})))
	c := hubAt(t, slow)
	c.services.gates.pace = time.Hour // however slow this machine is
	const word = "postgresql"
	for i := range len(word) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.Search(ctx, dockerHub, Query{Text: word[:i+1]})
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
	if n := rec.count(hubSearchPath); n < 1 || n > gateSlots {
		t.Errorf("the service saw %d requests", n)
	}
}

func TestTheLastLetterGetsItsAnswer(t *testing.T) {
	h := hold(t)
	_, slow := server(t, h.before(answers(t, map[string]string{hubSearchPath: "hub_search.json"})))
	c := hubAt(t, slow)
	c.services.gates.pace = time.Millisecond
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for _, text := range []string{"p", "po", "pos", "post", "postg"} {
		all.Go(func() { _, _ = c.Search(ctx, dockerHub, Query{Text: text}) })
	}
	for range gateSlots {
		<-h.arrived
	}
	cancel()
	all.Wait()
	h.release()
	if hits := mustSearch(t, c, dockerHub, Query{Text: "postgres"}); len(hits.Hits) != 4 {
		t.Errorf("found %+v", hits)
	}
}
