// Package people keeps accounts, sessions, tokens, robots and codes in the database. Whatever changes one of them
// writes a line of the record in the same transaction.
package people

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/storage/record"
)

// Tables are the accounts and what lets people in. Their methods may be called from any number of goroutines.
type Tables struct {
	People   *People
	Sessions *Sessions
	Tokens   *Tokens
	Robots   *Robots

	rows *rows
}

// New returns the tables of a database.
func New(db *database.DB, rec *record.Record, now func() time.Time) *Tables {
	r := &rows{db: db, record: rec, now: now, ended: func() {}}
	return &Tables{People: &People{r}, Sessions: &Sessions{r}, Tokens: &Tokens{r}, Robots: &Robots{r}, rows: r}
}

// OnEnd has f called after every change that may end what somebody has shown. Call it before the tables are used.
func (t *Tables) OnEnd(f func()) { t.rows.ended = f }

// Sweep deletes sessions and codes whose time is over, and tokens whose time has been over for auth.TokenListed.
func (t *Tables) Sweep(ctx context.Context) error {
	now := t.rows.now()
	return t.rows.db.Note(ctx, func(tx *sql.Tx) error {
		return errors.Join(
			exec(ctx, tx, `DELETE FROM sessions WHERE ends_at <= ? OR seen_at <= ?`,
				stamp(now), stamp(now.Add(-auth.SessionIdle))),
			exec(ctx, tx, `DELETE FROM codes WHERE ends_at <= ?`, stamp(now)),
			exec(ctx, tx, `DELETE FROM tokens WHERE ends_at > 0 AND ends_at <= ?`, stamp(now.Add(-auth.TokenListed))))
	})
}
