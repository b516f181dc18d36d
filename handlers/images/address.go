package images

import (
	"errors"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
)

const (
	rowsPerPage    = 50
	maxLabelFilter = 5000 // bytes: longer labels are not kept
	maxFilters     = 20   // of one kind
	maxHost        = 255  // bytes of a registry's name
)

// listParams are the words of a list's address.
var listParams = []string{"q", "reference", "dangling", "label", "before", "since", "until", "registry", "platform", "update", "pinned",

	"sort", "group", "digests", "no-trunc", "page"}

// listState reads a list's address. Errors are of kind Invalid and name the part that is wrong. Docker's words in the text
// become the filters that they are, except, while somebody types, the last one, which may not be finished.
func listState(c echo.Context, path string) (address.List, error) {
	said := c.QueryParams()
	if name := address.Unknown(said, append([]string{"go"}, listParams...)); name != "" {
		return address.List{Path: path, Page: 1}, image.Errorf(image.Invalid, "there is no filter %.40q", name).
			Suggest("The filters are reference, dangling, label, before, since, until, registry, platform, update and pinned.")
	}
	return readList(said, path, page.Partial(c) && !said.Has("go"))
}

// readList is listState of an address's query; typing says that somebody is at it.
func readList(said url.Values, path string, typing bool) (address.List, error) {
	s := address.List{Path: path, Page: 1}
	if len(said.Get("q")) > page.MaxFilter {
		return s, image.Errorf(image.Invalid, "the filter is longer than %d bytes (q)", page.MaxFilter).Suggest("Give a part of a name, an image ID or a digest.")
	}
	words := readWords(said.Get("q"), typing)
	if words.wrong != "" {
		return s, image.Errorf(image.Invalid, "there is no filter %.40q (q)", words.wrong).
			Suggest("The filters are reference, dangling, label, before, since, until, registry, platform, update and pinned.")
	}
	s.Query, s.Typed = words.text, words.typed
	all := func(name string) []string { return append(slices.Clone(said[name]), words.said[name]...) }
	last := func(name string) string { // a control of the form comes after what the form carries along
		values := slices.DeleteFunc(all(name), func(v string) bool { return strings.TrimSpace(v) == "" })
		if len(values) == 0 {
			return ""
		}
		return strings.TrimSpace(values[len(values)-1])
	}
	if err := readFilters(&s, all, last); err != nil {
		return s, err
	}
	return s, readShape(&s, last)
}

// readFilters reads what chooses rows.
func readFilters(s *address.List, all func(string) []string, last func(string) string) (err error) {
	for _, filter := range []struct {
		name string
		into *[]string
	}{{"reference", &s.References}, {"label", &s.Labels}, {"before", &s.Before}, {"since", &s.Since}, {"until", &s.Until}} {
		if *filter.into, err = several(filter.name, all(filter.name)); err != nil {
			return err
		}
	}
	for _, pattern := range s.References {
		if _, err := path.Match(pattern, ""); err != nil {
			return image.Errorf(image.Invalid, "%.80q is not a pattern (reference)", pattern).Because(err).
				Suggest("Patterns are docker's: * is any text without a slash, ? one character, [a-c] one of several; a backslash makes the next character stand for itself.")
		}
	}
	for _, l := range s.Labels {
		if _, err := image.ParseLabel(l); err != nil {
			return ofPart(err, "label")
		}
	}
	switch dangling := last("dangling"); dangling {
	case "":
	case "true", "1":
		s.Dangling = "true"
	case "false", "0":
		s.Dangling = "false"
	default:
		return image.Errorf(image.Invalid, "the value of dangling is true or false, not %.40q (dangling)", dangling)
	}
	if s.Registry = strings.ToLower(last("registry")); len(s.Registry) > maxHost {
		return image.Errorf(image.Invalid, "the registry's name is longer than %d bytes (registry)", maxHost)
	}
	if platform := last("platform"); platform != "" {
		p, err := image.ParsePlatform(platform)
		if err != nil {
			return ofPart(err, "platform")
		}
		s.Platform = p.String()
	}
	if s.Update = last("update"); s.Update != "" && !isUpdate(s.Update) {
		return image.Errorf(image.Invalid, "%.40q is not a state of updates (update)", s.Update).
			Suggest("The states are available, current, gone, unknown and unchecked.")
	}
	s.Pinned, err = readFlag("pinned", last)
	return err
}

