package storage

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/database"
)

// Tags are what stands with tags and digests beside the images: pins, what registries said of them, and where they
// pointed.
type Tags struct {
	db  *database.DB
	now func() time.Time
}

const pinColumns = `r.name, p.digest, p.note, p.pinned_by, p.pinned_at`

// scanPin reads pinColumns, and what stands before them.
func scanPin(rows *sql.Rows, before ...any) (p shelf.Pin, err error) {
	var at int64
	err = rows.Scan(append(before, &p.Reference.Repository, &p.Reference.Digest, &p.Note, &p.By, &at)...)
	p.At = database.FromMillis(at)
	return p, err
}

func scanOnePin(rows *sql.Rows) (shelf.Pin, error) { return scanPin(rows) }

// Pin marks what a reference names as in use; a tag pins the digest that it points to now. Pinning again replaces
// the note. NotFound where the reference is not stored, Invalid where the note is too long.
func (s *Tags) Pin(ctx context.Context, ref image.Reference, note string, by image.Actor) (shelf.Pin, error) {
	note = strings.TrimSpace(note)
	if !utf8.ValidString(note) || utf8.RuneCountInString(note) > shelf.MaxPinNote {
		return shelf.Pin{}, image.Errorf(image.Invalid, "the note of a pin is text of at most %d characters",
			shelf.MaxPinNote)
	}
	pin := shelf.Pin{Note: note, By: by.Name, At: database.FromMillis(database.Millis(s.now()))}
	err := s.db.Change(ctx, by, image.ActionPin, ref.String(), func(tx *sql.Tx) error {
		rt, err := findRoot(ctx, tx, ref)
		if err != nil {
			return err
		}
		pin.Reference = rt.Reference()
		_, err = tx.ExecContext(ctx, `INSERT INTO pins (repository_id, digest, note, pinned_by, pinned_at)
			VALUES (?1, ?2, ?3, ?4, ?5)
			ON CONFLICT DO UPDATE SET note = ?3, pinned_by = ?4, pinned_at = ?5`, rt.Repository, rt.Digest, note, by.Name,
			database.Millis(pin.At))
		if err != nil {
			return err
		}
		return listPinned(ctx, tx, rt, true)
	})
	return pin, err
}

// Unpin takes a pin away. NotFound where there is none.
func (s *Tags) Unpin(ctx context.Context, ref image.Reference, by image.Actor) error {
	return s.db.Change(ctx, by, image.ActionPin, ref.String(), func(tx *sql.Tx) error {
		rt, err := findRoot(ctx, tx, ref)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM pins WHERE repository_id = ? AND digest = ?`, rt.Repository, rt.Digest)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, image.Errorf(image.NotFound, "%s is not pinned", ref.Familiar()))
		}
		return listPinned(ctx, tx, rt, false)
	})
}

// listPinned marks the list's rows of a digest.
func listPinned(ctx context.Context, tx *sql.Tx, rt removal.Root, pinned bool) error {
	_, err := tx.ExecContext(ctx, `UPDATE listing SET pinned = ? WHERE repository_id = ?
		AND digest = ?`, pinned, rt.Repository, rt.Digest)
	return err
}

// PinOf returns the pin of what a reference names; nil where it is not pinned or not stored.
func (s *Tags) PinOf(ctx context.Context, ref image.Reference) (*shelf.Pin, error) {
	var pin *shelf.Pin
	err := s.db.View(ctx, func(tx *sql.Tx) error {
		rt, err := findRoot(ctx, tx, ref)
		if image.KindOf(err) == image.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		pins, err := database.RowsOf(ctx, tx, scanOnePin, `SELECT `+pinColumns+` FROM pins p
			JOIN repositories r ON r.id = p.repository_id
			WHERE p.repository_id = ? AND p.digest = ?`, rt.Repository, rt.Digest)
		if len(pins) > 0 {
			pin = &pins[0]
		}
		return err
	})
	return pin, err
}

// maxPinsOfImage bounds PinsOfImage.
const maxPinsOfImage = 100

// PinsOfImage returns the pins whose digest leads to an image ID, newest first, 100 at most.
func (s *Tags) PinsOfImage(ctx context.Context, id image.Digest) ([]shelf.Pin, error) {
	return database.RowsOf(ctx, s.db, scanOnePin, upFromID+`SELECT `+pinColumns+` FROM up
		JOIN pins p ON p.digest = up.digest JOIN repositories r ON r.id = p.repository_id
		ORDER BY p.pinned_at DESC, r.name, p.digest LIMIT ?2`, id, maxPinsOfImage)
}

// Pins returns the newest pins, at most limit, and how many there are.
func (s *Tags) Pins(ctx context.Context, limit int) (pins []shelf.Pin, total int, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM pins`).Scan(&total); err != nil {
			return err
		}
		pins, err = database.RowsOf(ctx, tx, scanOnePin, `SELECT `+pinColumns+
			` FROM pins p JOIN repositories r ON r.id = p.repository_id
			ORDER BY p.pinned_at DESC, r.name, p.digest LIMIT ?`, limit)
		return err
	})
	return pins, total, err
}
