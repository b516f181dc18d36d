package resolve

import (
	"context"
	"slices"

	"github.com/stowage/stowage/image"
)

const maxNested = 32 // indexes inside one index, all levels together

// leaf is an entry of an index, or of one nested in it.
type leaf struct {
	image.Entry
	path []image.Document // the nested indexes that lead to it, outermost first
}

// leaves lists the entries of an index with nested ones followed, in the index's order. A manifest without
// an index counts as one entry without a platform. read gives a document by its descriptor. Depth, number
// and cycles are bounded: the errors are TooLarge and Corrupt.
func leaves(ctx context.Context, doc image.Document,
	read func(context.Context, image.Descriptor) (image.Document, error)) ([]leaf, error) {
	if doc.Manifest != nil {
		return []leaf{{Entry: image.Entry{Descriptor: doc.Descriptor(), Kind: image.EntryImage}}}, nil
	}
	w := walk{load: read, seen: map[image.Digest]bool{doc.Digest: true}}
	err := w.index(ctx, doc, nil)
	return w.leaves, err
}

// walk collects the leaves of a tree of indexes.
type walk struct {
	load   func(context.Context, image.Descriptor) (image.Document, error)
	leaves []leaf
	seen   map[image.Digest]bool // indexes that were followed
}

func (w *walk) index(ctx context.Context, doc image.Document, path []image.Document) error {
	if len(w.leaves)+len(doc.Index.Entries) > image.MaxEntries {
		return image.Errorf(image.TooLarge, "the index and those in it list more than %d manifests", image.MaxEntries)
	}
	for _, e := range doc.Index.Entries {
		if e.Kind != image.EntryIndex {
			w.leaves = append(w.leaves, leaf{Entry: e, path: path})
			continue
		}
		if w.seen[e.Digest] {
			return image.Errorf(image.Corrupt, "the index points to %s twice, or to itself", e.Digest)
		}
		if w.seen[e.Digest] = true; len(w.seen) > maxNested+1 {
			return image.Errorf(image.TooLarge, "the index holds more than %d others", maxNested)
		}
		if len(path) >= image.MaxIndexDepth {
			return image.Errorf(image.TooLarge, "indexes are nested more than %d deep", image.MaxIndexDepth)
		}
		nested, err := w.load(ctx, e.Descriptor)
		if err != nil {
			return err
		}
		if nested.Index == nil {
			return image.Errorf(image.Corrupt, "%s is listed as an index and is not one", e.Digest)
		}
		if err := w.index(ctx, nested, append(slices.Clip(path), nested)); err != nil {
			return err
		}
	}
	return nil
}

// entriesOf strips the paths.
func entriesOf(leaves []leaf) []image.Entry {
	entries := make([]image.Entry, len(leaves))
	for i, l := range leaves {
		entries[i] = l.Entry
	}
	return entries
}
