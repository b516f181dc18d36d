package storage

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

func TestTheListSortsByEachColumnBothWays(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	s.pull("postgres:15=postgres amd64")
	s.pull("redis:7=redis amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	key := map[shelf.Sort]func(shelf.Row) string{
		shelf.SortName:      func(r shelf.Row) string { return r.Reference.Familiar() },
		shelf.SortPlatforms: func(r shelf.Row) string { return strings.Trim(fmt.Sprint(r.Platforms), "[]") },
		shelf.SortID:        func(r shelf.Row) string { return string(r.ImageID) },
		shelf.SortCreated:   func(r shelf.Row) string { return fmt.Sprintf("%020d", r.Created.UnixMilli()) },
		shelf.SortPulled:    func(r shelf.Row) string { return fmt.Sprintf("%020d", r.Pulled.UnixMilli()) },
		shelf.SortSize:      func(r shelf.Row) string { return fmt.Sprintf("%020d", r.Size) },
		shelf.SortUnpacked:  func(r shelf.Row) string { return fmt.Sprintf("%020d", r.Unpacked) },
	}
	for order, of := range key {
		for _, descending := range []bool{false, true} {
			rows, total, err := s.Lists.List(t.Context(), shelf.Query{Sort: order, Descending: descending, Limit: 10})
			if err != nil || total != 3 {
				t.Fatalf("%s: %d rows, %v", order, total, err)
			}
			var keys []string
			for _, r := range rows {
				keys = append(keys, of(r))
			}
			want := slices.Sorted(slices.Values(keys))
			if descending {
				slices.Reverse(want)
			}
			if !slices.Equal(keys, want) {
				t.Errorf("%s, descending %v: %q", order, descending, keys)
			}
		}
	}
}

