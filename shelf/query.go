package shelf

import (
	"slices"
	"time"

	"github.com/stowage/stowage/image"
)

// Sort is an order of the list.
type Sort string

// The orders of the list; each can be turned round. Rows that are equal in it stand by name.
const (
	SortName      Sort = "name"
	SortPlatforms Sort = "platforms"
	SortID        Sort = "id"
	SortCreated   Sort = "created"
	SortPulled    Sort = "pulled"
	SortSize      Sort = "size"
	SortUnpacked  Sort = "unpacked"
	SortDownloads Sort = "handed" // how often it was handed out, then when last
	SortUpdate    Sort = "update" // what needs somebody first: available, gone, unknown, current, not asked
	SortTags      Sort = "tags"   // of repositories only
)

// Valid reports whether rows can be sorted so.
func (s Sort) Valid() bool {
	return s == "" || slices.Contains([]Sort{SortName, SortPlatforms, SortID, SortCreated, SortPulled, SortSize,
		SortUnpacked, SortDownloads, SortUpdate}, s)
}

// ValidForRepositories reports whether the list of repositories can be sorted so.
func (s Sort) ValidForRepositories() bool {
	return s == "" ||
		slices.Contains([]Sort{SortName, SortTags, SortCreated, SortPulled, SortSize, SortDownloads, SortUpdate}, s)
}

// DanglingFilter is docker's filter of that name.
type DanglingFilter int

// Its values.
const (
	DanglingShown  DanglingFilter = iota // beside the others
	DanglingOnly                         // docker's dangling=true
	DanglingHidden                       // docker's dangling=false
)

// Query chooses rows of the list. What is zero chooses all; a row must pass everything that is not.
type Query struct {
	Text       string           // part of the familiar name, or the beginning of an image ID or digest
	Repository image.Repository // only this one
	References []string         // any of these globs, as docker's reference filter has them
	Dangling   DanglingFilter
	Labels     []image.Label // all of them on one stored platform
	Before     time.Time     // created before; never what has no creation date
	Since      time.Time     // created after; never what has no creation date
	Registry   string        // host, with its port
	Platform   image.Platform
	Updates    []UpdateState // any of these
	Pinned     bool

	Sort       Sort // zero: by name
	Descending bool
	Offset     int
	Limit      int
}

// CreatedBefore leaves out what was not created before t.
func (q *Query) CreatedBefore(t time.Time) {
	if q.Before.IsZero() || t.Before(q.Before) {
		q.Before = t
	}
}

// CreatedAfter leaves out what was not created after t.
func (q *Query) CreatedAfter(t time.Time) {
	if t.After(q.Since) {
		q.Since = t
	}
}

// Offers is what the filters of the list can be set to.
type Offers struct {
	Registries []string         // hosts that something is stored of, sorted
	Platforms  []image.Platform // that something is stored for, sorted
}
