// Package images has the lists of what is stored: images, and the tags of a repository.
package images

import (
	"context"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// ImagesView is the Images page: sums over the whole shelf, and one page of its list.
type ImagesView struct {
	Reclaimable  int64 // bytes that pruning what dangles frees, when that was last counted
	Repositories int
	Bytes        int64 // on disk, each blob once
	List         ImageList
}

// ImageList is a table of tags, and of digests without one, of the whole shelf or of one repository; or, where the
// state says so, of the repositories of the shelf.
type ImageList struct {
	State        address.List
	Repository   image.Repository // rows are then named by their tag alone; empty: all repositories
	Matches      int              // rows that the filter chooses; repositories where the list is of these
	All          int              // rows without the filter
	Pages        int
	First        int // the number of the first row in view, from 1
	Rows         []shelf.Row
	Repositories []shelf.RepositoryRow // in place of Rows
	Registries   []string              // to choose from: hosts
	Platforms    []image.Platform      // to choose from
	Server       string                // where the list can be asked for: http://localhost:8080
}

// listTarget is what htmx swaps when the filter, the order or the page changes.
const listTarget = "#image-list"

// column describes a column's head.
func (l ImageList) column(label, key string, figure bool) ui.SortColumn {
	return ui.SortColumn{Label: label, Key: key, Current: l.State.Order(), Figure: figure, Target: listTarget,
		URL: l.State.Ordered}
}

// narrow drops columns where there is little room, the least telling first; on a phone, where rows are
// cards, they are all there. Columns are counted from the end, since the digests come and go. There is room for all but
// one of them at most: how often a row was handed out gives way, and where the list is in that order, the pull does.
func (l ImageList) narrow() string {
	const usual = "sm:max-lg:[&_tr>:nth-last-child(6)]:hidden sm:max-lg:[&_tr>:nth-last-child(5)]:hidden sm:max-md:[&_tr>:nth-last-child(2)]:hidden"
	const digests = " sm:max-md:[&_tr>:nth-last-child(7)]:hidden sm:max-xl:[&_tr>:nth-last-child(5)]:hidden sm:max-xl:[&_tr>:nth-last-child(2)]:hidden"
	byDownloads := strings.TrimPrefix(l.State.Sort, "-") == "handed"
	switch full := l.State.Digests || l.State.NoTrunc; {
	case full && byDownloads:
		return usual + digests + " sm:[&_tr>:nth-last-child(5)]:hidden"
	case full:
		return usual + digests + " sm:[&_tr>:nth-last-child(4)]:hidden"
	case byDownloads:
		return usual + " sm:max-xl:[&_tr>:nth-last-child(5)]:hidden"
	}
	return usual + " sm:max-xl:[&_tr>:nth-last-child(4)]:hidden"
}

// count words how many rows the filter chooses, or else which rows are in view.
func (l ImageList) count(ctx context.Context) string {
	shown := len(l.Rows) + len(l.Repositories)
	switch {
	case l.Pages > 1:
		return text.T(ctx, "images.range", "From", text.Grouped(int64(l.First)), "To", text.Grouped(int64(l.First+shown-1)),
			"All", text.Grouped(int64(l.Matches)))
	case l.State.Grouped:
		return text.T(ctx, "images.repository_rows", text.Count, l.Matches)
	case l.State.Filtered():
		return text.T(ctx, "images.matches", "Matches", l.Matches, "All", text.Grouped(int64(l.All)))
	}
	return text.T(ctx, "images.rows", text.Count, l.All)
}

// registries are the hosts to choose from, with the chosen one, which may be another.
func (l ImageList) registries() []string { return withChosen(l.Registries, l.State.Filters.Registry) }

// platforms are the platforms to choose from, with the chosen one, which may be another.
func (l ImageList) platforms() []string {
	var names []string
	for _, p := range l.Platforms {
		names = append(names, p.String())
	}
	return withChosen(names, l.State.Filters.Platform.String())
}

// fitted shortens a chosen value to what a select has room for: browsers would write over its arrow.
func fitted(s string) string {
	const room = 15
	if r := []rune(s); len(r) > room {
		return string(r[:room-1]) + "…"
	}
	return s
}

func withChosen(names []string, chosen string) []string {
	if chosen == "" || slices.Contains(names, chosen) {
		return names
	}
	return append(slices.Clone(names), chosen)
}

// ListTitle returns the window's title of a list: of all images or of a repository, with the filters.
func ListTitle(ctx context.Context, l ImageList) string {
	const longest = 60
	title := text.T(ctx, "images.title")
	if l.Repository != "" {
		title = l.Repository.Familiar()
	}
	chosen := []string{l.State.Text}
	for _, f := range l.State.Filters.All() {
		switch f.Name {
		case "reference", "registry", "platform":
			chosen = append(chosen, f.Value)
		default:
			chosen = append(chosen, f.Name+"="+f.Value)
		}
	}
	if !l.State.Filtered() {
		return title
	}
	return text.T(ctx, "images.title_of", "Filters", ui.Shortened(strings.Join(chosen, " "), longest), "Title", title)
}

func (v ImagesView) subtitle(ctx context.Context) string {
	return text.T(ctx, "images.count", text.Count, v.List.All) + " " +
		text.T(ctx, "images.repositories", text.Count, v.Repositories) + " · " +
		text.T(ctx, "images.on_disk", "Size", text.HumanSize(v.Bytes))
}

// maxBadges is how many platforms a row names.
const maxBadges = 5

// badges divides a row's platforms into those that are named and the number of those that are not.
func badges(all []image.Platform) (named []image.Platform, more int) {
	if len(all) <= maxBadges {
		return all, 0
	}
	return all[:maxBadges-1], len(all) - maxBadges + 1
}

// sizeTitle says of which platform a row's size is.
func sizeTitle(ctx context.Context, r shelf.Row) string {
	if r.ImageID == "" {
		return text.T(ctx, "images.no_platform")
	}
	title := ui.PlatformLabel(ctx, r.Platform.String()) + ": " + text.ExactBytes(ctx, r.Size)
	if len(r.Platforms) > 1 {
		title += "\n" + text.T(ctx, "images.total_title", text.Count, len(r.Platforms), "Bytes",
			text.ExactBytes(ctx, r.TotalSize))
	}
	return title
}

// rowLabel names a row for assistive technology.
func rowLabel(r shelf.Row) string {
	if r.Reference.Tag != "" {
		return r.Reference.Familiar()
	}
	return r.Reference.Repository.Familiar() + "@" + text.ShortDigest(string(r.Digest))
}

// rowValue is what the row's tick box sends.
func rowValue(r shelf.Row) string {
	if r.Reference.Tag != "" {
		return r.Reference.Familiar()
	}
	return r.Reference.WithDigest(r.Digest).Familiar()
}

// examples are references that somebody with an empty shelf can begin with.
var examples = []string{"ubuntu:22.04", "postgres:15", "nginx:1.27-alpine"}

// untagged words the digests without a tag of a repository.
func untagged(ctx context.Context, r shelf.RepositoryRow) string {
	switch {
	case r.Dangling > 0 && r.ByDigest > 0:
		return text.T(ctx, "images.group_dangling", text.Count, r.Dangling) + ", " +
			text.T(ctx, "images.group_by_digest", text.Count, r.ByDigest)
	case r.Dangling > 0:
		return text.T(ctx, "images.group_dangling", text.Count, r.Dangling)
	case r.ByDigest > 0:
		return text.T(ctx, "images.group_by_digest", text.Count, r.ByDigest)
	}
	return ""
}
