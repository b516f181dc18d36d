package storage

import (
	"context"
	"database/sql"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

const imageColumns = `i.manifest_digest, i.config_digest, i.platform, coalesce(i.created, -62135596800000), i.size,
	i.layers, coalesce(i.unpacked, -1), i.broken, i.stored_at`

func scanImage(rows *sql.Rows) (shelf.Image, error) {
	var i shelf.Image
	var platform string
	var created, stored int64
	err := rows.Scan(&i.Manifest, &i.ID, &platform, &created, &i.Size, &i.Layers, &i.Unpacked,
		database.TextColumn{Text: &i.Broken}, &stored)
	i.Own, i.Created, i.Stored = image.StoredPlatform(platform), database.FromMillis(created), database.FromMillis(stored)
	i.Platform = i.Own
	return i, err
}

// entriesOf returns the lines of an index in order, nested indexes unfolded in place.
func entriesOf(ctx context.Context, q database.Querier, index image.Digest, depth int) ([]shelf.IndexEntry, error) {
	flat, err := database.RowsOf(ctx, q, func(rows *sql.Rows) (shelf.IndexEntry, error) {
		e := shelf.IndexEntry{Depth: depth}
		var platform string
		err := rows.Scan(&e.Digest, &e.MediaType, &e.Bytes, &e.Kind, &platform, &e.Describes)
		e.Platform = image.StoredPlatform(platform)
		return e, err
	}, `SELECT digest, media_type, size, kind, platform, describes FROM index_entries WHERE index_digest = ?
		ORDER BY position`, index)
	if err != nil {
		return nil, err
	}
	var all []shelf.IndexEntry
	for _, e := range flat {
		all = append(all, e)
		// the indexes themselves count here
		if e.Kind == image.EntryIndex && depth < image.MaxIndexDepth && len(all) < 2*image.MaxEntries {
			nested, err := entriesOf(ctx, q, e.Digest, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, nested...)
		}
	}
	return all, nil
}

// reachableImages returns the stored images under a digest: itself, or those that the index lists, in its order, each
// once for each platform that it is listed for.
func reachableImages(ctx context.Context, q database.Querier, d image.Digest) ([]shelf.Image, error) {
	const query = `SELECT ` + imageColumns + ` FROM images i WHERE i.manifest_digest = ?`
	found, err := database.RowsOf(ctx, q, scanImage, query, d)
	if err != nil || len(found) > 0 {
		return found, err
	}
	entries, err := entriesOf(ctx, q, d, 0)
	if err != nil {
		return nil, err
	}
	type listed struct {
		manifest image.Digest
		platform image.Platform
	}
	seen := map[listed]bool{}
	stored := map[image.Digest][]shelf.Image{}
	for _, e := range entries {
		if e.Kind != image.EntryImage {
			continue
		}
		images, known := stored[e.Digest]
		if !known {
			if images, err = database.RowsOf(ctx, q, scanImage, query, e.Digest); err != nil {
				return nil, err
			}
			stored[e.Digest] = images
		}
		for _, i := range images {
			i.Platform = calledBy(e, i.Own)
			if at := (listed{i.Manifest, i.Platform}); !seen[at] {
				seen[at] = true
				found = append(found, i)
			}
		}
	}
	return found, nil
}

// calledBy returns the platform of an image that an entry lists: the config counts only where the entry does not say.
func calledBy(e shelf.IndexEntry, own image.Platform) image.Platform {
	if e.Platform.Known() {
		return e.Platform
	}
	return own
}

// asCalled returns an image as a reference that leads to it calls it.
func asCalled(ctx context.Context, q database.Querier, i shelf.Image, ref image.Reference) (shelf.Image, error) {
	var elsewhere bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM index_entries WHERE digest = ?
		AND platform NOT IN ('', ?))`,
		i.Manifest, i.Own.String()).Scan(&elsewhere)
	if err != nil || !elsewhere {
		return i, err
	}
	d, err := targetDigest(ctx, q, ref)
	if err != nil {
		return i, err
	}
	images, err := reachableImages(ctx, q, d)
	if at := slices.IndexFunc(images, func(o shelf.Image) bool { return o.Manifest == i.Manifest }); at >= 0 {
		i = images[at]
	}
	return i, err
}

// Images finds what is stored, by references, image IDs and digests.
type Images struct {
	db       *database.DB
	blobs    *blob.Store
	kept     *documents     // that are not stored
	platform image.Platform // shown first where an index has several
}

// Target returns what a reference names. NotFound where it is not stored.
func (s *Images) Target(ctx context.Context, ref image.Reference) (shelf.Target, error) {
	t := shelf.Target{Reference: ref}
	err := s.db.View(ctx, func(tx *sql.Tx) error {
		var err error
		if t.Digest, err = targetDigest(ctx, tx, ref); err != nil {
			return err
		}
		var byDigest bool
		var pulled int64
		err = tx.QueryRowContext(ctx, `SELECT m.media_type, d.by_digest, d.pulled_at, d.pulled_by FROM repository_digests d
			JOIN repositories r ON r.id = d.repository_id JOIN manifests m ON m.digest = d.digest WHERE r.name = ?
			AND d.digest = ?`,
			ref.Repository, t.Digest).Scan(&t.MediaType, &byDigest, &pulled, &t.By)
		if err != nil {
			return err
		}
		if ref.Tag != "" {
			err = tx.QueryRowContext(ctx, `SELECT t.pulled_at, t.pulled_by FROM tags t
				JOIN repositories r ON r.id = t.repository_id WHERE r.name = ? AND t.name = ?`,
				ref.Repository, ref.Tag).Scan(&pulled, &t.By)
			if err != nil {
				return err
			}
		}
		t.Pulled = database.FromMillis(pulled)
		t.Tags, err = database.RowsOf(ctx, tx, database.ScanString, `SELECT t.name FROM tags t
			JOIN repositories r ON r.id = t.repository_id
			WHERE r.name = ? AND t.digest = ? ORDER BY t.name`, ref.Repository, t.Digest)
		if err != nil {
			return err
		}
		switch {
		case len(t.Tags) > 0:
			t.Reason = shelf.ByTag
		case byDigest:
			t.Reason = shelf.ByDigest
		default:
			t.Reason = shelf.Dangling
		}
		if t.Images, err = reachableImages(ctx, tx, t.Digest); err != nil {
			return err
		}
		t.Entries, err = entriesOf(ctx, tx, t.Digest, 0)
		return err
	})
	return t, err
}

// Preferred picks the image that is shown when nobody chose a platform: the configured one, else the first.
func (s *Images) Preferred(images []shelf.Image) shelf.Image { return preferred(images, s.platform) }

// ImageByID finds an image by its ID or the beginning of one, given as hex digits. NotFound where there is
// none, Conflict where several begin so. Several manifests can share a config: the newest stands for them.
func (s *Images) ImageByID(ctx context.Context, prefix string) (shelf.Image, error) {
	from, to := "sha256:"+prefix, "sha256:"+prefix+"g" // g sorts after every hex digit
	ids, err := database.RowsOf(ctx, s.db, database.ScanString, `SELECT DISTINCT config_digest FROM images
		WHERE config_digest BETWEEN ? AND ? LIMIT 2`, from, to)
	if err != nil {
		return shelf.Image{}, err
	}
	switch len(ids) {
	case 0:
		return shelf.Image{}, image.Errorf(image.NotFound, "no image on the shelf has an ID that begins with %s", prefix)
	case 2:
		return shelf.Image{}, image.Errorf(image.Conflict, "several images have an ID that begins with %s", prefix).
			Suggest("Give more digits of the ID.")
	}
	images, err := database.RowsOf(ctx, s.db, scanImage, `SELECT `+imageColumns+` FROM images i WHERE i.config_digest = ?
		ORDER BY i.stored_at DESC, i.manifest_digest LIMIT 1`, ids[0])
	if err != nil {
		return shelf.Image{}, err
	}
	if len(images) == 0 {
		return shelf.Image{}, image.Errorf(image.NotFound, "image %s was just deleted", prefix)
	}
	return images[0], nil
}

// referencesOf returns up to limit references that reach a manifest, and how many there are.
func referencesOf(ctx context.Context, q database.Querier, manifest image.Digest,
	limit int) (refs []image.Reference, total int, err error) {
	roots, err := rootsOf(ctx, q, manifest, -1)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range roots {
		tags, err := tagsOf(ctx, q, r)
		if err != nil {
			return nil, 0, err
		}
		if len(tags) == 0 {
			tags = []image.Reference{r.Reference()}
		}
		total += len(tags)
		refs = append(refs, tags[:min(len(tags), max(0, limit-len(refs)))]...)
	}
	return refs, total, nil
}

// tagsOf returns the tags that point at a root.
func tagsOf(ctx context.Context, q database.Querier, r removal.Root) ([]image.Reference, error) {
	return database.RowsOf(ctx, q, func(rows *sql.Rows) (image.Reference, error) {
		ref := image.Reference{Repository: r.Name}
		return ref, rows.Scan(&ref.Tag)
	}, `SELECT name FROM tags WHERE repository_id = ? AND digest = ? ORDER BY name`, r.Repository, r.Digest)
}

// RepositoryExists reports whether the shelf has anything of a repository.
func (s *Images) RepositoryExists(ctx context.Context, name image.Repository) (exists bool, err error) {
	return exists, s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM repositories
		WHERE name = ?)`, name).Scan(&exists)
}

// Document returns a stored index or manifest, parsed anew from its original bytes.
func (s *Images) Document(ctx context.Context, d image.Digest) (image.Document, error) {
	var mediaType string
	err := s.db.QueryRowContext(ctx, `SELECT media_type FROM manifests WHERE digest = ?`, d).Scan(&mediaType)
	if err != nil {
		return image.Document{}, database.NotFound(err, "no index or manifest %s is stored", d)
	}
	raw, err := s.blobs.ReadAll(d, image.MaxManifestSize)
	if err != nil {
		return image.Document{}, err
	}
	return image.ParseStoredDocument(mediaType, raw)
}
