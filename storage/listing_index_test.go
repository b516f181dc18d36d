package storage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/storage/listing"
)

// randomList writes the list's rows straight into the database, in ways that no pull would.
type randomList struct {
	*testShelf
	random  *rand.Rand
	digests []string // of manifests and indexes that rows can have
	rows    []int64
}

var (
	randomHosts     = []string{"docker.io/library/", "docker.io/acme/", "quay.io/", "localhost:5000/team/"}
	randomNames     = []string{"ubuntu", "ubuntu-tools", "redis", "redis/exporter", "app", "a", "zoo.keeper"}
	randomTags      = []string{"latest", "22.04", "22.10", "V1-RC", "v1-rc", "7", "7-alpine", "nightly_2026"}
	randomPlatforms = []string{"", "linux/amd64", "linux/arm64", "linux/amd64 linux/arm64", "linux/arm/v7 linux/amd64", "windows(10.0.17763.1)/amd64"}
	randomKeys      = []string{"stage", "team", "version"}
	randomValues    = []string{"", "ci", "a=b", "1.0"}
	randomUpdates   = []shelf.UpdateState{shelf.UpdateUnchecked, shelf.UpdateCurrent, shelf.UpdateAvailable, shelf.UpdateGone, shelf.UpdateUnknown}
)

func newRandomList(t *testing.T, seed uint64) *randomList {
	l := &randomList{testShelf: newShelf(t), random: rand.New(rand.NewPCG(seed, 4))}
	l.write(func(tx *sql.Tx) {
		id := 0
		for _, host := range randomHosts {
			for _, name := range randomNames {
				id++
				repository := image.Repository(host + name)
				l.exec(tx, `INSERT INTO repositories (id, name, familiar) VALUES (?, ?, ?)`, id, repository, repository.Familiar())
			}
		}
		for i := range 30 {
			l.manifest(tx, i)
		}
	})
	return l
}

