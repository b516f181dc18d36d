package distribution

import (
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/shelf"
)

const (
	smallDocument = 64 << 10 // bytes up to which a document is kept in memory; ordinary ones have 2 to 10 kB
	keptDocuments = 8 << 20  // bytes of all that are kept
)

// documents keeps the bytes of small indexes and manifests, proved against their digests: clients ask for the same few
// again and again. Who may have them is asked of the shelf each time. Safe for concurrent use.
type documents struct {
	raw *memo.Recent[image.Digest, []byte]
}

func newDocuments() documents {
	return documents{memo.NewRecentOf(keptDocuments/100, keptDocuments,
		func(_ image.Digest, raw []byte) int64 { return int64(len(raw)) })}
}

// read returns the bytes of a document. Nobody may change them.
func (c documents) read(blobs Blobs, m shelf.Served) ([]byte, error) {
	if raw, ok := c.raw.Get(m.Digest); ok {
		return raw, nil
	}
	raw, err := blobs.ReadBlob(m.Digest, smallDocument)
	if err != nil {
		return nil, err
	}
	c.raw.Put(m.Digest, raw)
	return raw, nil
}
