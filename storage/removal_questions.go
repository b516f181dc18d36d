package storage

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/database"
)

// questions answers what the rules of removal ask, on one snapshot of the database.
type questions struct {
	ctx context.Context
	q   database.Querier
}

// ask runs a query for pieces of a list and calls scan for each row, until it has seen enough of a piece.
func ask[T any](
	qs questions, all []T, size int, scan func(*sql.Rows) (enough bool, err error), query string, args ...any,
) error {
	return database.InChunks(all, size, func(list string) error {
		return database.EachRow(qs.ctx, qs.q, scan, query, append([]any{list}, args...)...)
	})
}

// belowQuery returns what is stored under each of a list of digests, themselves included: images, in the order of the
// index as far as it lists them itself and once for each platform that they are listed for, and indexes.
const belowQuery = `WITH RECURSIVE down (top, digest, platform) AS (SELECT value, value, '' FROM json_each(?1)
	UNION SELECT down.top, e.digest, iif(e.kind = 'image', e.platform, '') FROM down
		JOIN index_entries e ON e.index_digest = down.digest AND e.kind IN ('image', 'index')
		JOIN manifests m ON m.digest = e.digest)
	SELECT down.top, m.digest, m.kind = 'index', coalesce(i.config_digest, ''),
		coalesce(nullif(down.platform, ''), i.platform, ''),
		coalesce(i.created, -62135596800000), coalesce(i.size, 0), coalesce(i.layers, 0)
	FROM down CROSS JOIN manifests m ON m.digest = down.digest LEFT JOIN images i ON i.manifest_digest = down.digest
	WHERE m.kind = 'index' OR i.manifest_digest IS NOT NULL
	ORDER BY down.top, coalesce((SELECT min(e.position) FROM index_entries e WHERE e.digest = down.digest
		AND e.index_digest = down.top), 1000000000),
		5, down.digest`

// Below implements removal.Questions.
func (qs questions) Below(tops []image.Digest, each func(removal.Below)) error {
	return ask(qs, tops, database.ChunkSize, func(rows *sql.Rows) (bool, error) {
		var b removal.Below
		var platform string
		var created int64
		i := &b.Image
		err := rows.Scan(&b.Top, &b.Digest, &b.Index, &i.ID, &platform, &created, &i.Size, &i.Layers)
		if i.Manifest, i.Platform, i.Created = b.Digest, image.StoredPlatform(platform),
			database.FromMillis(created); err == nil {
			each(b)
		}
		return false, err
	}, belowQuery)
}

// aboveRoots begins a query with the table up: each of a list of manifests and indexes, and every index above it.
const aboveRoots = `WITH RECURSIVE up (bottom, digest) AS (SELECT value, value FROM json_each(?1)
	UNION SELECT up.bottom, e.index_digest FROM up JOIN index_entries e ON e.digest = up.digest
	AND e.kind IN ('image', 'index')) `

// aboveQuery returns the roots that reach each of a list of manifests and indexes, at most ?2 rows; all where that is
// negative.
const aboveQuery = aboveRoots + `SELECT up.bottom, d.repository_id, d.digest FROM up
	CROSS JOIN repository_digests d ON d.digest = up.digest LIMIT ?2`

// fewAsked is how many manifests are asked about one by one, so that each look-up can end early.
const fewAsked = 64

// fewAtOnce returns the size of the pieces in which n things are asked about: few one by one, so that each look-up can
// end early.
func fewAtOnce(n int) int {
	if n <= fewAsked {
		return 1
	}
	return database.ChunkSize
}

// Above implements removal.Questions. Where few are asked about, no more than limit rows are read for each.
func (qs questions) Above(bottoms []image.Digest, limit int, each func(bottom image.Digest, at removal.Key)) error {
	size := fewAtOnce(len(bottoms))
	if size > 1 {
		limit = -1
	}
	return ask(qs, bottoms, size, func(rows *sql.Rows) (bool, error) {
		var bottom image.Digest
		var at removal.Key
		err := rows.Scan(&bottom, &at.Repository, &at.Digest)
		if err == nil {
			each(bottom, at)
		}
		return false, err
	}, aboveQuery, limit)
}

// tagsQuery returns of a list of roots what they are, how many tags they have, and the first ?2 of those as JSON.
const tagsQuery = `SELECT d.repository_id, r.name, d.digest, d.by_digest, d.pulled_at,
	(SELECT count(*) FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id),
	(SELECT json_group_array(name) FROM (
		SELECT name FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id ORDER BY name LIMIT ?2))
	FROM json_each(?1) j CROSS JOIN repository_digests d ON d.repository_id = j.value ->> 0 AND d.digest = j.value ->> 1
	CROSS JOIN repositories r ON r.id = d.repository_id`

