package distribution

import (
	"sync"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
)

const (
	smallDocument = 64 << 10 // bytes up to which a document is kept in memory; ordinary ones have 2 to 10 kB
	keptDocuments = 8 << 20  // bytes of all that are kept
)

// documents keeps the bytes of small indexes and manifests, proved against their digests: clients ask for the same few
// again and again. Who may have them is asked of the shelf each time. Safe for concurrent use; the zero value is ready.
type documents struct {
	mu    sync.RWMutex
	raw   map[image.Digest][]byte
	bytes int
}

// read gives the bytes of a document. Nobody may change them.
func (c *documents) read(store *storage.Store, m shelf.Served) ([]byte, error) {
	c.mu.RLock()
	raw, ok := c.raw[m.Digest]
	c.mu.RUnlock()
	if ok {
		return raw, nil
	}
	raw, err := store.ReadBlob(m.Digest, smallDocument)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.raw == nil || c.bytes+len(raw) > keptDocuments {
		c.raw, c.bytes = map[image.Digest][]byte{}, 0
	}
	if _, ok := c.raw[m.Digest]; !ok {
		c.raw[m.Digest] = raw
		c.bytes += len(raw)
	}
	return raw, nil
}
