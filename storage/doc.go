// Package storage is the shelf: an SQLite index (stowage.db) over a folder of blobs that is an OCI image
// layout. It is the only package with SQL.
//
// The order of writes keeps the two together. On the way in, blob files come first and then, in one
// transaction, the rows that need them; on the way out rows go first and files after: those of a deletion
// that can be undone wait until it cannot any more. A crash can leave a file without a row, which the
// sweeper removes later, but never a row without its file.
package storage
