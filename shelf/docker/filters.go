package docker

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Param is a name and a value, as docker's --filter and an address's query have them: NAME=VALUE.
type Param struct{ Name, Value string }

// Filters choose rows of the list. A row must pass all of them. They are, in this order,
//
//	reference=GLOB    any of several: docker's, on the familiar name with tag or digest, or the name alone
//	dangling=true     only digests that no tag points at and nobody asked for; false hides them
//	label=KEY[=VALUE] each of several, on one stored platform
//	before=IMAGE      created before each of several images: a reference, an image ID or the beginning of one
//	since=IMAGE       created after each of them
//	until=TIME        created before: a duration as 24h, a date, a time, seconds since 1970
//	registry=HOST     of one registry
//	platform=PLATFORM with that platform stored
//	update=STATE      current, available, gone, unknown or unchecked
//	pinned=1          what is pinned
type Filters struct {
	References []string
	Dangling   shelf.DanglingFilter
	Labels     []image.Label
	Before     []string // names of images
	Since      []string // names of images
	Until      []string // times as they were typed: durations are from when somebody looks
	Registry   string
	Platform   image.Platform
	Updates    []shelf.UpdateState // at most one
	Pinned     bool
}

// FilterNames are the names of the filters, in their order.
var FilterNames = []string{
	"reference", "dangling", "label", "before", "since", "until", "registry", "platform", "update", "pinned",
}

// Bounds of filters, in bytes, and of their number.
const (
	MaxFilter  = 300
	MaxHost    = 255  // a registry's name
	maxLabel   = 5000 // longer labels are not kept
	maxFilters = 20   // of one kind
)

// The words of the filters dangling and update.
var (
	danglingWords = map[shelf.DanglingFilter]string{shelf.DanglingOnly: "true", shelf.DanglingHidden: "false"}
	updateStates  = map[string]shelf.UpdateState{
		"current": shelf.UpdateCurrent, "available": shelf.UpdateAvailable, "gone": shelf.UpdateGone,
		"unknown": shelf.UpdateUnknown, "unchecked": shelf.UpdateUnchecked,
	}
)

// NoFilter returns the error of a filter that there is not.
func NoFilter(name string) error {
	return suggestFilters(image.Errorf(image.Invalid, "there is no filter %.40q", name))
}

func suggestFilters(e *image.Error) *image.Error {
	return e.Suggest("The filters are reference, dangling, label, before, since, until, registry, platform, update and pinned.")
}

// ReadFilters reads the values that were given to each filter. What is empty is left out. Errors are of kind Invalid
// and name the filter that is wrong.
func ReadFilters(said map[string][]string) (f Filters, err error) {
	texts := map[string][]string{} // of the filters that can be given more than once
	for _, name := range []string{"reference", "label", "before", "since", "until"} {
		if texts[name], err = several(name, said[name]); err != nil {
			return f, err
		}
	}
	f.References, f.Before, f.Since, f.Until = texts["reference"], texts["before"], texts["since"], texts["until"]
	for _, pattern := range f.References {
		if _, err := path.Match(pattern, ""); err != nil {
			return f, image.Errorf(image.Invalid, "%.80q is not a pattern (reference)", pattern).Because(err).
				Suggest("Patterns are docker's: * is any text without a slash, ? one character, [a-c] one of several; " +
					"a backslash makes the next character stand for itself.")
		}
	}
	for _, text := range texts["label"] {
		label, err := image.ParseLabel(text)
		if err != nil {
			return f, InFilter("label", err)
		}
		f.Labels = append(f.Labels, label)
	}
	return f, f.readSingle(said)
}

// readSingle reads the filters of which the last one counts.
func (f *Filters) readSingle(said map[string][]string) (err error) {
	switch dangling := Last(said["dangling"]); dangling {
	case "":
	case "true", "1":
		f.Dangling = shelf.DanglingOnly
	case "false", "0":
		f.Dangling = shelf.DanglingHidden
	default:
		return image.Errorf(image.Invalid, "the value of dangling is true or false, not %.40q (dangling)", dangling)
	}
	if f.Registry = strings.ToLower(Last(said["registry"])); len(f.Registry) > MaxHost {
		return image.Errorf(image.Invalid, "the registry's name is longer than %d bytes (registry)", MaxHost)
	}
	if platform := Last(said["platform"]); platform != "" {
		if f.Platform, err = image.ParsePlatform(platform); err != nil {
			return InFilter("platform", err)
		}
	}
	if update := Last(said["update"]); update != "" {
		state, known := updateStates[update]
		if !known {
			return image.Errorf(image.Invalid, "%.40q is not a state of updates (update)", update).
				Suggest("The states are available, current, gone, unknown and unchecked.")
		}
		f.Updates = []shelf.UpdateState{state}
	}
	f.Pinned, err = ReadFlag("pinned", Last(said["pinned"]))
	return err
}

