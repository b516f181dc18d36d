package resolve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
)

const manifestsAtOnce = 4 // manifests of one index read at once

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

// documents reads what references lead to: indexes, manifests, configs and what describes images; from the cache or the
// shelf where they are there, or else from the registry. Safe for concurrent use.
type documents struct {
	source Source
	blobs  Blobs
	images Images
	brief  Retrier
	log    *slog.Logger
	cache  *memo.Recent[image.Digest, image.Document] // digests never change meaning

	mu      sync.Mutex
	reading map[reading]chan struct{} // documents that somebody is about to read; closed when over
}

func newDocuments(source Source, blobs Blobs, images Images, brief Retrier, log *slog.Logger) *documents {
	return &documents{
		source: source, blobs: blobs, images: images, brief: brief, log: log,
		cache:   memo.NewRecentOf(cacheMost, cacheBytes, rawSize),
		reading: make(map[reading]chan struct{}),
	}
}

func rawSize(_ image.Digest, d image.Document) int64 { return int64(len(d.Raw)) }

// came keeps the document that a registry sent where it was only asked what it is.
func (k *documents) came(ctx context.Context, head image.Descriptor) {
	if image.DigestOf(head.Data) != head.Digest {
		return
	}
	if doc, err := image.ParseDocument(head.MediaType, head.Data); err == nil {
		k.keep(ctx, doc)
	}
}

// keep remembers a document that came from a registry.
func (k *documents) keep(ctx context.Context, doc image.Document) {
	if err := k.images.KeepDocument(ctx, doc); err != nil {
		k.log.Warn("manifest not kept", "digest", string(doc.Digest), "error", err)
	}
	k.remember(doc)
}

// remember keeps a document of ordinary size at hand, so that looking at a reference before pulling it is not charged
// twice against a registry's allowance.
func (k *documents) remember(doc image.Document) {
	if len(doc.Raw) <= cacheDocument {
		k.cache.Put(doc.Digest, doc)
	}
}

// document reads an index or a manifest by digest: from the cache, from the shelf, or else from the
// registry, after which the shelf keeps it. Those who want the same one at a time wait for the first. Its
// size is held against the descriptor where that has one.
func (k *documents) document(ctx context.Context, repo image.Repository, d image.Descriptor,
	retry Retrier) (image.Document, error) {
	doc, err := k.read(ctx, repo, d.Digest, retry)
	if err != nil {
		return image.Document{}, err
	}
	if d.Size > 0 && d.Size != int64(len(doc.Raw)) {
		return image.Document{}, image.Errorf(image.Corrupt, "manifest %s has %d bytes instead of the %d announced",
			image.ShortDigest(d.Digest), len(doc.Raw), d.Size)
	}
	return doc, nil
}

func (k *documents) read(ctx context.Context, repo image.Repository, d image.Digest, retry Retrier) (
	image.Document, error) {
	key := reading{repo.Host(), d}
	for {
		if doc, ok := k.cache.Get(d); ok {
			return doc, nil
		}
		k.mu.Lock()
		other, taken := k.reading[key]
		if !taken {
			k.reading[key] = make(chan struct{})
		}
		k.mu.Unlock()
		if !taken {
			return k.readFirst(ctx, repo, d, retry)
		}
		select { // what failed for another repository may well work from ours, so we go round
		case <-other:
		case <-ctx.Done():
			return image.Document{}, context.Cause(ctx)
		}
	}
}

// readFirst is read by the one that others wait for.
func (k *documents) readFirst(ctx context.Context, repo image.Repository, d image.Digest,
	retry Retrier) (image.Document, error) {
	key := reading{repo.Host(), d}
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		close(k.reading[key])
		delete(k.reading, key)
	}()
	doc, err := k.images.KeptDocument(ctx, d)
	switch kind := image.KindOf(err); {
	case err == nil:
	case kind != image.NotFound && kind != image.Corrupt && kind != image.Damaged:
		return image.Document{}, fmt.Errorf("read %s from the shelf: %w", d, err)
	default:
		if doc, err = k.download(ctx, repo, d, retry); err != nil {
			return image.Document{}, err
		}
		k.keep(ctx, doc)
		return doc, nil
	}
	k.remember(doc)
	return doc, nil
}

func (k *documents) download(ctx context.Context, repo image.Repository, d image.Digest,
	retry Retrier) (doc image.Document, err error) {
	err = retry(ctx, func(ctx context.Context) error {
		if doc, err = k.source.Document(ctx, image.Reference{Repository: repo, Digest: d}); err != nil {
			return err
		}
		if doc.Digest != d || image.DigestOf(doc.Raw) != d {
			return image.Errorf(image.Corrupt, "%s answered with other bytes than those of %s", repo.Host(), d)
		}
		return nil
	})
	return doc, err
}

// entries lists the entries of what a reference points to.
func (k *documents) entries(ctx context.Context, repo image.Repository, doc image.Document, retry Retrier) (
	[]leaf, error) {
	return leaves(ctx, doc, func(ctx context.Context, d image.Descriptor) (image.Document, error) {
		return k.document(ctx, repo, d, retry)
	})
}

// manifest reads the manifest of an entry.
func (k *documents) manifest(ctx context.Context, repo image.Repository, d image.Descriptor,
	retry Retrier) (image.Document, error) {
	doc, err := k.document(ctx, repo, d, retry)
	if err == nil && doc.Manifest == nil {
		return image.Document{}, image.Errorf(image.Corrupt, "%s is listed as an image and is an index", d.Digest)
	}
	return doc, err
}

// manifests reads several manifests, a few at once.
func (k *documents) manifests(ctx context.Context, repo image.Repository, entries []leaf,
	retry Retrier) ([]image.Document, error) {
	docs := make([]image.Document, len(entries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(manifestsAtOnce)
	for i, e := range entries {
		g.Go(func() error {
			return guard.Do(func() (err error) {
				docs[i], err = k.manifest(ctx, repo, e.Descriptor, retry)
				return err
			})
		})
	}
	return docs, g.Wait()
}

// config reads a config into memory without storing it, for an image whose platform stands nowhere else.
func (k *documents) config(ctx context.Context, repo image.Repository, m *image.Manifest) (*image.Config, error) {
	if k.blobs.HasBlob(m.Config) {
		// else it went meanwhile, or is damaged
		if raw, err := k.blobs.ReadBlob(m.Config.Digest, image.MaxConfigSize); err == nil {
			return image.ParseConfig(raw, m)
		}
	}
	body, _, err := k.source.Blob(ctx, repo, m.Config, 0)
	if err != nil {
		return nil, err
	}
	defer body.Close() // only read from
	raw, err := io.ReadAll(io.LimitReader(body, m.Config.Size+1))
	if err != nil {
		return nil, image.Errorf(image.Unavailable, "the connection to %s broke", repo.Host()).Because(err)
	}
	if int64(len(raw)) != m.Config.Size || image.DigestOf(raw) != m.Config.Digest {
		return nil, image.Errorf(image.Corrupt, "%s answered with other bytes than those of the config %s", repo.Host(),
			m.Config.Digest)
	}
	return image.ParseConfig(raw, m)
}
