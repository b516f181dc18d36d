package memo

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func ofStrings(most int, room int64) *Memo[string, string] {
	return New(time.Minute, most, room, func(k, v string) int64 { return int64(len(k) + len(v)) })
}

// pass lets time go by within a bubble of synctest, where that takes none.
func pass(d time.Duration) { <-time.After(d) }

func TestManyWaitForOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ofStrings(10, 1000)
		asked := 0
		letGo := make(chan struct{})
		ask := func(context.Context) (string, error) {
			asked++
			<-letGo
			return "answer", nil
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if v, err := m.Get(t.Context(), "key", ask); v != "answer" || err != nil {
					t.Errorf("got %q, %v", v, err)
				}
			})
		}
		synctest.Wait()
		close(letGo)
		all.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestAWaiterWhoLeavesDoesNotTakeTheAnswerFromTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ofStrings(10, 1000)
		letGo := make(chan struct{})
		ask := func(ctx context.Context) (string, error) {
			select {
			case <-letGo:
				return "answer", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		first, second := make(chan error, 1), make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, err := m.Get(ctx, "key", ask); first <- err }()
		go func() { _, err := m.Get(t.Context(), "key", ask); second <- err }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left got %v", err)
		}
		synctest.Wait()
		close(letGo)
		if err := <-second; err != nil {
			t.Errorf("the other one got %v", err)
		}
	})
}

func TestAnAnswerThatNobodyWaitsForIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ofStrings(10, 1000)
		gaveUp := make(chan struct{})
		ask := func(ctx context.Context) (string, error) {
			<-ctx.Done()
			close(gaveUp)
			return "", ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = m.Get(ctx, "key", ask) }()
		synctest.Wait()
		cancel()
		<-gaveUp
		if v, err := m.Get(t.Context(), "key", func(context.Context) (string, error) { return "new", nil }); v != "new" || err != nil {
			t.Errorf("whoever comes then gets %q, %v", v, err)
		}
	})
}

func TestAnswersLiveAMinuteAndFailuresNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ofStrings(10, 1000)
		asked := 0
		ask := func(context.Context) (string, error) {
			if asked++; asked == 1 {
				return "", errors.New("not now")
			}
			return "answer", nil
		}
		for _, want := range []int{1, 2, 2, 2} {
			_, _ = m.Get(t.Context(), "key", ask)
			if asked != want {
				t.Errorf("asked %d times, want %d", asked, want)
			}
		}
		pass(time.Minute)
		_, _ = m.Get(t.Context(), "key", ask)
		if asked != 3 {
			t.Errorf("after a minute asked %d times", asked)
		}
	})
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	m := ofStrings(5, 100)
	put := func(key string, n int) {
		_, _ = m.Get(t.Context(), key, func(context.Context) (string, error) { return strings.Repeat("x", n), nil })
	}
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		put(key, 1)
	}
	put("a", 1) // used again: b is now the oldest
	put("f", 1)
	if _, found := m.Peek("b"); found || m.kept.Len() != 5 {
		t.Errorf("%d answers are kept, b among them: %v", m.kept.Len(), found)
	}
	if _, found := m.Peek("a"); !found {
		t.Error("the one used last was dropped")
	}
	put("g", 97)
	if m.kept.held > 100 || m.kept.Len() != 2 { // g and the one before
		t.Errorf("%d bytes in %d answers are held", m.kept.held, m.kept.Len())
	}
	put("h", 1000)
	if m.kept.held != 0 || m.kept.Len() != 0 {
		t.Errorf("one too large is kept: %d bytes", m.kept.held)
	}
}
