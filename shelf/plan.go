package shelf

import (
	"time"

	"github.com/stowage/stowage/image"
)

// Removed is a deletion that was carried out, or the plan that holds now where it was not.
type Removed struct {
	Plan  RemovalPlan
	ID    int64     // to undo it by; 0 where it cannot be undone
	Until time.Time // until when
}

// Deletion is a deletion or a prune that can still be undone.
type Deletion struct {
	ID        int64
	At, Until time.Time
	By        string
	Prune     bool              // a prune, not things asked for by name
	Names     []image.Reference // a few of what it untagged or deleted, tags first
	IDs       []image.Digest    // a few of the image IDs that were asked for
	Items     int               // things that went
	Images    int               // platform images that were deleted
	Freed     int64             // bytes that wait to be swept because of it, as its plan said
}

// Undone is what came back.
type Undone struct {
	Removal  Deletion
	Restored []image.Reference // tags and digests that are back, at most MaxPlanLines
	// tags that were pulled again meanwhile and stay where they point, at most MaxPlanLines; what they pointed to is back
	// as a digest
	Kept []image.Reference
}

// Removal asks for things to be deleted, all in one plan.
type Removal struct {
	Items []RemovalItem `json:"items"`
	Force bool          `json:"force"`
}

// RemovalItem is one thing to be deleted: what Reference names (a tag or a digest), or an image by its ID; with a
// Platform, only that platform's image. It is comparable.
type RemovalItem struct {
	Reference image.Reference `json:"reference"`
	ID        image.Digest    `json:"id"`
	Platform  image.Platform  `json:"platform"` // zero: all
}

// Name returns what people call the item by: an image's ID, or the familiar reference.
func (i RemovalItem) Name() string {
	if i.ID != "" {
		return string(i.ID)
	}
	return i.Reference.Familiar()
}

// Remove asks for one thing to be deleted.
func Remove(item RemovalItem) Removal { return Removal{Items: []RemovalItem{item}} }

// Prune chooses what is to be deleted as `docker image prune` does: digests that no tag points at, or all of them,
// never what is pinned.
type Prune struct {
	All       bool          `json:"all"`        // tags too; a pin plays the part of docker's containers
	Until     time.Time     `json:"until"`      // only what was created before; zero: of any age
	Labels    []image.Label `json:"labels"`     // only what has all of them
	NotLabels []image.Label `json:"not_labels"` // only what has none of them
	Unused    time.Time     `json:"unused"`     // only what was neither handed out nor pulled since; zero: used or not
}

// MaxPlanLines bounds each list of a plan; Totals counts what it leaves out.
const MaxPlanLines = 1000

// RemovalPlan says exactly what a Removal or a Prune does. It is computed once, shown, and carried out as shown or
// not at all. Things that the rules refuse stay, and the others go without them. Each list has at most MaxPlanLines
// entries.
type RemovalPlan struct {
	Asked    Removal           `json:"asked"`    // of a prune: nothing
	Prune    *Prune            `json:"prune"`    // nil where things were asked for by name
	Items    []PlanItem        `json:"items"`    // what becomes of each thing asked for or chosen
	Untagged []image.Reference `json:"untagged"` // tags, and digests that somebody had asked for, that go
	Deleted  []PlanImage       `json:"deleted"`
	Blobs    []PlanBlob        `json:"blobs"` // whose files go, with Deleted's manifests and configs among them
	Stays    []PlanBlob        `json:"stays"` // blobs of what is deleted that stay, and for whom
	Remains  []PlanRemains     `json:"remains"`
	Used     []PlanUse         `json:"used"` // of a prune of what is unused: what its other filters choose and that stays
	Totals   PlanTotals        `json:"totals"`

	// Fingerprint is equal for equal plans, what the lists leave out included: a plan that was shown is carried out
	// only while it still holds. For whom a blob stays and what is used are not part of it: that changes nothing of what
	// is done.
	Fingerprint image.Digest `json:"fingerprint"`
}

