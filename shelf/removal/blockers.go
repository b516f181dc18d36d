package removal

import (
	"cmp"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

const (
	namedBlockers = 20  // references that a refusal has of those that stand in the way
	namedInText   = 5   // of them, those that its sentence names
	shownUsers    = 3   // references that are named for a blob that stays
	countedUsers  = 200 // manifests that are asked for theirs: the base of a whole shelf must not hold up a deletion
)

// most returns how many users of each of n blobs or images are looked at: of few, enough to count them.
func most(n int) int { return max(shownUsers, countedUsers/max(1, n/50)) }

// blockers are references that stand in the way of an item: the first of them, and how many there are.
type blockers struct {
	refs  []image.Reference
	count int
}

func (b *blockers) add(refs []image.Reference, count int) {
	b.refs = append(b.refs, refs[:min(len(refs), namedBlockers-len(b.refs))]...)
	b.count += count
}

// addTagsLeft adds the tags that a root keeps, but for those in except.
func (b *blockers) addTagsLeft(r *root, except map[image.Reference]bool) {
	refs, count := r.tagsLeft(namedBlockers + len(except))
	others := refs[:0]
	for _, ref := range refs {
		if except[ref] {
			count--
			continue
		}
		others = append(others, ref)
	}
	b.add(others, count)
}

// text names the blockers for a sentence, the first few of many.
func (b blockers) text() image.Text {
	names := make([]string, min(len(b.refs), namedInText))
	for i := range names {
		names[i] = b.refs[i].Familiar()
	}
	list := strings.Join(names, ", ")
	if more := b.count - len(names); more > 0 {
		return image.Textf("%s and %d more", list, more)
	}
	return image.Plain(list)
}

func (b blockers) refusal(reason shelf.RefusalReason, text image.Text) *shelf.Refusal {
	return &shelf.Refusal{Reason: reason, Text: text, By: b.refs, Count: b.count}
}

// byTagsFirst orders references: tags, which say more, before digests.
func byTagsFirst(a, b image.Reference) int {
	return cmp.Or(cmp.Compare(len(a.Digest), len(b.Digest)), strings.Compare(a.String(), b.String()))
}
