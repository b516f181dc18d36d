package listing

import (
	"math"
	"time"
)

// unknownTime is the creation time, in milliseconds, of what does not say.
const unknownTime = -62135596800000

func timeOf(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// createdSpan is between which moments something was created, in milliseconds: from the first up to, not including, the
// last. What does not say when it was created is in no span: it is
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
