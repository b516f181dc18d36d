package storage

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"sync"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/storage/database"
)

// mostSubjects bounds the documents of which it is remembered what they refer to; some 100 bytes each.
const mostSubjects = 50_000

// subjects remembers which document stored documents refer to, by digest, "" for none: a digest never changes
// meaning. Safe for concurrent use.
type subjects struct {
	mu sync.Mutex // held while files are read, too: one reader is enough for the disk
	of *memo.Recent[image.Digest, image.Digest]
}

// referring is what a document with a subject says of itself (image-spec manifest.md and image-index.md).
type referring struct {
	Subject      *image.Descriptor `json:"subject"`
	ArtifactType string            `json:"artifactType"`
	Config       *image.Descriptor `json:"config"`
	Annotations  map[string]string `json:"annotations"`
}

// referringQuery returns the documents of a repository that can refer to others, after a digest: what describes images,
// too.
const referringQuery = `WITH RECURSIVE down (digest) AS (SELECT d.digest FROM repositories r
	CROSS JOIN repository_digests d ON d.repository_id = r.id WHERE r.name = ?1
		UNION SELECT e.digest FROM down CROSS JOIN index_entries e ON e.index_digest = down.digest
		AND e.kind IN ('image', 'index'))
	SELECT m.digest, m.media_type, b.size FROM down CROSS JOIN manifests m ON m.digest = down.digest
	CROSS JOIN blobs b ON b.digest = m.digest
		LEFT JOIN images i ON i.manifest_digest = m.digest WHERE m.digest > ?2 AND coalesce(i.broken, '') = ''
	UNION SELECT a.digest, a.media_type, b.size FROM down
	CROSS JOIN image_attestations ia ON ia.manifest_digest = down.digest
		CROSS JOIN images i ON i.manifest_digest = ia.manifest_digest AND i.broken = ''
		CROSS JOIN attestations a ON a.digest = ia.attestation_digest
		CROSS JOIN blobs b ON b.digest = a.digest WHERE a.digest > ?2 ORDER BY 1`

// Referrers returns the stored documents of a repository whose subject has a digest, as the referrers API words them
// (distribution-spec, "Listing Referrers"), in the order of their digests. Broken images are left out, and so are
// documents whose file cannot be read. It begins after a digest and ends, with more set, before the documents
// together have more than most bytes; one there is always. The first question about a repository reads its manifests.
func (s *Serving) Referrers(ctx context.Context, repo image.Repository, subject, after image.Digest,
	most int64) (found []image.Descriptor, more bool, err error) {
	documents, err := database.RowsOf(ctx, s.db, func(rows *sql.Rows) (d image.Descriptor, err error) {
		return d, rows.Scan(&d.Digest, &d.MediaType, &d.Size)
	}, referringQuery, repo, after)
	if err != nil {
		return nil, false, err
	}
	k := s.subjects
	k.mu.Lock()
	defer k.mu.Unlock()
	var size int64
	for _, d := range documents {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		of, known := k.of.Get(d.Digest)
		if known && of != subject {
			continue
		}
		r, err := s.referring(d.Digest)
		if err != nil {
			s.log.Error("read a manifest to see what it refers to", "digest", d.Digest, "error", err)
			continue
		}
		if of = ""; r.Subject != nil && len(r.Subject.Digest) <= 256 { // hostile else: nobody can ask for it
			of = r.Subject.Digest
		}
		k.of.Put(d.Digest, of)
		if of != subject {
			continue
		}
		if size += d.Size; size > most && len(found) > 0 {
			return found, true, nil
		}
		d.ArtifactType, d.Annotations = r.ArtifactType, r.Annotations
		if d.ArtifactType == "" && r.Config != nil {
			d.ArtifactType = r.Config.MediaType
		}
		found = append(found, d)
	}
	return found, false, nil
}

// referring reads what a stored document says of itself; nothing of one without a subject.
func (s *Serving) referring(d image.Digest) (r referring, err error) {
	raw, err := s.blobs.ReadAll(d, image.MaxManifestSize)
	if err != nil || !bytes.Contains(raw, []byte(`"subject"`)) {
		return r, err
	}
	return r, json.Unmarshal(raw, &r)
}