// Tags implements removal.Questions.
func (qs questions) Tags(roots []removal.Key, few int, each func(removal.Root)) error {
	return ask(qs, keysOf(roots), database.ChunkSize, func(rows *sql.Rows) (bool, error) {
		var r removal.Root
		var names []byte
		if err := rows.Scan(&r.Repository, &r.Name, &r.Digest, &r.ByDigest, &r.Pulled, &r.Tags, &names); err != nil {
			return true, err
		}
		if err := json.Unmarshal(names, &r.Names); err != nil {
			return true, fmt.Errorf("read the tags of %s: %w", r.Digest, err)
		}
		each(r)
		return false, nil
	}, tagsQuery, few)
}

// keysOf returns roots as the statements read them.
func keysOf(roots []removal.Key) [][2]any {
	keys := make([][2]any, len(roots))
	for i, r := range roots {
		keys[i] = [2]any{r.Repository, r.Digest}
	}
	return keys
}

const pinsQuery = `SELECT p.repository_id, ` + pinColumns + ` FROM json_each(?1) j
	CROSS JOIN pins p ON p.repository_id = j.value ->> 0 AND p.digest = j.value ->> 1
	CROSS JOIN repositories r ON r.id = p.repository_id`

// Pins implements removal.Questions.
func (qs questions) Pins(roots []removal.Key, each func(removal.Key, shelf.Pin)) error {
	return ask(qs, keysOf(roots), database.ChunkSize, func(rows *sql.Rows) (bool, error) {
		var at removal.Key
		pin, err := scanPin(rows, &at.Repository)
		at.Digest = pin.Reference.Digest
		if err == nil {
			each(at, pin)
		}
		return false, err
	}, pinsQuery)
}

// chain identifies the images that have exactly these layers, for a platform: what others with the same first layers
// are built on.
type chain struct {
	last     string // the chain ID of the last layer, 32 bytes
	platform string
}

const (
	chainsQuery = `SELECT i.manifest_digest, i.platform, il.chain_id FROM json_each(?1) j
		CROSS JOIN images i ON i.manifest_digest = j.value
		CROSS JOIN image_layers il ON il.manifest_digest = i.manifest_digest AND il.position = i.layers - 1
		WHERE il.chain_id IS NOT NULL`

	// builtQuery returns the images that have more layers than those that a list of chain IDs is of.
	builtQuery = `SELECT j.key, i.manifest_digest, i.platform FROM json_each(?) j
		CROSS JOIN image_layers il ON il.chain_id = unhex(j.value)
		CROSS JOIN images i ON i.manifest_digest = il.manifest_digest AND i.layers > il.position + 1`

	// namingQuery returns the images that name one of a list of manifests as their base, or an index that lists it.
	namingQuery = aboveRoots + `SELECT up.bottom, i.manifest_digest FROM up
		CROSS JOIN images i ON i.base_digest = up.digest AND i.base_digest <> ''
		CROSS JOIN images base ON base.manifest_digest = up.bottom
		WHERE i.manifest_digest <> up.bottom AND (up.digest = up.bottom OR i.platform = base.platform)`
)

// BuiltOn implements removal.Questions.
func (qs questions) BuiltOn(bases []image.Digest, each func(base, user image.Digest) (enough bool)) error {
	of := map[chain][]image.Digest{}
	var order []chain
	err := ask(qs, bases, database.ChunkSize, func(rows *sql.Rows) (bool, error) {
		var manifest image.Digest
		var c chain
		err := rows.Scan(&manifest, &c.platform, &c.last)
		if of[c] == nil {
			order = append(order, c)
		}
		of[c] = append(of[c], manifest)
		return false, err
	}, chainsQuery)
	if err != nil {
		return err
	}
	if err := qs.builtByLayers(order, of, each); err != nil {
		return err
	}
	size := fewAtOnce(len(bases))
	return ask(qs, bases, size, func(rows *sql.Rows) (bool, error) {
		var base, user image.Digest
		err := rows.Scan(&base, &user)
		return err == nil && each(base, user) && size == 1, err
	}, namingQuery)
}

func (qs questions) builtByLayers(
	order []chain, of map[chain][]image.Digest, each func(base, user image.Digest) bool,
) error {
	chains := make([]string, len(order))
	for i, c := range order {
		chains[i] = hex.EncodeToString([]byte(c.last))
	}
	size := fewAtOnce(len(chains))
	asked := 0
	return database.InChunks(chains, size, func(list string) error {
		first := asked
		asked += size
		return database.EachRow(qs.ctx, qs.q, func(rows *sql.Rows) (bool, error) {
			var at int
			var user image.Digest
			var platform string
			err := rows.Scan(&at, &user, &platform)
			if err != nil || platform != order[first+at].platform {
				return err != nil, err
			}
			enough := true
			for _, base := range of[order[first+at]] {
				enough = each(base, user) && enough
			}
			return enough && size == 1, nil
		}, builtQuery, list)
	})
}

