package storage

import (
	"context"
	"database/sql"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

// indexesAtOnce is how many indexes are read from disk in one transaction.
const indexesAtOnce = 200

// readIndexes brings the platforms of indexes that an older version recorded up to date, and the list with them. An
// index whose file cannot be read stays as it is, and is tried again at the next start.
func (s older) readIndexes(ctx context.Context) error {
	after, count := image.Digest(""), 0
	for {
		some, err := database.RowsOf(ctx, s.db, func(rows *sql.Rows) (d image.Digest, err error) { return d, rows.Scan(&d) },
			`SELECT digest FROM unread_indexes WHERE digest > ? ORDER BY digest LIMIT ?`, after, indexesAtOnce)
		if err != nil || len(some) == 0 {
			if count > 0 {
				s.log.Info("read the platforms of indexes that an older version recorded", "indexes", count)
			}
			return err
		}
		err = s.db.Tend(ctx, "", func(tx *sql.Tx) error {
			for _, d := range some {
				doc, err := s.images.Document(ctx, d)
				if err != nil || doc.Index == nil {
					s.log.Warn("read an index", "index", d, "error", err)
					continue
				}
				if err := s.readIndex(ctx, tx, doc); err != nil {
					return err
				}
				count++
			}
			return nil
		})
		if err != nil {
			return err
		}
		after = some[len(some)-1]
	}
}

// readIndex writes what an index calls its images, and the rows of the list that show it.
func (s older) readIndex(ctx context.Context, tx *sql.Tx, doc image.Document) error {
	for i, e := range doc.Index.Entries {
		_, err := tx.ExecContext(ctx, `UPDATE index_entries SET platform = ?3 WHERE index_digest = ?1 AND position = ?2
			AND platform <> ?3`,
			doc.Digest, i, e.Platform.String())
		if err != nil {
			return err
		}
	}
	var otherwise bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM index_entries e
		CROSS JOIN images i ON i.manifest_digest = e.digest
		WHERE e.index_digest = ? AND e.kind = 'image' AND e.platform NOT IN ('', i.platform))`, doc.Digest).Scan(&otherwise)
	if err != nil {
		return err
	}
	if otherwise {
		if err := s.lists.refreshListingsOf(ctx, tx, doc.Digest); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM unread_indexes WHERE digest = ?`, doc.Digest)
	return err
}
