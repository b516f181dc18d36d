package docker

import (
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
)

const (
	oneDay = 24 * time.Hour
	maxAge = 100 * 365 * oneDay
)

// ParseAge reads a span of time as people give one for how long something lay about: a Go duration such as 720h, with
// days and weeks before it or instead: 30d, 4w, 1w2d12h. It is longer than 0 and at most 100 years. Errors are of kind
// Invalid.
func ParseAge(s string) (time.Duration, error) {
	rest := strings.TrimSpace(s)
	var age time.Duration
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", 7 * oneDay}, {"d", oneDay}} {
		number, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n > uint64(maxAge/unit.length) {
			return 0, noAge(s)
		}
		age += time.Duration(n) * unit.length
		rest = after
	}
	if rest != "" || age == 0 {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || d > maxAge {
			return 0, noAge(s)
		}
		age += d
	}
	if age <= 0 || age > maxAge {
		return 0, noAge(s)
	}
	return age, nil
}

func noAge(s string) *image.Error {
	return image.Errorf(image.Invalid, "%q is not a span of time", image.Shorten(s)).
		Suggest("Give weeks, days or hours, such as 4w, 30d or 720h; at most 100 years.")
}
