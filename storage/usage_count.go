package storage

import (
	"context"
	"database/sql"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// countUsage works out Usage on one snapshot of the database, which keeps nobody from writing.
func (s *Usage) countUsage(ctx context.Context) (shelf.Usage, error) {
	c := usageCount{ctx: ctx, u: shelf.Usage{At: s.now()}}
	if err := s.db.Scratch(ctx, func(tx *sql.Tx) error { c.tx = tx; return c.count() }); err != nil {
		return shelf.Usage{}, err
	}
	var err error
	if c.u.Files, err = s.countFiles(ctx); err != nil {
		return shelf.Usage{}, err
	}
	if c.dangling <= plannedDangling {
		plan, err := s.removals.PlanPrune(ctx, shelf.Prune{})
		if err != nil {
			return shelf.Usage{}, err
		}
		c.u.Reclaimable.Dangling, c.u.Reclaimable.Images = plan.Totals.Freed, plan.Totals.Images
		c.u.Reclaimable.Plan = plan.Totals
	}
	// What a pull or a sweep does between the snapshot and here is part of the difference.
	c.u.Files.Loose = max(0, c.u.Files.Blobs-c.u.Blobs-c.u.Waiting)
	return c.u, nil
}

// plannedDangling is the most dangling digests whose pruning is planned to count what it frees, to the byte. A plan is
// held in memory: of more digests, what nothing else leads to is counted, of which the rules may keep a few kilobytes.
const plannedDangling = 10_000

// usageCount is a count under way.
type usageCount struct {
	ctx      context.Context
	tx       *sql.Tx
	u        shelf.Usage
	dangling int // digests
}

func (c *usageCount) count() error {
	err := c.tx.QueryRowContext(c.ctx, `SELECT counted_at, blob_bytes, waiting_bytes FROM totals`).
		Scan(&c.u.Changes, &c.u.Blobs, &c.u.Waiting)
	if err != nil {
		return err
	}
	for _, step := range []func() error{c.reach, c.layers, c.shares, c.reclaimable, c.copies, c.repositories, c.largest} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// The statements below say CROSS JOIN where the order of the tables matters: SQLite keeps to it then. There are no
// statistics that it could choose by.

// storedBelow is the recursive part of a walk down: what the indexes in table down list, as far as it is stored.
const storedBelow = `FROM down CROSS JOIN index_entries e ON e.index_digest = down.digest
	AND e.kind IN ('image', 'index') CROSS JOIN manifests m ON m.digest = e.digest`

// reach notes of each index and manifest which repositories lead to it, as the least and the greatest of their
// numbers: none, one, or several is all that has to be known. Dangling digests lead nowhere here. pinned tells whether
// a pin does, dangling or not.
func (c *usageCount) reach() error {
	return c.exec(`CREATE TEMP TABLE reach (digest TEXT PRIMARY KEY, least INTEGER, greatest INTEGER, pinned INTEGER
		NOT NULL) WITHOUT ROWID`,
		`INSERT INTO reach
		WITH RECURSIVE down (digest, repo, pinned) AS (
			SELECT d.digest,
				CASE WHEN d.by_digest OR EXISTS (SELECT 1 FROM tags t WHERE t.digest = d.digest
				AND t.repository_id = d.repository_id) THEN d.repository_id END,
				EXISTS (SELECT 1 FROM pins p WHERE p.repository_id = d.repository_id AND p.digest = d.digest)
			FROM repository_digests d
			UNION SELECT e.digest, down.repo, down.pinned `+storedBelow+`)
		SELECT digest, min(repo), max(repo), max(pinned) FROM down GROUP BY digest`)
}

func (c *usageCount) exec(statements ...string) error {
	for _, s := range statements {
		if _, err := c.tx.ExecContext(c.ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// layers counts layers and what they unpack to.
func (c *usageCount) layers() error {
	l := &c.u.Layers
	return c.tx.QueryRowContext(c.ctx, `SELECT count(*), coalesce(sum(unpacked), 0), coalesce(sum(state = 'pending'), 0),
		coalesce(sum(state = 'broken'), 0) FROM layers`).
		Scan(&l.All, &c.u.Unpacked, &l.Pending, &l.Broken)
}

// shares adds the blobs up by the repositories that lead to them, in a table with one row for each set of those that
// has to be told apart. The first half walks along the index of the layers; the second is of the other blobs, since a
// hostile image can use one blob as a layer and as something else.
func (c *usageCount) shares() error {
	err := c.exec(`CREATE TEMP TABLE share (least INTEGER, greatest INTEGER, pinned INTEGER NOT NULL, size INTEGER
		NOT NULL, copies INTEGER NOT NULL)`,
		`INSERT INTO share SELECT least, greatest, pinned, sum(b.size), sum(b.size * images) FROM (
			SELECT il.layer_digest AS digest, min(r.least) AS least, max(r.greatest) AS greatest, max(r.pinned) AS pinned,
			count(DISTINCT il.manifest_digest) AS images
			FROM image_layers il INDEXED BY image_layers_layer CROSS JOIN reach r ON r.digest = il.manifest_digest
			GROUP BY il.layer_digest) u
		CROSS JOIN blobs b ON b.digest = u.digest GROUP BY least, greatest, pinned`,
		`INSERT INTO share SELECT least, greatest, pinned, sum(b.size), 0 FROM (
			SELECT digest, min(least) AS least, max(greatest) AS greatest, max(pinned) AS pinned FROM (
				SELECT i.config_digest AS digest, r.least, r.greatest, r.pinned FROM images i
				JOIN reach r ON r.digest = i.manifest_digest
				UNION ALL SELECT ab.blob_digest, r.least, r.greatest, r.pinned FROM image_attestations ia
				CROSS JOIN reach r ON r.digest = ia.manifest_digest
					CROSS JOIN attestation_blobs ab ON ab.attestation_digest = ia.attestation_digest
				UNION ALL SELECT digest, least, greatest, pinned FROM reach) GROUP BY digest) u
		CROSS JOIN blobs b ON b.digest = u.digest WHERE NOT EXISTS (SELECT 1 FROM layers l WHERE l.digest = u.digest)
		GROUP BY least, greatest, pinned`)
	if err != nil {
		return err
	}
	var owned int64
	err = c.tx.QueryRowContext(c.ctx, `SELECT coalesce(sum(CASE WHEN least < greatest THEN size END), 0),
		coalesce(sum(CASE WHEN least = greatest THEN size END), 0) FROM share`).
		Scan(&c.u.Shared, &owned)
	c.u.Dangling = c.u.Blobs - c.u.Shared - owned // whatever no tag leads to
	return err
}

// reclaimable adds up what no pin leads to.
func (c *usageCount) reclaimable() error {
	r := &c.u.Reclaimable
	r.At = c.u.At
	return c.tx.QueryRowContext(c.ctx, `SELECT (SELECT coalesce(sum(size), 0) FROM share WHERE NOT pinned),
		(SELECT coalesce(sum(size), 0) FROM share WHERE NOT pinned AND least IS NULL),
		(SELECT count(*) FROM reach r JOIN images i ON i.manifest_digest = r.digest WHERE NOT r.pinned AND r.least IS NULL),
		(SELECT count(*) FROM repository_digests d WHERE d.by_digest = 0
			AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id))`).
		Scan(&r.Unpinned, &r.Dangling, &r.Images, &c.dangling)
}

// copies adds up what each image has by itself: its layers, a layer that it has twice once, its config, its manifest
// and what describes it. The indexes are nobody's copy.
func (c *usageCount) copies() error {
	var layers, rest, about, indexes int64
	err := c.tx.QueryRowContext(c.ctx, `SELECT
		(SELECT coalesce(sum(copies), 0) FROM share),
		(SELECT coalesce(sum(c.size + m.size), 0) FROM images i JOIN blobs c ON c.digest = i.config_digest
		JOIN blobs m ON m.digest = i.manifest_digest),
		(SELECT coalesce(sum(b.size), 0) FROM image_attestations ia
		CROSS JOIN attestation_blobs ab ON ab.attestation_digest = ia.attestation_digest
			CROSS JOIN blobs b ON b.digest = ab.blob_digest),
		(SELECT coalesce(sum(b.size), 0) FROM manifests m JOIN blobs b ON b.digest = m.digest
		WHERE m.kind = 'index')`).Scan(&layers, &rest, &about, &indexes)
	c.u.Copies = max(c.u.Blobs, layers+rest+about+indexes) // an image whose config is one of its layers has it once
	return err
}

// repositories picks those that have most of their own.
func (c *usageCount) repositories() error {
	var own int64
	err := c.tx.QueryRowContext(c.ctx, `SELECT (SELECT count(*) FROM repositories WHERE EXISTS (SELECT 1
		FROM repository_digests d WHERE d.repository_id = repositories.id)),
		(SELECT coalesce(sum(size), 0) FROM share WHERE least = greatest)`).Scan(&c.u.Others, &own)
	if err != nil {
		return err
	}
	type picked struct {
		id int64
		shelf.RepositoryUsage
	}
	all, err := database.RowsOf(c.ctx, c.tx,
		func(rows *sql.Rows) (p picked, err error) { return p, rows.Scan(&p.id, &p.Repository, &p.Own, &p.Tags) },
		`SELECT r.id, r.name, top.size, (SELECT count(*) FROM tags t WHERE t.repository_id = r.id) FROM (
			SELECT least AS id, sum(size) AS size FROM share WHERE least = greatest GROUP BY least
			ORDER BY size DESC, id LIMIT ?) top
		CROSS JOIN repositories r ON r.id = top.id ORDER BY top.size DESC, r.name`, maxRepositories)
	if err != nil {
		return err
	}
	for _, p := range all {
		var whole int64
		err := c.tx.QueryRowContext(c.ctx, `WITH RECURSIVE down (digest) AS (
				SELECT d.digest FROM repository_digests d WHERE d.repository_id = ?1
					AND (d.by_digest OR EXISTS (SELECT 1 FROM tags t WHERE t.digest = d.digest AND t.repository_id = ?1))
				UNION SELECT e.digest `+storedBelow+`),
			part (digest) AS (SELECT digest FROM down
				UNION SELECT i.config_digest FROM down CROSS JOIN images i ON i.manifest_digest = down.digest
				UNION SELECT il.layer_digest FROM down CROSS JOIN image_layers il ON il.manifest_digest = down.digest
				UNION SELECT ab.blob_digest FROM down CROSS JOIN image_attestations ia ON ia.manifest_digest = down.digest
					CROSS JOIN attestation_blobs ab ON ab.attestation_digest = ia.attestation_digest)
			SELECT coalesce(sum(b.size), 0) FROM part CROSS JOIN blobs b ON b.digest = part.digest`, p.id).Scan(&whole)
		if err != nil {
			return err
		}
		p.Shared = whole - p.Own
		c.u.Repositories = append(c.u.Repositories, p.RepositoryUsage)
		own -= p.Own
	}
	c.u.Others -= len(all)
	c.u.OtherBytes = own
	return nil
}

// largest picks the largest layers, and looks for who has them.
func (c *usageCount) largest() (err error) {
	c.u.Largest, err = database.RowsOf(c.ctx, c.tx, func(rows *sql.Rows) (l shelf.LayerUsage, err error) {
		return l, rows.Scan(&l.Digest, &l.Size, &l.Unpacked, &l.CreatedBy, &l.Images)
	}, `SELECT l.digest, b.size, coalesce(l.unpacked, -1),
			coalesce((SELECT created_by FROM image_layers WHERE layer_digest = l.digest LIMIT 1), ''),
			(SELECT count(DISTINCT manifest_digest) FROM image_layers WHERE layer_digest = l.digest)
		FROM (SELECT l.digest, b.size FROM layers l JOIN blobs b ON b.digest = l.digest
		ORDER BY b.size DESC, l.digest LIMIT ?) b
		JOIN layers l ON l.digest = b.digest ORDER BY b.size DESC, l.digest`, maxLargest)
	if err != nil {
		return err
	}
	for i := range c.u.Largest {
		l := &c.u.Largest[i]
		manifests, err := database.RowsOf(c.ctx, c.tx, database.ScanDigest,
			`SELECT DISTINCT manifest_digest FROM image_layers WHERE layer_digest = ?
				ORDER BY manifest_digest LIMIT ?`, l.Digest, 2*maxLayerRefs)
		if err != nil {
			return err
		}
		seen := map[image.Reference]bool{}
		for _, m := range manifests {
			refs, _, err := referencesOf(c.ctx, c.tx, m, maxLayerRefs)
			if err != nil {
				return err
			}
			for _, ref := range refs {
				if !seen[ref] && len(l.References) < maxLayerRefs {
					seen[ref] = true
					l.References = append(l.References, ref)
				}
			}
		}
	}
	return nil
}
