package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/database"
)

// planRemoval plans what was asked for by name.
func (s *Removals) planRemoval(ctx context.Context, q database.Querier, asked shelf.Removal) (removal.Plan, error) {
	var found []removal.Found
	seen := map[shelf.RemovalItem]bool{}
	for _, item := range asked.Items {
		if seen[item] {
			continue
		}
		seen[item] = true
		f, err := findItem(ctx, q, item)
		var missing *image.Error
		if errors.As(err, &missing) && missing.Kind == image.NotFound {
			f, err = removal.Found{Item: item, Missing: missing}, nil
		}
		if err != nil {
			return removal.Plan{}, err
		}
		found = append(found, f)
	}
	return removal.Remove(questions{ctx, q}, asked, found, s.blobs.holds.all())
}

// findItem looks up what an item names. NotFound where it is not stored.
func findItem(ctx context.Context, q database.Querier, item shelf.RemovalItem) (removal.Found, error) {
	f := removal.Found{Item: item}
	if item.ID != "" {
		images, err := database.RowsOf(ctx, q, scanImage, `SELECT `+imageColumns+` FROM images i WHERE i.config_digest = ?
			ORDER BY i.manifest_digest`, item.ID)
		for _, i := range images {
			f.Images = append(f.Images, ruled(i))
		}
		if err == nil && len(images) == 0 {
			err = image.Errorf(image.NotFound, "no image %s is stored", image.ShortDigest(item.ID))
		}
		return f, err
	}
	rt, err := findRoot(ctx, q, item.Reference)
	f.Root = rt.Key
	if err != nil || item.Platform == (image.Platform{}) {
		return f, err
	}
	images, err := reachableImages(ctx, q, rt.Digest)
	if err != nil {
		return f, err
	}
	for _, i := range images {
		if i.Platform == item.Platform {
			f.Images = []removal.Image{ruled(i)}
			return f, nil
		}
	}
	return f, image.Errorf(image.NotFound, "%s of %s is not stored", item.Platform, item.Reference.Familiar())
}

// ruled returns an image as the rules know it.
func ruled(i shelf.Image) removal.Image {
	return removal.Image{
		Manifest: i.Manifest, ID: i.ID, Platform: i.Platform, Created: i.Created, Size: i.Size, Layers: i.Layers,
	}
}

// findRoot finds the root that a reference names. NotFound where it is not stored.
func findRoot(ctx context.Context, q database.Querier, ref image.Reference) (removal.Root, error) {
	d, err := targetDigest(ctx, q, ref)
	if err != nil {
		return removal.Root{}, err
	}
	out := removal.Root{Key: removal.Key{Digest: d}, Name: ref.Repository}
	err = q.QueryRowContext(ctx, `SELECT d.repository_id, d.by_digest FROM repository_digests d
		JOIN repositories r ON r.id = d.repository_id
		WHERE r.name = ? AND d.digest = ?`, ref.Repository, d).Scan(&out.Repository, &out.ByDigest)
	return out, err
}

// Digests that a prune chooses from, in the order of their names, with their first tag. A digest that somebody asked
// for is not dangling, whatever docker says.
const (
	danglingQuery = `SELECT d.repository_id, r.name, d.digest, d.by_digest, d.pulled_at, 0, ''
		FROM repositories r CROSS JOIN repository_digests d ON d.repository_id = r.id
		WHERE d.by_digest = 0 AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.digest = d.digest
		AND t.repository_id = d.repository_id)
		ORDER BY r.name, d.digest`
	everyQuery = `SELECT d.repository_id, r.name, d.digest, d.by_digest, d.pulled_at,
		(SELECT count(*) FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id),
		coalesce((SELECT min(t.name) FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id), '')
		FROM repositories r CROSS JOIN repository_digests d ON d.repository_id = r.id ORDER BY r.name, d.digest`
)

// planPrune plans a prune.
func (s *Removals) planPrune(ctx context.Context, q database.Querier, asked shelf.Prune) (removal.Plan, error) {
	query := danglingQuery
	if asked.All {
		query = everyQuery
	}
	qs := questions{ctx, q}
	chosen := removal.Chosen{Labels: qs.labels}
	err := database.EachRow(ctx, q, func(rows *sql.Rows) (bool, error) {
		var r removal.Root
		var tag string
		err := rows.Scan(&r.Repository, &r.Name, &r.Digest, &r.ByDigest, &r.Pulled, &r.Tags, &tag)
		if r.Tags > 0 {
			r.Names = []string{tag}
		}
		chosen.Roots = append(chosen.Roots, r)
		return false, err
	}, query)
	if err == nil && !asked.Unused.IsZero() {
		chosen.Used, err = qs.used(database.Millis(asked.Unused))
	}
	if err != nil {
		return removal.Plan{}, err
	}
	return removal.Prune(qs, asked, chosen, s.blobs.holds.all())
}

// labels passes on the values of labels of images by their manifests.
func (qs questions) labels(
	manifests []image.Digest, keys []string, each func(manifest image.Digest, key, value string),
) error {
	wanted, err := json.Marshal(keys)
	if err != nil {
		return fmt.Errorf("write the keys of labels: %w", err)
	}
	return ask(qs, manifests, database.ChunkSize, func(rows *sql.Rows) (bool, error) {
		var manifest image.Digest
		var key, value string
		err := rows.Scan(&manifest, &key, &value)
		if err == nil {
			each(manifest, key, value)
		}
		return false, err
	}, `SELECT l.manifest_digest, l.key, l.value FROM json_each(?1) m CROSS JOIN json_each(?2) k
		CROSS JOIN image_labels l ON l.manifest_digest = m.value AND l.key = k.value`, string(wanted))
}

// Uses from ?1 on, of digests under repositories. A tag's uses are its digest's.
const (
	handedSince = `SELECT repository_id, digest, last_at FROM handed_digests WHERE last_at >= ?1
		UNION ALL SELECT t.repository_id, t.digest, h.last_at FROM handed_tags h
			CROSS JOIN tags t ON t.repository_id = h.repository_id AND t.name = h.tag WHERE h.last_at >= ?1`
	pulledSince = `SELECT repository_id, digest, pulled_at FROM repository_digests WHERE pulled_at >= ?1
		UNION ALL SELECT repository_id, digest, pulled_at FROM tags WHERE pulled_at >= ?1`
)

// used returns what was used since a moment.
func (qs questions) used(since int64) (used removal.Used, err error) {
	read := func(query string) (map[removal.Key]int64, error) {
		found := map[removal.Key]int64{}
		return found, database.EachRow(qs.ctx, qs.q, func(rows *sql.Rows) (bool, error) {
			var at removal.Key
			var last int64
			err := rows.Scan(&at.Repository, &at.Digest, &last)
			found[at] = max(found[at], last)
			return false, err
		}, query, since)
	}
	handed, handedErr := read(handedSince)
	pulled, pulledErr := read(pulledSince)
	var counted int64
	err = errors.Join(handedErr, pulledErr, qs.q.QueryRowContext(qs.ctx, `SELECT at FROM handed_since`).Scan(&counted))
	if counted <= since {
		counted = 0
	}
	return removal.Used{Downloaded: handed, Pulled: pulled, Uncounted: counted}, err
}
