package listing

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"unique"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Feed is the list as it is in one snapshot of the database.
type Feed interface {
	// Change returns the change that touched the list last.
	Change(ctx context.Context) (int64, error)
	// Oldest returns the oldest change of which it is known what it touched; negative where there is none.
	Oldest(ctx context.Context) (int64, error)
	// All adds every row, in the order of their IDs.
	All(ctx context.Context, hash Hasher, add func(Row)) error
	// Since returns the IDs of what was touched after a change, and adds the rows that are there of it.
	Since(ctx context.Context, change int64, hash Hasher, add func(Row)) (touched []int64, err error)
}

// Hasher makes of a label what it is found by.
type Hasher func(image.Label) LabelHash

// Row is a row of the list as a feed has it. Times are milliseconds.
type Row struct {
	ID         int64
	Repository Repository
	Name       string
	Digest     image.Digest
	ImageID    image.Digest
	Platforms  string // joined by blanks
	Labels     string // see JoinLabels
	Created    int64
	Pulled     int64
	Sizes      Sizes
	Reason     shelf.Reason
	Update     shelf.UpdateState
	Pinned     bool
	Downloads  Downloads
}

// Repository is the repository of a row.
type Repository struct {
	ID       int64
	Name     image.Repository
	Familiar string
}

// Sizes are a row's bytes: compressed, unpacked, and compressed of all its platforms.
type Sizes struct{ Compressed, Unpacked, Total int64 }

// Downloads is how often a row was handed out, how often by its digest, and when last; 0 for never.
type Downloads struct{ Count, Direct, Last int64 }

// reader makes entries of rows.
type reader struct {
	entries []entry
	repos   map[int64]*repository
}

func newReader() *reader { return &reader{repos: map[int64]*repository{}} }

func (r *reader) add(row Row) {
	repo := r.repos[row.Repository.ID]
	if repo == nil {
		repo = &repository{id: row.Repository.ID, name: row.Repository.Name, familiar: row.Repository.Familiar,
			host: row.Repository.Name.Host()}
		r.repos[repo.id] = repo
	}
	first := digestBytes(row.ImageID)
	r.entries = append(r.entries, entry{
		id: row.ID, name: row.Name, labels: row.Labels, repo: repo, platforms: unique.Make(row.Platforms),
		digest: digestBytes(row.Digest), imageID: binary.BigEndian.Uint64(first[:8]), created: row.Created,
		pulled: row.Pulled,
		size:   row.Sizes.Compressed, unpacked: row.Sizes.Unpacked, total: row.Sizes.Total, handedAt: row.Downloads.Last,
		handed: uint32(min(row.Downloads.Count, math.MaxUint32)), direct: uint32(min(row.Downloads.Direct, math.MaxUint32)),
		reason: reasonCodes[row.Reason], update: updateCodes[row.Update], pinned: row.Pinned,
		upper: strings.ToLower(row.Name) != row.Name,
	})
}

// digestBytes returns the bytes that a digest names; zeros for none.
func digestBytes(d image.Digest) (b [32]byte) {
	_, digits, _ := strings.Cut(string(d), ":")
	if len(digits) == 2*len(b) {
		_, _ = hex.Decode(b[:], []byte(digits)) // what is no hex digit is in no digest of the database
	}
	return b
}

// at is up to which change the index knows the list.
func (x *Index) at() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.change
}

// CatchUp brings the index up to the snapshot that a feed is of, and returns which change that is. Afterwards the index
// may be ahead of it.
func (x *Index) CatchUp(ctx context.Context, f Feed) (change int64, err error) {
	change, err = f.Change(ctx)
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
	oldest, err := f.Oldest(ctx)
	if err != nil {
		return change, err
	}
	if at < 0 || oldest < 0 || oldest > at { // what changed first is not kept any more
		err = x.reload(ctx, f, change)
	} else {
		err = x.takeOver(ctx, f, at, change)
	}
	return change, err
}

// reload reads the whole list.
func (x *Index) reload(ctx context.Context, f Feed, change int64) error {
	r := newReader()
	if err := f.All(ctx, x.labelHash, r.add); err != nil {
		return err
	}
	fresh := Index{entries: slices.Clip(r.entries), repos: map[int64]*repository{}, sets: map[unique.Handle[string]]int{}}
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
	x.entries, x.free, x.repos, x.sets, x.orders, x.change = fresh.entries, nil, fresh.repos, fresh.sets, fresh.orders,
		change
	x.passed.Clear()
	return nil
}

// takeOver reads the rows that changed after one change and up to another.
func (x *Index) takeOver(ctx context.Context, f Feed, after, change int64) error {
	r := newReader()
	touched, err := f.Since(ctx, after, x.labelHash, r.add)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.apply(touched, r.entries)
	x.change = change
	return nil
}
