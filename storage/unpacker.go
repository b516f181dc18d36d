package storage

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// Bounds of unpacking. An ordinary layer takes some 300 KiB of memory while it is read, one at the bounds of the first
// reading 14 MiB, and one that is read by itself up to 150 MiB.
const (
	mostUnpackers = 4    // layers that are read at once, beside the one heavy layer
	listedLayers  = 1024 // that are put in order at once
)

// Layers that grow beyond these are heavy: they wait for one another, and for nobody else. What people build stays
// below; what is made to hold an unpacker up does not.
const (
	lightBlob    = 1 << 30 // bytes of the blob
	lightBytes   = 4 << 30 // of the tar
	lightFloor   = 64 << 20
	lightRatio   = 16      // of the tar to the blob, above lightFloor
	lightEntries = 300_000 // files and folders
	lightWindow  = 8 << 20 // bytes of zstd's window; builders write that at the most
)

// errHeavy says that a layer has to be read by itself.
var errHeavy = errors.New("the layer is heavy")

// lightLimits returns the limits of a layer's first reading; ok is false for one that is heavy by its size.
func lightLimits(size int64, most layer.Limits) (l layer.Limits, ok bool) {
	bytes := min(int64(lightBytes), lightFloor+lightRatio*min(size, lightBlob))
	return layer.Limits{
		MaxBytes: min(most.MaxBytes, bytes), MaxEntries: min(most.MaxEntries, lightEntries),
		MaxWindow: min(most.MaxWindow, lightWindow),
	}, size <= lightBlob
}

// Unpacker reads each stored layer once as a stream, a few at a time and after the pull has ended: it proves the diff
// ID and records the unpacked size as docker counts it. A layer that turns out wrong marks the images that use it as
// broken. Registries take turns, and so do the repositories of one. Only run's goroutine uses the fields without a
// comment.
type Unpacker struct {
	blobs  *blob.Store
	layers *layers
	log    *slog.Logger
	limits func(compressed int64) layer.Limits
	most   int           // layers at once, beside a heavy one
	kick   chan struct{} // holds one: there is something new
	done   chan unpacked

	waiting   []image.Digest // in the order in which they are read
	stale     bool           // there may be others since waiting was listed
	more      bool           // there were more than are in waiting
	running   map[image.Digest]bool
	left      map[image.Digest]bool // that could not be read since the last kick: they stay pending
	heavy     map[image.Digest]bool // that have to be read by themselves
	heavyRuns bool

	rest bell // rings each time nothing is left to do
}

// unpacked is how the reading of a layer ended.
type unpacked struct {
	layer image.Digest
	heavy bool // it was read by itself
	err   error
}

func newUnpacker(blobs *blob.Store, layers *layers, log *slog.Logger) *Unpacker {
	return &Unpacker{
		blobs: blobs, layers: layers, log: log, limits: layer.DefaultLimits, most: min(mostUnpackers, runtime.GOMAXPROCS(0)),
		kick: make(chan struct{}, 1), done: make(chan unpacked), stale: true,
		running: map[image.Digest]bool{}, left: map[image.Digest]bool{}, heavy: map[image.Digest]bool{},
	}
}

func (u *Unpacker) wake() {
	select {
	case u.kick <- struct{}{}:
	default:
	}
}

// run unpacks what is pending until ctx ends.
func (u *Unpacker) run(ctx context.Context) {
	for {
		if err := u.begin(ctx); err != nil && ctx.Err() == nil {
			u.log.Error("unpack layers", "error", err)
		}
		if len(u.running) == 0 {
			u.rest.ring()
		}
		select {
		case <-ctx.Done():
			for range u.running {
				<-u.done
			}
			return
		case <-u.kick:
			u.stale = true
			clear(u.left)
		case o := <-u.done:
			u.end(ctx, o)
		}
	}
}

// begin starts to read as many layers as may be read at once.
func (u *Unpacker) begin(ctx context.Context) error {
	for u.light() < u.most {
		d, err := u.next(ctx)
		if err != nil || d == "" {
			return errors.Join(err, u.beginHeavy(ctx))
		}
		u.start(ctx, d, false)
	}
	return u.beginHeavy(ctx)
}

// light counts the layers that are being read, without a heavy one.
func (u *Unpacker) light() int {
	if u.heavyRuns {
		return len(u.running) - 1
	}
	return len(u.running)
}

