package page

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestPagesOverLargeDocumentsWaitForOneAnotherAndHoldUpNoSmallOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScales()
		wait := func(ctx context.Context, n int64) (done func()) {
			t.Helper()
			done, err := s.wait(ctx, n)
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		first := wait(t.Context(), 100<<20) // more than there is room for weighs as much as that
		came := make(chan func())
		go func() { came <- wait(t.Context(), 1<<20) }()
		synctest.Wait()
		select {
		case <-came:
			t.Fatal("a second large page is made beside the largest")
		default:
		}
		// Small pages come by, as many as there are.
		for range smallRoom / smallDocuments {
			defer wait(t.Context(), smallDocuments)()
		}
		wait(t.Context(), 0)()
		// Who gives up is let go, and leaves the others their turn.
		gone, cancel := context.WithCancel(t.Context())
		refused := make(chan error)
		go func() {
			_, err := s.wait(gone, 12<<20)
			refused <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-refused; err == nil {
			t.Error("somebody who has left got room")
		}
		first()
		(<-came)()
		wait(t.Context(), 12<<20)()
	})
}
