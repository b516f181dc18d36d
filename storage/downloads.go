package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

const (
	handedDelay = 5 * time.Second // how long what was counted waits to be written with more
	// how long it waits for a pull to record what was handed out: a mirror hands out before that
	handedWait = time.Hour
	// mostHanded bounds what is counted between two times of writing: references with their digests, some 500 bytes each.
	mostHanded   = 10_000
	handedAtOnce = 1000 // that one statement writes
)

// Downloaded counts that a client was given what a reference names: d, the digest of the index or manifest, and with it
// images, manifests that d lists, where they went along unasked, as in an archive. It takes some tens of nanoseconds
// and no look at the database, which learns of it a few seconds later, or at the end; a crash loses those.
func (s *Downloads) Downloaded(ref image.Reference, d image.Digest, images ...image.Digest) {
	at := database.Millis(s.now())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(handedKey{ref.Repository, ref.Tag, d}, 1, at)
	for _, i := range images {
		if i != d {
			s.add(handedKey{ref.Repository, "", i}, 1, at)
		}
	}
}

// Downloads count what clients were given. It is gathered in memory until it is written.
type Downloads struct {
	db   *database.DB
	log  *slog.Logger
	now  func() time.Time
	kick chan struct{} // there is something
	full chan struct{} // there is much

	writing sync.Mutex // one writes at a time

	mu      sync.Mutex
	counts  map[handedKey]*handedCount
	refused int64 // for which there was no room
}

// handedKey is what was handed out: a digest, and the tag where it was asked for by one.
type handedKey struct {
	repository image.Repository
	tag        string
	digest     image.Digest
}

type handedCount struct {
	n    int64
	last int64 // milliseconds
}

func newDownloads(db *database.DB, log *slog.Logger, now func() time.Time) *Downloads {
	return &Downloads{
		db: db, log: log, now: now, kick: make(chan struct{}, 1), full: make(chan struct{}, 1),
		counts: map[handedKey]*handedCount{},
	}
}