// next returns the layer whose turn it is; empty where there is none.
func (u *Unpacker) next(ctx context.Context) (image.Digest, error) {
	for {
		for len(u.waiting) > 0 && !u.stale {
			d := u.waiting[0]
			u.waiting = u.waiting[1:]
			if !u.running[d] && !u.left[d] && !u.heavy[d] {
				return d, nil
			}
		}
		if !u.stale && !u.more {
			return "", nil
		}
		busy := slices.Concat(slices.Collect(maps.Keys(u.running)), slices.Collect(maps.Keys(u.left)),
			slices.Collect(maps.Keys(u.heavy)))
		waiting, err := u.layers.pendingLayers(ctx, false, busy)
		if err != nil {
			return "", err
		}
		u.waiting, u.stale, u.more = waiting, false, len(waiting) == listedLayers
	}
}

// beginHeavy starts to read the heavy layer whose turn it is, unless one is being read.
func (u *Unpacker) beginHeavy(ctx context.Context) error {
	if u.heavyRuns || len(u.heavy) == 0 {
		return nil
	}
	all := maps.Clone(u.heavy)
	maps.DeleteFunc(all, func(d image.Digest, _ bool) bool { return u.left[d] })
	turns, err := u.layers.pendingLayers(ctx, true, slices.Collect(maps.Keys(all)))
	if err != nil {
		return err
	}
	if len(turns) == 0 {
		maps.DeleteFunc(u.heavy, func(d image.Digest, _ bool) bool { return !u.left[d] }) // deleted meanwhile
		return nil
	}
	u.heavyRuns = true
	u.start(ctx, turns[0], true)
	return nil
}

func (u *Unpacker) start(ctx context.Context, d image.Digest, heavy bool) {
	u.running[d] = true
	go func() { u.done <- unpacked{layer: d, heavy: heavy, err: u.one(ctx, d, heavy)} }()
}

// end notes how the reading of a layer ended.
func (u *Unpacker) end(ctx context.Context, o unpacked) {
	delete(u.running, o.layer)
	if o.heavy {
		u.heavyRuns = false
	}
	switch {
	case errors.Is(o.err, errHeavy):
		u.heavy[o.layer] = true
	case o.err != nil:
		u.left[o.layer] = true
		// deleted since it was listed, or known
		if kind := image.KindOf(o.err); ctx.Err() == nil && kind != image.NotFound && kind != image.Damaged {
			u.log.Error("unpack a layer", "digest", o.layer, "error", o.err)
		}
	default:
		delete(u.heavy, o.layer)
	}
}

// pendingLayers returns layers that have not been unpacked, in the order in which their turn comes: one of each
// registry, in that one of each of its repositories, and so on. They are among those named, or are all others.
func (s *layers) pendingLayers(ctx context.Context, among bool, named []image.Digest) ([]image.Digest, error) {
	list, err := database.ListFor(named)
	if err != nil {
		return nil, err
	}
	return database.RowsOf(ctx, s.db, database.ScanDigest,
		`WITH RECURSIVE pending AS (
			SELECT digest FROM layers WHERE state = 'pending' AND (digest IN (SELECT value FROM json_each(?1))) = ?2
		), above (layer, digest) AS (
			SELECT p.digest, il.manifest_digest FROM pending p CROSS JOIN image_layers il ON il.layer_digest = p.digest
			UNION
			SELECT a.layer, e.index_digest FROM above a CROSS JOIN index_entries e ON e.digest = a.digest
		), owned AS (
			SELECT a.layer, min(r.name) AS repository FROM above a CROSS JOIN repository_digests rd ON rd.digest = a.digest
				CROSS JOIN repositories r ON r.id = rd.repository_id GROUP BY a.layer
		), turns AS (
			SELECT p.digest, coalesce(o.repository, '') AS repository, row_number() OVER (PARTITION BY o.repository
			ORDER BY p.digest) AS turn
			FROM pending p LEFT JOIN owned o ON o.layer = p.digest
		)
		SELECT digest FROM turns
		ORDER BY row_number() OVER (PARTITION BY substr(repository, 1, instr(repository, '/'))
		ORDER BY turn, repository), turn, digest LIMIT ?3`,
		list, among, listedLayers)
}
