package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/storage/listing"
)

// listTries is how often a list is chosen anew because the shelf changed between the choice and the reading of its
// rows.
const listTries = 4

// choose finds what q chooses by the index as it is in one snapshot of the database, and runs read on both. In a shelf
// that changes very quickly the index may be ahead of the snapshot: then rows can be missing in it.
func (s *Lists) choose(ctx context.Context, q shelf.Query, pick func(*listing.Choice), read func(*sql.Tx) error) error {
	for try := 1; ; try++ {
		ahead := false
		err := s.db.View(ctx, func(tx *sql.Tx) error {
			change, err := s.index.CatchUp(ctx, listFeed{tx})
			if err != nil {
				return err
			}
			c, err := listing.Compile(q, func(digits string) ([]int64, error) { return reachedRows(ctx, tx, digits) })
			if err != nil {
				return err
			}
			ahead = s.index.Choose(c, pick) != change
			if ahead && try < listTries {
				return nil
			}
			return read(tx)
		})
		if err != nil || !ahead || try == listTries {
			return err
		}
	}
}

// List returns rows and how many the query chooses in all.
func (s *Lists) List(ctx context.Context, q shelf.Query) (rows []shelf.Row, total int, err error) {
	var ids []int64
	err = s.choose(ctx, q, func(c *listing.Choice) {
		ids, total = c.Page(q.Sort, q.Descending, q.Offset, q.Limit), c.Total()
	}, func(tx *sql.Tx) error {
		rows, err = readRows(ctx, tx, ids)
		return err
	})
	return rows, total, err
}

// idsAtOnce is how many image IDs are read at a time.
const idsAtOnce = 1000

// EachImageID calls f with the image ID of each row that q chooses, in its order and whatever its Offset and Limit.
// Rows without a stored platform have none and are left out, and so is what is deleted meanwhile: nothing is held while
// f works.
func (s *Lists) EachImageID(ctx context.Context, q shelf.Query, f func(image.Digest) error) error {
	var ids []int64
	err := s.choose(ctx, q, func(c *listing.Choice) { ids = c.Page(q.Sort, q.Descending, 0, c.Total()) },
		func(*sql.Tx) error { return nil })
	if err != nil {
		return err
	}
	type line struct {
		id    int64
		image image.Digest
	}
	for len(ids) > 0 {
		some := ids[:min(len(ids), idsAtOnce)]
		ids = ids[len(some):]
		lines, err := database.RowsOf(ctx, s.db,
			func(rows *sql.Rows) (l line, err error) { return l, rows.Scan(&l.id, &l.image) },
			`SELECT id, image_id FROM listing WHERE id IN (SELECT value FROM json_each(?))`, idList(some))
		if err != nil {
			return err
		}
		of := make(map[int64]image.Digest, len(lines))
		for _, l := range lines {
			of[l.id] = l.image
		}
		for _, id := range some {
			if of[id] == "" {
				continue
			}
			if err := f(of[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// ListRepositories returns the repositories of the rows that q chooses, and how many there are. Sort is one for
// repositories.
func (s *Lists) ListRepositories(ctx context.Context,
	q shelf.Query) (rows []shelf.RepositoryRow, total int, err error) {
	err = s.choose(ctx, q, func(c *listing.Choice) {
		rows, total = c.Repositories(q.Sort, q.Descending, q.Offset, q.Limit)
	}, func(*sql.Tx) error { return nil })
	return rows, total, err
}

// ListOffers returns what is there to be filtered by.
func (s *Lists) ListOffers(ctx context.Context) (o shelf.Offers, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		_, err := s.index.CatchUp(ctx, listFeed{tx})
		return err
	})
	if err == nil {
		o = s.index.Offers()
	}
	return o, err
}

// CreatedOf returns when an image was created that is named as docker's filters before and since name it: a reference,
// where the platform counts that the list shows, or an image ID or the beginning of one. The time is zero where its
// config does not say. Errors are of kind NotFound, of kind Conflict where several IDs begin so, and of kind Invalid.
func (s *Lists) CreatedOf(ctx context.Context, name string) (time.Time, error) {
	named, err := s.images.Named(ctx, name)
	if err != nil || named.Reference == (image.Reference{}) {
		return named.Image.Created, err
	}
	return s.createdOfReference(ctx, named.Reference)
}

func (s *Lists) createdOfReference(ctx context.Context, ref image.Reference) (created time.Time, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		d, err := targetDigest(ctx, tx, ref)
		if err != nil {
			return err
		}
		images, err := reachableImages(ctx, tx, d)
		created = preferred(images, s.platform).Created
		return err
	})
	return created, err
}

// readRows reads rows whole, in the order of ids. Those that are gone are left out.
func readRows(ctx context.Context, tx *sql.Tx, ids []int64) ([]shelf.Row, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	type line struct {
		shelf.Row
		id int64
	}
	lines, err := database.RowsOf(ctx, tx, func(rows *sql.Rows) (l line, err error) {
		l.Row, l.id, err = scanRow(rows)
		return l, err
	}, `SELECT l.id, r.name, l.tag, l.digest, l.reason, l.image_id, l.platform, l.platforms, l.created, l.pulled_at,
		l.size, l.unpacked, l.total_size, l.broken, l.pinned, l.update_state, l.handed, l.handed_at
		FROM json_each(?) wanted CROSS JOIN listing l ON l.id = wanted.value JOIN repositories r ON r.id = l.repository_id
		ORDER BY wanted.key`, idList(ids))
	rows := make([]shelf.Row, len(lines))
	for i, l := range lines {
		rows[i] = l.Row
	}
	return rows, err
}

// idList writes IDs as JSON, for json_each.
func idList(ids []int64) string {
	list, err := json.Marshal(ids)
	if err != nil { // numbers can always be written
		panic(fmt.Sprintf("storage: write %d IDs: %v", len(ids), err))
	}
	return string(list)
}

// reachedBy finds the rows of the list under which a digest can be reached that begins with given digits: an
// index, a manifest, the image ID of any platform, or a layer. Few digests are meant: the rest is not looked for.
const reachedBy = `SELECT id FROM listing WHERE digest IN (
	WITH RECURSIVE up (digest) AS (SELECT * FROM (
		SELECT digest FROM manifests WHERE digest BETWEEN ? AND ?
		UNION SELECT manifest_digest FROM images WHERE config_digest BETWEEN ? AND ?
		UNION SELECT manifest_digest FROM image_layers WHERE layer_digest BETWEEN ? AND ?
		LIMIT 1000)
		UNION SELECT e.index_digest FROM index_entries e JOIN up ON e.digest = up.digest AND e.kind IN ('image', 'index'))
	SELECT digest FROM up)`

// reachedRows returns the IDs of the rows that reachedBy finds for the first digits of a digest.
func reachedRows(ctx context.Context, tx *sql.Tx, digits string) ([]int64, error) {
	from, to := "sha256:"+digits, "sha256:"+digits+"g" // g sorts after every hex digit
	return database.RowsOf(ctx, tx, func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) },
		reachedBy, from, to, from, to, from, to)
}

// warm reads the list before anybody asks for it. Where it fails, the first who asks reads it.
func (s *Lists) warm(ctx context.Context) {
	err := s.db.View(ctx, func(tx *sql.Tx) error {
		_, err := s.index.CatchUp(ctx, listFeed{tx})
		return err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("read the list into memory", "error", err)
	}
}
