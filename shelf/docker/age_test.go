package docker

import (
	"testing"
	"time"

	"github.com/stowage/stowage/image"
)

func TestParseAge(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"720h": 720 * time.Hour, "30d": 720 * time.Hour, "4w": 28 * 24 * time.Hour, "1w2d12h": (9*24 + 12) * time.Hour,
		" 1d ": 24 * time.Hour, "1h30m": 90 * time.Minute,
		"0.5h": 30 * time.Minute, "36500d": 100 * 365 * 24 * time.Hour, "0w1d": 24 * time.Hour,
		"": 0, "0": 0, "0d": 0, "0h": 0, "-1d": 0, "-24h": 0, "1d-1h": 0, "30": 0, "d": 0, "w1d": 0, "1.5d": 0, "2d1w": 0,
		"1d1d": 0, "30 d": 0, "1month": 0, "30D": 0, "5dd": 0,
		"36501d": 0, "99999999d": 0, "65535w": 0, "2026-01-31": 0, "9223372036s": 0, "１d": 0,
	} {
		got, err := ParseAge(s)
		if got != want || (err == nil) != (want != 0) || err != nil && image.KindOf(err) != image.Invalid {
			t.Errorf("%q: %s, %v; want %s", s, got, err, want)
		}
	}
}