// PlanTotals counts what a plan does.
type PlanTotals struct {
	Items    int   `json:"items"`   // things asked for or chosen
	Refused  int   `json:"refused"` // of them
	Untagged int   `json:"untagged"`
	Images   int   `json:"images"` // that are deleted
	Layers   int   `json:"layers"` // whose files go
	Blobs    int   `json:"blobs"`  // whose files go, layers included
	Stays    int   `json:"stays"`  // blobs
	Remains  int   `json:"remains"`
	Used     int   `json:"used"`
	Freed    int64 `json:"freed"` // bytes that leave the disk
}

// PlanItem is one thing that was asked for, or a digest that a prune chose (by its first tag, where it has one), and
// why it stays where the rules refuse it.
type PlanItem struct {
	Item    RemovalItem `json:"item"`
	Refusal *Refusal    `json:"refusal"` // nil: it is carried out
	// that are deleted with it, also where others of the plan take them away too; 0: untagged only
	Images int `json:"images"`
}

// RefusalReason says which rule stands in the way of a deletion without force.
type RefusalReason string

// The reasons (product.md section 5).
const (
	RefusedReferenced RefusalReason = "referenced" // an image ID, a digest or a platform that other references lead to
	// somebody pinned it: docker's "image is being used by running container"
	RefusedPinned  RefusalReason = "pinned"
	RefusedBase    RefusalReason = "base"    // other images are built on it: docker's "image has dependent child images"
	RefusedHeld    RefusalReason = "held"    // of a prune: a running pull needs it
	RefusedMissing RefusalReason = "missing" // of several things: it is not stored; force does not change that
)

// Refusal says why something is not deleted without force.
type Refusal struct {
	Reason RefusalReason     `json:"reason"`
	Text   image.Text        `json:"text"`  // the whole sentence
	By     []image.Reference `json:"by"`    // a few of what stands in the way
	Count  int               `json:"count"` // how much that is in all; of very many, those that were looked at
	Pin    *Pin              `json:"pin"`   // where Reason is RefusedPinned
}

// PlanImage is an image that a plan deletes.
type PlanImage struct {
	Manifest image.Digest   `json:"manifest"`
	ID       image.Digest   `json:"id"`
	Platform image.Platform `json:"platform"`
	Size     int64          `json:"size"` // compressed bytes of its layers, shared or not
}

// PlanBlob is a blob that a plan removes, or that stays because of UsedBy or because a running pull needs it.
type PlanBlob struct {
	Digest image.Digest `json:"digest"`
	// index, manifest, config, layer, attestation: a part of what describes an image
	Kind   string            `json:"kind"`
	Size   int64             `json:"size"`
	UsedBy []image.Reference `json:"used_by"` // a few of them
	// how many references there are in all; of very many, those that were looked at
	Users int  `json:"users"`
	Held  bool `json:"held"` // a running pull needs it
}

// PlanRemains is a reference that stays, with the platforms that stay stored under it.
type PlanRemains struct {
	Reference image.Reference  `json:"reference"`
	Platforms []image.Platform `json:"platforms"`
}

// PlanUse is a digest that stays because it was used, by its first tag where it has one.
type PlanUse struct {
	Reference image.Reference `json:"reference"`
	How       Use             `json:"how"`
	At        time.Time       `json:"at"` // when last
}

// Use says how something was used.
type Use string

// The uses, in the order in which one is told rather than another.
const (
	// clients were given it, by one of its tags, its digest or that of one of its platforms
	UseDownloaded Use = "handed out"
	UsePulled     Use = "pulled"    // it came onto the shelf, or was pulled again
	UseUncounted  Use = "uncounted" // nobody knows: what is handed out is counted only since then
)

// Refused reports whether the rules leave nothing to do of what was asked for.
func (p RemovalPlan) Refused() bool { return p.Totals.Items > 0 && p.Totals.Refused == p.Totals.Items }
