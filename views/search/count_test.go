package search

import (
	"context"
	"math"
	"testing"

	"github.com/stowage/stowage/views/text"
)

func TestBigNumbersAreShownAsPeopleWriteThem(t *testing.T) {
	korean := text.WithLocale(context.Background(), text.Locale{Lang: text.Korean})
	for _, c := range []struct {
		n      int64
		en, ko string
	}{
		{-1, "–", "–"},
		{0, "0", "0"},
		{999, "999", "999"},
		{1000, "1K", "1천"},
		{1_250, "1.2K", "1.2천"},
		{9_999, "9.9K", "9.9천"},
		{10_000, "10K", "1만"},
		{12_400, "12.4K", "1.2만"},
		{999_999, "999.9K", "99.9만"},
		{1_000_000, "1M+", "100만+"},
		{4_999_999, "1M+", "100만+"},
		{5_000_000, "5M+", "500만+"},
		{10_000_000, "10M+", "1,000만+"},
		{51_000_000, "50M+", "5,000만+"},
		{284_000_000, "100M+", "1억+"},
		{999_999_999, "500M+", "5억+"},
		{1_000_000_000, "1B+", "10억+"},
		{12_000_000_000, "10B+", "100억+"},
		{math.MaxInt64, "5,000,000,000B+", "50,000,000,000억+"},
	} {
		if got := HumanCount(t.Context(), c.n); got != c.en {
			t.Errorf("%d is %q, want %q", c.n, got, c.en)
		}
		if got := HumanCount(korean, c.n); got != c.ko {
			t.Errorf("%d is %q in Korean, want %q", c.n, got, c.ko)
		}
	}
}
