package text

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/docker/go-units"

	"github.com/stowage/stowage/image"
)

// sizeUnits are docker's: powers of 1000.
var sizeUnits = []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}

// HumanSize returns n bytes as docker prints them, in powers of 1000 with four significant digits and a
// space: "152.3 MB", "0 B". A negative n means unknown and gives "–".
func HumanSize(n int64) string {
	if n < 0 {
		return "–"
	}
	s := units.CustomSize("%.4g %s", float64(n), 1000, sizeUnits)
	// 999,950 bytes round to "1000 kB"; the next unit reads better.
	if digits, unit, _ := strings.Cut(s, " "); digits == "1000" {
		for i, u := range sizeUnits[:len(sizeUnits)-1] {
			if u == unit {
				return "1 " + sizeUnits[i+1]
			}
		}
	}
	return s
}

// HumanRate returns bytes per second as "41.2 MB/s".
func HumanRate(bytesPerSecond float64) string {
	return HumanSize(max(0, int64(bytesPerSecond))) + "/s"
}

// Grouped returns n with its thousands set off by commas: "12,845". English and Korean group alike.
func Grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// ExactBytes returns n with grouped thousands and the word bytes: "152,345,678 bytes".
func ExactBytes(ctx context.Context, n int64) string {
	if n < 0 {
		return T(ctx, "format.size_unknown")
	}
	return T(ctx, "format.bytes", Count, n)
}

// Percent returns part of whole as whole percents, from 0 to 100. It says 100 only when all is there.
func Percent(part, whole int64) int {
	switch {
	case part <= 0:
		return 0
	case whole <= 0 || part >= whole:
		return 100
	}
	return int(float64(part) / float64(whole) * 100)
}

// ageOf says which message words the age d, and the number that goes into it. The steps are those of
// docker (units.HumanDuration); static/app.js has the same ones.
func ageOf(d time.Duration) (word string, n int) {
	seconds, minutes, hours := int(d.Seconds()), int(d.Minutes()), int(d.Hours()+0.5)
	switch {
	case seconds < 1:
		return "now", 0
	case seconds == 1:
		return "second", 1
	case seconds < 60:
		return "seconds", seconds
	case minutes == 1:
		return "minute", 1
	case minutes < 60:
		return "minutes", minutes
	case hours == 1:
		return "hour", 1
	case hours < 48:
		return "hours", hours
	case hours < 24*7*2:
		return "days", hours / 24
	case hours < 24*30*2:
		return "weeks", hours / 24 / 7
	case hours < 24*365*2:
		return "months", hours / 24 / 30
	}
	return "years", int(d.Hours()) / 24 / 365
}

// ageWords holds the message of each word of ageOf. In them, # stands for the number: the browser, which
// refreshes ages by itself, gets the same texts.
var AgeWords = map[string]MessageID{
	"now":     "age.now",
	"second":  "age.second",
	"seconds": "age.seconds",
	"minute":  "age.minute",
	"minutes": "age.minutes",
	"hour":    "age.hour",
	"hours":   "age.hours",
	"days":    "age.days",
	"weeks":   "age.weeks",
	"months":  "age.months",
	"years":   "age.years",
}

// HumanAge returns how long ago t was, as docker says it: "13 days ago", "About an hour ago". A zero t, which
// images without a creation date have, gives "–".
func HumanAge(ctx context.Context, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	word, n := ageOf(Now(ctx).Sub(t))
	return strings.ReplaceAll(T(ctx, AgeWords[word]), "#", strconv.Itoa(n))
}

// ageInSentence formats HumanAge for the middle of a sentence, without docker's capital: "about an hour ago".
func AgeInSentence(ctx context.Context, t time.Time) string {
	age := HumanAge(ctx, t)
	first, size := utf8.DecodeRuneInString(age)
	return string(unicode.ToLower(first)) + age[size:]
}

// AbsoluteTime returns t to the second in UTC: "2023-12-21 05:32:10 UTC". A zero t gives "–".
func AbsoluteTime(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// Minutely returns t to the minute in UTC, for key figures: "2023-12-21 05:32". A zero t gives "–".
func Minutely(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// HumanDuration returns a time taken or left with at most two units: "3 s", "2 min 5 s", "1 h 20 min".
func HumanDuration(ctx context.Context, d time.Duration) string {
	s := int64(max(0, d).Round(time.Second) / time.Second)
	if s == 0 && d > 0 {
		return T(ctx, "format.under_second")
	}
	switch {
	case s < 60:
		return T(ctx, "format.seconds", "S", s)
	case s < 600 && s%60 != 0:
		return T(ctx, "format.minutes_seconds", "M", s/60, "S", s%60)
	case s < 3600:
		return T(ctx, "format.minutes", "M", s/60)
	case s%3600/60 == 0:
		return T(ctx, "format.hours", "H", s/3600)
	}
	return T(ctx, "format.hours_minutes", "H", s/3600, "M", s%3600/60)
}

// ShortDigest returns the first 12 hex digits of a digest, as docker shows image IDs: "391a00ec7cac".
func ShortDigest(d string) string { return image.ShortDigest(image.Digest(d)) }

// ShortPlatform returns a platform as lists show it: the operating system is named only when it is not
// linux. "amd64", "arm/v7", "windows/amd64". What Windows adds in parentheses is left out.
func ShortPlatform(platform string) string {
	if start := strings.IndexByte(platform, '('); start >= 0 {
		if end := strings.IndexByte(platform, ')'); end > start {
			platform = platform[:start] + platform[end+1:]
		}
	}
	return strings.TrimPrefix(platform, "linux/")
}

// Clock returns a time of today to the minute, and of another day with its date, in UTC.
func Clock(ctx context.Context, t time.Time) string {
	if t.Sub(Now(ctx)) > 12*time.Hour {
		return Minutely(t) + " UTC"
	}
	return t.UTC().Format("15:04") + " UTC"
}
