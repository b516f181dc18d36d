package address

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf/docker"
)

// The pages of pulls.
const (
	PullFormPath = "/pull"  // the form
	PullsPath    = "/pulls" // the list, and where the form goes
)

// maxPlatforms is how many platforms a request may name; the queue takes fewer.
const maxPlatforms = 64

// maxFind is the most bytes of a text that platforms are filtered by.
const maxFind = 100

// PullForm is the address of the form that starts a pull, and what the form sends:
//
//	ref=TEXT           a reference, or what somebody typed for one
//	all=1              all tags of the repository
//	match=TEXT         of them, only those whose names contain this
//	platform=PLATFORM  each of several
//	chosen=1           the platforms are what somebody ticked, also where that is none
//	find=TEXT          of a very large index, only the platforms whose names contain this
//	page=N             of them, from 1
type PullForm struct {
	Input     string
	All       bool
	Match     string
	Platforms []string
	Chosen    bool
	Find      string
	Page      int

	Pasted bool // whether a command was pasted in the reference's place; no part of the address
}

// PullFormOf returns the address of the form for a reference, with platforms ticked.
func PullFormOf(ref image.Reference, platforms ...image.Platform) PullForm {
	return PullForm{Input: ref.Familiar(), Platforms: platformNames(platforms)}
}

// PullAllOf returns the address of the form for all tags of a repository, or those whose names contain match.
func PullAllOf(r image.Repository, match string, platforms ...image.Platform) PullForm {
	return PullForm{Input: r.Familiar(), All: true, Match: match, Platforms: platformNames(platforms)}
}

func platformNames(platforms []image.Platform) []string {
	names := make([]string, len(platforms))
	for i, p := range platforms {
		names[i] = p.String()
	}
	return names
}

// String formats the address.
func (f PullForm) String() string {
	var q query
	q.add("ref", f.Input)
	q.addFlag("all", f.All)
	q.addSaid("match", f.Match)
	for _, p := range f.Platforms {
		q.add("platform", p)
	}
	q.addFlag("chosen", f.Chosen)
	q.addSaid("find", f.Find)
	if f.Page > 1 {
		q.add("page", strconv.Itoa(f.Page))
	}
	return q.after(PullFormPath)
}

// ParsePullForm reads what the form is asked for, or sends. What was pasted along with a reference is taken off it;
// what it says about platforms counts where nothing else does. A reference that came alone stays as it was typed.
func ParsePullForm(said url.Values) PullForm {
	f := PullForm{
		Input: said.Get("ref"), All: said.Get("all") == "1", Match: strings.TrimSpace(said.Get("match")),
		Platforms: said["platform"],
		Chosen:    said.Has("chosen"), Find: strings.TrimSpace(said.Get("find")), Page: 1,
	}
	if len(f.Find) > maxFind {
		f.Find = f.Find[:maxFind]
	}
	if n, err := strconv.Atoi(said.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	if len(f.Input) > docker.MaxPaste {
		return f
	}
	p := docker.ReadPaste(f.Input)
	f.All = f.All || p.AllTags
	if p.Platform != "" && len(f.Platforms) == 0 {
		f.Platforms = []string{p.Platform}
	}
	if p.Name != strings.TrimSpace(f.Input) {
		f.Pasted = len(strings.Fields(f.Input)) > 1 && len(strings.Fields(p.Name)) == 1
		f.Input = p.Name
	}
	return f
}

// Wanted reads the platforms. Errors are of kind Invalid.
func (f PullForm) Wanted() ([]image.Platform, error) { return ParsePlatforms(f.Platforms) }

// ParsePlatforms reads repeated platforms of a request; empty ones are left out. Errors are of kind Invalid.
func ParsePlatforms(values []string) ([]image.Platform, error) {
	if len(values) > maxPlatforms {
		return nil, image.Errorf(image.Invalid, "%d platforms were asked for", len(values))
	}
	var platforms []image.Platform
	for _, s := range values {
		if strings.TrimSpace(s) == "" {
			continue
		}
		p, err := image.ParsePlatform(s)
		if err != nil {
			return nil, err
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}

// Pull is the address of a pull.
type Pull struct {
	ID    int64
	Lines int // the page of its tags, from 1; 0 is the first, too. A page after the last is the last.
}

// String formats the address.
func (p Pull) String() string { return p.lines().after(p.path()) }

// Events formats the address of the stream of the pull's changes.
func (p Pull) Events() string { return p.lines().after(p.path() + "/events") }

// Cancel formats the address that ends the pull.
func (p Pull) Cancel() string { return p.path() + "/cancel" }

func (p Pull) path() string { return PullsPath + "/" + strconv.FormatInt(p.ID, 10) }

func (p Pull) lines() (q query) {
	if p.Lines > 1 {
		q.add("lines", strconv.Itoa(p.Lines))
	}
	return q
}

// ParsePull reads the number of a pull, as it stands in the path, and the page of its tags. Errors are of kind Invalid.
func ParsePull(id string, said url.Values) (p Pull, err error) {
	if p.ID, err = strconv.ParseInt(id, 10, 64); err != nil || p.ID <= 0 {
		return p, image.Errorf(image.Invalid, "%.40q is not the number of a pull", id).Suggest("See all pulls at /pulls.")
	}
	p.Lines, err = pageOf(said, "lines")
	return p, err
}

// Pulls returns the address of a page of the list of pulls, from 1.
func Pulls(page int) string {
	var q query
	if page > 1 {
		q.add("page", strconv.Itoa(page))
	}
	return q.after(PullsPath)
}

// ParsePulls reads the page of the list of pulls. Errors are of kind Invalid.
func ParsePulls(said url.Values) (int, error) { return pageOf(said, "page") }
