package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
	"github.com/stowage/stowage/migrations"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/listing"
)

const (
	databaseName = "stowage.db"
	lockName     = "stowage.lock"
)

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
	database string // its path
	session  uint32 // see ending.go; zero until it has begun
	blobs    *blob.Store
	read     *sql.DB
	write    *sql.DB
	health   *health
	lock     *flock.Flock
	log      *slog.Logger
	now      func() time.Time
	platform image.Platform
	grace    time.Duration
	window   time.Duration // in which a deletion can be undone

	changes         atomic.Int64 // the newest change that is committed: see update
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
	s.health = &health{log: s.log}
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
	path := filepath.Join(dir, databaseName)
	s.dir, s.database = dir, path
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
	if err := refuseUnknownBlobs(ctx, s.blobs, path); err != nil {
		return err
	}
	if err := s.checkDatabase(ctx); err != nil {
		return err
	}
	if err := makeDatabase(path); err != nil {
		return err
	}
	s.write = s.openPool(url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}}, 1)
	if err := migrate(ctx, s.write); err != nil {
		return err
	}
	change, err := changeNumber(ctx, s.write)
	if err != nil {
		return err
	}
	s.changes.Store(change)
	if err := s.beginSession(ctx); err != nil {
		return err
	}
	s.read = s.openPool(url.Values{"_query_only": {"true"}}, max(4, runtime.NumCPU()))
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
		return unusableFolder(dir, "make the data folder", err)
	}
	// SQLite only says that it cannot open something.
	if err := blob.Writable(dir); err != nil {
		return unusableFolder(dir, "write to the data folder", err)
	}
	if err := refuseLinks(dir); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(dir, lockName))
	locked, err := lock.TryLock()
	if err != nil {
		return unusableFolder(dir, "lock the data folder", err)
	}
	if !locked {
		return image.Errorf(image.Conflict, "another Stowage server is using the data folder %s", dir).
			Suggest("Stop it, or give this one a folder of its own with --data.")
	}
	s.lock = lock
	return nil
}

// unusableFolder says why a data folder cannot be used.
func unusableFolder(dir, operation string, err error) error {
	switch {
	case blob.Forbidden(err):
		return image.Errorf(image.ReadOnly, "Stowage cannot write to the data folder %s: %w", dir, reason(err)).
			Suggest("Make the folder writable for the user that Stowage runs as, mount its volume writable, or name another folder with --data.")
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return image.Errorf(image.Invalid, "a part of the data folder's path %s is no folder", dir).Because(err).Suggest("Name a folder with --data.")
	}
	return fmt.Errorf("%s: %w", operation, err)
}

// reason gives what the system says of a path, without the path.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// refuseUnknownBlobs refuses a folder with blobs and without a database, or with an empty one: to an empty database all
// of them are strays, and index.json names too much, so both would be lost.
func refuseUnknownBlobs(ctx context.Context, blobs *blob.Store, database string) error {
	info, err := os.Stat(database)
	if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err = blobs.Walk(ctx, func(image.Digest, int64, time.Time) error {
		return image.Errorf(image.Invalid, "the data folder holds images, but the database %s that knows them is missing or empty", database).
			Suggest("Bring %s back from a backup, or name another folder with --data.", databaseName)
	})
	return err
}

// openPool opens the database with every pragma in the DSN, so that each connection of the pool has them
// (a PRAGMA by Exec reaches one connection only).
func (s *Store) openPool(extra url.Values, connections int) *sql.DB {
	q := url.Values{
		"_busy_timeout": {"10000"},
		"_synchronous":  {"NORMAL"},
		"_foreign_keys": {"on"},
		"_cache_size":   {"-4000"}, // KiB per connection; the file is in the system's cache anyway
		// Statements that stay prepared per connection: recording a pull of many layers runs few of them often.
		"_stmt_cache_size": {"64"},
	}
	for k, v := range extra {
		q[k] = v
	}
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: s.database}).EscapedPath(), RawQuery: q.Encode()}).String()
	db := sql.OpenDB(connector{dsn, s.health, extra.Has("_txlock")})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

