package image

import (
	"testing"
	"time"
)

func TestATimeIsReadAsDockersUntil(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ text, want string }{
		{"24h", "2026-05-03T12:00:00Z"},
		{"1h30m", "2026-05-04T10:30:00Z"},
		{"2026-01-31", "2026-01-31T00:00:00Z"},
		{"2026-01-31T15:04", "2026-01-31T15:04:00Z"},
		{"2026-01-31T15:04:05", "2026-01-31T15:04:05Z"},
		{"2026-01-31T15:04:05Z", "2026-01-31T15:04:05Z"},
		{"2026-01-31T15:04:05+09:00", "2026-01-31T06:04:05Z"},
		{"2026-01-31T15:04:05.25Z", "2026-01-31T15:04:05.25Z"},
		{"2026-01-31+09:00", "2026-01-30T15:00:00Z"},
		{"1700000000", "2023-11-14T22:13:20Z"},
		{"1700000000.5", "2023-11-14T22:13:20.5Z"},
		{"0", "1970-01-01T00:00:00Z"},
		{" 24h ", "2026-05-03T12:00:00Z"},
		{"", ""}, {"yesterday", ""}, {"24", "1970-01-01T00:00:24Z"}, {"1.x", ""}, {"99999999999999999999", ""},
		{"2026-13-01", ""},
	} {
		got, err := ParseTimestamp(tt.text, now)
		if tt.want == "" {
			if KindOf(err) != Invalid {
				t.Errorf("%q: %v, %v", tt.text, got, err)
			}
			continue
		}
		if err != nil || got.Format(time.RFC3339Nano) != tt.want {
			t.Errorf("%q is %s, %v; want %s", tt.text, got.Format(time.RFC3339Nano), err, tt.want)
		}
	}
}

func TestALabelIsReadAsDockersFilter(t *testing.T) {
	for text, want := range map[string]Label{
		"stage": {Key: "stage", Any: true}, "stage=ci": {Key: "stage", Value: "ci"}, "stage=": {Key: "stage"},
		"a=b=c": {Key: "a", Value: "b=c"},
	} {
		if got, err := ParseLabel(text); err != nil || got != want || got.String() != text {
			t.Errorf("%q is %+v, %v, written %q", text, got, err, got)
		}
	}
	for _, text := range []string{"", "=x"} {
		if _, err := ParseLabel(text); KindOf(err) != Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}
