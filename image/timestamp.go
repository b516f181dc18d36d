package image

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// timeLayouts are the forms that docker's until takes beside a duration and seconds (moby,
// api/types/time/timestamp.go). Without a zone docker means the daemon's; here that is UTC, in which every page
// shows its times.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02Z07:00",
	"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02",
}

// ParseTimestamp reads the moment that a filter such as docker's until names: a Go duration before now ("24h"), an
// RFC 3339 time or date with or without a zone (UTC), or seconds since 1970 with or without a fraction. Errors are
// of kind Invalid.
func ParseTimestamp(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if d, err := time.ParseDuration(s); err == nil && s != "0" {
		return now.Add(-d), nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	nanos, fracErr := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err == nil && fracErr == nil && len(fraction) <= 9 && seconds >= 0 && seconds < math.MaxInt32*100 {
		return time.Unix(seconds, nanos).UTC(), nil
	}
	return time.Time{}, Errorf(Invalid, "%q is not a time", Shorten(s)).
		Suggest("Give a duration such as 24h or 720h, a date such as 2026-01-31, or a time such as 2026-01-31T15:04:05Z.")
}
