package storage

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

// PulledBy returns who brought what a tag or a digest names to where it is; nobody where it is not stored.
func (s *Removals) PulledBy(ctx context.Context, ref image.Reference) (image.Actor, error) {
	const of = `SELECT t.pulled_by FROM repositories r JOIN `
	query, name := of+`tags t ON t.repository_id = r.id WHERE r.name = ? AND t.name = ?`, ref.Tag
	if ref.Tag == "" {
		query = of + `repository_digests t ON t.repository_id = r.id WHERE r.name = ? AND t.digest = ?`
		name = string(ref.Digest)
	}
	names, err := database.RowsOf(ctx, s.db, database.ScanString, query, ref.Repository, name)
	if err != nil || len(names) == 0 {
		return image.Actor{}, err
	}
	return image.ActorNamed(names[0]), nil
}
