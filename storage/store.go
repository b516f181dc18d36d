package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/storage/listing"
)

const lockName = "stowage.lock"

// Options configure a Store. Only Dir is required.
type Options struct {
	Dir             string
	DefaultPlatform image.Platform // shown first where an index has several; zero: the server's own
	StrayGrace      time.Duration  // age at which a blob file without a row is swept; zero: 24 hours
	UndoWindow      time.Duration  // how long a deletion can be undone; its files are swept only after it. Zero: at once, nothing can be undone
	DiskReserve     int64          // bytes of the volume that stay free of blobs, for the database; zero: a share of it, negative: none
	Logger          *slog.Logger
	Now             func() time.Time

	// Volume is asked for the free and the total bytes of the volume in place of the file system, so that a test has a
	// small disk. May be nil.
	Volume func(dir string) (free, total uint64, err error)
}

// Store is the shelf. Its methods may be called from any number of goroutines.
type Store struct {
	dir      string // the data folder
	db       *database.DB
	blobs    *blob.Store
	lock     *flock.Flock
	log      *slog.Logger
	now      func() time.Time
	platform image.Platform
	grace    time.Duration
	window   time.Duration // in which a deletion can be undone

	servedManifests *memo.Current[image.Reference, shelf.Served]
	servedBlobs     *memo.Current[image.Reference, int64] // their sizes
	subjects        *subjects
	uploads         *memo.Current[image.Reference, bool] // see Uploaded
	index           *listing.Index
	holds           holds
	removals        *removals
	keeper          *keeper
	unpack          *unpacker
	settled         bell // rings when unpacking has found something out
	handed          *handed
	documents       *documents
	unsaved         *unsaved
	usage           *usageCounter
	closing         context.CancelFunc
	running         sync.WaitGroup
}

// Open opens the data folder, making it where it is missing, brings the schema up to date and starts the
// background work. It fails with image.Conflict while another server uses the folder, and with
// image.Invalid where a newer Stowage wrote the schema.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: o.Logger, now: o.Now, platform: o.DefaultPlatform, grace: o.StrayGrace, window: o.UndoWindow, index: listing.New()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.platform == (image.Platform{}) {
		s.platform = image.ServerPlatform()
	}
	if s.grace == 0 {
		s.grace = 24 * time.Hour
	}
	s.servedManifests = memo.NewCurrent[image.Reference, shelf.Served](mostServed)
	s.servedBlobs = memo.NewCurrent[image.Reference, int64](mostServed)
	s.uploads = memo.NewCurrent[image.Reference, bool](mostServed)
	s.subjects = &subjects{of: memo.NewRecent[image.Digest, image.Digest](mostSubjects)}
	s.unsaved = newUnsaved(s)
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.closing = cancel
	s.removals = newRemovals()
	s.keeper = newKeeper(s)
	s.unpack = newUnpacker(s)
	s.handed = newHanded(s)
	s.usage = newUsageCounter(s)
	s.running.Go(func() { s.keeper.run(background) })
	s.running.Go(func() { s.unpack.run(background) })
	s.running.Go(func() { s.handed.run(background) })
	s.running.Go(func() { s.unsaved.run(background) })
	s.running.Go(func() { s.usage.run(background) })
	s.running.Go(func() { s.warm(background) })
	s.running.Go(s.documents.warm)
	s.running.Go(func() { s.finishRemovals(background) })
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) error {
	dir := o.Dir
	if err := s.lockFolder(dir); err != nil {
		return err
	}
	s.dir = dir
	var err error
	if s.blobs, err = blob.Open(dir); err != nil {
		return err
	}
	s.blobs.Volume.KeepFree(o.DiskReserve)
	if o.Volume != nil {
		s.blobs.Volume.Measure(o.Volume)
	}
	s.blobs.Volume.YieldBallast() // on a full disk SQLite could not even open the database
	s.blobs.Marks.OnDamage(s.tellDamage)
	if err := refuseUnknownBlobs(ctx, s.blobs, filepath.Join(dir, database.Name)); err != nil {
		return err
	}
	if s.db, err = database.Open(ctx, dir, s.blobs, s.log); err != nil {
		return err
	}
	if err := s.countHanded(ctx); err != nil {
		return err
	}
	s.blobs.Volume.LayBallast()
	if s.documents, err = newDocuments(dir, s.blobs, s.now); err != nil {
		return err
	}
	if err := s.readFacts(ctx); err != nil {
		return err
	}
	return s.readIndexes(ctx)
}

// lockFolder makes the data folder where it is missing, and keeps other servers from using it.
func (s *Store) lockFolder(dir string) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return image.Errorf(image.Invalid, "the data folder %s is no folder", dir).Suggest("Name a folder with --data.")
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return blob.Unusable(dir, "make the data folder", err)
	}
	// SQLite only says that it cannot open something.
	if err := blob.Writable(dir); err != nil {
		return blob.Unusable(dir, "write to the data folder", err)
	}
	if err := refuseLinks(dir); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(dir, lockName))
	locked, err := lock.TryLock()
	if err != nil {
		return blob.Unusable(dir, "lock the data folder", err)
	}
	if !locked {
		return image.Errorf(image.Conflict, "another Stowage server is using the data folder %s", dir).
			Suggest("Stop it, or give this one a folder of its own with --data.")
	}
	s.lock = lock
	return nil
}

// refuseUnknownBlobs refuses a folder with blobs and without a database, or with an empty one: to an empty database all
// of them are strays, and index.json names too much, so both would be lost.
func refuseUnknownBlobs(ctx context.Context, blobs *blob.Store, path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err = blobs.Walk(ctx, func(image.Digest, int64, time.Time) error {
		return image.Errorf(image.Invalid, "the data folder holds images, but the database %s that knows them is missing or empty", path).
			Suggest("Bring %s back from a backup, or name another folder with --data.", database.Name)
	})
	return err
}

// Close stops the background work, writes index.json a last time and closes the files. It waits for the
// work that is under way.
func (s *Store) Close() error {
	s.closing()
	s.running.Wait()
	return s.closeFiles()
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	return errors.Join(errs...)
}

// Ready gives every reason why the database and the data folder do not answer as they should, joined, or that the disk
// is full; nil where there is none.
func (s *Store) Ready(ctx context.Context) error {
	trouble := s.Trouble()
	if trouble == nil {
		if err := s.db.Ping(ctx); err != nil {
			return fmt.Errorf("database: %w", err)
		}
	}
	return errors.Join(trouble, s.enoughRoom())
}

// Trouble gives what is known against the database and the data folder, joined, without asking the database.
func (s *Store) Trouble() error { return errors.Join(s.db.Trouble(), s.blobs.Folder.Ready()) }

// Disk gives the free and the total bytes of the volume that the data folder is on.
func (s *Store) Disk() (free, total uint64, err error) { return s.blobs.Volume.Free() }
