package pull

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/shelf"
)

const (
	manifestsAtOnce = 4  // manifests of one index read at once
	maxNested       = 32 // indexes inside one index, all levels together
)

// Bounds of the documents that are remembered. An ordinary manifest has 2 to 10 kB; parsed it takes a few times that.
const (
	cacheMost     = 10_000
	cacheBytes    = 4 << 20   // of raw documents in all
	cacheDocument = 256 << 10 // of one; larger ones are not kept
)

// resolver reads references, indexes and manifests: from the shelf or the cache where they are there, or
// else from the registry. Safe for concurrent use.
type resolver struct {
	source Source
	shelf  Shelf
	cache  *memo.Recent[image.Digest, image.Document] // digests never change meaning
	log    *slog.Logger
	now    func() time.Time

	heard atomic.Pointer[func(ref image.Reference, d image.Digest, asked time.Time)] // told where tags were found to point; nil where nobody wants to know

	mu      sync.Mutex
	reading map[reading]chan struct{} // documents that somebody is about to read; closed when over
}

// reading is a document that is read from one registry: who wants it from another one does not wait for that.
type reading struct {
	host   string
	digest image.Digest
}

func newResolver(o Options) *resolver {
	return &resolver{source: o.Source, shelf: o.Shelf, cache: memo.NewRecentOf(cacheMost, cacheBytes, func(_ image.Digest, d image.Document) int64 { return int64(len(d.Raw)) }), log: o.Logger, now: o.Now, reading: make(map[reading]chan struct{})}
}

// retrier makes a request to a registry, again where it sees fit.
type retrier func(ctx context.Context, request func(context.Context) error) error

// once makes a request one time.
func once(ctx context.Context, request func(context.Context) error) error { return request(ctx) }

// target is what a reference points to.
type target struct {
	image.Document
	stored shelf.Stored // what the shelf held under the reference before; empty if nothing
	asked  time.Time    // when the registry was asked the last time, after which it answered; zero where it was not
}

// target resolves a reference, with one HEAD; a digest that this repository brought to the shelf before
// needs none. A digest that only other repositories brought is asked for: that the shelf has the bytes does
// not mean that this repository does.
func (s *resolver) target(ctx context.Context, ref image.Reference, ask retrier) (target, error) {
	stored, err := s.stored(ctx, ref)
	if err != nil {
		return target{}, err
	}
	t := target{stored: stored}
	head := image.Descriptor{Digest: ref.Digest}
	if ref.Digest == "" || stored.Digest != ref.Digest {
		if head, err = s.head(ctx, ref, func(ctx context.Context, request func(context.Context) error) error {
			return ask(ctx, func(ctx context.Context) error {
				t.asked = s.now() // of each try: what was answered meanwhile to others is older
				return request(ctx)
			})
		}); err != nil {
			return target{}, err
		}
		if heard := s.heard.Load(); heard != nil && ref.Tag != "" {
			(*heard)(ref, head.Digest, t.asked)
		}
	}
	t.Document, err = s.document(ctx, ref.Repository, head, ask)
	return t, err
}

// wished is target for a want, of which it may be known.
func (s *resolver) wished(ctx context.Context, w want, ask retrier) (t target, err error) {
	if w.target == "" {
		return s.target(ctx, w.Reference, ask)
	}
	if t.stored, err = s.stored(ctx, w.Reference); err != nil {
		return target{}, err
	}
	t.asked = w.asked
	t.Document, err = s.document(ctx, w.Repository, image.Descriptor{Digest: w.target}, ask)
	return t, err
}

// stored gives what the shelf has under a reference; nothing is no error.
func (s *resolver) stored(ctx context.Context, ref image.Reference) (shelf.Stored, error) {
	stored, err := s.shelf.Resolved(ctx, ref)
	if err != nil && image.KindOf(err) != image.NotFound {
		return shelf.Stored{}, fmt.Errorf("look up %s on the shelf: %w", ref, err)
	}
	return stored, nil
}

func (s *resolver) head(ctx context.Context, ref image.Reference, ask retrier) (head image.Descriptor, err error) {
	err = ask(ctx, func(ctx context.Context) error {
		head, err = s.source.Head(ctx, ref)
		return err
	})
	if err != nil {
		return image.Descriptor{}, err
	}
	if _, err := image.ParseDigest(string(head.Digest)); err != nil {
		return image.Descriptor{}, image.Errorf(image.Corrupt, "%s announced no valid digest for %s", ref.Repository.Host(), ref.Familiar()).Because(err)
	}
	if ref.Digest != "" && head.Digest != ref.Digest {
		return image.Descriptor{}, image.Errorf(image.Corrupt, "%s announced the digest %s for %s", ref.Repository.Host(), head.Digest, ref.Familiar())
	}
	s.came(ctx, head)
	// The digest proves what comes; a length that HEAD gives is often that of something else.
	return image.Descriptor{MediaType: head.MediaType, Digest: head.Digest}, nil
}

