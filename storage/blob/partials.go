package blob

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
)

// partialSuffix ends the names of half-fetched blobs.
const partialSuffix = ".partial"

// Partials is the half-fetched blobs of a store.
type Partials struct {
	store *Store

	mu      sync.Mutex
	writing map[string]struct{} // digests (hex) that have a Writer
}

// claim makes the caller the only one that touches the partial of a digest, until release.
func (p *Partials) claim(hex string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, taken := p.writing[hex]; taken {
		return image.Errorf(image.Conflict, "blob sha256:%s is being written already", hex)
	}
	p.writing[hex] = struct{}{}
	return nil
}

func (p *Partials) release(hex string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.writing, hex)
}

// Writing reports whether a blob has a Writer.
func (p *Partials) Writing(d image.Digest) bool {
	hex, err := hexOf(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	_, taken := p.writing[hex]
	return err == nil && taken
}

// Open opens what a Writer has written of a blob so far, for reading; the blob itself where it has been committed
// meanwhile. NotFound where there is neither. The caller closes it.
func (p *Partials) Open(d image.Digest) (Reader, error) {
	hex, err := hexOf(d)
	if err != nil {
		return nil, err
	}
	// In this order, because a commit moves the one to the other.
	f, info, err := openFile(d, p.store.Folder.partialPath(hex))
	if image.KindOf(err) == image.NotFound {
		return p.store.Open(d)
	}
	if err != nil {
		return nil, err
	}
	return file{f, info.Size()}, nil
}

// Walk calls visit for every half-fetched blob, those with a Writer included, as Store.Walk does for whole ones; size
// is what was fetched.
func (p *Partials) Walk(ctx context.Context, visit func(d image.Digest, size int64, modTime time.Time) error) error {
	_, err := walk(ctx, p.store.Folder.ingest, partialSuffix, visit)
	return err
}

// Size returns the bytes of a half-fetched blob that an earlier attempt left; 0 where there are none.
func (p *Partials) Size(d image.Digest) int64 {
	hex, err := hexOf(d)
	if err != nil {
		return 0
	}
	info, err := os.Lstat(p.store.Folder.partialPath(hex))
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// Remove removes a half-fetched blob and returns the bytes freed; 0 where there is none. One that has
// a Writer is refused (Conflict).
func (p *Partials) Remove(d image.Digest) (freed int64, err error) {
	hex, err := hexOf(d)
	if err != nil {
		return 0, err
	}
	if err := p.claim(hex); err != nil {
		return 0, err
	}
	defer p.release(hex)
	return removeFile(p.store.Folder.partialPath(hex), "remove the partial of blob "+string(d))
}
