// Package migrations holds the database's schema as numbered SQL, embedded in the binary and run by
// goose when the storage is opened. A file that has been released is never edited: a change is a new file.
package migrations

import "embed"

// FS holds the SQL files at its root.
//
//go:embed *.sql
var FS embed.FS
