package storage

import (
	"math"
	"time"
)

// unknownTime is how the database has the creation time of what does not say.
const unknownTime = -62135596800000

// createdSpan is between which moments something was created, in milliseconds: from the first up to, not including, the
// last. The list's filters and a prune's until both go by it. What does not say when it was created is in no span: it is
// never older than a moment, and never newer.
type createdSpan struct{ from, to int64 }

// spanOf returns the span after one moment and before another; a zero time leaves that end open.
func spanOf(after, before time.Time) createdSpan {
	s := createdSpan{from: unknownTime + 1, to: math.MaxInt64}
	if !before.IsZero() {
		if s.to = before.UnixMilli(); before.Nanosecond()%1e6 > 0 {
			s.to++
		}
	}
	if !after.IsZero() {
		s.from = max(s.from, after.UnixMilli()+1)
	}
	return s
}

// holds reports whether a moment of the database is in the span.
func (s createdSpan) holds(created int64) bool { return s.from <= created && created < s.to }

// createdMillis keeps an unknown creation time NULL: none, or one in the year 1, which is how Go writes none.
func createdMillis(t *time.Time) any {
	if t == nil {
		return nil
	}
	if year := t.UTC().Year(); year <= 1 || year > 9999 {
		return nil
	}
	return t.UnixMilli()
}
