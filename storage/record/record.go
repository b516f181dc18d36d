// Package record keeps who did what. Lines are written in the transaction of what they tell of and are never changed;
// triggers see to that. People stand in lines by number, so that a name that is taken out of the accounts is out of the
// record, too.
package record

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// Record is the record in the database. Its methods may be called from any number of goroutines.
type Record struct {
	db  *database.DB
	now func() time.Time
}

// New returns the record of a database.
func New(db *database.DB, now func() time.Time) *Record { return &Record{db, now} }

// Append writes a line in the transaction of what it tells of. A line without a time gets the present one, and one
// without a way in that of ctx.
func (r *Record) Append(ctx context.Context, tx *sql.Tx, l shelf.Line) error {
	if l.At.IsZero() {
		l.At = r.now()
	}
	if l.Since.IsZero() {
		l.Since = l.At
	}
	if l.From == (shelf.WayIn{}) {
		l.From = shelf.WayInOf(ctx)
	}
	if l.Outcome == "" {
		l.Outcome = shelf.Done
	}
	by, err := keep(ctx, tx, l.By)
	if err != nil {
		return err
	}
	about, err := keep(ctx, tx, l.About)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO record (at, since, times, actor_kind, actor_id, actor_name, via, credential,
			address, request, action, repository, tag, digest, about_kind, about_id, about_name, outcome, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		database.Millis(l.At), database.Millis(l.Since), max(1, l.Times), by.Kind, by.Former, by.Name, l.From.Via,
		l.From.Credential, l.From.Address, l.From.Request, l.Action, l.What.Repository, l.What.Tag, l.What.Digest,
		about.Kind, about.Former, about.Name, l.Outcome, shorten(l.Detail))
	return err
}

// Changed implements database.Recorder: it writes a line about a change of what is stored.
func (r *Record) Changed(
	ctx context.Context, tx *sql.Tx, by image.Actor, action image.Action, subject string,
) error {
	l := shelf.Line{By: shelf.PartyOf(by), Action: action}
	if digest, err := image.ParseDigest(subject); err == nil {
		l.What.Digest = digest
	} else if ref, err := image.ParseRepositoryReference(subject); err == nil {
		l.What = ref
	} else {
		l.Detail = subject
	}
	return r.Append(ctx, tx, l)
}

// Note writes lines of what changes nothing else.
func (r *Record) Note(ctx context.Context, lines ...shelf.Line) error {
	return r.db.Note(ctx, func(tx *sql.Tx) error {
		for _, l := range lines {
			if err := r.Append(ctx, tx, l); err != nil {
				return err
			}
		}
		return nil
	})
}

// keep returns a party as it is kept: people with an account by their number alone.
func keep(ctx context.Context, tx *sql.Tx, p shelf.Party) (shelf.Party, error) {
	if p.Kind != image.ActorPerson || p.Former != 0 {
		return p, nil
	}
	id, err := number(ctx, tx, p.Name)
	if id != 0 {
		return shelf.Party{Kind: p.Kind, Former: id}, nil
	}
	return p, err
}

// number returns the number of the person called name; 0 where there is none.
func number(ctx context.Context, tx *sql.Tx, name string) (id int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id FROM people WHERE name = ?`, name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return id, err
}

// shorten cuts a detail between two characters.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= shelf.MaxLineDetail {
		return s
	}
	s = s[:shelf.MaxLineDetail]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// pruneBatch is how many lines one transaction deletes.
const pruneBatch = 5000

// minKept is the least that lines are kept: the database refuses to delete newer ones.
const minKept = 25 * time.Hour

// Prune deletes the lines that are older than keep, and writes one that says how many went. It returns their number.
func (r *Record) Prune(ctx context.Context, keep time.Duration) (gone int, err error) {
	before := r.now().Add(-max(keep, minKept))
	err = r.db.Note(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM record WHERE at < ?`, database.Millis(before)).Scan(&gone)
		if err != nil || gone == 0 {
			return err
		}
		line := shelf.Line{By: shelf.PartyOf(image.Server), Action: image.ActionRecordPrune, Times: gone,
			Detail: "lines from before " + before.UTC().Format(time.RFC3339)}
		if err := r.Append(ctx, tx, line); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE record_age SET pruned_before = max(pruned_before, ?)`, database.Millis(before))
		return err
	})
	for left := gone; err == nil && left > 0; left -= pruneBatch {
		err = r.db.Note(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM record WHERE id IN (SELECT id FROM record WHERE at < ? LIMIT ?)`,
				database.Millis(before), pruneBatch)
			return err
		})
	}
	return gone, err
}
