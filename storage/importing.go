package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

// committing is how many files of an upload are made blobs at once; they share the syncs of their folder.
const committing = 8

// NewStage makes a place for what somebody sends, apart from the blobs, with room for size bytes; negative where nobody
// said how many will come. What is on it when the server dies is removed at the next start.
func (s *Recorder) NewStage(size int64) (shelf.Stage, error) {
	g, err := s.blobs.files.NewStage(size)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// CheckRoom refuses (DiskFull) so many bytes of an upload where the disk has no room for them.
func (s *Recorder) CheckRoom(size int64) error { return s.blobs.files.Volume.Check(size) }

// Import makes an archive's images part of the shelf: its files become blobs, then all rows are written in one
// transaction, tags as by a pull and layers as unpacked. A tag stays as it is where it has the very image already: as a
// platform of an index, or by its ID where the manifest is not the registry's own, which docker's archives leave out.
// After an error nothing is left. Errors: Corrupt where the shelf knows that a layer or an image is broken, DiskFull.
func (s *Recorder) Import(ctx context.Context, from shelf.Stage, in shelf.Import) ([]shelf.Imported, error) {
	g, ok := from.(*blob.Staging)
	if !ok {
		return nil, fmt.Errorf("import: the stage is a %T", from)
	}
	done := make([]shelf.Imported, len(in.Pulled))
	wanted := map[image.Digest]bool{}
	for i := range in.Pulled {
		same, err := s.sameImage(ctx, in, i)
		if err != nil {
			return nil, err
		}
		if done[i] = same; !same.Same {
			neededBy(in, i, wanted)
		}
	}
	digests := slices.Sorted(maps.Keys(wanted))
	// Held before anything is looked for, so that what is there stays.
	letGo := s.blobs.Hold(digests)
	defer letGo()
	fresh, err := s.commitStaged(ctx, g, in.Files, digests)
	if err == nil {
		err = s.recordImport(ctx, in, done)
	}
	if err != nil {
		letGo()
		return nil, errors.Join(err, s.takeBack(ctx, fresh))
	}
	s.changed()
	return done, nil
}

// neededBy adds the blobs of one name to wanted.
func neededBy(in shelf.Import, i int, wanted map[image.Digest]bool) {
	p := in.Pulled[i]
	wanted[p.Target.Digest] = true
	for _, doc := range p.Indexes {
		wanted[doc.Digest] = true
	}
	for _, img := range p.Images {
		for _, d := range img.Digests() {
			wanted[d] = true
		}
	}
}

// sameImage reports whether a tag has the image of a single manifest already.
func (s *Recorder) sameImage(ctx context.Context, in shelf.Import, i int) (shelf.Imported, error) {
	p := in.Pulled[i]
	if p.Reference.Tag == "" || p.Target.Manifest == nil || len(p.Images) != 1 {
		return shelf.Imported{}, nil
	}
	target, err := s.images.Target(ctx, p.Reference)
	if image.KindOf(err) == image.NotFound {
		return shelf.Imported{}, nil
	}
	if err != nil || target.Digest == p.Target.Digest {
		return shelf.Imported{}, err
	}
	for _, img := range target.Images {
		same := img.Manifest == p.Target.Digest || in.Made[p.Target.Digest] && img.ID == p.Target.Manifest.Config.Digest
		if same && img.Broken.Empty() {
			return shelf.Imported{Digest: target.Digest, Same: true}, nil
		}
	}
	return shelf.Imported{}, nil
}

// commitStaged makes staged files blobs and gives those that were none before.
func (s *Recorder) commitStaged(ctx context.Context, g *blob.Staging, files map[image.Digest]image.Staged,
	digests []image.Digest) (fresh []image.Digest, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(committing)
	for _, d := range digests {
		f := files[d]
		whole, err := s.blobs.ProveBlob(ctx, image.Descriptor{Digest: d, Size: f.Size}, nil)
		if err != nil {
			return fresh, errors.Join(err, group.Wait())
		}
		if whole {
			continue
		}
		fresh = append(fresh, d)
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return g.Commit(f)
		})
	}
	return fresh, group.Wait()
}

// takeBack removes files that no row needs, after an import that failed.
func (s *Recorder) takeBack(ctx context.Context, fresh []image.Digest) error {
	var errs []error
	for _, d := range fresh {
		_, _, err := s.space.sweepFile(ctx, d)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// recordImport writes the rows of all that is not there already, and what it changed into done.
func (s *Recorder) recordImport(ctx context.Context, in shelf.Import, done []shelf.Imported) error {
	return s.db.Change(ctx, in.By, image.ActionUpload, "", func(tx *sql.Tx) error {
		r := recorder{ctx: ctx, tx: tx, of: s, at: database.Millis(s.now())}
		for i, p := range in.Pulled {
			if done[i].Same {
				continue
			}
			p.JobID, p.By, p.Uploaded = in.JobID, in.By, true
			var err error
			if p.Before, err = targetDigest(ctx, tx, p.Reference); err != nil && image.KindOf(err) != image.NotFound {
				return err
			}
			if done[i].Change, err = r.record(p); err != nil {
				return fmt.Errorf("record %s: %w", p.Reference.Familiar(), err)
			}
			done[i].Digest = p.Target.Digest
		}
		return r.proved(in)
	})
}

// proved notes what unpacking has found about layers that nobody has unpacked yet.
func (r recorder) proved(in shelf.Import) error {
	for _, d := range slices.Sorted(maps.Keys(in.Proved)) {
		var pending bool
		err := r.tx.QueryRowContext(r.ctx, `SELECT EXISTS (SELECT 1 FROM layers WHERE digest = ?
			AND state = 'pending')`, d).Scan(&pending)
		if err != nil {
			return err
		}
		if pending {
			if err := r.of.layers.settleLayerIn(r.ctx, r.tx, d, layerVerified, in.Proved[d], image.Text{}); err != nil {
				return err
			}
		}
	}
	return nil
}
