package search

import (
	"context"
	"strconv"
	"strings"

	"github.com/stowage/stowage/views/text"
)

// HumanCount returns a big number as people write it, never more than there is: 12,400 is "12.4K" and "1.2만". From a
// million on it is the step below, as Docker Hub shows pulls: 284,000,000 is "100M+" and "1억+". A negative n means
// unknown and gives "–".
func HumanCount(ctx context.Context, n int64) string {
	const million = 1_000_000
	units := westernUnits
	if text.Lang(ctx) == text.Korean {
		units = koreanUnits
	}
	switch {
	case n < 0:
		return "–"
	case n < 1000:
		return strconv.FormatInt(n, 10)
	}
	more := ""
	if n >= million {
		n, more = stepBelow(n), "+"
	}
	for _, u := range units {
		if n >= u.size {
			return tenths(n, u.size) + u.name + more
		}
	}
	return text.Grouped(n) + more
}

// countUnit is a word for a power of ten.
type countUnit struct {
	size int64
	name string
}

// The units, biggest first. Korean counts in myriads.
var (
	westernUnits = []countUnit{{1_000_000_000, "B"}, {1_000_000, "M"}, {1000, "K"}}
	koreanUnits  = []countUnit{{100_000_000, "억"}, {10_000, "만"}, {1000, "천"}}
)

// stepBelow returns the biggest of 1, 5, 10, 50, 100, … that is not over n, which is positive.
func stepBelow(n int64) int64 {
	step := int64(1)
	for n/10 >= step {
		step *= 10
	}
	if n/5 >= step {
		step *= 5
	}
	return step
}

// tenths divides n by unit, down to one decimal, which is left out where it is 0: "12.4", "100".
func tenths(n, unit int64) string {
	s := text.Grouped(n/unit) + "." + strconv.FormatInt(n%unit/(unit/10), 10)
	return strings.TrimSuffix(s, ".0")
}
