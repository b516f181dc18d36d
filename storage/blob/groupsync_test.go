package blob

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

func TestWhoeverComesDuringASyncSharesTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("failed")
		syncs, release := 0, make(chan error)
		g := newGroupSync(func() error {
			syncs++
			return <-release
		})
		var first, second sync.WaitGroup
		first.Go(func() {
			if err := g.Sync(); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // the first sync runs
		for range 120 {
			second.Go(func() {
				if err := g.Sync(); !errors.Is(err, failed) {
					t.Errorf("Sync = %v, want the error of its own round", err)
				}
			})
		}
		synctest.Wait() // all of them wait
		if syncs != 1 {
			t.Fatalf("%d syncs run at once", syncs)
		}
		release <- nil
		first.Wait()
		synctest.Wait()
		if syncs != 2 {
			t.Fatalf("%d syncs, want the second to run", syncs)
		}
		release <- failed
		second.Wait()
		if syncs != 2 {
			t.Fatalf("%d syncs for 121 callers, want 2", syncs)
		}
		third := make(chan error)
		go func() { third <- g.Sync() }()
		release <- nil
		if err := <-third; err != nil || syncs != 3 {
			t.Fatalf("a later Sync = %v after %d syncs: it must have one of its own", err, syncs)
		}
	})
}
