package people

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/storage/record"
)

// rows are what all tables need.
type rows struct {
	db     *database.DB
	record *record.Record
	now    func() time.Time
	ended  func()
}

// change runs f and writes a line of the record, in one transaction.
func (r *rows) change(ctx context.Context, line shelf.Line, f func(tx *sql.Tx, line *shelf.Line) error) error {
	return r.db.Note(ctx, func(tx *sql.Tx) error {
		if err := f(tx, &line); err != nil {
			return err
		}
		return r.record.Append(ctx, tx, line)
	})
}

// ending is change for what may end what somebody has shown.
func (r *rows) ending(ctx context.Context, line shelf.Line, f func(tx *sql.Tx, line *shelf.Line) error) error {
	err := r.change(ctx, line, f)
	if err == nil {
		r.ended()
	}
	return err
}

// lineOf returns a line that is about somebody.
func lineOf(by image.Actor, action image.Action, about image.Actor) shelf.Line {
	return shelf.Line{By: shelf.PartyOf(by), Action: action, About: shelf.PartyOf(about)}
}

func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

// taken reports whether a person or a robot has a name.
func taken(ctx context.Context, tx *sql.Tx, name string) (is bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM people WHERE name = ?1)
		OR EXISTS (SELECT 1 FROM robots WHERE name = ?1)`, name).Scan(&is)
	return is, err
}

// refuseTaken refuses a name that a person or a robot has.
func refuseTaken(ctx context.Context, tx *sql.Tx, name string) error {
	is, err := taken(ctx, tx, name)
	if err == nil && is {
		return image.Errorf(image.Conflict, "the name %s is taken", name).Suggest("Choose another one.")
	}
	return err
}

// stamp returns a time as it is kept; 0 of none.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return database.Millis(t)
}

// moment reads what stamp wrote.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return database.FromMillis(ms)
}

// list reads a column that database.ListFor wrote.
type list[T any] struct{ to *[]T }

// Scan implements sql.Scanner.
func (l list[T]) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list is a %T", v)
	}
	return json.Unmarshal([]byte(s), l.to)
}

// instant reads a column that stamp wrote.
type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(v any) error {
	ms, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time is a %T", v)
	}
	*i.to = moment(ms)
	return nil
}

// or returns otherwise where err says that there was no row.
func or(err, otherwise error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return otherwise
	}
	return err
}

// unlessMissing returns err, but nil where it says that something is missing.
func unlessMissing(err error) error {
	if image.KindOf(err) == image.NotFound {
		return nil
	}
	return err
}
