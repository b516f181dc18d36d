// Package cleanup has the pages of what goes: deleting, pruning, undoing, pins and the storage.
package cleanup

import (
	"context"
	"path"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// StorageView is the Storage page. Sizes are bytes.
type StorageView struct {
	Disk    shelf.DiskUse
	Counted Counted
	Current bool     // Counted still holds; otherwise the page asks again
	Failed  bool     // the last count failed
	Open    []string // parts of the data folder that other accounts can write to
	Prune   PruneForm
	Left    LeftOver
	Damaged DamagedView
}

// LeftOver is what pulls have left that did not finish, and that no pull is fetching.
type LeftOver struct {
	Parts []shelf.PartialBlob // a few of the layers that were fetched in part
	More  int                 // further ones
	Bytes int64               // of all parts, and of whole layers as last counted
}

// closeCommand takes others' writing away from parts of the data folder, which stands as DIR: where it is on the server
// is for whoever runs it to know.
func (v StorageView) closeCommand() string {
	command := "chmod go-w"
	for _, name := range v.Open {
		command += " " + path.Join("DIR", name)
	}
	return command
}

// Counted is what takes time to work out, as it was at some moment.
type Counted struct {
	At           time.Time // zero: nothing has been counted yet
	Blobs        int64     // of images
	Copies       int64     // what the images would take if none shared a blob
	Unpacked     int64     // of the layers, each once
	Pending      int       // layers that are not unpacked yet
	Broken       int       // layers that cannot be
	Dangling     int64     // what pruning dangling digests frees
	Unpinned     int64     // what only leads to from what nobody pinned
	Parts        []MapPart // of the map; together what is on disk
	Top          []shelf.RepositoryUsage
	Repositories int // all of them
	Largest      []shelf.LayerUsage
}

// PartKind says what a part of the map is.
type PartKind string

// The kinds; the names are classes of the style sheet.
const (
	PartRepository PartKind = "repository"
	PartOthers     PartKind = "others" // small repositories
	PartShared     PartKind = "shared"
	PartDangling   PartKind = "dangling"
	PartWaiting    PartKind = "waiting"
	PartUnfinished PartKind = "unfinished"
)

// MapPart is a part of what is on disk.
type MapPart struct {
	Kind  PartKind
	Label string
	Note  string // what the label leaves out, for the title; may be empty
	URL   string
	Bytes int64
}

// title words a part for its title and for assistive technology.
func (p MapPart) title(ctx context.Context) string {
	return text.T(ctx, "storage.part_title", "Name", p.Label, "Size", text.HumanSize(p.Bytes), "Note", p.Note)
}

// mapShare is the least share of the map, in thousandths, that a repository has to itself.
const mapShare = 5

// RepositoryParts returns the parts of the map for repositories, largest first, and for small ones together with
// further ones that take more bytes. total is what the whole map stands for.
func RepositoryParts(ctx context.Context, repositories []shelf.RepositoryUsage, further int, more,
	total int64) []MapPart {
	var parts []MapPart
	for i, r := range repositories {
		left := len(repositories) - i + further
		if r.Own*1000 < total*mapShare && left > 1 {
			for _, small := range repositories[i:] {
				more += small.Own
			}
			further = left
			break
		}
		parts = append(parts, MapPart{Kind: PartRepository, Label: r.Repository.Familiar(),
			Note: text.T(ctx, "storage.part_tags", text.Count, r.Tags),
			URL:  address.Of(image.Reference{Repository: r.Repository}).String(), Bytes: r.Own})
	}
	if more > 0 {
		parts = append(parts, MapPart{Kind: PartOthers, Label: text.T(ctx, "storage.part_others", text.Count, further),
			URL: address.List{Path: address.ImagesPath, Sort: "-size"}.String(), Bytes: more})
	}
	return parts
}

// CommonParts returns the parts of the map that belong to no repository alone.
func CommonParts(ctx context.Context, shared, dangling, waiting, unfinished int64) []MapPart {
	return []MapPart{
		{Kind: PartShared, Label: text.T(ctx, "storage.part_shared"), Note: text.T(ctx, "storage.part_shared_note"),
			URL: "#largest", Bytes: shared},
		{Kind: PartDangling, Label: text.T(ctx, "storage.part_dangling"), Note: text.T(ctx, "storage.part_dangling_note"),
			URL: address.PrunePath, Bytes: dangling},
		{Kind: PartWaiting, Label: text.T(ctx, "storage.part_waiting"), Note: text.T(ctx, "storage.part_waiting_note"),
			URL: "#waiting", Bytes: waiting},
		{Kind: PartUnfinished, Label: text.T(ctx, "storage.part_unfinished"),
			Note: text.T(ctx, "storage.part_unfinished_note"), URL: address.PullsPath, Bytes: unfinished},
	}
}

// StorageTitle is the title of the Storage page.
func StorageTitle(ctx context.Context) string { return text.T(ctx, "storage.title") }

// SweptText words what freeing what waited came to.
func SweptText(ctx context.Context, files int, bytes int64) string {
	if files == 0 {
		return text.T(ctx, "storage.swept_nothing")
	}
	return text.T(ctx, "storage.swept", "Size", text.HumanSize(bytes), text.Count, files)
}

// FreedText words what freeing what unfinished pulls have left came to.
func FreedText(ctx context.Context, files int, bytes int64) string {
	if files == 0 {
		return text.T(ctx, "storage.left_nothing")
	}
	return text.T(ctx, "storage.left_freed", "Size", text.HumanSize(bytes), text.Count, files)
}

// counted reports whether there is anything to show of a count.
func (v StorageView) counted() bool { return !v.Counted.At.IsZero() }

// volumeNote words the volume that the data folder is on.
func (v StorageView) volumeNote(ctx context.Context) string {
	return text.T(ctx, "storage.of_volume", "Volume", text.HumanSize(int64(v.Disk.Volume)), "Free",
		text.HumanSize(int64(v.Disk.Free)))
}

// saving is how much of the copies sharing saves, in percent.
func (v StorageView) saving() int {
	return text.Percent(v.Counted.Copies-v.Counted.Blobs, v.Counted.Copies)
}

func (v StorageView) copiesNote(ctx context.Context) string {
	if v.saving() == 0 {
		return text.T(ctx, "storage.saves_nothing")
	}
	return text.T(ctx, "storage.saves", "Percent", v.saving())
}

func (v StorageView) unpackedNote(ctx context.Context) string {
	switch {
	case v.Counted.Pending > 0:
		return text.T(ctx, "storage.unpacked_pending", text.Count, v.Counted.Pending)
	case v.Counted.Broken > 0:
		return text.T(ctx, "storage.unpacked_broken", text.Count, v.Counted.Broken)
	}
	return text.T(ctx, "storage.unpacked_note")
}

func (v StorageView) waitingNote(ctx context.Context) string {
	if v.Disk.Waiting == 0 {
		return text.T(ctx, "storage.waiting_nothing")
	}
	return text.T(ctx, "storage.waiting_until", "Time", text.Clock(ctx, v.Disk.WaitingUntil))
}

func (v StorageView) reclaimableNote(ctx context.Context) string {
	return text.T(ctx, "storage.unpinned", "Size", text.HumanSize(v.Counted.Unpinned))
}

// breakdownLine is one line of what the data folder consists of.
type breakdownLine struct {
	label text.MessageID
	note  text.MessageID
	bytes int64
}

// breakdown lists what the data folder consists of, line by line.
func breakdown(d shelf.DiskUse) []breakdownLine {
	return []breakdownLine{
		{"storage.files_images", "storage.files_images_note", d.Images},
		{"storage.files_waiting", "storage.files_waiting_note", d.Waiting},
		{"storage.files_unfinished", "storage.files_unfinished_note", d.Unfinished},
		{"storage.files_database", "storage.files_database_note", d.Database},
		{"storage.files_layout", "storage.files_layout_note", d.Layout},
		{"storage.files_other", "storage.files_other_note", d.Other},
	}
}

// maxTop is how many repositories the table has.
const maxTop = 20

// top are the repositories of the table.
func (c Counted) top() []shelf.RepositoryUsage { return c.Top[:min(len(c.Top), maxTop)] }

// largestPart returns the bytes of the largest part of the map, the measure of the bars.
func (c Counted) largestPart() int64 {
	most := int64(0)
	for _, p := range c.Parts {
		most = max(most, p.Bytes)
	}
	return most
}

// madeBy is the instruction that made a layer, the beginning of a long one.
func madeBy(l shelf.LayerUsage) string {
	const most = 120
	s := []rune(ui.CleanCommand(l.CreatedBy))
	if len(s) > most {
		return string(s[:most]) + "…"
	}
	return string(s)
}
