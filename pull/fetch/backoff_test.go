package fetch

import (
	"testing"
	"time"
)

func TestWaitsDoubleUpToTheMost(t *testing.T) {
	b := Backoff{}.withDefaults()
	for n, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 6: 30 * time.Second, 100: 30 * time.Second} {
		for range 50 {
			if got := b.wait(n); got > most || got < most/2 {
				t.Errorf("wait %d is %s, want from %s to %s", n, got, most/2, most)
			}
		}
	}
}
