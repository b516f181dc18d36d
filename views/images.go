package views

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
)

// ImagesView is the Images page: sums over the whole shelf, and one page of its list.
type ImagesView struct {
	Repositories int
	Bytes        int64 // on disk, each blob once
	List         ImageList
}

// ImageList is a table of tags, and of digests without one, of the whole shelf or of one repository.
type ImageList struct {
	State      ListState
	Repository image.Repository // rows are then named by their tag alone; empty: all repositories
	Matches    int              // rows that the filter chooses
	All        int              // rows without the filter
	Pages      int
	First      int // the number of the first row in view, from 1
	Rows       []ImageRow
}

// ImageRow is one line of the list. Sizes, times and the image ID are those of Platform.
type ImageRow struct {
	Ref       image.Reference // the tag, or the digest where there is none
	Digest    image.Digest    // what the tag points to
	State     ImageState
	Broken    string           // why it cannot be used; hostile text
	ImageID   image.Digest     // empty where no platform is stored
	Platform  image.Platform   // the one that stands for all
	Platforms []image.Platform // all that are stored
	Created   time.Time
	Pulled    time.Time
	Size      int64
	Unpacked  int64 // negative while unknown
	Total     int64 // of all platforms, shared layers once
}

// ListState is what a list's address says. The address of a list is its path and, in this order,
//
//	q=TEXT       part of a name, or the beginning of an image ID or a digest
//	sort=COLUMN  name, platforms, id, created, pulled, size or unpacked, rising; sort=-COLUMN turns it round
//	digests=1    shows the digest of each row
//	page=N       from 1
//
// and what is as usual (no filter, by name, no digests, the first page) is left out.
type ListState struct {
	Path    string
	Query   string
	Sort    string // empty: by name
	Digests bool
	Page    int
}

// URL gives the list's address.
func (s ListState) URL() string {
	var query []string
	if s.Query != "" {
		query = append(query, "q="+escapeQuery(s.Query))
	}
	if s.Sort != "" && s.Sort != sortName {
		query = append(query, "sort="+url.QueryEscape(s.Sort))
	}
	if s.Digests {
		query = append(query, "digests=1")
	}
	if s.Page > 1 {
		query = append(query, "page="+strconv.Itoa(s.Page))
	}
	if len(query) == 0 {
		return s.Path
	}
	return s.Path + "?" + strings.Join(query, "&")
}

// sortName is the order of a list when nobody chose one.
const sortName = "name"

// ordered gives the list's address in another order, on its first page.
func (s ListState) ordered(sort string) string {
	s.Sort, s.Page = sort, 1
	return s.URL()
}

// onPage gives the address of another page.
func (s ListState) onPage(page int) string {
	s.Page = page
	return s.URL()
}

// unfiltered gives the address without the filter.
func (s ListState) unfiltered() string {
	s.Query, s.Page = "", 1
	return s.URL()
}

// current gives the order in SortColumn's words.
func (s ListState) current() string {
	if s.Sort == "" {
		return sortName
	}
	return s.Sort
}

// listTarget is what htmx swaps when the filter, the order or the page changes.
const listTarget = "#image-list"

// column describes a column's head.
func (l ImageList) column(label, key string, figure bool) SortColumn {
	return SortColumn{Label: label, Key: key, Current: l.State.current(), Figure: figure, Target: listTarget, URL: l.State.ordered}
}

// narrow drops columns where there is little room, the least telling first; on a phone, where rows are
// cards, they are all there. Columns are counted from the end, since the digests come and go.
func (l ImageList) narrow() string {
	const usual = "sm:max-lg:[&_tr>:nth-last-child(5)]:hidden sm:max-lg:[&_tr>:nth-last-child(4)]:hidden sm:max-md:[&_tr>:nth-last-child(2)]:hidden"
	if l.State.Digests {
		return usual + " sm:max-md:[&_tr>:nth-last-child(6)]:hidden sm:max-xl:[&_tr>:nth-last-child(4)]:hidden sm:max-xl:[&_tr>:nth-last-child(2)]:hidden"
	}
	return usual
}

// count words how many rows the filter chooses, or else which rows are in view.
func (l ImageList) count(ctx context.Context) string {
	switch {
	case l.State.Query == "" && l.Pages > 1:
		return T(ctx, "images.range", "From", l.First, "To", l.First+len(l.Rows)-1, "All", l.All)
	case l.State.Query == "":
		return T(ctx, "images.rows", Count, l.All)
	}
	return T(ctx, "images.matches", "Matches", l.Matches, "All", l.All)
}

// ImagesTitle is the title of the Images page.
func ImagesTitle(ctx context.Context) string { return T(ctx, "images.title") }

func (v ImagesView) subtitle(ctx context.Context) string {
	return T(ctx, "images.count", Count, v.List.All) + " " + T(ctx, "images.repositories", Count, v.Repositories) + " · " +
		T(ctx, "images.on_disk", "Size", HumanSize(v.Bytes))
}

// maxBadges is how many platforms a row names.
const maxBadges = 5

// badges divides a row's platforms into those that are named and the number of those that are not.
func (r ImageRow) badges() (named []image.Platform, more int) {
	if len(r.Platforms) <= maxBadges {
		return r.Platforms, 0
	}
	return r.Platforms[:maxBadges-1], len(r.Platforms) - maxBadges + 1
}

// sizeTitle says of which platform a row's size is.
func (r ImageRow) sizeTitle(ctx context.Context) string {
	if r.ImageID == "" {
		return T(ctx, "images.no_platform")
	}
	title := platformLabel(ctx, r.Platform.String()) + ": " + ExactBytes(ctx, r.Size)
	if len(r.Platforms) > 1 {
		title += "\n" + T(ctx, "images.total_title", Count, len(r.Platforms), "Bytes", ExactBytes(ctx, r.Total))
	}
	return title
}

// label names a row for assistive technology.
func (r ImageRow) label() string {
	if r.Ref.Tag != "" {
		return r.Ref.Familiar()
	}
	return r.Ref.Repository.Familiar() + "@" + ShortDigest(string(r.Digest))
}

// deleteURL gives the address of the plan for deleting a row.
func (r ImageRow) deleteURL() string {
	return SectionURL(ImageURL(r.Ref), SectionDelete, image.Platform{})
}

// examples are references that somebody with an empty shelf can begin with.
var examples = []string{"ubuntu:22.04", "postgres:15", "nginx:1.27-alpine"}

// exampleURL gives the pull form of an example.
func exampleURL(ref string) string { return "/pull?ref=" + escapeQuery(ref) }
