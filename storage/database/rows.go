package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
)

// Querier is what reads need: the database or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// RowsOf runs a query and scans each row.
func RowsOf[T any](
	ctx context.Context, q Querier, scan func(*sql.Rows) (T, error), query string, args ...any,
) ([]T, error) {
	var all []T
	err := EachRow(ctx, q, func(rows *sql.Rows) (bool, error) {
		v, err := scan(rows)
		if err == nil {
			all = append(all, v)
		}
		return false, err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// EachRow runs a query and calls f for each row, until f says that it has seen enough.
func EachRow(
	ctx context.Context, q Querier, f func(*sql.Rows) (enough bool, err error), query string, args ...any,
) error {
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

// ChunkSize is how many digests one query is asked about: a plan has up to hundreds of thousands of them.
const ChunkSize = 500

// ListFor returns all as the JSON array that a query reads with json_each.
func ListFor[T any](all []T) (string, error) {
	if len(all) == 0 {
		return "[]", nil // of a nil slice it would be null, which has one row
	}
	list, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("write a list for a query: %w", err)
	}
	return string(list), nil
}

// InChunks calls f with pieces of all, each as ListFor has it.
func InChunks[T any](all []T, size int, f func(list string) error) error {
	for len(all) > 0 {
		n := min(len(all), size)
		list, err := ListFor(all[:n])
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

// ScanString scans a row of one text.
func ScanString(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) }

// ScanDigest scans a row of one digest.
func ScanDigest(rows *sql.Rows) (d image.Digest, err error) { return d, rows.Scan(&d) }

// NotFound turns a missing row into an error that a person may be shown.
func NotFound(err error, format string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return image.Errorf(image.NotFound, format, args...)
	}
	return err
}

// Millis returns a time as the database has it. The zero time.Time, which stands for an unknown one, is
// -62135596800000; 0 is 1970, which reproducible builds write.
func Millis(t time.Time) int64 { return t.UnixMilli() }

// FromMillis returns a time of the database.
func FromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