// readShape reads what is shown of the rows, and how.
func readShape(s *address.List, last func(string) string) (err error) {
	switch group := last("group"); group {
	case "":
	case "repository":
		s.Grouped = s.Path == imagesPath
	default:
		return image.Errorf(image.Invalid, "the list can be grouped by repository, not by %.40q (group)", group)
	}
	s.Sort = last("sort")
	column := shelf.Sort(strings.TrimPrefix(s.Sort, "-"))
	switch {
	case s.Sort != "" && !column.Valid() && !column.ValidForRepositories():
		return image.Errorf(image.Invalid, "the list cannot be sorted by %.40q (sort)", string(column)).
			Suggest("Its columns are name, platforms, id, created, pulled, size, unpacked, handed and update, or tags where it is grouped; a minus before one turns the order round.")
	case s.Sort == string(shelf.SortName), s.Grouped && !column.ValidForRepositories(), !s.Grouped && !column.Valid():
		s.Sort = "" // an order of the other kind of list means nothing here
	}
	if s.Digests, err = readFlag("digests", last); err != nil {
		return err
	}
	if s.NoTrunc, err = readFlag("no-trunc", last); err != nil {
		return err
	}
	if p := last("page"); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > address.MaxPage {
			return image.Errorf(image.Invalid, "%.40q is not a page (page)", p).Suggest("Pages are counted from 1.")
		}
		s.Page = n
	}
	return nil
}

// several reads a filter that can be given more than once.
func several(name string, values []string) (kept []string, err error) {
	longest := page.MaxFilter
	if name == "label" {
		longest = maxLabelFilter
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

// readFlag reads what is 1 or left out.
func readFlag(name string, last func(string) string) (bool, error) {
	switch v := last(name); v {
	case "", "0":
		return false, nil
	case "1":
		return true, nil
	default:
		return false, image.Errorf(image.Invalid, "the value of %s is 1 or left out, not %.40q (%s)", name, v, name)
	}
}

// ofPart names the part of the address that an error is about, with what to do about it.
func ofPart(err error, part string) error {
	var e *image.Error
	if !errors.As(err, &e) || e.Kind == image.Internal {
		return err
	}
	named := image.Errorf(e.Kind, "this filter cannot be used: %w (%s)", e, part)
	switch part {
	case "before", "since":
		return named.Suggest("Name a stored image: a reference such as ubuntu:22.04, or an image ID or enough of its first digits.")
	case "until":
		return named.Suggest("Give a duration such as 24h or 720h, a date such as 2026-01-31, or a time such as 2026-01-31T15:04:05Z.")
	case "platform":
		return named.Suggest("A platform is os/architecture[/variant], such as linux/amd64 or linux/arm/v7.")
	}
	return named.Suggest("A label is a key, or a key and a value: stage or stage=ci.")
}

// updateStates are the words of the filter of that name.
var updateStates = map[string]shelf.UpdateState{
	"current": shelf.UpdateCurrent, "available": shelf.UpdateAvailable, "gone": shelf.UpdateGone,
	"unknown": shelf.UpdateUnknown, "unchecked": shelf.UpdateUnchecked,
}

func isUpdate(s string) bool {
	_, ok := updateStates[s]
	return ok
}

// tidy tells whether the address is the state's own. Any other, such as a form sends with its empty fields, or one with
// docker's words in the text, is redirected to it, so that a list has one address only.
func tidy(c echo.Context, state address.List) bool {
	var said []address.Param
	for part := range strings.SplitSeq(c.Request().URL.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if nameErr == nil && valueErr == nil && slices.Contains(listParams, name) {
			said = append(said, address.Param{Name: name, Value: value})
		}
	}
	return slices.Equal(said, state.Params())
}

// noteAddress tells htmx the list's address. What is typed takes the place of the last address, each other change of a filter
// is a step that one can go back from. Links say so themselves.
func noteAddress(c echo.Context, state address.List) {
	header := c.Request().Header
	if source, _, _ := strings.Cut(header.Get("HX-Source"), "#"); source != "form" {
		return
	}
	shown, err := url.Parse(header.Get("HX-Current-URL"))
	if err != nil {
		return
	}
	before, err := readList(shown.Query(), state.Path, false)
	now := state
	now.Query, before.Query, now.Page, before.Page = "", "", 1, 1
	typed := err == nil && shown.Path == state.Path && now.String() == before.String() && !c.QueryParams().Has("go")
	if typed || (&url.URL{Path: shown.Path, RawQuery: shown.RawQuery}).RequestURI() == state.String() {
		c.Response().Header().Set("HX-Replace-Url", state.String())
	} else {
		c.Response().Header().Set("HX-Push-Url", state.String())
	}
}
