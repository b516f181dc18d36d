// Package database is the SQLite database of the data folder: its connections, its health, its schema and the ways to
// read and to write it. What the tables mean is for the packages beside it.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/migrations"
	"github.com/stowage/stowage/storage/blob"
)

// Name is the database's name in the data folder.
const Name = "stowage.db"

const fileMode = 0o600

// Files are what SQLite and this package make in the data folder.
func Files() []string { return []string{Name, Name + "-wal", Name + "-shm", EndedName} }

// DB is the database. Its methods may be called from any number of goroutines. As a Querier it reads what is committed.
type DB struct {
	dir     string // the data folder
	path    string
	session uint32 // see ending.go; zero until it has begun
	folder  *blob.Folder
	volume  *blob.Volume
	read    *sql.DB
	write   *sql.DB
	health  *health
	log     *slog.Logger
	changes atomic.Int64 // the newest change that is committed: see Change

	recorder atomic.Pointer[Recorder] // nil: nobody writes down who changes what
}

// Open opens the database of the data folder dir, in which blobs lie, making it where it is missing, and brings the
// schema up to date. Errors: Damaged, ReadOnly, and Invalid where a newer Stowage wrote the schema.
func Open(ctx context.Context, dir string, blobs *blob.Store, log *slog.Logger) (*DB, error) {
	d := &DB{
		dir: dir, path: filepath.Join(dir, Name), folder: blobs.Folder, volume: blobs.Volume, health: &health{log: log},
		log: log,
	}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) open(ctx context.Context) error {
	if err := d.check(ctx); err != nil {
		return err
	}
	if err := makeFile(d.path); err != nil {
		return err
	}
	d.write = d.openPool(url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}}, 1)
	if err := migrate(ctx, d.write); err != nil {
		return err
	}
	change, err := ChangeNumber(ctx, d.write)
	if err != nil {
		return err
	}
	d.changes.Store(change)
	if err := d.beginSession(ctx); err != nil {
		return err
	}
	d.read = d.openPool(url.Values{"_query_only": {"true"}}, max(4, runtime.NumCPU()))
	return nil
}

// OpenToRead opens the database at path as it is: nothing about it is proved, and nothing can be written. It need not
// be in a data folder.
func OpenToRead(path string, log *slog.Logger) *DB {
	d := &DB{path: path, health: &health{log: log}, log: log}
	d.read = d.openPool(url.Values{"_query_only": {"true"}}, 1)
	return d
}

// makeFile makes an empty database that nobody else can read, and takes others' reading away from one that an older
// version has made. SQLite gives the files beside it the same mode.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return blob.Unusable(filepath.Dir(path), "make the database", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if mode := info.Mode().Perm(); mode&^fileMode != 0 {
		_ = f.Chmod(mode & fileMode) // of another owner's file it stays; what that means is told of the folder
	}
	return nil
}

// openPool opens the database with every pragma in the DSN, so that each connection of the pool has them
// (a PRAGMA by Exec reaches one connection only).
func (d *DB) openPool(extra url.Values, connections int) *sql.DB {
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
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: d.path}).EscapedPath(), RawQuery: q.Encode()}).String()
	db := sql.OpenDB(connector{dsn, d.health, extra.Has("_txlock")})
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
		return image.Errorf(image.Invalid, "the data folder was written by a newer Stowage (schema %d, this one knows %d)",
			current, newest).
			Suggest("Start the newer version, or give this one another folder with --data.")
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// Close closes the connections, and notes how the database is left.
func (d *DB) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{d.read, d.write} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if d.session != 0 && errors.Join(errs...) == nil && d.Trouble() == nil {
		errs = append(errs, d.endSession())
	}
	return errors.Join(errs...)
}

// Trouble returns what is known against the database, without asking it; nil where that is nothing.
func (d *DB) Trouble() error { return d.health.err() }

// Ping asks the database for a sign of life.
func (d *DB) Ping(ctx context.Context) error { return d.read.PingContext(ctx) }

// Session returns the number of this opening, by which claims of earlier ones are known.
func (d *DB) Session() uint32 { return d.session }

// Persist makes what was committed survive a power cut. SQLite's synchronous=NORMAL leaves that to the next
// checkpoint: a deletion could be undone after its files are gone, and rows would be there without their files.
func (d *DB) Persist() error {
	f, err := os.Open(d.path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a checkpoint, which syncs, has taken everything over
	}
	if err != nil {
		return fmt.Errorf("sync the database: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync the database: %w", err)
	}
	return nil
}

// QueryContext implements Querier.
func (d *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return d.read.QueryContext(ctx, query, args...)
}

// QueryRowContext implements Querier.
func (d *DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return d.read.QueryRowContext(ctx, query, args...)
}

// scratchCache is how much of the database Scratch holds in memory, in KiB as SQLite's cache_size has it. What it works
// with beyond that goes to a temporary file.
const scratchCache = "-16000"

// Scratch runs f on one snapshot of the database and may make temporary tables: it has a connection of its own, since a
// reader's may not.
func (d *DB) Scratch(ctx context.Context, f func(tx *sql.Tx) error) error {
	db := d.openPool(url.Values{"_cache_size": {scratchCache}}, 1)
	defer db.Close() //nolint:errcheck // nothing was written but temporary tables
	return inTx(ctx, db, f)
}

// View runs f on one snapshot of the database.
func (d *DB) View(ctx context.Context, f func(tx *sql.Tx) error) error { return inTx(ctx, d.read, f) }