// came keeps the document that a registry sent where it was only asked what it is.
func (s *resolver) came(ctx context.Context, head image.Descriptor) {
	if image.DigestOf(head.Data) != head.Digest {
		return
	}
	if doc, err := image.ParseDocument(head.MediaType, head.Data); err == nil {
		s.keep(ctx, doc)
	}
}

// keep remembers a document that came from a registry.
func (s *resolver) keep(ctx context.Context, doc image.Document) {
	if err := s.shelf.KeepDocument(ctx, doc); err != nil {
		s.log.Warn("manifest not kept", "digest", string(doc.Digest), "error", err)
	}
	s.remember(doc)
}

// remember keeps a document of ordinary size at hand, so that looking at a reference before pulling it is not charged
// twice against a registry's allowance.
func (s *resolver) remember(doc image.Document) {
	if len(doc.Raw) <= cacheDocument {
		s.cache.Put(doc.Digest, doc)
	}
}

// document reads an index or a manifest by digest: from the cache, from the shelf, or else from the
// registry, after which the shelf keeps it. Those who want the same one at a time wait for the first. Its
// size is held against the descriptor where that has one.
func (s *resolver) document(ctx context.Context, repo image.Repository, d image.Descriptor, ask retrier) (image.Document, error) {
	doc, err := s.read(ctx, repo, d.Digest, ask)
	if err != nil {
		return image.Document{}, err
	}
	if d.Size > 0 && d.Size != int64(len(doc.Raw)) {
		return image.Document{}, image.Errorf(image.Corrupt, "manifest %s has %d bytes instead of the %d announced", image.ShortDigest(d.Digest), len(doc.Raw), d.Size)
	}
	return doc, nil
}

func (s *resolver) read(ctx context.Context, repo image.Repository, d image.Digest, ask retrier) (image.Document, error) {
	key := reading{repo.Host(), d}
	for {
		if doc, ok := s.cache.Get(d); ok {
			return doc, nil
		}
		s.mu.Lock()
		other, taken := s.reading[key]
		if !taken {
			s.reading[key] = make(chan struct{})
		}
		s.mu.Unlock()
		if !taken {
			return s.readFirst(ctx, repo, d, ask)
		}
		select { // what failed for another repository may well work from ours, so we go round
		case <-other:
		case <-ctx.Done():
			return image.Document{}, context.Cause(ctx)
		}
	}
}

// readFirst is read by the one that others wait for.
func (s *resolver) readFirst(ctx context.Context, repo image.Repository, d image.Digest, ask retrier) (image.Document, error) {
	key := reading{repo.Host(), d}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.reading[key])
		delete(s.reading, key)
	}()
	doc, err := s.shelf.KeptDocument(ctx, d)
	switch kind := image.KindOf(err); {
	case err == nil:
	case kind != image.NotFound && kind != image.Corrupt && kind != image.Damaged:
		return image.Document{}, fmt.Errorf("read %s from the shelf: %w", d, err)
	default:
		if doc, err = s.download(ctx, repo, d, ask); err != nil {
			return image.Document{}, err
		}
		s.keep(ctx, doc)
		return doc, nil
	}
	s.remember(doc)
	return doc, nil
}

func (s *resolver) download(ctx context.Context, repo image.Repository, d image.Digest, ask retrier) (doc image.Document, err error) {
	err = ask(ctx, func(ctx context.Context) error {
		if doc, err = s.source.Document(ctx, image.Reference{Repository: repo, Digest: d}); err != nil {
			return err
		}
		if doc.Digest != d || image.DigestOf(doc.Raw) != d {
			return image.Errorf(image.Corrupt, "%s answered with other bytes than those of %s", repo.Host(), d)
		}
		return nil
	})
	return doc, err
}

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
func (s *resolver) leaves(ctx context.Context, repo image.Repository, doc image.Document, ask retrier) ([]leaf, error) {
	return leaves(ctx, doc, func(ctx context.Context, d image.Descriptor) (image.Document, error) {
		return s.document(ctx, repo, d, ask)
	})
}

// manifest reads the manifest of an entry.
func (s *resolver) manifest(ctx context.Context, repo image.Repository, d image.Descriptor, ask retrier) (image.Document, error) {
	doc, err := s.document(ctx, repo, d, ask)
	if err == nil && doc.Manifest == nil {
		return image.Document{}, image.Errorf(image.Corrupt, "%s is listed as an image and is an index", d.Digest)
	}
	return doc, err
}

// manifests reads several manifests, a few at once.
func (s *resolver) manifests(ctx context.Context, repo image.Repository, entries []leaf, ask retrier) ([]image.Document, error) {
	docs := make([]image.Document, len(entries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(manifestsAtOnce)
	for i, e := range entries {
		g.Go(func() error {
			return guard.Do(func() (err error) {
				docs[i], err = s.manifest(ctx, repo, e.Descriptor, ask)
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
