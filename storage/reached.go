package storage

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// upFromID and upFromDigest begin a query with the table up: the manifests of an image ID, or one manifest,
// and every index above them.
const (
	upFromID     = `WITH RECURSIVE up (digest) AS (SELECT manifest_digest FROM images WHERE config_digest = ?1` + upRest
	upFromDigest = `WITH RECURSIVE up (digest) AS (VALUES (?1)` + upRest
	upRest       = ` UNION SELECT e.index_digest FROM index_entries e JOIN up ON e.digest = up.digest
		AND e.kind IN ('image', 'index')) `
	// calledRest closes a table up (digest, platform, leaf) that begins with images, their own platforms and 1: the
	// indexes above them, with what they call the image.
	calledRest = ` UNION SELECT e.index_digest, iif(up.leaf AND e.platform <> '', e.platform, up.platform), 0
		FROM index_entries e JOIN up ON e.digest = up.digest AND e.kind IN ('image', 'index')) `
)

// NamesOf returns the references that lead to an image ID, whichever platform of an index it is: at most limit
// tags and digests together, all where that is negative. They are in docker's order: sorted as whole texts.
func (s *Images) NamesOf(ctx context.Context, id image.Digest, limit int) (shelf.Names, error) {
	type name struct {
		repo     image.Repository
		digest   image.Digest
		tag      string
		platform string
	}
	rows, err := database.RowsOf(ctx, s.db,
		func(rows *sql.Rows) (n name, err error) { return n, rows.Scan(&n.repo, &n.digest, &n.tag, &n.platform) },
		`WITH RECURSIVE up (digest, platform, leaf) AS (SELECT manifest_digest, platform, 1 FROM images
			WHERE config_digest = ?1`+calledRest+`
			SELECT r.name, d.digest, coalesce(t.name, ''), min(up.platform) FROM up
			JOIN repository_digests d ON d.digest = up.digest
			JOIN repositories r ON r.id = d.repository_id LEFT JOIN tags t ON t.repository_id = d.repository_id
			AND t.digest = d.digest
			GROUP BY d.repository_id, d.digest, t.name ORDER BY r.name || coalesce(':' || t.name, '@' || d.digest) LIMIT
			?2`, id, limit)
	if err != nil {
		return shelf.Names{}, err
	}
	n := shelf.Names{Called: map[image.Reference]image.Platform{}}
	known := map[image.Reference]bool{}
	for _, r := range rows {
		digest := image.Reference{Repository: r.repo, Digest: r.digest}
		n.Called[digest] = image.StoredPlatform(r.platform)
		if !known[digest] {
			known[digest] = true
			n.Digests = append(n.Digests, digest)
		}
		if r.tag == "" {
			n.Lone = append(n.Lone, digest)
		} else {
			tag := image.Reference{Repository: r.repo, Tag: r.tag}
			n.Tags, n.Called[tag] = append(n.Tags, tag), n.Called[digest]
		}
	}
	slices.SortFunc(n.Digests, func(a, b image.Reference) int { return strings.Compare(a.String(), b.String()) })
	return n, nil
}

// ImagesOf returns the stored images that have an ID, at most limit: several manifests can share a config.
func (s *Images) ImagesOf(ctx context.Context, id image.Digest, limit int) ([]shelf.Image, error) {
	return database.RowsOf(ctx, s.db, scanImage, `SELECT `+imageColumns+` FROM images i WHERE i.config_digest = ?
		ORDER BY i.stored_at DESC, i.manifest_digest LIMIT ?`, id, limit)
}

// Within finds the digest of a repository that leads to a manifest which the repository does not know by
// itself: the index that lists it. NotFound where there is none.
func (s *Images) Within(ctx context.Context, ref image.Reference) (index image.Reference, img shelf.Image, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		index = image.Reference{Repository: ref.Repository}
		err := tx.QueryRowContext(ctx, upFromDigest+`SELECT d.digest FROM up JOIN repository_digests d ON d.digest = up.digest
			JOIN repositories r ON r.id = d.repository_id WHERE r.name = ?2
			ORDER BY d.pulled_at DESC LIMIT 1`, ref.Digest, ref.Repository).Scan(&index.Digest)
		if err != nil {
			return database.NotFound(err, "%s is not stored", ref.Familiar())
		}
		images, err := reachableImages(ctx, tx, index.Digest)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(images, func(i shelf.Image) bool { return i.Manifest == ref.Digest })
		if at < 0 {
			return database.NotFound(sql.ErrNoRows, "%s is not stored", ref.Familiar())
		}
		img = images[at]
		return nil
	})
	return index, img, err
}