const (
	layersQuery = `SELECT manifest_digest, layer_digest FROM json_each(?) j
		CROSS JOIN image_layers ON manifest_digest = j.value ORDER BY j.key, position`

	attestedQuery = `SELECT ia.manifest_digest, ia.attestation_digest, ab.position, ab.blob_digest
		FROM json_each(?) j CROSS JOIN image_attestations ia ON ia.manifest_digest = j.value
		CROSS JOIN attestation_blobs ab ON ab.attestation_digest = ia.attestation_digest
		ORDER BY j.key, ia.attestation_digest, ab.position`

	describesQuery = `SELECT j.value, (SELECT count(*) FROM image_attestations WHERE attestation_digest = j.value)
		FROM json_each(?) j ORDER BY j.key`
)

// Parts implements removal.Questions.
func (qs questions) Parts(manifests []image.Digest, each func(removal.Part)) error {
	err := ask(qs, manifests, database.ChunkSize, func(rows *sql.Rows) (bool, error) {
		var p removal.Part
		err := rows.Scan(&p.Manifest, &p.Blob)
		if err == nil {
			each(p)
		}
		return false, err
	}, layersQuery)
	if err != nil {
		return err
	}
	return ask(qs, manifests, database.ChunkSize, func(rows *sql.Rows) (bool, error) {
		var p removal.Part
		err := rows.Scan(&p.Manifest, &p.Attestation, &p.Position, &p.Blob)
		if err == nil {
			each(p)
		}
		return false, err
	}, attestedQuery)
}

// Describes implements removal.Questions.
func (qs questions) Describes(attestations []image.Digest, each func(attestation image.Digest, images int)) error {
	return ask(qs, attestations, database.ChunkSize, func(rows *sql.Rows) (bool, error) {
		var d image.Digest
		var n int
		err := rows.Scan(&d, &n)
		if err == nil {
			each(d, n)
		}
		return false, err
	}, describesQuery)
}

// usedQuery returns, for a list of blobs, their sizes, how many rows there are that have them as a layer, as a config
// and as part of an attestation, up to ?2, and whether they are an index or a manifest.
const usedQuery = `SELECT b.digest, b.size,
	(SELECT count(*) FROM (SELECT 1 FROM image_layers WHERE layer_digest = j.value LIMIT ?2)),
	(SELECT count(*) FROM (SELECT 1 FROM images WHERE config_digest = j.value LIMIT ?2)),
	(SELECT count(*) FROM (SELECT 1 FROM attestation_blobs WHERE blob_digest = j.value LIMIT ?2)),
	EXISTS (SELECT 1 FROM manifests WHERE digest = j.value)
	FROM json_each(?1) j CROSS JOIN blobs b ON b.digest = j.value`

// Uses implements removal.Questions.
func (qs questions) Uses(blobs []image.Digest, most int, each func(removal.Uses)) error {
	return ask(qs, blobs, database.ChunkSize, func(rows *sql.Rows) (bool, error) {
		var u removal.Uses
		err := rows.Scan(&u.Blob, &u.Size, &u.Layers, &u.Configs, &u.Attested, &u.Document)
		if err == nil {
			each(u)
		}
		return false, err
	}, usedQuery, most)
}

// usersQueries give the manifests that have a blob as layer, as config, as themselves, or in what describes them.
var usersQueries = []string{
	`SELECT DISTINCT manifest_digest FROM image_layers WHERE layer_digest = ? ORDER BY manifest_digest`,
	`SELECT manifest_digest FROM images WHERE config_digest = ? ORDER BY manifest_digest`,
	`SELECT digest FROM manifests WHERE digest = ?`,
	`SELECT ia.manifest_digest FROM attestation_blobs ab
		CROSS JOIN image_attestations ia ON ia.attestation_digest = ab.attestation_digest WHERE ab.blob_digest = ?`,
}

// Users implements removal.Questions.
func (qs questions) Users(blob image.Digest, each func(manifest image.Digest) (enough bool)) error {
	for _, query := range usersQueries {
		enough := false
		err := database.EachRow(qs.ctx, qs.q, func(rows *sql.Rows) (bool, error) {
			var d image.Digest
			err := rows.Scan(&d)
			enough = err == nil && each(d)
			return enough, err
		}, query, blob)
		if err != nil || enough {
			return err
		}
	}
	return nil
}
