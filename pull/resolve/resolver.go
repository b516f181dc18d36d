package resolve

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Options are what a Resolver works with. Source, Blobs and Images are required.
type Options struct {
	Source   Source
	Blobs    Blobs
	Images   Images
	Standard image.Platform // what is chosen where nobody chooses
	Brief    Retrier        // makes requests that nothing is to wait long for; Once
	Logger   *slog.Logger
	Now      func() time.Time
}

// Resolver reads references, indexes and manifests: from the shelf or the cache where they are there, or else from the
// registry. Make one with New. Safe for concurrent use.
type Resolver struct {
	source   Source
	blobs    Blobs
	images   Images
	standard image.Platform
	brief    Retrier
	docs     *documents
	now      func() time.Time
	heard    atomic.Pointer[Heard] // nil where nobody wants to know
}

// Heard is told where a tag was found to point, and when the registry was asked.
type Heard func(ref image.Reference, d image.Digest, asked time.Time)

// New makes a Resolver.
func New(o Options) *Resolver {
	if o.Brief == nil {
		o.Brief = Once
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Resolver{
		source: o.Source, blobs: o.Blobs, images: o.Images, standard: o.Standard, brief: o.Brief,
		docs: newDocuments(o.Source, o.Blobs, o.Images, o.Brief, o.Logger), now: o.Now,
	}
}

// Hear has told hear of each tag that is resolved from now on, in place of whoever was told before.
func (s *Resolver) Hear(told Heard) { s.heard.Store(&told) }

// Resolved is what a reference points to.
type Resolved struct {
	image.Document
	Stored shelf.Stored // what the shelf held under the reference before; empty if nothing
	Asked  time.Time    // when the registry was asked the last time, after which it answered; zero where it was not
}

// Follow returns what a reference points to, by one HEAD; a digest that this repository brought to the shelf before
// needs none. A digest that only other repositories brought is asked for: that the shelf has the bytes does not mean
// that this repository does.
func (s *Resolver) Follow(ctx context.Context, ref image.Reference, retry Retrier) (Resolved, error) {
	stored, err := s.OnShelf(ctx, ref)
	if err != nil {
		return Resolved{}, err
	}
	t := Resolved{Stored: stored}
	head := image.Descriptor{Digest: ref.Digest}
	if ref.Digest == "" || stored.Digest != ref.Digest {
		if head, err = s.Head(ctx, ref, func(ctx context.Context, request func(context.Context) error) error {
			return retry(ctx, func(ctx context.Context) error {
				t.Asked = s.now() // of each try: what was answered meanwhile to others is older
				return request(ctx)
			})
		}); err != nil {
			return Resolved{}, err
		}
		if heard := s.heard.Load(); heard != nil && ref.Tag != "" {
			(*heard)(ref, head.Digest, t.Asked)
		}
	}
	t.Document, err = s.docs.document(ctx, ref.Repository, head, retry)
	return t, err
}

// wanted is Follow for a want, of which it may be known.
func (s *Resolver) wanted(ctx context.Context, w Want, retry Retrier) (t Resolved, err error) {
	if w.Target == "" {
		return s.Follow(ctx, w.Reference, retry)
	}
	if t.Stored, err = s.OnShelf(ctx, w.Reference); err != nil {
		return Resolved{}, err
	}
	t.Asked = w.Asked
	t.Document, err = s.docs.document(ctx, w.Repository, image.Descriptor{Digest: w.Target}, retry)
	return t, err
}

// OnShelf returns what the shelf has under a reference; nothing is no error.
func (s *Resolver) OnShelf(ctx context.Context, ref image.Reference) (shelf.Stored, error) {
	stored, err := s.images.Resolved(ctx, ref)
	if err != nil && image.KindOf(err) != image.NotFound {
		return shelf.Stored{}, fmt.Errorf("look up %s on the shelf: %w", ref, err)
	}
	return stored, nil
}

// Head asks a registry where a reference points.
func (s *Resolver) Head(ctx context.Context, ref image.Reference, retry Retrier) (head image.Descriptor, err error) {
	err = retry(ctx, func(ctx context.Context) error {
		head, err = s.source.Head(ctx, ref)
		return err
	})
	if err != nil {
		return image.Descriptor{}, err
	}
	if _, err := image.ParseDigest(string(head.Digest)); err != nil {
		return image.Descriptor{}, image.Errorf(image.Corrupt, "%s announced no valid digest for %s", ref.Repository.Host(),
			ref.Familiar()).Because(err)
	}
	if ref.Digest != "" && head.Digest != ref.Digest {
		return image.Descriptor{}, image.Errorf(image.Corrupt, "%s announced the digest %s for %s", ref.Repository.Host(),
			head.Digest, ref.Familiar())
	}
	s.docs.came(ctx, head)
	// The digest proves what comes; a length that HEAD gives is often that of something else.
	return image.Descriptor{MediaType: head.MediaType, Digest: head.Digest}, nil
}

// ReadDocument reads an index or a manifest by digest: from the cache, from the shelf, or else from the registry.
func (s *Resolver) ReadDocument(ctx context.Context, repo image.Repository, d image.Digest,
	retry Retrier) (image.Document, error) {
	return s.docs.document(ctx, repo, image.Descriptor{Digest: d}, retry)
}

// ReadAttestation reads the manifest of what describes an image, in the same way. A rate limit is not waited for.
func (s *Resolver) ReadAttestation(ctx context.Context, repo image.Repository, d image.Descriptor) (
	image.Attestation, error) {
	return s.docs.attestation(ctx, repo, d)
}