func TestTheListFiltersByNameIDAndDigest(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("ghcr.io/acme/ubuntu-tools:1=redis amd64")
	s.pull("postgres@=postgres amd64")
	id := s.ID("jammy", "amd64")
	for text, want := range map[string]string{
		"ubuntu": "ghcr.io/acme/ubuntu-tools:1 ubuntu:22.04", "UBUNTU:2": "ubuntu:22.04", "docker.io/library/ubuntu": "ghcr.io/acme/ubuntu-tools:1 ubuntu:22.04",
		"acme": "ghcr.io/acme/ubuntu-tools:1", id.String(): "ubuntu:22.04", image.ShortDigest(id): "ubuntu:22.04",
		s.ID("postgres", "arm64").String():    "", // of a platform that was not pulled
		s.layerDigest("jammy-amd64"):          "postgres@" + s.Build("postgres").Digest().String() + " ubuntu:22.04",
		s.Build("postgres").Digest().String(): "postgres@" + s.Build("postgres").Digest().String(), "%": "", "_": "", `\`: "", "nothing": "", "'; DROP TABLE tags; --": "",
	} {
		rows, total, err := s.Lists.List(t.Context(), shelf.Query{Text: text, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range rows {
			names = append(names, r.Reference.Familiar())
		}
		if got := strings.Join(names, " "); got != want || total != len(rows) {
			t.Errorf("%q finds %q (%d in all), want %q", text, got, total, want)
		}
	}
	rows, total, err := s.Lists.List(t.Context(), shelf.Query{Repository: "docker.io/library/postgres", Limit: 10})
	if err != nil || total != 1 || rows[0].Reason != shelf.ByDigest {
		t.Errorf("the repository has %+v, %v", rows, err)
	}
}

// A filter that few rows pass is served otherwise than one that many pass, and so are pages near the end.
func TestPagesOfTheListMeetWithoutGapOrOverlap(t *testing.T) {
	s := newShelf(t)
	s.pull("app:0=redis amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil { // it rewrites the rows
		t.Fatal(err)
	}
	_, err := writing{s.folder.db}.Exec(nextChange + `; WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1999)
		INSERT INTO listing (repository_id, digest, tag, reason, name, image_id, platform, platforms, created, pulled_at, size, unpacked, total_size, broken)
		SELECT repository_id, digest, printf('%04d', i), reason, printf('%sapp:%04d', iif(i % 80 = 0, 'rare', ''), i), image_id, platform, platforms, created, pulled_at, i % 7, unpacked, total_size, broken
		FROM listing, n`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q     shelf.Query
		total int
	}{
		{shelf.Query{}, 2000}, {shelf.Query{Sort: shelf.SortSize}, 2000}, {shelf.Query{Text: "APP"}, 2000}, {shelf.Query{Text: "app", Sort: shelf.SortSize}, 2000},
		{shelf.Query{Text: "rare"}, 24}, {shelf.Query{Text: "rare", Sort: shelf.SortSize}, 24}, {shelf.Query{Text: "app:0", Repository: "docker.io/library/app"}, 1000},
	} {
		for _, c.q.Descending = range []bool{false, true} {
			c.q.Limit = 5000
			whole, _, err := s.Lists.List(t.Context(), c.q)
			if err != nil || len(whole) != c.total {
				t.Fatalf("%+v: %d rows, want %d, %v", c.q, len(whole), c.total, err)
			}
			var paged []shelf.Row
			c.q.Limit = c.total/4 - 1
			for c.q.Offset = 0; c.q.Offset <= c.total; c.q.Offset += c.q.Limit {
				rows, total, err := s.Lists.List(t.Context(), c.q)
				if err != nil || total != c.total {
					t.Fatalf("%+v: total %d, want %d, %v", c.q, total, c.total, err)
				}
				paged = append(paged, rows...)
			}
			c.q.Offset = 0
			same := func(a, b shelf.Row) bool { return a.Reference == b.Reference && a.Size == b.Size }
			if !slices.EqualFunc(whole, paged, same) {
				t.Errorf("%+v: the pages are not the whole", c.q)
			}
			if !c.q.Descending && c.q.Sort == "" && whole[0].Reference.Tag > whole[len(whole)-1].Reference.Tag {
				t.Errorf("%+v: not in order", c.q)
			}
		}
	}
}

func TestAnImageIsFoundByAUniquePrefixOfItsID(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	id := s.ID("jammy", "arm64")
	for _, prefix := range []string{id.Encoded(), id.Encoded()[:12]} {
		i, err := s.Images.ImageByID(t.Context(), prefix)
		if err != nil || i.ID != id || i.Platform.Architecture != "arm64" {
			t.Errorf("%s: %+v, %v", prefix, i, err)
		}
	}
	if _, err := s.Images.ImageByID(t.Context(), ""); image.KindOf(err) != image.Conflict {
		t.Errorf("an ambiguous prefix gave %v", err)
	}
	if _, err := s.Images.ImageByID(t.Context(), "ffffffffffff0000"); image.KindOf(err) != image.NotFound {
		t.Errorf("an unknown prefix gave %v", err)
	}
}

// layerDigest returns the digest of a layer by its name.
func (s *testShelf) layerDigest(name string) string {
	s.t.Helper()
	content, err := s.Layers[name].Content()
	if err != nil {
		s.t.Fatal(err)
	}
	return content.Digest.String()
}

func TestATagOnADigestOfManyTagsWritesNoRowButItsOwn(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("ubuntu:jammy=jammy amd64")
	ids := func() map[string]int64 {
		list, err := database.RowsOf(t.Context(), s.folder.db, func(rows *sql.Rows) (r struct {
			name string
			id   int64
		}, err error) {
			return r, rows.Scan(&r.name, &r.id)
		}, `SELECT name, id FROM listing`)
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[string]int64)
		for _, r := range list {
			all[r.name] = r.id
		}
		return all
	}
	before := ids()
	s.pull("ubuntu:latest=jammy amd64")
	after := ids()
	if len(before) != 2 || len(after) != 3 {
		t.Fatalf("rows %v, then %v", before, after)
	}
	for name, id := range before {
		if after[name] != id {
			t.Errorf("the row of %s was written anew", name)
		}
	}
	s.pull("ubuntu:latest=redis amd64") // moves away: its row alone goes from the old digest
	if moved := ids(); moved["ubuntu:22.04"] != before["ubuntu:22.04"] || len(moved) != 3 {
		t.Errorf("after the tag moved: %v", moved)
	}
	s.pull("ubuntu:22.04=redis amd64")
	s.pull("ubuntu:jammy=redis amd64") // the last one: what it pointed at is dangling
	if rows := s.rows(); len(rows) != 4 || !slices.ContainsFunc(rows, func(r string) bool { return strings.Contains(r, "dangling") }) {
		t.Errorf("after the last tag moved: %q", rows)
	}
}

func scanPlan(rows *sql.Rows) (detail string, err error) {
	var id, parent, unused int
	return detail, rows.Scan(&id, &parent, &unused, &detail)
}