func migrate(ctx context.Context, db *sql.DB) error {
	p, err := goose.NewProvider(database.DialectSQLite3, db, migrations.FS)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	current, newest, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if current > newest {
		return image.Errorf(image.Invalid, "the data folder was written by a newer Stowage (schema %d, this one knows %d)", current, newest).
			Suggest("Start the newer version, or give this one another folder with --data.")
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
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
	for _, c := range []io.Closer{closerOf(s.read), closerOf(s.write)} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if s.session != 0 && errors.Join(errs...) == nil && s.health.err() == nil {
		errs = append(errs, s.endSession())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	return errors.Join(errs...)
}

// closerOf keeps a nil pool from becoming an interface that is not nil.
func closerOf(db *sql.DB) io.Closer {
	if db == nil {
		return nil
	}
	return db
}

// Ready gives every reason why the database and the data folder do not answer as they should, joined, or that the disk
// is full; nil where there is none.
func (s *Store) Ready(ctx context.Context) error {
	trouble := s.Trouble()
	if trouble == nil {
		if err := s.read.PingContext(ctx); err != nil {
			return fmt.Errorf("database: %w", err)
		}
	}
	return errors.Join(trouble, s.enoughRoom())
}

// Trouble gives what is known against the database and the data folder, joined, without asking the database.
func (s *Store) Trouble() error { return errors.Join(s.health.err(), s.blobs.Folder.Ready()) }

// Disk gives the free and the total bytes of the volume that the data folder is on.
func (s *Store) Disk() (free, total uint64, err error) { return s.blobs.Volume.Free() }

// querier is what reads need: a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// update runs f in the one write transaction at a time. What is remembered of the shelf as it was before is so no more.
func (s *Store) update(ctx context.Context, f func(tx *sql.Tx) error) error {
	change, err := s.numbered(ctx, f)
	for err == nil { // before anybody is told: nobody may look up what was before
		known := s.changes.Load()
		if change <= known || s.changes.CompareAndSwap(known, change) {
			break
		}
	}
	return err
}

// numbered is update for what the list and plans depend on, and nothing that is remembered. It returns its number.
func (s *Store) numbered(ctx context.Context, f func(tx *sql.Tx) error) (change int64, err error) {
	err = inTx(ctx, s.write, func(tx *sql.Tx) error {
		// First of all, because triggers note which change they belong to.
		if err := tx.QueryRowContext(ctx, nextChange).Scan(&change); err != nil {
			return err
		}
		return f(tx)
	})
	return change, err
}

const nextChange = `UPDATE totals SET changes = changes + 1 RETURNING changes`

// note is update for what neither the list nor a plan nor anything that is remembered depends on.
func (s *Store) note(ctx context.Context, f func(tx *sql.Tx) error) error {
	return inTx(ctx, s.write, f)
}

// changeNumber returns the number of the newest change.
func changeNumber(ctx context.Context, q querier) (n int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT changes FROM totals`).Scan(&n)
	return n, err
}

// view runs f on one snapshot of the database.
func (s *Store) view(ctx context.Context, f func(tx *sql.Tx) error) error {
	return inTx(ctx, s.read, f)
}

func inTx(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing, before it the first error counts
	if err = f(tx); err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil { // what the end of ctx has rolled back
		return ctx.Err()
	}
	return err
}

// rowsOf runs a query and scans each row.
func rowsOf[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// chunkSize is how many digests one query is asked about: a plan has up to hundreds of thousands of them.
const chunkSize = 500

// listFor returns all as the JSON array that a query reads with json_each.
func listFor[T any](all []T) (string, error) {
	if len(all) == 0 {
		return "[]", nil // of a nil slice it would be null, which has one row
	}
	list, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("write a list for a query: %w", err)
	}
	return string(list), nil
}

// inChunks calls f with pieces of all, each as listFor has it.
func inChunks[T any](all []T, size int, f func(list string) error) error {
	for len(all) > 0 {
		n := min(len(all), size)
		list, err := listFor(all[:n])
		if err != nil {
			return err
		}
		if err := f(list); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// eachRow runs a query and calls f for each row, until f says that it has seen enough.
func eachRow(ctx context.Context, q querier, f func(*sql.Rows) (enough bool, err error), query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		enough, err := f(rows)
		if err != nil || enough {
			return err
		}
	}
	return rows.Err()
}

func scanString(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) }

func scanDigest(rows *sql.Rows) (d image.Digest, err error) { return d, rows.Scan(&d) }

// millis gives a time as the database has it. The zero time.Time, which stands for an unknown one, is
// -62135596800000; 0 is 1970, which reproducible builds write.
func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
