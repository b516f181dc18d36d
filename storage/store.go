package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/storage/listing"
)

// Options configure a Store. Only Dir is required.
type Options struct {
	Dir             string
	DefaultPlatform image.Platform // shown first where an index has several; zero: the server's own
	StrayGrace      time.Duration  // age at which a blob file without a row is swept; zero: 24 hours
	// how long a deletion can be undone; its files are swept only after it. Zero: at once, nothing can be undone
	UndoWindow  time.Duration
	DiskReserve int64 // bytes of the volume that stay free of blobs, for the database; zero: a share of it, negative: none
	Logger      *slog.Logger
	Now         func() time.Time

	// Volume is asked for the free and the total bytes of the volume in place of the file system, so that a test has a
	// small disk. May be nil.
	Volume func(dir string) (free, total uint64, err error)
}

// Store is the shelf, in parts: each has the rows and the files that its name says. All methods may be called from any
// number of goroutines.
type Store struct {
	Images    *Images
	Lists     *Lists
	Tags      *Tags
	Blobs     *Blobs
	Space     *Space
	Serving   *Serving
	Downloads *Downloads
	Removals  *Removals
	Usage     *Usage
	Jobs      *Jobs
	Recorder  *Recorder
	Unpacker  *Unpacker
	Janitor   *Janitor

	folder     *folder
	background background
}

// background is the work that goes on until the store is closed.
type background struct {
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Open opens the data folder, making it where it is missing, brings the schema up to date and starts the
// background work. It fails with image.Conflict while another server uses the folder, and with
// image.Invalid where a newer Stowage wrote the schema.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.setDefaults()
	f, err := openFolder(ctx, o)
	if err != nil {
		return nil, err
	}
	s, err := newStore(ctx, f, o)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return s, nil
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.DefaultPlatform == (image.Platform{}) {
		o.DefaultPlatform = image.ServerPlatform()
	}
	if o.StrayGrace == 0 {
		o.StrayGrace = 24 * time.Hour
	}
}

// newStore puts the parts together, and starts what they do in the background.
func newStore(ctx context.Context, f *folder, o Options) (*Store, error) {
	db, log := f.db, o.Logger
	kept, err := newDocuments(f.dir, f.blobs, o.Now)
	if err != nil {
		return nil, err
	}
	images := &Images{db: db, blobs: f.blobs, kept: kept, platform: o.DefaultPlatform}
	s := &Store{
		Images:    images,
		Lists:     &Lists{db: db, images: images, index: listing.New(), log: log, platform: o.DefaultPlatform},
		Tags:      &Tags{db: db, now: o.Now},
		Blobs:     &Blobs{db: db, files: f.blobs, log: log},
		Serving:   newServing(db, f.blobs, log),
		Downloads: newDownloads(db, log, o.Now),
		Jobs:      newJobs(db, log),
		folder:    f,
	}
	f.blobs.Marks.OnDamage(s.Blobs.tellDamage)
	if err := s.Downloads.countHanded(ctx); err != nil {
		return nil, err
	}
	old := older{db: db, images: s.Images, lists: s.Lists, log: log}
	if err := old.readFacts(ctx); err != nil {
		return nil, err
	}
	if err := old.readIndexes(ctx); err != nil {
		return nil, err
	}
	found := &layers{db: db, lists: s.Lists}
	s.Unpacker = newUnpacker(f.blobs, found, log)
	s.Janitor = &Janitor{db: db, blobs: s.Blobs, log: log, now: o.Now, grace: o.StrayGrace}
	s.Janitor.init()
	changed := func() {
		s.Janitor.tagsChanged()
		s.Unpacker.wake()
	}
	s.Removals = &Removals{
		db: db, blobs: s.Blobs, lists: s.Lists, layers: found, downloads: s.Downloads, log: log, now: o.Now,
		window: o.UndoWindow, changed: changed, turn: make(chan struct{}, 1), rows: firstRows,
	}
	s.Usage = &Usage{
		dir: f.dir, db: db, blobs: f.blobs, removals: s.Removals, log: log, now: o.Now,
		kick: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	s.Space = &Space{db: db, blobs: s.Blobs, log: log, freed: s.Usage.stale}
	s.Recorder = &Recorder{
		db: db, images: s.Images, blobs: s.Blobs, space: s.Space, lists: s.Lists, layers: found, now: o.Now, changed: changed,
	}
	s.Janitor.space, s.Janitor.removals = s.Space, s.Removals
	s.start(ctx, kept)
	return s, nil
}

func (s *Store) start(ctx context.Context, kept *documents) {
	ctx, s.background.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, work := range []func(context.Context){
		s.Janitor.run, s.Unpacker.run, s.Downloads.run, s.Jobs.unsaved.run, s.Usage.run, s.Lists.warm,
		s.Removals.finishRemovals,
		func(context.Context) { kept.warm() },
	} {
		s.background.running.Go(func() { work(ctx) })
	}
}

// Close stops the background work, writes index.json a last time and closes the files. It waits for the
// work that is under way.
func (s *Store) Close() error {
	s.background.stop()
	s.background.running.Wait()
	return s.folder.close()
}

// Ready returns every reason why the database and the data folder do not answer as they should, joined, or that the
// disk is full; nil where there is none.
func (s *Store) Ready(ctx context.Context) error {
	trouble := s.Trouble()
	if trouble == nil {
		if err := s.folder.db.Ping(ctx); err != nil {
			return fmt.Errorf("database: %w", err)
		}
	}
	return errors.Join(trouble, s.Space.enoughRoom())
}

// Trouble returns what is known against the database and the data folder, joined, without asking the database.
func (s *Store) Trouble() error {
	return errors.Join(s.folder.db.Trouble(), s.folder.blobs.Folder.Ready())
}

// Database returns the database, for what else is kept in it.
func (s *Store) Database() *database.DB { return s.folder.db }