// several reads a filter that can be given more than once.
func several(name string, values []string) (kept []string, err error) {
	longest := MaxFilter
	if name == "label" {
		longest = maxLabel
	}
	for _, v := range values {
		if v = strings.TrimSpace(v); v == "" || slices.Contains(kept, v) {
			continue
		}
		if len(v) > longest {
			return nil, image.Errorf(image.Invalid, "a filter is longer than %d bytes (%s)", longest, name)
		}
		if kept = append(kept, v); len(kept) > maxFilters {
			return nil, image.Errorf(image.Invalid, "there are more than %d filters of one kind (%s)", maxFilters, name)
		}
	}
	return kept, nil
}

// Last returns the last value that is not blank: a control of a form comes after what the form carries along.
func Last(values []string) string {
	for _, v := range slices.Backward(values) {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}

// ReadFlag reads what is 1 or left out. Errors are of kind Invalid.
func ReadFlag(name, value string) (bool, error) {
	switch value {
	case "", "0":
		return false, nil
	case "1":
		return true, nil
	}
	return false, image.Errorf(image.Invalid, "the value of %s is 1 or left out, not %.40q (%s)", name, value, name)
}

// InFilter names the filter that an error is about, and says what to do about it.
func InFilter(name string, err error) error {
	var e *image.Error
	if !errors.As(err, &e) || e.Kind == image.Internal {
		return err
	}
	named := image.Errorf(e.Kind, "this filter cannot be used: %w (%s)", e, name)
	switch name {
	case "before", "since":
		return named.Suggest("Name a stored image: a reference such as ubuntu:22.04, " +
			"or an image ID or enough of its first digits.")
	case "until":
		return named.Suggest("Give a duration such as 24h or 720h, a date such as 2026-01-31, " +
			"or a time such as 2026-01-31T15:04:05Z.")
	case "platform":
		return named.Suggest("A platform is os/architecture[/variant], such as linux/amd64 or linux/arm/v7.")
	}
	return named.Suggest("A label is a key, or a key and a value: stage or stage=ci.")
}

// All returns the filters as ReadFilters reads them, in their order.
func (f Filters) All() (all []Param) {
	add := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				all = append(all, Param{name, v})
			}
		}
	}
	add("reference", f.References...)
	add("dangling", danglingWords[f.Dangling])
	for _, l := range f.Labels {
		add("label", l.String())
	}
	add("before", f.Before...)
	add("since", f.Since...)
	add("until", f.Until...)
	add("registry", f.Registry)
	add("platform", f.Platform.String())
	for word, state := range updateStates {
		if slices.Contains(f.Updates, state) {
			add("update", word)
		}
	}
	if f.Pinned {
		add("pinned", "1")
	}
	return all
}

// Without returns the others of the filters.
func (f Filters) Without(gone Param) Filters {
	said := map[string][]string{}
	for _, one := range f.All() {
		if one != gone {
			said[one.Name] = append(said[one.Name], one.Value)
		}
	}
	others, _ := ReadFilters(said) // each of them was read before
	return others
}

// Query returns what the filters ask of the shelf. Before and Since are left to who can look up images. Errors are of
// kind Invalid.
func (f Filters) Query(now time.Time) (shelf.Query, error) {
	q := shelf.Query{
		References: f.References, Dangling: f.Dangling, Labels: f.Labels, Registry: f.Registry, Platform: f.Platform,
		Updates: f.Updates, Pinned: f.Pinned,
	}
	for _, text := range f.Until {
		t, err := image.ParseTimestamp(text, now)
		if err != nil {
			return q, InFilter("until", err)
		}
		q.CreatedBefore(t)
	}
	return q, nil
}
