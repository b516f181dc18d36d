package storage

import (
	"context"
	"sync"

	"github.com/stowage/stowage/image"
)

const (
	anyUploaded  = `SELECT EXISTS (SELECT 1 FROM tags WHERE uploaded = 1)`
	uploadedRepo = `SELECT EXISTS (SELECT 1 FROM repositories r CROSS JOIN tags t ON t.repository_id = r.id AND t.uploaded = 1 WHERE r.name = ?1 AND ?2 = '')`
	uploadedTag  = `SELECT EXISTS (SELECT 1 FROM repositories r CROSS JOIN tags t ON t.repository_id = r.id AND t.name = ?2 AND t.uploaded = 1 WHERE r.name = ?1)`
	// A digest is marked for the tags on it.
	uploadedDigest = `SELECT EXISTS (SELECT 1 FROM repositories r CROSS JOIN tags t ON t.repository_id = r.id AND t.digest = ?2 AND t.uploaded = 1 WHERE r.name = ?1)`
)

// Uploaded reports whether an archive that somebody sent said what a tag points to, and not the registry of its name; of a
// digest and of a repository, whether that is so of one of its tags.
func (s *Store) Uploaded(ctx context.Context, ref image.Reference) (bool, error) {
	change := s.changes.Load()
	if known, uploaded := s.uploads.get(ref, change); known {
		return uploaded, nil
	}
	var there, uploaded bool
	if err := s.read.QueryRowContext(ctx, anyUploaded).Scan(&there); err != nil {
		return false, err
	}
	if there {
		query, what := uploadedRepo, ""
		switch {
		case ref.Tag != "":
			query, what = uploadedTag, ref.Tag
		case ref.Digest != "":
			query, what = uploadedDigest, string(ref.Digest)
		}
		if err := s.read.QueryRowContext(ctx, query, ref.Repository, what).Scan(&uploaded); err != nil {
			return false, err
		}
	}
	s.uploads.keep(ref, change, there, uploaded)
	return uploaded, nil
}

// uploads remembers what Uploaded has found until the database changes: a page has many names. Safe for concurrent use; the
// zero value is ready.
type uploads struct {
	mu     sync.RWMutex
	change int64 // of the database, that the rest is of
	none   bool  // no tag is one of an upload
	found  map[image.Reference]bool
}

func (u *uploads) get(ref image.Reference, change int64) (known, uploaded bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if u.found == nil || u.change != change {
		return false, false
	}
	uploaded, known = u.found[ref]
	return known || u.none, uploaded
}

func (u *uploads) keep(ref image.Reference, change int64, there, uploaded bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if change < u.change {
		return
	}
	if u.found == nil || change > u.change || len(u.found) >= mostServed {
		u.change, u.found = change, map[image.Reference]bool{}
	}
	u.none = !there
	u.found[ownStrings(ref)] = uploaded
}
