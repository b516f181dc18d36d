package database

import (
	"context"
	"database/sql/driver"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-sqlite3"
)

// connector opens connections to one database. Every error that SQLite gives on them, and every text that it reads,
// passes through the health of the database: there is no other way to a row.
type connector struct {
	dsn    string
	health *health
	writes bool // nothing is written to a database that is known to be damaged: it would be damaged more
}

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	opened, err := (&sqlite3.SQLiteDriver{}).Open(c.dsn)
	if err != nil {
		return nil, c.health.judge(err)
	}
	return &conn{opened.(*sqlite3.SQLiteConn), c.health, c.writes}, nil
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// conn is a connection of which the errors are judged.
type conn struct {
	*sqlite3.SQLiteConn
	health *health
	writes bool
}

// refused returns why nothing is to be written.
func (c *conn) refused() error {
	if !c.writes {
		return nil
	}
	return c.health.err()
}

// Ping implements driver.Pinger.
func (c *conn) Ping(ctx context.Context) error { return c.health.judge(c.SQLiteConn.Ping(ctx)) }

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.health.rows(c.SQLiteConn.QueryContext(ctx, query, asText(args)))
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.refused(); err != nil {
		return nil, err
	}
	res, err := c.SQLiteConn.ExecContext(ctx, query, asText(args))
	return res, c.health.judge(err)
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	prepared, err := c.SQLiteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.health.judge(err)
	}
	return &stmt{prepared.(*sqlite3.SQLiteStmt), c.health}, nil
}

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.refused(); err != nil {
		return nil, err
	}
	begun, err := c.SQLiteConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, c.health.judge(err)
	}
	return &tx{begun, c.health}, nil
}

// stmt is a prepared statement of which the errors are judged.
type stmt struct {
	*sqlite3.SQLiteStmt
	health *health
}

// QueryContext implements driver.StmtQueryContext.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.health.rows(s.SQLiteStmt.QueryContext(ctx, asText(args)))
}

// ExecContext implements driver.StmtExecContext.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	res, err := s.SQLiteStmt.ExecContext(ctx, asText(args))
	return res, s.health.judge(err)
}

// tx is a transaction of which the errors are judged.
type tx struct {
	driver.Tx
	health *health
}

// Commit implements driver.Tx.
func (t *tx) Commit() error { return t.health.judge(t.Tx.Commit()) }

// rows are the rows of a query, of which errors and texts are judged.
type rows struct {
	driver.Rows
	health *health
}

func (h *health) rows(found driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, h.judge(err)
	}
	return &rows{found, h}, nil
}

// Next implements driver.Rows.
func (r *rows) Next(dest []driver.Value) error {
	if err := r.Rows.Next(dest); err != nil {
		return r.health.judge(err)
	}
	for _, v := range dest {
		if s, ok := v.(string); ok && !isText(s) && garbled(s) {
			return r.health.damage(errGarbled)
		}
	}
	return nil
}

// asText makes the texts of a statement's arguments ones that isText: what is read otherwise was not written so.
func asText(args []driver.NamedValue) []driver.NamedValue {
	for i, a := range args {
		if s, ok := a.Value.(string); ok && !isText(s) {
			args[i].Value = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}

// isText reports whether s is UTF-8 without a zero byte.
func isText(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// mostGarbled is how many bytes of a text may be none: earlier versions wrote what they were given.
const mostGarbled = 16

// garbled reports whether so many bytes of a text are none that it must have been overwritten. SQLite checks the pages
// that hold its trees, but not those that long values continue on.
func garbled(s string) bool {
	bad := 0
	for _, r := range s {
		if r == 0 || r == utf8.RuneError {
			bad++
		}
	}
	return bad-strings.Count(s, "\uFFFD") > mostGarbled
}