// add counts. s.mu is held.
func (s *Downloads) add(of handedKey, n, at int64) {
	c := s.counts[of]
	if c == nil {
		switch len(s.counts) {
		case 0:
			wake(s.kick)
		case mostHanded / 2:
			wake(s.full)
		case mostHanded:
			s.refused += n
			return
		}
		c = &handedCount{}
		// Not the whole request with it.
		s.counts[handedKey{image.Repository(strings.Clone(string(of.repository))), strings.Clone(of.tag),
			image.Digest(strings.Clone(string(of.digest)))}] = c
	}
	c.n += n
	c.last = max(c.last, at)
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes what was counted, a while after the first of it.
func (s *Downloads) run(ctx context.Context) {
	for {
		select {
		case <-s.kick:
			delay := time.NewTimer(handedDelay)
			select {
			case <-delay.C:
			case <-s.full:
			case <-ctx.Done():
			}
			delay.Stop()
		case <-ctx.Done():
		}
		if err := s.WriteDownloads(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("write what was handed out", "error", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// WriteDownloads writes what was counted up to now. The store does so by itself, every few seconds and when it is
// closed. Where it fails, nothing of it is lost.
func (s *Downloads) WriteDownloads(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	counts, refused := s.counts, s.refused
	s.refused = 0
	if len(counts) > 0 {
		s.counts = map[handedKey]*handedCount{}
	}
	s.mu.Unlock()
	if refused > 0 {
		s.log.Warn("too much was handed out at once to count all of it", "not_counted", refused)
	}
	if len(counts) == 0 {
		return nil
	}
	later, err := s.writeHanded(ctx, counts)
	if err != nil {
		later = counts
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := database.Millis(s.now().Add(-handedWait))
	for of, c := range later {
		if err != nil || c.last > before {
			s.add(of, c.n, c.last)
		}
	}
	return err
}

// writeHanded writes counts in one transaction, and returns those of what no row is there for yet. What is remembered
// for serving stays valid, since nothing that it tells has changed.
func (s *Downloads) writeHanded(ctx context.Context,
	counts map[handedKey]*handedCount) (later map[handedKey]*handedCount, err error) {
	type line [5]any // repository, tag, digest, count, last
	lines := make([]line, 0, len(counts))
	for of, c := range counts {
		lines = append(lines, line{of.repository, of.tag, of.digest, c.n, c.last})
	}
	later = map[handedKey]*handedCount{}
	err = s.db.Count(ctx, func(tx *sql.Tx) error {
		return database.InChunks(lines, handedAtOnce, func(list string) error {
			for _, statement := range []string{writeHandedTags, writeHandedDigests, listHanded} {
				if _, err := tx.ExecContext(ctx, statement, list); err != nil {
					return err
				}
			}
			return database.EachRow(ctx, tx, func(rows *sql.Rows) (bool, error) {
				var of handedKey
				err := rows.Scan(&of.repository, &of.tag, &of.digest)
				later[of] = counts[of]
				return false, err
			}, handedLater, list)
		})
	})
	return later, err
}

// What statements about a list ?1 of [repository, tag, digest, count, last] have in common: a row counts once its
// digest is stored.
const handedLines = ` FROM json_each(?1) j CROSS JOIN repositories r ON r.name = j.value ->> 0
	CROSS JOIN manifests m ON m.digest = j.value ->> 2 `

const (
	writeHandedTags = `INSERT INTO handed_tags (repository_id, tag, count, last_at)
		SELECT t.repository_id, t.name, sum(j.value ->> 3), max(j.value ->> 4)` + handedLines + `
		CROSS JOIN tags t ON t.repository_id = r.id AND t.name = j.value ->> 1 WHERE true GROUP BY 1, 2
		ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = max(last_at, excluded.last_at)`
	writeHandedDigests = `INSERT INTO handed_digests (repository_id, digest, count, last_at, direct, direct_last_at)
		SELECT r.id, m.digest, sum(j.value ->> 3), max(j.value ->> 4), sum(iif(j.value ->> 1 = '', j.value ->> 3, 0)),
		max(iif(j.value ->> 1 = '', j.value ->> 4, 0))` + handedLines + `
		WHERE true GROUP BY 1, 2
		ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = max(last_at, excluded.last_at),
			direct = direct + excluded.direct, direct_last_at = max(direct_last_at, excluded.direct_last_at)`
	// The tag's row, wherever it points; the digest's own; and of what was asked for by digest those of its tags.
	listHanded = `UPDATE listing SET (handed, handed_direct, handed_at) = (SELECT ` + handedColumns + ` FROM ` +
		handedOf + `)
		WHERE id IN (SELECT l.id` + handedLines + ` CROSS JOIN tags t ON t.repository_id = r.id AND t.name = j.value ->> 1
				CROSS JOIN listing l ON l.repository_id = r.id AND l.digest = t.digest AND l.tag = t.name
			UNION SELECT l.id` + handedLines + ` CROSS JOIN listing l ON l.repository_id = r.id AND l.digest = m.digest
				AND (l.tag = '' OR j.value ->> 1 = ''))`
	handedLater = `SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2 FROM json_each(?1) j
		WHERE NOT EXISTS (SELECT 1 FROM repositories WHERE name = j.value ->> 0) OR NOT EXISTS (SELECT 1 FROM manifests
		WHERE digest = j.value ->> 2)`

	// handedOf finds the counts of a row of listing, handedColumns words them for it: how often, of that directly, when
	// last.
	handedOf = `(SELECT 1) LEFT JOIN handed_digests hd ON hd.repository_id = listing.repository_id
		AND hd.digest = listing.digest
		LEFT JOIN handed_tags ht ON ht.repository_id = listing.repository_id AND ht.tag = listing.tag`
	handedColumns = `iif(listing.tag = '', coalesce(hd.count, 0), coalesce(ht.count, 0) + coalesce(hd.direct, 0)),
		coalesce(hd.direct, 0),
		iif(listing.tag = '', coalesce(hd.last_at, 0), max(coalesce(ht.last_at, 0), coalesce(hd.direct_last_at, 0)))`
)

// countHanded notes since when it is counted what is handed out.
func (s *Downloads) countHanded(ctx context.Context) error {
	return s.db.Note(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO handed_since (only, at) VALUES (1, ?)
			ON CONFLICT DO NOTHING`, database.Millis(s.now()))
		return err
	})
}

// DownloadsOf returns how often what a reference names was handed out, and each of some manifests under its repository.
// Nothing of it where it is not stored.
func (s *Downloads) DownloadsOf(ctx context.Context, ref image.Reference,
	manifests []image.Digest) (out shelf.Downloads, err error) {
	out.Images = map[image.Digest]shelf.Download{}
	list, err := database.ListFor(manifests)
	if err != nil {
		return out, err
	}
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		var since int64
		if err := tx.QueryRowContext(ctx, `SELECT at FROM handed_since`).Scan(&since); err != nil {
			return err
		}
		out.Since = database.FromMillis(since)
		rt, err := findRoot(ctx, tx, ref)
		if err != nil {
			if image.KindOf(err) == image.NotFound {
				return nil
			}
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT handed, handed_at FROM listing WHERE repository_id = ? AND digest = ?
			AND tag = ?`, rt.Repository, rt.Digest, ref.Tag).
			Scan(&out.Count, (*handedTime)(&out.Last))
		if errors.Is(err, sql.ErrNoRows) { // a digest that has tags has no row of its own
			err = tx.QueryRowContext(ctx, `SELECT coalesce(sum(count), 0), coalesce(max(last_at), 0) FROM handed_digests
				WHERE repository_id = ? AND digest = ?`, rt.Repository, rt.Digest).
				Scan(&out.Count, (*handedTime)(&out.Last))
		}
		if err != nil {
			return err
		}
		return database.EachRow(ctx, tx, func(rows *sql.Rows) (bool, error) {
			var d image.Digest
			var h shelf.Download
			err := rows.Scan(&d, &h.Count, (*handedTime)(&h.Last))
			out.Images[d] = h
			return false, err
		}, `SELECT digest, count, last_at FROM handed_digests WHERE repository_id = ? AND digest IN (SELECT value
			FROM json_each(?))`, rt.Repository, list)
	})
	return out, err
}

// DownloadsOfManifest returns how often a manifest was handed out by its digest or as a tag's, under any repository.
func (s *Downloads) DownloadsOfManifest(ctx context.Context, d image.Digest) (h shelf.Download, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT coalesce(sum(count), 0), coalesce(max(last_at), 0) FROM handed_digests
		WHERE digest = ?`, d).
		Scan(&h.Count, (*handedTime)(&h.Last))
	return h, err
}

// handedTime is a time of the database of which 0 stands for never.
type handedTime time.Time

// Scan implements sql.Scanner.
func (t *handedTime) Scan(v any) error {
	ms, ok := v.(int64)
	if !ok {
		return fmt.Errorf("read a time: it is a %T", v)
	}
	if *t = (handedTime{}); ms != 0 {
		*t = handedTime(database.FromMillis(ms))
	}
	return nil
}
