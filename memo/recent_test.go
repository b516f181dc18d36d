package memo

import (
	"fmt"
	"testing"
)

func TestWhatWasUsedLastStays(t *testing.T) {
	r := NewRecent[string, int](3)
	for i := range 9 {
		r.Put(fmt.Sprint(i), i)
		if _, known := r.Get("0"); !known { // used all the time
			t.Fatalf("what is in use was forgotten after %d", i)
		}
	}
	if _, known := r.Get("6"); known || r.Len() != 3 {
		t.Errorf("%d are kept, an old one among them: %v", r.Len(), known)
	}
	if n := r.Change("0", func(n int) int { return n + 5 }); n != 5 {
		t.Errorf("it was changed to %d", n)
	}
	if n, known := r.Take("0"); !known || n != 5 {
		t.Errorf("took %d, %v", n, known)
	}
	if _, known := r.Take("0"); known || r.Len() != 2 {
		t.Errorf("%d are kept, what was taken among them: %v", r.Len(), known)
	}
}

func TestAValueThatIsReplacedIsWeighedOnce(t *testing.T) {
	r := NewRecentOf(10, 10, func(_ string, n int) int64 { return int64(n) })
	for range 5 {
		r.Put("a", 6)
	}
	r.Put("b", 4)
	if _, known := r.Get("a"); !known || r.held != 10 {
		t.Errorf("%d bytes are held, a among them: %v", r.held, known)
	}
	if r.Clear(); r.held != 0 || r.Len() != 0 {
		t.Errorf("%d bytes of %d values are left", r.held, r.Len())
	}
}

func TestLookUpsAreBoundedAndEndWithAChange(t *testing.T) {
	c := NewCurrent[string, string](2)
	c.Put("1", "new", 8)
	c.Put("1", "old", 7) // began before the change and ended after the other
	if got, known := c.Get("1", 8); !known || got != "new" {
		t.Errorf("%q, %v", got, known)
	}
	if _, known := c.Get("1", 9); known {
		t.Error("what was before a change is remembered after it")
	}
	c.Put("2", "", 8)
	c.Put("3", "", 8)
	if _, known := c.Get("1", 8); known || c.kept.Len() != 2 {
		t.Errorf("%d are kept, the oldest among them: %v", c.kept.Len(), known)
	}
	c.Put("4", "", 9)
	if _, known := c.Get("3", 9); known || c.kept.Len() != 1 {
		t.Errorf("%d are kept after a change, one of before among them: %v", c.kept.Len(), known)
	}
}
