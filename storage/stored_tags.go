package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

// storedTagsQuery finds the tags of a repository that stand in a JSON list. CROSS JOIN keeps the order: the few
// names are looked up in the key of tags, however many tags are stored.
const storedTagsQuery = `SELECT t.name, t.digest FROM repositories r CROSS JOIN json_each(?2) n CROSS JOIN tags t
	WHERE r.name = ?1 AND t.repository_id = r.id AND t.name = n.value`

// StoredTags returns which of these tags of a repository are on the shelf, and what each points to there. Tags
// that are not stored are not in the answer.
func (s *Images) StoredTags(ctx context.Context, repo image.Repository,
	names []string) (map[string]image.Digest, error) {
	stored := make(map[string]image.Digest)
	if len(names) == 0 {
		return stored, nil
	}
	list, err := json.Marshal(names)
	if err != nil {
		return nil, fmt.Errorf("write the names of tags: %w", err)
	}
	_, err = database.RowsOf(ctx, s.db, func(rows *sql.Rows) (struct{}, error) {
		var name string
		var digest image.Digest
		err := rows.Scan(&name, &digest)
		stored[name] = digest
		return struct{}{}, err
	}, storedTagsQuery, repo, string(list))
	if err != nil {
		return nil, err
	}
	return stored, nil
}
