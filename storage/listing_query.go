package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
)

// Sort is an order of the list.
type Sort string

// The orders of the list; each can be turned round. Rows that are equal in it stand by name.
const (
	SortName      Sort = "name"
	SortPlatforms Sort = "platforms"
	SortID        Sort = "id"
	SortCreated   Sort = "created"
	SortPulled    Sort = "pulled"
	SortSize      Sort = "size"
	SortUnpacked  Sort = "unpacked"
	SortHanded    Sort = "handed" // how often it was handed out, then when last
	SortUpdate    Sort = "update" // what needs somebody first: available, gone, unknown, current, not asked
	SortTags      Sort = "tags"   // of repositories only
)

// Valid tells whether rows can be sorted so.
func (s Sort) Valid() bool {
	_, ok := rowOrders[s]
	return ok
}

// ValidForRepositories tells whether the list of repositories can be sorted so.
func (s Sort) ValidForRepositories() bool {
	_, ok := groupKeys[s]
	return ok
}

// UpdateState is what the registry last said of a tag.
type UpdateState string

// The states. UpdateUnchecked is also that of a digest without a tag, which never changes.
const (
	UpdateUnchecked UpdateState = ""          // nobody asked
	UpdateCurrent   UpdateState = "current"   // the registry has the same digest
	UpdateAvailable UpdateState = "available" // it has another one
	UpdateGone      UpdateState = "gone"      // it no longer has the tag
	UpdateUnknown   UpdateState = "unknown"   // it could not be asked
)

// DanglingFilter is docker's filter of that name.
type DanglingFilter int

// Its values.
const (
	DanglingShown  DanglingFilter = iota // beside the others
	DanglingOnly                         // docker's dangling=true
	DanglingHidden                       // docker's dangling=false
)

// ListQuery chooses rows of the list. What is zero chooses all; a row must pass everything that is not.
type ListQuery struct {
	Text       string           // part of the familiar name, or the beginning of an image ID or digest
	Repository image.Repository // only this one
	References []string         // any of these globs, as docker's reference filter has them
	Dangling   DanglingFilter
	Labels     []image.Label // all of them on one stored platform
	Before     time.Time     // created before; never what has no creation date
	Since      time.Time     // created after; never what has no creation date
	Registry   string        // host, with its port
	Platform   image.Platform
	Updates    []UpdateState // any of these
	Pinned     bool

	Sort       Sort // zero: by name
	Descending bool
	Offset     int
	Limit      int
}

// listTries is how often a list is chosen anew because the shelf changed between the choice and the reading of its rows.
const listTries = 4

