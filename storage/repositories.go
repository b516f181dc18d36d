package storage

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// RepositoryTotals counts what the list has of a repository. Both are zero where nothing of it is stored.
func (s *Lists) RepositoryTotals(ctx context.Context, name image.Repository) (t shelf.RepositoryTotals, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE tag <> ''), count(*) FILTER (WHERE tag = '')
		FROM listing WHERE repository_id = (SELECT id FROM repositories WHERE name = ?)`, name).Scan(&t.Tags, &t.Untagged)
	return t, err
}
