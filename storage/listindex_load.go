package storage

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unique"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// at is up to which change the index knows the list.
func (x *listIndex) at() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.change
}

// warm reads the list before anybody asks for it. Where it fails, the first who asks reads it.
func (s *Store) warm(ctx context.Context) {
	err := s.view(ctx, func(tx *sql.Tx) error {
		_, err := s.index.catchUp(ctx, tx)
		return err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("read the list into memory", "error", err)
	}
}

// catchUp brings the index up to the snapshot of the database that q reads, and tells which change that is. Afterwards
// the index may be ahead of it.
func (x *listIndex) catchUp(ctx context.Context, q querier) (change int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT listed_at FROM totals`).Scan(&change)
	if err != nil || x.at() >= change {
		return change, err
	}
	select {
	case x.turn <- struct{}{}:
	case <-ctx.Done():
		return change, ctx.Err()
	}
	defer func() { <-x.turn }()
	at := x.at()
	if at >= change {
		return change, nil
	}
	var oldest int64
	if err := q.QueryRowContext(ctx, `SELECT coalesce(min(change), -1) FROM listing_changes`).Scan(&oldest); err != nil {
		return change, err
	}
	if at < 0 || oldest < 0 || oldest > at { // what changed first is not kept any more
		err = x.reload(ctx, q, change)
	} else {
		err = x.takeOver(ctx, q, at, change)
	}
	return change, err
}

// reload reads the whole list.
func (x *listIndex) reload(ctx context.Context, q querier, change int64) error {
	labels, err := x.allLabels(ctx, q)
	if err != nil {
		return fmt.Errorf("read labels: %w", err)
	}
	fresh := listIndex{repos: map[int64]*listedRepository{}, sets: map[unique.Handle[string]]int{}}
	r := entryReader{labels: labels, repos: map[int64]*listedRepository{}}
	if fresh.entries, err = rowsOf(ctx, q, r.scan, entryColumns+` ORDER BY l.id`); err != nil {
		return fmt.Errorf("read the list: %w", err)
	}
	places := make([]uint32, len(fresh.entries))
	for i := range fresh.entries {
		fresh.count(&fresh.entries[i])
		places[i] = uint32(i)
	}
	for o := range orderCount {
		slices.SortFunc(places, func(i, j uint32) int { return fresh.compare(o, i, j) })
		fresh.orders[o] = slices.Clone(places)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.entries, x.free, x.repos, x.sets, x.orders, x.change = fresh.entries, nil, fresh.repos, fresh.sets, fresh.orders, change
	x.passed.Clear()
	return nil
}

// takeOver reads the rows that changed after one change and up to another.
func (x *listIndex) takeOver(ctx context.Context, q querier, after, change int64) error {
	const changed = `SELECT id FROM listing_changes WHERE change > ?`
	ids, err := rowsOf(ctx, q, func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) }, `SELECT DISTINCT id FROM (`+changed+`)`, after)
	if err != nil {
		return fmt.Errorf("read what changed in the list: %w", err)
	}
	labels, err := x.labelsOf(ctx, q, changed, after)
	if err != nil {
		return fmt.Errorf("read labels: %w", err)
	}
	r := entryReader{labels: labels, repos: map[int64]*listedRepository{}}
	come, err := rowsOf(ctx, q, r.scan, entryColumns+` WHERE l.id IN (`+changed+`)`, after)
	if err != nil {
		return fmt.Errorf("read what changed in the list: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.apply(ids, come)
	x.change = change
	return nil
}

const entryColumns = `SELECT l.id, l.repository_id, r.name, r.familiar, l.name, l.digest, l.image_id, l.platforms, l.created, l.pulled_at,
	l.size, l.unpacked, l.total_size, l.reason, l.update_state, l.pinned, l.handed, l.handed_direct, l.handed_at FROM listing l JOIN repositories r ON r.id = l.repository_id`

// entryReader makes entries of rows.
type entryReader struct {
	labels map[image.Digest]string
	repos  map[int64]*listedRepository
}

func (r entryReader) scan(rows *sql.Rows) (e entry, err error) {
	var repo listedRepository
	var digest, imageID image.Digest
	var platforms string
	var reason shelf.Reason
	var update shelf.UpdateState
	var handed, direct int64
	err = rows.Scan(&e.id, &repo.id, &repo.name, &repo.familiar, &e.name, &digest, &imageID, &platforms, &e.created, &e.pulled,
		&e.size, &e.unpacked, &e.total, &reason, &update, &e.pinned, &handed, &direct, &e.handedAt)
	if err != nil {
		return entry{}, err
	}
	if r.repos[repo.id] == nil {
		repo.host = repo.name.Host()
		r.repos[repo.id] = &repo
	}
	e.repo = r.repos[repo.id]
	e.digest = digestBytes(digest)
	first := digestBytes(imageID)
	e.imageID = binary.BigEndian.Uint64(first[:8])
	e.platforms = unique.Make(platforms)
	e.labels = r.labels[digest]
	e.handed, e.direct = uint32(min(handed, math.MaxUint32)), uint32(min(direct, math.MaxUint32))
	e.reason, e.update = reasonCodes[reason], updateCodes[update]
	e.upper = strings.ToLower(e.name) != e.name
	return e, nil
}

// digestBytes gives the bytes that a digest names; zeros for none.
func digestBytes(d image.Digest) (b [32]byte) {
	_, digits, _ := strings.Cut(string(d), ":")
	if len(digits) == 2*len(b) {
		_, _ = hex.Decode(b[:], []byte(digits)) // what is no hex digit is in no digest of the database
	}
	return b
}