// choose finds what q chooses by the index as it is in one snapshot of the database, and runs read on both. In a shelf that
// changes very quickly the index may be ahead of the snapshot: then rows can be missing in it.
func (s *Store) choose(ctx context.Context, q ListQuery, pick func(*listChoice), read func(*sql.Tx) error) error {
	for try := 1; ; try++ {
		ahead := false
		err := s.view(ctx, func(tx *sql.Tx) error {
			change, err := s.index.catchUp(ctx, tx)
			if err != nil {
				return err
			}
			c, err := q.compile(ctx, tx)
			if err != nil {
				return err
			}
			ahead = s.index.choose(c, pick) != change
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

// List gives rows and how many the query chooses in all.
func (s *Store) List(ctx context.Context, q ListQuery) (rows []Row, total int, err error) {
	var ids []int64
	err = s.choose(ctx, q, func(c *listChoice) {
		ids, total = c.page(rowOrders[q.Sort], q.Descending, q.Offset, q.Limit), c.total
	}, func(tx *sql.Tx) error {
		rows, err = readRows(ctx, tx, ids)
		return err
	})
	return rows, total, err
}

// idsAtOnce is how many image IDs are read at a time.
const idsAtOnce = 1000

// EachImageID calls f with the image ID of each row that q chooses, in its order and whatever its Offset and Limit. Rows without
// a stored platform have none and are left out, and so is what is deleted meanwhile: nothing is held while f works.
func (s *Store) EachImageID(ctx context.Context, q ListQuery, f func(image.Digest) error) error {
	var ids []int64
	err := s.choose(ctx, q, func(c *listChoice) { ids = c.page(rowOrders[q.Sort], q.Descending, 0, c.total) }, func(*sql.Tx) error { return nil })
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
		lines, err := rowsOf(ctx, s.read, func(rows *sql.Rows) (l line, err error) { return l, rows.Scan(&l.id, &l.image) },
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

// RepositoryRow is one line of the list by repositories: what its rows that a query chooses come to.
type RepositoryRow struct {
	Repository image.Repository
	Tags       int
	Dangling   int              // digests
	ByDigest   int              // digests
	Platforms  []image.Platform // that any of the rows has
	Created    time.Time        // the newest; zero where none says
	Pulled     time.Time        // the last
	Size       int64            // compressed bytes of each digest added up: a layer that two of them share is counted twice
	Available  int              // tags for which the registry has another digest
	Gone       int              // tags that the registry no longer has
	Pinned     int
	Handed     int64     // how often clients were given any of the rows
	HandedAt   time.Time // and when last; zero: never
}

// ListRepositories gives the repositories of the rows that q chooses, and how many there are. Sort is one for repositories.
func (s *Store) ListRepositories(ctx context.Context, q ListQuery) (rows []RepositoryRow, total int, err error) {
	err = s.choose(ctx, q, func(c *listChoice) {
		rows, total = c.repositories(q.Sort, q.Descending, q.Offset, q.Limit)
	}, func(*sql.Tx) error { return nil })
	return rows, total, err
}

// ListOffers is what the filters of the list can be set to.
type ListOffers struct {
	Registries []string         // hosts that something is stored of, sorted
	Platforms  []image.Platform // that something is stored for, sorted
}

// ListOffers gives what is there to be filtered by.
func (s *Store) ListOffers(ctx context.Context) (o ListOffers, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		_, err := s.index.catchUp(ctx, tx)
		return err
	})
	if err == nil {
		o = s.index.offers()
	}
	return o, err
}

// CreatedOf gives when an image was created that is named as docker's filters before and since name it: a reference, where the
// platform counts that the list shows, or an image ID or the beginning of one. The time is zero where its config does not
// say. Errors are of kind NotFound, of kind Conflict where several IDs begin so, and of kind Invalid.
func (s *Store) CreatedOf(ctx context.Context, name string) (time.Time, error) {
	named, err := s.Named(ctx, name)
	if err != nil || named.Reference == (image.Reference{}) {
		return named.Image.Created, err
	}
	return s.createdOfReference(ctx, named.Reference)
}

func (s *Store) createdOfReference(ctx context.Context, ref image.Reference) (created time.Time, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		d, err := targetDigest(ctx, tx, ref)
		if err != nil {
			return err
		}
		images, err := reachableImages(ctx, tx, d)
		created = s.preferred(images).Created
		return err
	})
	return created, err
}

// readRows reads rows whole, in the order of ids. Those that are gone are left out.
func readRows(ctx context.Context, tx *sql.Tx, ids []int64) ([]Row, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	type line struct {
		Row
		id int64
	}
	lines, err := rowsOf(ctx, tx, func(rows *sql.Rows) (l line, err error) {
		l.Row, l.id, err = scanRow(rows)
		return l, err
	}, `SELECT l.id, r.name, l.tag, l.digest, l.reason, l.image_id, l.platform, l.platforms, l.created, l.pulled_at,
		l.size, l.unpacked, l.total_size, l.broken, l.pinned, l.update_state, l.handed, l.handed_at
		FROM json_each(?) wanted CROSS JOIN listing l ON l.id = wanted.value JOIN repositories r ON r.id = l.repository_id ORDER BY wanted.key`, idList(ids))
	rows := make([]Row, len(lines))
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
