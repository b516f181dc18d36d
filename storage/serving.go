package storage

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// Serving answers what clients of the registry API ask, and remembers the answers until the shelf changes.
type Serving struct {
	db        *database.DB
	blobs     *blob.Store
	log       *slog.Logger
	manifests *memo.Current[image.Reference, shelf.Served]
	sizes     *memo.Current[image.Reference, int64] // of blobs
	uploads   *memo.Current[image.Reference, bool]  // see Uploaded
	subjects  *subjects
}

func newServing(db *database.DB, blobs *blob.Store, log *slog.Logger) *Serving {
	return &Serving{
		db: db, blobs: blobs, log: log,
		manifests: memo.NewCurrent[image.Reference, shelf.Served](mostServed),
		sizes:     memo.NewCurrent[image.Reference, int64](mostServed),
		uploads:   memo.NewCurrent[image.Reference, bool](mostServed),
		subjects:  &subjects{of: memo.NewRecent[image.Digest, image.Digest](mostSubjects)},
	}
}

// Served returns the index or manifest that a tag or a digest names in a repository: one that the repository knows, one
// that an index of the repository lists and that is stored, or what describes such an image. NotFound where there is
// none.
func (s *Serving) Served(ctx context.Context, ref image.Reference) (shelf.Served, error) {
	change := s.db.Changes()
	if m, ok := s.manifests.Get(ref, change); ok {
		return m, nil
	}
	var m shelf.Served
	query, what := servedByTag, ref.Tag
	if ref.Digest != "" {
		query, what = servedByDigest, string(ref.Digest)
	}
	// A look-up is shorter than the goroutine that could break it off, and costs less.
	lookUp := func(query string) error {
		return s.db.QueryRowContext(context.WithoutCancel(ctx), query, ref.Repository, what).
			Scan(&m.Digest, &m.MediaType, &m.Size, database.TextColumn{Text: &m.Broken})
	}
	err := lookUp(query)
	if errors.Is(err, sql.ErrNoRows) && ref.Digest != "" {
		err = lookUp(servedAttestation)
	}
	if err != nil {
		return shelf.Served{}, database.NotFound(err, "%s is not stored", ref.Familiar())
	}
	s.manifests.Put(ownStrings(ref), m, change)
	return m, nil
}

const (
	servedColumns = `SELECT m.digest, m.media_type, b.size, coalesce(i.broken, '') FROM repositories r `
	servedRest    = ` CROSS JOIN blobs b ON b.digest = m.digest LEFT JOIN images i ON i.manifest_digest = m.digest
		WHERE r.name = ?1 `
	// CROSS JOIN keeps the order: each table is one look-up by its key.
	servedByTag = servedColumns + `CROSS JOIN tags t ON t.repository_id = r.id AND t.name = ?2
		CROSS JOIN manifests m ON m.digest = t.digest` + servedRest
	// The repository's own digests first: only what they list has to be looked for in indexes.
	servedByDigest = servedColumns + `CROSS JOIN manifests m ON m.digest = ?2` + servedRest + `
		AND (EXISTS (SELECT 1 FROM repository_digests d WHERE d.repository_id = r.id AND d.digest = ?2)
			OR EXISTS (WITH RECURSIVE up (digest) AS (VALUES (?2)` + upRest + `
				SELECT 1 FROM up JOIN repository_digests d ON d.repository_id = r.id AND d.digest = up.digest))`
	// Nobody needs what describes an image that is not handed out.
	servedAttestation = `SELECT a.digest, a.media_type, b.size, '' FROM repositories r
		CROSS JOIN attestations a ON a.digest = ?2 CROSS JOIN blobs b ON b.digest = a.digest
		WHERE r.name = ?1 AND EXISTS (WITH RECURSIVE up (digest) AS (
				SELECT i.manifest_digest FROM image_attestations ia CROSS JOIN images i ON i.manifest_digest = ia.manifest_digest
				AND i.broken = '' WHERE ia.attestation_digest = ?2` + upRest + `
			SELECT 1 FROM up JOIN repository_digests d ON d.repository_id = r.id AND d.digest = up.digest)`
)

// manyUsers is from how many images on the way from a blob to its repository is the longer one: the base of a whole
// shelf has thousands above it, its repositories mostly few below.
const manyUsers = 256

