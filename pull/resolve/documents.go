package resolve

import (
	"context"
	"fmt"

	"github.com/stowage/stowage/image"
)

// Bounds of the documents that are remembered. An ordinary manifest has 2 to 10 kB; parsed it takes a few times that.
const (
	cacheMost     = 10_000
	cacheBytes    = 4 << 20   // of raw documents in all
	cacheDocument = 256 << 10 // of one; larger ones are not kept
)

// reading is a document that is read from one registry: who wants it from another one does not wait for that.
type reading struct {
	host   string
	digest image.Digest
}

func rawSize(_ image.Digest, d image.Document) int64 { return int64(len(d.Raw)) }

// came keeps the document that a registry sent where it was only asked what it is.
func (s *Resolver) came(ctx context.Context, head image.Descriptor) {
	if image.DigestOf(head.Data) != head.Digest {
		return
	}
	if doc, err := image.ParseDocument(head.MediaType, head.Data); err == nil {
		s.keep(ctx, doc)
	}
}

// keep remembers a document that came from a registry.
func (s *Resolver) keep(ctx context.Context, doc image.Document) {
	if err := s.shelf.KeepDocument(ctx, doc); err != nil {
		s.log.Warn("manifest not kept", "digest", string(doc.Digest), "error", err)
	}
	s.remember(doc)
}

// remember keeps a document of ordinary size at hand, so that looking at a reference before pulling it is not charged
// twice against a registry's allowance.
func (s *Resolver) remember(doc image.Document) {
	if len(doc.Raw) <= cacheDocument {
		s.cache.Put(doc.Digest, doc)
	}
}

// Document reads an index or a manifest by digest: from the cache, from the shelf, or else from the
// registry, after which the shelf keeps it. Those who want the same one at a time wait for the first. Its
// size is held against the descriptor where that has one.
func (s *Resolver) Document(ctx context.Context, repo image.Repository, d image.Descriptor, retry Retrier) (image.Document, error) {
	doc, err := s.read(ctx, repo, d.Digest, retry)
	if err != nil {
		return image.Document{}, err
	}
	if d.Size > 0 && d.Size != int64(len(doc.Raw)) {
		return image.Document{}, image.Errorf(image.Corrupt, "manifest %s has %d bytes instead of the %d announced", image.ShortDigest(d.Digest), len(doc.Raw), d.Size)
	}
	return doc, nil
}

func (s *Resolver) read(ctx context.Context, repo image.Repository, d image.Digest, retry Retrier) (image.Document, error) {
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
			return s.readFirst(ctx, repo, d, retry)
		}
		select { // what failed for another repository may well work from ours, so we go round
		case <-other:
		case <-ctx.Done():
			return image.Document{}, context.Cause(ctx)
		}
	}
}

// readFirst is read by the one that others wait for.
func (s *Resolver) readFirst(ctx context.Context, repo image.Repository, d image.Digest, retry Retrier) (image.Document, error) {
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
		if doc, err = s.download(ctx, repo, d, retry); err != nil {
			return image.Document{}, err
		}
		s.keep(ctx, doc)
		return doc, nil
	}
	s.remember(doc)
	return doc, nil
}

func (s *Resolver) download(ctx context.Context, repo image.Repository, d image.Digest, retry Retrier) (doc image.Document, err error) {
	err = retry(ctx, func(ctx context.Context) error {
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