func oneOf[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func (l *randomList) write(f func(tx *sql.Tx)) {
	l.t.Helper()
	if err := l.folder.db.Tend(l.t.Context(), "", func(tx *sql.Tx) error { f(tx); return nil }); err != nil {
		l.t.Fatal(err)
	}
}

func (l *randomList) exec(tx *sql.Tx, query string, args ...any) int64 {
	l.t.Helper()
	res, err := tx.Exec(query, args...)
	if err != nil {
		l.t.Fatalf("%s: %v", query, err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// manifest adds an image with random labels; every third time an index of it and others, or an index of an index.
func (l *randomList) manifest(tx *sql.Tx, i int) {
	sum := sha256.Sum256(fmt.Appendf(nil, "manifest %d", i))
	d := "sha256:" + hex.EncodeToString(sum[:])
	l.exec(tx, `INSERT INTO blobs (digest, size, stored_at) VALUES (?, 1, 0)`, d)
	if i%3 == 2 {
		l.exec(tx, `INSERT INTO manifests (digest, kind, media_type) VALUES (?, 'index', '')`, d)
		for position := range 3 {
			entry := l.random.IntN(len(l.digests))
			kind := "image"
			switch {
			case position == 2:
				kind, entry = "attestation", 0 // whose labels are nobody's
			case entry%3 == 2:
				kind = "index"
			}
			l.exec(tx, `INSERT INTO index_entries (index_digest, position, digest, media_type, size, kind, platform) VALUES (?, ?, ?, '', 1, ?, '')`, d, position, l.digests[entry], kind)
		}
	} else {
		l.exec(tx, `INSERT INTO manifests (digest, kind, media_type) VALUES (?, 'manifest', '')`, d)
		l.exec(tx, `INSERT INTO images (manifest_digest, config_digest, platform, size, layers, facts, stored_at) VALUES (?, ?, '', 1, 0, 1, 0)`, d, d)
		for _, key := range randomKeys[:l.random.IntN(len(randomKeys)+1)] {
			l.exec(tx, `INSERT INTO image_labels (manifest_digest, key, value) VALUES (?, ?, ?)`, d, key, oneOf(l.random, randomValues))
		}
	}
	l.digests = append(l.digests, d)
}

// values returns the columns of a random row.
func (l *randomList) values() []any {
	repository := l.random.IntN(len(randomHosts)*len(randomNames)) + 1
	familiar := image.Repository(randomHosts[(repository-1)/len(randomNames)] + randomNames[(repository-1)%len(randomNames)]).Familiar()
	d, tag := oneOf(l.random, l.digests), oneOf(l.random, randomTags)
	reason, name := shelf.ByTag, familiar+":"+tag
	if l.random.IntN(4) == 0 {
		reason, tag, name = oneOf(l.random, []shelf.Reason{shelf.Dangling, shelf.ByDigest}), "", familiar+"@"+d
	}
	created := int64(l.random.IntN(50)) * 1000
	if l.random.IntN(10) == 0 {
		created = database.Millis(time.Time{})
	}
	direct, last := int64(d[8]%5), l.random.Int64N(3) // of a digest, the same in each row
	return []any{
		repository, d, tag, reason, name, oneOf(l.random, append(l.digests, "")), oneOf(l.random, randomPlatforms), created, l.random.IntN(50),
		l.random.IntN(20), l.random.IntN(20) - 1, l.random.IntN(20), l.random.IntN(2), oneOf(l.random, randomUpdates), direct + l.random.Int64N(4), direct, last,
	}
}

// step changes the list in some way.
func (l *randomList) step() {
	l.t.Helper()
	add := func(tx *sql.Tx, n int) {
		for range n {
			l.rows = append(l.rows, l.exec(tx, `INSERT INTO listing (repository_id, digest, tag, reason, name, image_id, platform, platforms, created, pulled_at, size, unpacked, total_size, pinned, update_state, handed, handed_direct, handed_at, broken)
				VALUES (?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')`, l.values()...))
		}
	}
	remove := func(tx *sql.Tx, n int) {
		for range min(n, len(l.rows)) {
			i := l.random.IntN(len(l.rows))
			if l.random.IntN(3) == 0 {
				i = len(l.rows) - 1 // the next row may get its ID
			}
			l.exec(tx, `DELETE FROM listing WHERE id = ?`, l.rows[i])
			l.rows = slices.Delete(l.rows, i, i+1)
		}
	}
	l.write(func(tx *sql.Tx) {
		switch l.random.IntN(8) {
		case 0, 1:
			add(tx, 1+l.random.IntN(8))
		case 2:
			add(tx, 300) // more than fewChanges
		case 3:
			remove(tx, 1+l.random.IntN(8))
			add(tx, l.random.IntN(3))
		case 4:
			remove(tx, len(l.rows)/2)
		case 5, 6:
			for range 5 {
				if len(l.rows) > 0 {
					l.exec(tx, `UPDATE listing SET (repository_id, digest, tag, reason, name, image_id, platforms, created, pulled_at, size, unpacked, total_size, pinned, update_state, handed, handed_direct, handed_at)
						= (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?`, append(l.values(), oneOf(l.random, l.rows))...)
				}
			}
		case 7: // the changes are trimmed past what the index knows
			add(tx, 3)
			l.exec(tx, `DELETE FROM listing_changes WHERE change < (SELECT max(change) - ? FROM listing_changes)`, l.random.IntN(4)-1)
		}
	})
}

// query returns a random question.
func (l *randomList) query() shelf.Query {
	q := shelf.Query{Descending: l.random.IntN(2) == 0, Sort: oneOf(l.random, []shelf.Sort{"", shelf.SortName, shelf.SortPlatforms, shelf.SortID, shelf.SortCreated, shelf.SortPulled, shelf.SortSize, shelf.SortUnpacked, shelf.SortUpdate, shelf.SortDownloads})}
	some := func(f func()) {
		if l.random.IntN(5) == 0 {
			f()
		}
	}
	some(func() {
		q.Text = oneOf(l.random, []string{"ubuntu", "UBUNTU:2", "rc", "docker.io/library/redis", "@sha", "nothing", l.digests[3][7:13]})
	})
	some(func() { q.Repository = "docker.io/library/redis" })
	for range l.random.IntN(3) {
		some(func() {
			q.References = append(q.References, oneOf(l.random, []string{"*", "ub*", "*/*", "redis:7*", "quay.io/*/*", `\ubuntu`, "[a-r]*", "*:latest", "ubuntu@" + l.digests[2][:20] + "*", "?"}))
		})
	}
	some(func() { q.Dangling = oneOf(l.random, []shelf.DanglingFilter{shelf.DanglingOnly, shelf.DanglingHidden}) })
	for range l.random.IntN(3) {
		some(func() {
			q.Labels = append(q.Labels, image.Label{Key: oneOf(l.random, randomKeys), Value: oneOf(l.random, randomValues), Any: l.random.IntN(2) == 0})
		})
	}
	some(func() { q.Before = time.UnixMilli(l.random.Int64N(50_000)) })
	some(func() { q.Since = time.UnixMilli(l.random.Int64N(50_000)) })
	some(func() { q.Registry = oneOf(l.random, []string{"docker.io", "quay.io", "localhost:5000", "ghcr.io"}) })
	some(func() {
		q.Platform = image.StoredPlatform(oneOf(l.random, []string{"linux/amd64", "linux/arm/v7", "windows/amd64", "linux/s390x"}))
	})
	some(func() { q.Updates = []shelf.UpdateState{oneOf(l.random, randomUpdates)} })
	some(func() { q.Pinned = true })
	return q
}

// listRow is a row as the naive filter sees it.
type listRow struct {
	shelf.Row
	id     int64
	direct int64 // of Handed, by the digest
	name   string
	images []image.Digest      // stored platforms
	labels []map[string]string // of each of them
}

// all reads the whole list and the labels, one row after the other.
func (l *randomList) all() []listRow {
	l.t.Helper()
	ctx := l.t.Context()
	all, err := database.RowsOf(ctx, l.folder.db, func(rows *sql.Rows) (r listRow, err error) {
		r.Row, r.id, err = scanRow(rows)
		r.name = r.Reference.Familiar()
		r.direct = int64(string(r.Digest)[8] % 5)
		return r, err
	}, `SELECT l.id, r.name, l.tag, l.digest, l.reason, l.image_id, l.platform, l.platforms, l.created, l.pulled_at, l.size, l.unpacked, l.total_size, l.broken, l.pinned, l.update_state, l.handed, l.handed_at
		FROM listing l JOIN repositories r ON r.id = l.repository_id`)
	if err != nil {
		l.t.Fatal(err)
	}
	of := map[image.Digest]listRow{}
	for i := range all {
		d := all[i].Digest
		if _, known := of[d]; !known {
			images, err := reachableImages(ctx, l.folder.db, d)
			if err != nil {
				l.t.Fatal(err)
			}
			var r listRow
			for _, img := range images {
				set := map[string]string{}
				_, err := database.RowsOf(ctx, l.folder.db, func(rows *sql.Rows) (_ struct{}, err error) {
					var key, value string
					err = rows.Scan(&key, &value)
					set[key] = value
					return struct{}{}, err
				}, `SELECT key, value FROM image_labels WHERE manifest_digest = ?`, img.Manifest)
				if err != nil {
					l.t.Fatal(err)
				}
				r.images, r.labels = append(r.images, img.Manifest), append(r.labels, set)
			}
			of[d] = r
		}
		all[i].images, all[i].labels = of[d].images, of[d].labels
	}
	return all
}

// passes is the filter, written down once more as plainly as can be.
func passes(q shelf.Query, r listRow) bool {
	text := strings.ToLower(q.Text)
	named := strings.Contains(strings.ToLower(r.name), strings.TrimPrefix(strings.TrimPrefix(text, "docker.io/"), "library/"))
	if digits, ok := image.ParseIDPrefix(text); ok && len(digits) >= listing.FewestDigits {
		named = named || slices.ContainsFunc(r.images, func(d image.Digest) bool { return strings.HasPrefix(d.Encoded(), digits) })
	}
	globbed := len(q.References) == 0
	for _, pattern := range q.References {
		for _, name := range []string{r.name, r.Reference.Repository.Familiar()} {
			matched, err := path.Match(pattern, name)
			globbed = globbed || matched && err == nil
		}
		if strings.Contains(pattern, "@") {
			matched, err := path.Match(pattern, r.Reference.Repository.Familiar()+"@"+string(r.Digest))
			globbed = globbed || matched && err == nil
		}
	}
	labels := len(q.Labels) == 0 || slices.ContainsFunc(r.labels, func(set map[string]string) bool {
		for _, want := range q.Labels {
			if value, there := set[want.Key]; !there || !want.Any && value != want.Value {
				return false
			}
		}
		return true
	})
	platform := q.Platform == image.Platform{} || slices.ContainsFunc(r.Platforms, func(p image.Platform) bool {
		p.OSVersion = ""
		return p == q.Platform
	})
	return named && globbed && labels && platform &&
		(q.Repository == "" || r.Reference.Repository == q.Repository) &&
		(q.Dangling == shelf.DanglingShown || (q.Dangling == shelf.DanglingOnly) == (r.Reason == shelf.Dangling)) &&
		(q.Before.IsZero() || !r.Created.IsZero() && r.Created.Before(q.Before)) &&
		(q.Since.IsZero() || !r.Created.IsZero() && r.Created.After(q.Since)) &&
		(q.Registry == "" || r.Reference.Repository.Host() == q.Registry) &&
		(len(q.Updates) == 0 || slices.Contains(q.Updates, r.Update)) &&
		(!q.Pinned || r.Pinned)
}

// orderOf is the order of rows, as plainly.
func orderOf(q shelf.Query, a, b listRow) int {
	platforms := func(r listRow) string {
		var names []string
		for _, p := range r.Platforms {
			names = append(names, p.String())
		}
		return strings.Join(names, " ")
	}
	states := []shelf.UpdateState{shelf.UpdateAvailable, shelf.UpdateGone, shelf.UpdateUnknown, shelf.UpdateCurrent, shelf.UpdateUnchecked}
	c := 0
	switch q.Sort {
	case shelf.SortPlatforms:
		c = strings.Compare(platforms(a), platforms(b))
	case shelf.SortID:
		c = strings.Compare(string(a.ImageID), string(b.ImageID))
	case shelf.SortCreated:
		c = a.Created.Compare(b.Created)
	case shelf.SortPulled:
		c = a.Pulled.Compare(b.Pulled)
	case shelf.SortSize:
		c = cmp.Compare(a.Size, b.Size)
	case shelf.SortUnpacked:
		c = cmp.Compare(a.Unpacked, b.Unpacked)
	case shelf.SortDownloads:
		c = cmp.Or(cmp.Compare(a.Downloads.Count, b.Downloads.Count), a.Downloads.Last.Compare(b.Downloads.Last))
	case shelf.SortUpdate:
		c = cmp.Compare(slices.Index(states, a.Update), slices.Index(states, b.Update))
	}
	c = cmp.Or(c, strings.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
	if q.Descending {
		return -c
	}
	return c
}

// The index answers what a filter over all rows of the database answers, after any changes.
func TestTheIndexOfTheListAnswersWhatTheDatabaseHolds(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l := newRandomList(t, seed)
			for step := range 60 {
				l.step()
				all := l.all()
				for range 12 {
					l.holds(step, l.query(), all)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// holds puts a question to the index and compares.
func (l *randomList) holds(step int, q shelf.Query, all []listRow) {
	l.t.Helper()
	var want []listRow
	for _, r := range all {
		if passes(q, r) {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(a, b listRow) int { return orderOf(q, a, b) })
	q.Offset, q.Limit = l.random.IntN(len(want)+2), 1+l.random.IntN(40)
	rows, total, err := l.Lists.List(l.t.Context(), q)
	if err != nil {
		l.t.Fatal(err)
	}
	from := min(q.Offset, len(want))
	page := want[from:min(len(want), from+q.Limit)]
	same := func(got shelf.Row, want listRow) bool {
		return got.Reference == want.Reference && got.Digest == want.Digest && got.ImageID == want.ImageID && got.Size == want.Size && got.Created.Equal(want.Created)
	}
	if total != len(want) || !slices.EqualFunc(rows, page, same) {
		l.t.Errorf("step %d, %+v: %d rows of %d, want %d of %d", step, q, len(rows), total, len(page), len(want))
		return
	}
	var ids []image.Digest
	if err := l.Lists.EachImageID(l.t.Context(), q, func(id image.Digest) error { ids = append(ids, id); return nil }); err != nil {
		l.t.Fatal(err)
	}
	if got := slices.EqualFunc(ids, slices.DeleteFunc(slices.Clone(want), func(r listRow) bool { return r.ImageID == "" }), func(id image.Digest, r listRow) bool { return id == r.ImageID }); !got {
		l.t.Errorf("step %d, %+v: %d image IDs do not fit %d rows", step, q, len(ids), len(want))
	}
	l.holdsGroups(step, q, want)
}

// holdsGroups compares the rows by repositories.
func (l *randomList) holdsGroups(step int, q shelf.Query, rows []listRow) {
	l.t.Helper()
	want := map[image.Repository]*shelf.RepositoryRow{}
	digests := map[image.Reference]bool{}
	for _, r := range rows {
		g := want[r.Reference.Repository]
		if g == nil {
			g = &shelf.RepositoryRow{Repository: r.Reference.Repository}
			want[g.Repository] = g
		}
		switch r.Reason {
		case shelf.ByTag:
			g.Tags++
			g.Downloads.Count += r.Downloads.Count - r.direct
		case shelf.ByDigest:
			g.ByDigest++
		case shelf.Dangling:
			g.Dangling++
		}
		if key := r.Reference.WithDigest(r.Digest); !digests[key] {
			digests[key] = true
			g.Size += r.TotalSize
			g.Downloads.Count += r.direct
		}
		if r.Created.After(g.Created) {
			g.Created = r.Created
		}
		if r.Downloads.Last.After(g.Downloads.Last) {
			g.Downloads.Last = r.Downloads.Last
		}
		if r.Update == shelf.UpdateAvailable {
			g.Available++
		}
	}
	q.Sort, q.Offset, q.Limit = oneOf(l.random, []shelf.Sort{shelf.SortName, shelf.SortTags, shelf.SortSize, shelf.SortCreated, shelf.SortDownloads}), 0, 1000
	got, total, err := l.Lists.ListRepositories(l.t.Context(), q)
	if err != nil || total != len(want) || len(got) != len(want) {
		l.t.Fatalf("step %d, %+v: %d repositories of %d, want %d, %v", step, q, len(got), total, len(want), err)
	}
	key := map[shelf.Sort]func(a, b shelf.RepositoryRow) int{
		shelf.SortName:      func(a, b shelf.RepositoryRow) int { return 0 },
		shelf.SortTags:      func(a, b shelf.RepositoryRow) int { return a.Tags - b.Tags },
		shelf.SortSize:      func(a, b shelf.RepositoryRow) int { return cmp.Compare(a.Size, b.Size) },
		shelf.SortCreated:   func(a, b shelf.RepositoryRow) int { return a.Created.Compare(b.Created) },
		shelf.SortDownloads: func(a, b shelf.RepositoryRow) int { return cmp.Compare(a.Downloads.Count, b.Downloads.Count) },
	}[q.Sort]
	for i, g := range got {
		w := want[g.Repository]
		if w == nil || g.Tags != w.Tags || g.Dangling != w.Dangling || g.ByDigest != w.ByDigest || g.Available != w.Available || !g.Created.Equal(w.Created) || g.Downloads.Count != w.Downloads.Count || !g.Downloads.Last.Equal(w.Downloads.Last) {
			l.t.Errorf("step %d, %+v: %+v, want %+v", step, q, g, w)
			return
		}
		if i == 0 {
			continue
		}
		order := cmp.Or(key(got[i-1], g), strings.Compare(got[i-1].Repository.Familiar(), g.Repository.Familiar()))
		if order == 0 || order > 0 != q.Descending {
			l.t.Errorf("step %d, %+v: %s before %s", step, q, got[i-1].Repository, g.Repository)
		}
	}
}

// A change that is committed is in the next answer, and what is half done in none.
func TestTheListIsReadWholeWhileItChanges(t *testing.T) {
	l := newRandomList(t, 9)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				rows, total, err := l.Lists.List(ctx, shelf.Query{Text: "pair", Limit: 10_000})
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
				if total%2 != 0 || len(rows) != total {
					t.Errorf("%d rows of %d", len(rows), total)
				}
			}
		})
	}
	want := 0
	for i := range 150 {
		l.write(func(tx *sql.Tx) {
			for half := range 2 {
				l.exec(tx, `INSERT INTO listing (repository_id, digest, tag, reason, name, image_id, platform, platforms, created, pulled_at, size, unpacked, total_size, broken)
					VALUES (1, ?, ?, 'tag', ?, '', '', '', 0, 0, 0, 0, 0, '')`, l.digests[0], fmt.Sprint(i), fmt.Sprintf("pair:%d-%d", i, half))
			}
			if want += 2; i%10 == 9 {
				l.exec(tx, `DELETE FROM listing WHERE name IN (?, ?)`, fmt.Sprintf("pair:%d-0", i-5), fmt.Sprintf("pair:%d-1", i-5))
				want -= 2
			}
		})
		if _, total, err := l.Lists.List(ctx, shelf.Query{Text: "pair"}); err != nil || total != want {
			t.Fatalf("after write %d: %d rows, want %d, %v", i, total, want, err)
		}
	}
	cancel()
	readers.Wait()
}

func TestTheChangesOfTheListAreTrimmed(t *testing.T) {
	l := newRandomList(t, 1)
	l.write(func(tx *sql.Tx) {
		l.exec(tx, `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
			INSERT INTO listing (repository_id, digest, tag, reason, name, image_id, platform, platforms, created, pulled_at, size, unpacked, total_size, broken)
			SELECT 1, ?, i, 'tag', 'many:' || i, '', '', '', 0, 0, 0, 0, 0, '' FROM n`, l.digests[0])
	})
	var kept int
	if err := l.folder.db.QueryRowContext(l.t.Context(), `SELECT count(*) FROM listing_changes`).Scan(&kept); err != nil || kept < 20_000 || kept > 21_000 {
		t.Errorf("%d changes are kept, %v", kept, err)
	}
	if _, total, err := l.Lists.List(t.Context(), shelf.Query{}); err != nil || total != 30_000 {
		t.Errorf("%d rows, %v", total, err)
	}
}
