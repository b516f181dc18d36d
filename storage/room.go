package storage

import (
	"context"
	"errors"
	"time"

	"github.com/docker/go-units"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// Room gives how the volume of the data folder stands.
func (s *Store) Room() (blob.Room, error) { return s.blobs.Volume.Room() }

// Left returns the bytes of the disk that there is room for; negative where the reserve is touched.
func (s *Store) Left() (int64, error) {
	room, err := s.Room()
	return room.Left(), err
}

// Reserve sets bytes of the disk aside; DiskFull where there is no room for them.
func (s *Store) Reserve(bytes int64) (shelf.Reservation, error) {
	r, err := s.blobs.Volume.Reserve(bytes)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ReserveBlobs sets room aside for what is missing of blobs until release is called; from, which may be nil, is used up
// first. DiskFull where there is no room for all of them.
func (s *Store) ReserveBlobs(blobs []image.Descriptor, from shelf.Reservation) (release func(), err error) {
	r, _ := from.(*blob.Reservation)
	return s.blobs.ReserveBlobs(blobs, r)
}

// enoughRoom is the error of a volume that is down to its reserve; nil of another one.
func (s *Store) enoughRoom() error {
	s.blobs.Volume.LayBallast() // somebody may have made room
	r, err := s.blobs.Volume.Room()
	if err != nil || !r.Low() {
		return err
	}
	return image.Errorf(image.DiskFull, "the server's disk is full: %s are free, and %s stay free for the database",
		units.HumanSize(float64(r.Free)), units.HumanSize(float64(r.Reserve-r.Ballast))).
		Suggest("Delete images that nobody needs, free what waits on the Storage page, or make room on the volume of the data folder.")
}

// GiveUp removes what was fetched of blobs that no row needs and nobody holds.
func (s *Store) GiveUp(ctx context.Context, digests []image.Digest) error {
	var freed shelf.Freed
	var errs []error
	for _, d := range digests {
		errs = append(errs, s.freePart(d, &freed), s.freeLoose(ctx, d, &freed))
	}
	if freed.Files > 0 {
		s.log.Info("gave up what was fetched", "files", freed.Files, "bytes", freed.Bytes)
		s.usage.stale()
	}
	return errors.Join(errs...)
}

// freePart removes a half-fetched blob that nobody holds or writes.
func (s *Store) freePart(d image.Digest, freed *shelf.Freed) error {
	if s.blobs.Partials.Size(d) == 0 {
		return nil
	}
	_, err := s.holds.unlessHeld(d, func() error {
		n, err := s.blobs.Partials.Remove(d)
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
func (s *Store) freeLoose(ctx context.Context, d image.Digest, freed *shelf.Freed) error {
	if !s.blobs.Has(d, -1) {
		return nil
	}
	_, n, err := s.keeper.sweepFile(ctx, d)
	if n > 0 {
		freed.Add(n)
	}
	return err
}

// Unfinished lists the half-fetched blobs that nobody is fetching, a few of them, and gives how many there are and their
// bytes.
func (s *Store) Unfinished(ctx context.Context, few int) (parts []shelf.PartialBlob, all shelf.Freed, err error) {
	err = s.blobs.Partials.Walk(ctx, func(d image.Digest, size int64, _ time.Time) error {
		if s.holds.held(d) || s.blobs.Partials.Writing(d) {
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
func (s *Store) FreeUnfinished(ctx context.Context, by image.Actor) (shelf.Freed, error) {
	var freed shelf.Freed
	err := s.blobs.Partials.Walk(ctx, func(d image.Digest, _ int64, _ time.Time) error { return s.freePart(d, &freed) })
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
	_, err = s.blobs.Walk(ctx, func(d image.Digest, _ int64, _ time.Time) error {
		if some = append(some, d); len(some) < database.ChunkSize {
			return nil
		}
		return free()
	})
	err = errors.Join(err, free())
	s.log.Info("freed what unfinished pulls had left", "files", freed.Files, "bytes", freed.Bytes, "by", by)
	s.usage.stale()
	return freed, err
}

// looseOf gives those of some blobs that no row needs.
func (s *Store) looseOf(ctx context.Context, some []image.Digest) (loose []image.Digest, err error) {
	err = database.InChunks(some, database.ChunkSize, func(list string) error {
		found, err := database.RowsOf(ctx, s.db, database.ScanDigest,
			`SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE digest = value) AND NOT EXISTS (SELECT 1 FROM waiting_blobs WHERE digest = value)`, list)
		loose = append(loose, found...)
		return err
	})
	return loose, err
}
