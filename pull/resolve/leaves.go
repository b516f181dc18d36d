package resolve

import (
	"context"
	"slices"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"golang.org/x/sync/errgroup"
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
func leaves(ctx context.Context, doc image.Document, read func(context.Context, image.Descriptor) (image.Document, error)) ([]leaf, error) {
	if doc.Manifest != nil {
		return []leaf{{Entry: image.Entry{Descriptor: doc.Descriptor(), Kind: image.EntryImage}}}, nil
	}
	w := walk{read: read, seen: map[image.Digest]bool{doc.Digest: true}}
	err := w.index(ctx, doc, nil)
	return w.leaves, err
}

// walk collects the leaves of a tree of indexes.
type walk struct {
	read   func(context.Context, image.Descriptor) (image.Document, error)
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
		nested, err := w.read(ctx, e.Descriptor)
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

// leaves lists the entries of what a reference points to.
func (s *Resolver) leaves(ctx context.Context, repo image.Repository, doc image.Document, retry Retrier) ([]leaf, error) {
	return leaves(ctx, doc, func(ctx context.Context, d image.Descriptor) (image.Document, error) {
		return s.Document(ctx, repo, d, retry)
	})
}

// manifest reads the manifest of an entry.
func (s *Resolver) manifest(ctx context.Context, repo image.Repository, d image.Descriptor, retry Retrier) (image.Document, error) {
	doc, err := s.Document(ctx, repo, d, retry)
	if err == nil && doc.Manifest == nil {
		return image.Document{}, image.Errorf(image.Corrupt, "%s is listed as an image and is an index", d.Digest)
	}
	return doc, err
}

// manifests reads several manifests, a few at once.
func (s *Resolver) manifests(ctx context.Context, repo image.Repository, entries []leaf, retry Retrier) ([]image.Document, error) {
	docs := make([]image.Document, len(entries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(manifestsAtOnce)
	for i, e := range entries {
		g.Go(func() error {
			return guard.Do(func() (err error) {
				docs[i], err = s.manifest(ctx, repo, e.Descriptor, retry)
				return err
			})
		})
	}
	return docs, g.Wait()
}

// entriesOf strips the paths.
func entriesOf(leaves []leaf) []image.Entry {
	entries := make([]image.Entry, len(leaves))
	for i, l := range leaves {
		entries[i] = l.Entry
	}
	return entries
}
