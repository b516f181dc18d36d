package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

// storedQuery goes from the wanted names to their repositories and on to the tags. CROSS JOIN keeps it to that
// order, which is one look-up a name however big the shelf is.
const storedQuery = `SELECT r.name, count(*) FROM (SELECT DISTINCT value AS name FROM json_each(?)) wanted
	CROSS JOIN repositories r ON r.name = wanted.name CROSS JOIN tags t ON t.repository_id = r.id GROUP BY r.id`

// StoredRepositories counts the stored tags of each of the named repositories. Those without one are left out.
func (s *Images) StoredRepositories(ctx context.Context, names []image.Repository) (map[image.Repository]int, error) {
	stored := map[image.Repository]int{}
	if len(names) == 0 {
		return stored, nil
	}
	wanted, err := json.Marshal(names)
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	type count struct {
		name image.Repository
		tags int
	}
	counts, err := database.RowsOf(ctx, s.db, func(rows *sql.Rows) (c count, err error) {
		return c, rows.Scan(&c.name, &c.tags)
	}, storedQuery, string(wanted))
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		stored[c.name] = c.tags
	}
	return stored, nil
}
