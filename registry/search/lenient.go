package search

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/registry/response"
)

// The search services document little of what they answer, and leave out, null or change fields as they like.
// These types read what is there; what is not, or is something else, is "not said" and fails nothing.

// lenientText is a string, or nothing.
type lenientText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *lenientText) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = ""
	}
	*t = lenientText(s)
	return nil
}

// lenientFlag is true where the answer says true.
type lenientFlag struct{ true, said bool }

// UnmarshalJSON implements json.Unmarshaler.
func (f *lenientFlag) UnmarshalJSON(raw []byte) error {
	*f = lenientFlag{true: string(raw) == "true", said: string(raw) == "true" || string(raw) == "false"}
	return nil
}

// lenientCount is a number of things or bytes.
type lenientCount struct {
	n    int64
	said bool
}

// mostCounted is beyond anything that a registry counts; Docker Hub's largest numbers are near 1e11.
const mostCounted = 1e15

// UnmarshalJSON implements json.Unmarshaler.
func (c *lenientCount) UnmarshalJSON(raw []byte) error {
	f, err := strconv.ParseFloat(string(raw), 64)
	*c = lenientCount{n: int64(f), said: true}
	if err != nil || math.IsNaN(f) || f < 0 || f > mostCounted {
		*c = lenientCount{}
	}
	return nil
}

// orUnknown returns the number, or -1 where none was said.
func (c lenientCount) orUnknown() int64 {
	if !c.said {
		return -1
	}
	return c.n
}

// lenientTime is a time as RFC 3339 or RFC 1123 write it, or in seconds since 1970.
type lenientTime time.Time

// UnmarshalJSON implements json.Unmarshaler.
func (t *lenientTime) UnmarshalJSON(raw []byte) error {
	*t = lenientTime{}
	var when time.Time
	if seconds, err := strconv.ParseFloat(string(raw), 64); err == nil {
		if seconds > 0 && seconds < 1<<40 {
			when = time.Unix(int64(seconds), 0).UTC()
		}
	} else {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil
		}
		for _, layout := range []string{time.RFC3339Nano, time.RFC1123Z, time.RFC1123} {
			if when, err = time.Parse(layout, s); err == nil {
				break
			}
		}
	}
	if year := when.Year(); year >= 2000 && year < 2200 { // before, there were no images; 0001-01-01 means none
		*t = lenientTime(when.UTC())
	}
	return nil
}

// lenientList is an array, of which null and what is no T is left out.
type lenientList[T any] struct {
	all  []T
	said bool // there is an array, or null in its place
}

// mostListed bounds what is read of one answer.
const mostListed = 5000

// UnmarshalJSON implements json.Unmarshaler.
func (l *lenientList[T]) UnmarshalJSON(raw []byte) error {
	*l = lenientList[T]{}
	if string(raw) == "null" {
		l.said = true
		return nil
	}
	if !bytes.HasPrefix(raw, []byte("[")) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil
	}
	l.said = true
	for d.More() && len(l.all) < mostListed {
		var item json.RawMessage
		if d.Decode(&item) != nil {
			return nil
		}
		var value T
		if string(item) == "null" || json.Unmarshal(item, &value) != nil {
			continue
		}
		l.all = append(l.all, value)
	}
	return nil
}

// first returns at most n of them: what was asked for, however many were sent.
func (l lenientList[T]) first(n int) []T { return l.all[:min(n, len(l.all))] }

// description makes a hostile text one printable line of bounded length.
func description(s lenientText) string {
	const enough = 2000 // clean looks at fewer
	if len(s) > enough {
		s = s[:enough]
	}
	return strings.Join(strings.Fields(response.Clean(strings.ToValidUTF8(string(s), ""))), " ")
}