const (
	// servedBlob returns the size of a blob, its repository's ID, and how many images use it, up to ?3.
	servedBlob = `SELECT b.size, r.id, (SELECT count(*) FROM (SELECT 1 FROM image_layers WHERE layer_digest = ?2
			UNION ALL SELECT 1 FROM images WHERE config_digest = ?2
			UNION ALL SELECT 1 FROM attestation_blobs WHERE blob_digest = ?2 LIMIT ?3))
		FROM repositories r CROSS JOIN blobs b ON b.digest = ?2 WHERE r.name = ?1`
	// servedUp goes from the images that use a blob to a repository, servedDown from the repository to the images.
	servedUp = `WITH RECURSIVE up (digest) AS (
			SELECT i.manifest_digest FROM image_layers l CROSS JOIN images i ON i.manifest_digest = l.manifest_digest
			AND i.broken = '' WHERE l.layer_digest = ?2
			UNION SELECT manifest_digest FROM images WHERE config_digest = ?2 AND broken = ''
			UNION SELECT i.manifest_digest FROM attestation_blobs ab
			CROSS JOIN image_attestations ia ON ia.attestation_digest = ab.attestation_digest
				CROSS JOIN images i ON i.manifest_digest = ia.manifest_digest AND i.broken = '' WHERE ab.blob_digest = ?2
				AND ab.position > 0` + upRest + `
		SELECT EXISTS (SELECT 1 FROM up JOIN repository_digests d ON d.repository_id = ?1 AND d.digest = up.digest)`
	servedDown = downFromRepository + `SELECT EXISTS (SELECT 1 FROM down
		CROSS JOIN images i ON i.manifest_digest = down.digest AND i.broken = ''
		WHERE i.config_digest = ?2 OR EXISTS (SELECT 1 FROM image_layers l WHERE l.layer_digest = ?2
		AND l.manifest_digest = down.digest)
			OR EXISTS (SELECT 1 FROM image_attestations ia CROSS JOIN attestation_blobs ab ON ab.attestation_digest =
			ia.attestation_digest
				WHERE ia.manifest_digest = down.digest AND ab.blob_digest = ?2 AND ab.position > 0))`
	// downFromRepository begins a query with the table down: every document that a repository, by ID, leads to.
	downFromRepository = `WITH RECURSIVE down (digest) AS (SELECT digest FROM repository_digests WHERE repository_id = ?1
		UNION SELECT e.digest FROM down CROSS JOIN index_entries e ON e.index_digest = down.digest
		AND e.kind IN ('image', 'index')) `
)

// ServedBlob returns the bytes of a config or a layer of an image that a repository leads to and that is not broken, or
// of what describes such an image. NotFound where no such image uses it, whether or not the blob is stored for others.
func (s *Serving) ServedBlob(ctx context.Context, repo image.Repository, d image.Digest) (size int64, err error) {
	ref := image.Reference{Repository: repo, Digest: d}
	change := s.db.Changes()
	if size, ok := s.sizes.Get(ref, change); ok {
		return size, nil
	}
	known := false
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		var id int64
		var users int
		if err := tx.QueryRowContext(ctx, servedBlob, repo, d, manyUsers).Scan(&size, &id, &users); err != nil {
			return err
		}
		query := servedUp
		if users == manyUsers {
			query = servedDown
		}
		return tx.QueryRowContext(ctx, query, id, d).Scan(&known)
	})
	if err == nil && !known {
		err = sql.ErrNoRows
	}
	if err != nil {
		return 0, database.NotFound(err, "%s is not stored", ref.Familiar())
	}
	s.sizes.Put(ownStrings(ref), size, change)
	return size, nil
}

const (
	servedTags = `SELECT t.name FROM tags t LEFT JOIN images i ON i.manifest_digest = t.digest
		WHERE t.repository_id = ? AND t.name > ? AND (? OR t.uploaded = 0) AND coalesce(i.broken, '') = ''
		ORDER BY t.name LIMIT ?`
	servedRepositories = `SELECT name FROM repositories WHERE name > ? AND name < ? ORDER BY name LIMIT ?`
)

// ServedTags returns the tags of a repository that are served, in the order of their bytes, after one and at most limit
// of them; those of uploads too, or only what registries have said. NotFound where the shelf has nothing of the
// repository.
func (s *Serving) ServedTags(ctx context.Context, repo image.Repository, after string, limit int,
	uploads bool) (tags []string, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		var id int64
		if err := tx.QueryRowContext(ctx, `SELECT id FROM repositories WHERE name = ?`, repo).Scan(&id); err != nil {
			return database.NotFound(err, "%s is not stored", repo.Familiar())
		}
		tags, err = database.RowsOf(ctx, tx, database.ScanString, servedTags, id, after, uploads, limit)
		return err
	})
	return tags, err
}

// ServedRepositories returns the repositories after a name, in the order of their bytes and at most limit of them:
// those of one registry where host is not empty.
func (s *Serving) ServedRepositories(ctx context.Context, host string, after image.Repository,
	limit int) ([]image.Repository, error) {
	end := "~" // sorts after everything that a name begins with
	if host != "" {
		after, end = max(after, image.Repository(host+"/")), host+"0" // which comes right after the slash
	}
	return database.RowsOf(ctx, s.db, func(rows *sql.Rows) (r image.Repository, err error) { return r, rows.Scan(&r) },
		servedRepositories, after, end, limit)
}

// mostServed bounds the look-ups of each kind that are remembered, some 300 bytes each, until the shelf changes:
// clients ask for the same few again and again.
const mostServed = 4096

// ownStrings keeps a reference from holding on to the request that it is a part of.
func ownStrings(ref image.Reference) image.Reference {
	return image.Reference{Repository: image.Repository(strings.Clone(string(ref.Repository))),
		Tag: strings.Clone(ref.Tag), Digest: image.Digest(strings.Clone(string(ref.Digest)))}
}
