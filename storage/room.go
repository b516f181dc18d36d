package storage

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/docker/go-units"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// Space is the room on the disk, and what can be had of it from files that no row needs.
type Space struct {
	db    *database.DB
	blobs *Blobs
	log   *slog.Logger
	freed func() // called when files went that no row knew
}

// Room returns how the volume of the data folder stands.
func (s *Space) Room() (blob.Room, error) { return s.blobs.files.Volume.Room() }

// Left returns the bytes of the disk that there is room for; negative where the reserve is touched.
func (s *Space) Left() (int64, error) {
	room, err := s.Room()
	return room.Left(), err
}

// Disk returns the free and the total bytes of the volume that the data folder is on.
func (s *Space) Disk() (free, total uint64, err error) { return s.blobs.files.Volume.Free() }

// Reserve sets bytes of the disk aside; DiskFull where there is no room for them.
func (s *Space) Reserve(bytes int64) (shelf.Reservation, error) {
	r, err := s.blobs.files.Volume.Reserve(bytes)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ReserveBlobs sets room aside for what is missing of blobs until release is called; from, which may be nil, is used up
// first. DiskFull where there is no room for all of them.
func (s *Space) ReserveBlobs(blobs []image.Descriptor, from shelf.Reservation) (release func(), err error) {
	r, _ := from.(*blob.Reservation)
	return s.blobs.files.ReserveBlobs(blobs, r)
}

// enoughRoom is the error of a volume that is down to its reserve; nil of another one.
func (s *Space) enoughRoom() error {
	s.blobs.files.Volume.LayBallast() // somebody may have made room
	r, err := s.blobs.files.Volume.Room()
	if err != nil || !r.Low() {
		return err
	}
	return image.Errorf(image.DiskFull, "the server's disk is full: %s are free, and %s stay free for the database",
		units.HumanSize(float64(r.Free)), units.HumanSize(float64(r.Reserve-r.Ballast))).
		Suggest("Delete images that nobody needs, free what waits on the Storage page, or make room on the volume of the data folder.")
}

// GiveUp removes what was fetched of blobs that no row needs and nobody holds.
func (s *Space) GiveUp(ctx context.Context, digests []image.Digest) error {
	var freed shelf.Freed
	var errs []error
	for _, d := range digests {
		errs = append(errs, s.freePart(d, &freed), s.freeLoose(ctx, d, &freed))
	}
	if freed.Files > 0 {
		s.log.Info("gave up what was fetched", "files", freed.Files, "bytes", freed.Bytes)
		s.freed()
	}
	return errors.Join(errs...)
}

// freePart removes a half-fetched blob that nobody holds or writes.
func (s *Space) freePart(d image.Digest, freed *shelf.Freed) error {
	if s.blobs.files.Partials.Size(d) == 0 {
		return nil
	}
	_, err := s.blobs.holds.unlessHeld(d, func() error {
		n, err := s.blobs.files.Partials.Remove(d)
		if err == nil {
			freed.Add(n)
		}
		return err
	})
	if image.KindOf(err) == image.Conflict { // it is being written
		return nil
	}
	return err
}

// freeLoose removes a whole blob that no row needs and nobody holds.
func (s *Space) freeLoose(ctx context.Context, d image.Digest, freed *shelf.Freed) error {
	if !s.blobs.files.Has(d, -1) {
		return nil
	}
	_, n, err := s.sweepFile(ctx, d)
	if n > 0 {
		freed.Add(n)
	}
	return err
}

// Unfinished lists the half-fetched blobs that nobody is fetching, a few of them, and gives how many there are and
// their bytes.
func (s *Space) Unfinished(ctx context.Context, few int) (parts []shelf.PartialBlob, all shelf.Freed, err error) {
	err = s.blobs.files.Partials.Walk(ctx, func(d image.Digest, size int64, _ time.Time) error {
		if s.blobs.holds.held(d) || s.blobs.files.Partials.Writing(d) {
			return nil
		}
		if all.Add(size); len(parts) < few {
			parts = append(parts, shelf.PartialBlob{Digest: d, Bytes: size})
		}
		return nil
	})
	return parts, all, err
}

// FreeUnfinished removes what pulls have fetched that did not finish: parts of layers, and whole layers that belong to
// no image. What a running pull needs stays.
func (s *Space) FreeUnfinished(ctx context.Context, by image.Actor) (shelf.Freed, error) {
	var freed shelf.Freed
	err := s.blobs.files.Partials.Walk(ctx,
		func(d image.Digest, _ int64, _ time.Time) error { return s.freePart(d, &freed) })
	if err != nil {
		return freed, err
	}
	var some []image.Digest
	free := func() error {
		loose, err := s.looseOf(ctx, some)
		some = some[:0]
		for _, d := range loose {
			err = errors.Join(err, s.freeLoose(ctx, d, &freed))
		}
		return err
	}
	_, err = s.blobs.files.Walk(ctx, func(d image.Digest, _ int64, _ time.Time) error {
		if some = append(some, d); len(some) < database.ChunkSize {
			return nil
		}
		return free()
	})
	err = errors.Join(err, free())
	if err == nil || freed.Files > 0 {
		s.log.Info("freed what unfinished pulls had left", "files", freed.Files, "bytes", freed.Bytes, "by", by)
	}
	s.freed()
	return freed, err
}

// looseOf returns those of some blobs that no row needs.
func (s *Space) looseOf(ctx context.Context, some []image.Digest) (loose []image.Digest, err error) {
	err = database.InChunks(some, database.ChunkSize, func(list string) error {
		found, err := database.RowsOf(ctx, s.db, database.ScanDigest,
			`SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE digest = value) AND NOT EXISTS (SELECT 1
				FROM waiting_blobs WHERE digest = value)`, list)
		loose = append(loose, found...)
		return err
	})
	return loose, err
}

// sweepFile removes a blob's file unless a row needs it. Where a running pull holds it, nothing is done.
func (s *Space) sweepFile(ctx context.Context, d image.Digest) (done bool, freed int64, err error) {
	done, err = s.blobs.holds.unlessHeld(d, func() error {
		needed, err := s.needed(ctx, d)
		if err != nil || needed {
			return err
		}
		freed, err = s.blobs.files.Remove(d)
		return err
	})
	return done, freed, err
}

// needed reports whether a row needs a blob's file, or an undo may.
func (s *Space) needed(ctx context.Context, d image.Digest) (needed bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM blobs WHERE digest = ?1) OR EXISTS (SELECT 1
		FROM waiting_blobs WHERE digest = ?1)`, d).Scan(&needed)
	return needed, err
}
