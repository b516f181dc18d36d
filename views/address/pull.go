package address

import (
	"strconv"

	"github.com/stowage/stowage/image"
)

// The pages of pulls.
const (
	PullFormPath = "/pull"  // the form
	PullsPath    = "/pulls" // the list, and where the form goes
)

// MaxPaste is how many bytes of a text with a reference in it are read: a command line may be long.
const MaxPaste = 4096

// PullForm is the address of the form that starts a pull.
type PullForm struct {
	Input     string // a reference, or what somebody typed for one
	All       bool   // all tags of a repository
	Match     string // only those whose names contain this
	Platforms []string
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
	return q.after(PullFormPath)
}

// Pull is the address of a pull.
type Pull struct {
	ID    int64
	Lines int // the page of its tags, from 1; 0 is the first, too
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

// Pulls returns the address of a page of the list of pulls, from 1.
func Pulls(page int) string {
	var q query
	if page > 1 {
		q.add("page", strconv.Itoa(page))
	}
	return q.after(PullsPath)
}
