package pull

import (
	"container/list"
	"sync"

	"github.com/stowage/stowage/image"
)

// Bounds of the cache of documents. An ordinary manifest has 2 to 10 kB; parsed it takes a few times that.
const (
	cacheBytes    = 4 << 20   // of raw documents in all
	cacheDocument = 256 << 10 // of one; larger ones are not kept
)

// documents keeps recently read indexes and manifests by digest, so that looking at a reference before
// pulling it is not charged twice against a registry's allowance. Digests never change meaning, so nothing
// expires. Safe for concurrent use.
type documents struct {
	mu    sync.Mutex
	bytes int
	order list.List // of image.Document, newest use first
	byKey map[image.Digest]*list.Element
}

func newDocuments() *documents { return &documents{byKey: make(map[image.Digest]*list.Element)} }

func (c *documents) get(d image.Digest) (image.Document, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[d]
	if !ok {
		return image.Document{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(image.Document), true
}

func (c *documents) put(doc image.Document) {
	if len(doc.Raw) > cacheDocument {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[doc.Digest]; ok {
		return
	}
	c.byKey[doc.Digest] = c.order.PushFront(doc)
	c.bytes += len(doc.Raw)
	for c.bytes > cacheBytes {
		last := c.order.Back()
		old := c.order.Remove(last).(image.Document)
		delete(c.byKey, old.Digest)
		c.bytes -= len(old.Raw)
	}
}
