package database

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/blob"
)

// EndedName is the file that a server leaves when it has ended well: how it left the database. It is removed when the
// next one begins, so that after a crash there is none.
const EndedName = "stowage.ended"

// ended is how a server left the database. Each server has a session, a number that it writes into the database's
// header (PRAGMA user_version): a database of the same session with other bytes has been damaged or tampered with, one
// of another session is a backup that was put in its place.
type ended struct {
	Session uint32 `json:"session"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
}

const (
	sessionAt   = 60 // of the user version in the header of a database file (sqlite.org/fileformat2.html, section 1.3)
	headerSize  = 100
	mostEnded   = 1 << 10 // bytes of the file; a real one has some 110
	mostTold    = 10      // of what quick_check says
	hashWith    = 1 << 20 // bytes at a time
	slowToCheck = time.Second
)

// check proves the database before anything is done with it: after a good end by its bytes, else by SQLite's
// own check of its structure. It fails with image.Damaged.
func (d *DB) check(ctx context.Context) error {
	info, err := os.Stat(d.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return blob.Unusable(d.dir, "look for the database", err)
	}
	left, known := readEnded(d.dir)
	if !known || d.hasLog() {
		d.log.Info("the last server did not end well, or was another version: checking the database", "bytes", info.Size())
		return d.quickCheck(ctx)
	}
	now, err := look(d.path)
	if err != nil {
		return blob.Unusable(d.dir, "read the database", err)
	}
	if now == left {
		return nil
	}
	if err := d.quickCheck(ctx); err != nil {
		return err
	}
	if now.Session == left.Session {
		d.log.Error("the database is not as Stowage left it", "database", d.path)
		return image.Errorf(image.Damaged,
			"the database %s in the data folder is not as Stowage left it: its disk has damaged it, or something else has written to it", Name).
			Suggest("Put a backup of %s in its place, and remove %s-wal, %s-shm and %s. If you have just done so, or have changed it yourself, remove %s alone.",
				Name, Name, Name, EndedName, EndedName)
	}
	d.log.Info("another database was put in the place of the one that Stowage left", "database", d.path)
	return nil
}

// quickCheck has SQLite check the structure of the database.
func (d *DB) quickCheck(ctx context.Context) error {
	db := OpenToRead(d.path, d.log)
	defer db.Close() //nolint:errcheck // it only read
	began := time.Now()
	told, err := RowsOf(ctx, db, ScanString, fmt.Sprintf(`PRAGMA quick_check(%d)`, mostTold))
	switch {
	case image.KindOf(err) == image.Damaged:
		return d.damagedAt(err)
	case err != nil:
		return fmt.Errorf("check the database: %w", err)
	case len(told) != 1 || told[0] != "ok":
		return d.damagedAt(fmt.Errorf("quick_check: %.1000q", told))
	}
	if took := time.Since(began); took > slowToCheck {
		d.log.Info("the database is sound", "took", took)
	}
	return nil
}

// damagedAt says that the database is damaged; which one that is stands in the log, since pages say the rest to
// everybody.
func (d *DB) damagedAt(err error) error {
	d.log.Error("the database is damaged, or is none of SQLite's", "database", d.path, "error", err)
	return suggestRestore(image.Errorf(image.Damaged,
		"the database %s in the data folder is damaged, or is none of SQLite's", Name)).Because(err)
}

// look returns how a database is now.
func look(path string) (e ended, err error) {
	f, err := os.Open(path)
	if err != nil {
		return e, err
	}
	defer f.Close()
	header := make([]byte, headerSize)
	if n, err := f.ReadAt(header, 0); err != nil && !errors.Is(err, io.EOF) {
		return e, err
	} else if n == headerSize {
		e.Session = binary.BigEndian.Uint32(header[sessionAt:])
	}
	hash := sha256.New()
	if e.Size, err = io.CopyBuffer(hash, onlyReader{f}, make([]byte, hashWith)); err != nil {
		return e, err
	}
	e.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return e, nil
}

// onlyReader hides what would make io.CopyBuffer ignore the buffer.
type onlyReader struct{ io.Reader }

// readEnded reads how the last server left the database, if it ended well.
func readEnded(dir string) (e ended, ok bool) {
	f, err := os.Open(filepath.Join(dir, EndedName))
	if err != nil {
		return e, false
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, mostEnded))
	return e, err == nil && json.Unmarshal(raw, &e) == nil && e.Session != 0
}

// beginSession notes that the database is written to from now on.
func (d *DB) beginSession(ctx context.Context) error {
	path := filepath.Join(d.dir, EndedName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return blob.Unusable(d.dir, "begin to use the data folder", err)
	} else if err == nil {
		if err := d.folder.Sync(); err != nil {
			return err
		}
	}
	var random [4]byte
	_, _ = rand.Read(random[:]) // which never fails
	session := binary.BigEndian.Uint32(random[:])>>1 | 1
	if _, err := d.write.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, session)); err != nil {
		return fmt.Errorf("begin to use the database: %w", err)
	}
	d.session = session
	return nil
}

// hasLog reports whether the database has a write-ahead log that is a part of it.
func (d *DB) hasLog() bool {
	info, err := os.Stat(d.path + "-wal")
	return err == nil && info.Size() > 0
}

// endSession notes how the database is left, which SQLite has closed. One that still has a write-ahead log beside it is
// not whole by itself: it is left as after a crash.
func (d *DB) endSession() error {
	if d.hasLog() {
		return nil
	}
	now, err := look(d.path)
	if err != nil {
		return fmt.Errorf("look at the database after its end: %w", err)
	}
	if now.Session != d.session {
		return nil // somebody has put another one in its place
	}
	return d.folder.Replace(EndedName, func(w io.Writer) error { return json.NewEncoder(w).Encode(now) })
}
