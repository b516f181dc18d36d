package storage

import (
	"context"

	"github.com/stowage/stowage/image"
)

const (
	anyUploaded  = `SELECT EXISTS (SELECT 1 FROM tags WHERE uploaded = 1)`
	uploadedRepo = `SELECT EXISTS (SELECT 1 FROM repositories r CROSS JOIN tags t ON t.repository_id = r.id
		AND t.uploaded = 1 WHERE r.name = ?1 AND ?2 = '')`
	uploadedTag = `SELECT EXISTS (SELECT 1 FROM repositories r CROSS JOIN tags t ON t.repository_id = r.id AND t.name = ?2
		AND t.uploaded = 1 WHERE r.name = ?1)`
	// A digest is marked for the tags on it.
	uploadedDigest = `SELECT EXISTS (SELECT 1 FROM repositories r CROSS JOIN tags t ON t.repository_id = r.id
		AND t.digest = ?2 AND t.uploaded = 1 WHERE r.name = ?1)`
)

// Uploaded reports whether an archive that somebody sent said what a tag points to, and not the registry of its name;
// of a digest and of a repository, whether that is so of one of its tags.
func (s *Serving) Uploaded(ctx context.Context, ref image.Reference) (bool, error) {
	change := s.db.Changes()
	there, known := s.uploads.Get(image.Reference{}, change) // whether any tag is: mostly none
	if !known {
		if err := s.db.QueryRowContext(ctx, anyUploaded).Scan(&there); err != nil {
			return false, err
		}
		s.uploads.Put(image.Reference{}, there, change)
	}
	uploaded, known := s.uploads.Get(ref, change)
	if there && !known {
		query, what := uploadedRepo, ""
		switch {
		case ref.Tag != "":
			query, what = uploadedTag, ref.Tag
		case ref.Digest != "":
			query, what = uploadedDigest, string(ref.Digest)
		}
		if err := s.db.QueryRowContext(ctx, query, ref.Repository, what).Scan(&uploaded); err != nil {
			return false, err
		}
		s.uploads.Put(ownStrings(ref), uploaded, change)
	}
	return uploaded, nil
}
