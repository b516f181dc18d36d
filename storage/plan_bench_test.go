package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// The shelf of the benchmarks: benchTags tags, most on an image of their own with benchLayers layers. Half of the images
// are built on one base of three layers; one digest has benchSame tags, and benchDangling digests have none.
const (
	benchTags     = 100_000
	benchSame     = 20_000
	benchDangling = 5_000
	benchLayers   = 8
	benchPerRepo  = 50
)

// benchDigest is the digest of a number within a kind.
func benchDigest(kind string, n int) image.Digest {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(kind), uint64(n)))
	return image.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// benchSeed writes rows as a pull does, without files.
type benchSeed struct {
	ctx  context.Context
	b    testing.TB
	tx   *sql.Tx
	stmt map[string]*sql.Stmt
	repo map[string]int64
}

func (s *benchSeed) exec(query string, args ...any) sql.Result {
	stmt := s.stmt[query]
	if stmt == nil {
		var err error
		if stmt, err = s.tx.PrepareContext(s.ctx, query); err != nil {
			s.b.Fatal(err)
		}
		s.stmt[query] = stmt
	}
	res, err := stmt.ExecContext(s.ctx, args...)
	if err != nil {
		s.b.Fatalf("%s: %v", query, err)
	}
	return res
}

func (s *benchSeed) blob(d image.Digest, size int) {
	s.exec(`INSERT INTO blobs (digest, size, stored_at) VALUES (?, ?, 0) ON CONFLICT DO NOTHING`, d, size)
}

// image writes an image with layers by name, and its root with tags.
func (s *benchSeed) image(n int, layers []string, repository string, tags ...string) {
	manifest, config := benchDigest("manifest", n), benchDigest("config", n)
	s.blob(manifest, 2000)
	s.blob(config, 5000)
	s.exec(`INSERT INTO manifests (digest, kind, media_type) VALUES (?, 'manifest', 'application/vnd.oci.image.manifest.v1+json')`, manifest)
	s.exec(`INSERT INTO images (manifest_digest, config_digest, platform, created, size, layers, stored_at, facts) VALUES (?, ?, 'linux/amd64', ?, 1, ?, 0, 1)`,
		manifest, config, int64(n)*1000, len(layers))
	chain := ""
	for i, name := range layers {
		layer := benchDigest("layer "+name, 0)
		s.blob(layer, 1000)
		s.exec(`INSERT INTO layers (digest, state, diff_id, unpacked, entries) VALUES (?, 'verified', ?, 10, 1) ON CONFLICT DO NOTHING`, layer, layer)
		chain += " " + name
		sum := sha256.Sum256([]byte(chain))
		s.exec(`INSERT INTO image_layers (manifest_digest, position, layer_digest, diff_id, size, media_type, created_by, chain_id) VALUES (?, ?, ?, ?, 1000, '', 'COPY', ?)`,
			manifest, i, layer, layer, sum[:])
	}
	if s.repo[repository] == 0 {
		id, err := s.exec(`INSERT INTO repositories (name, familiar) VALUES (?, ?)`, "example.com/"+repository, "example.com/"+repository).LastInsertId()
		if err != nil {
			s.b.Fatal(err)
		}
		s.repo[repository] = id
	}
	repo := s.repo[repository]
	s.exec(`INSERT INTO repository_digests (repository_id, digest, by_digest, pulled_at, pulled_by) VALUES (?, ?, 0, 0, 'bench')`, repo, manifest)
	row := func(tag, reason, name string) {
		s.exec(`INSERT INTO listing (repository_id, digest, tag, reason, name, image_id, platform, platforms, created, pulled_at, size, unpacked, total_size, broken)
			VALUES (?, ?, ?, ?, ?, ?, 'linux/amd64', 'linux/amd64', ?, 0, 1, 10, 1, '')`, repo, manifest, tag, reason, name, config, int64(n)*1000)
	}
	for _, tag := range tags {
		s.exec(`INSERT INTO tags (repository_id, name, digest, pulled_at, pulled_by) VALUES (?, ?, ?, 0, 'bench')`, repo, tag, manifest)
		row(tag, "tag", "example.com/"+repository+":"+tag)
	}
	if len(tags) == 0 {
		row("", "dangling", "example.com/"+repository+"@"+string(manifest))
	}
}

func seedRows(b testing.TB, s *Store, f func(*benchSeed)) error {
	return s.folder.db.Tend(b.Context(), "", func(tx *sql.Tx) error {
		f(&benchSeed{ctx: b.Context(), b: b, tx: tx, stmt: map[string]*sql.Stmt{}, repo: map[string]int64{}})
		return nil
	})
}

func newBenchShelf(b *testing.B, window time.Duration) *Store {
	b.Helper()
	s, err := Open(b.Context(), Options{Dir: b.TempDir(), UndoWindow: window})
	if err != nil {
		b.Fatal(err)
	}
	err = seedRows(b, s, func(seed *benchSeed) {
		base := []string{"base 0", "base 1", "base 2"}
		seed.image(0, base, "base", "1")
		var same []string
		for i := range benchSame {
			same = append(same, fmt.Sprintf("v%05d", i))
		}
		seed.image(1, []string{"same"}, "same", same...)
		for n := 2; n < benchTags-benchSame+benchDangling; n++ {
			var layers []string
			if n%2 == 0 || n >= benchTags-benchSame {
				layers = append(layers, base...)
			}
			for i := len(layers); i < benchLayers; i++ {
				layers = append(layers, fmt.Sprintf("%d of %d", i, n))
			}
			repository := fmt.Sprintf("team/app-%d", n/benchPerRepo)
			if n >= benchTags-benchSame {
				seed.image(n, layers, repository)
				continue
			}
			seed.image(n, layers, repository, fmt.Sprintf("1.%d", n%benchPerRepo))
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// timed runs f and reports the median and the 95th percentile of its times.
func timed(b *testing.B, f func(i int)) {
	b.Helper()
	var times []time.Duration
	i := 0
	for b.Loop() {
		began := time.Now()
		f(i)
		times = append(times, time.Since(began))
		i++
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "ms-p95")
}

// BenchmarkPlan plans deletions and prunes on a shelf of 100,000 tags: product.md has 50 ms for a deletion.
func BenchmarkPlan(b *testing.B) {
	s := newBenchShelf(b, 0)
	tag := func(repository, tag string) shelf.RemovalItem {
		return shelf.RemovalItem{Reference: image.Reference{Repository: image.Repository("example.com/" + repository), Tag: tag}}
	}
	app := func(n int) shelf.RemovalItem {
		return tag(fmt.Sprintf("team/app-%d", n/benchPerRepo), fmt.Sprintf("1.%d", n%benchPerRepo))
	}
	platform := app(1000)
	platform.Platform = image.Platform{OS: "linux", Architecture: "amd64"}
	var several shelf.Removal
	for n := 2; n < 1002; n++ {
		several.Items = append(several.Items, app(n*7%(benchTags-benchSame-2)+2))
	}
	for _, bench := range []struct {
		name  string
		asked shelf.Removal
	}{
		{"tag", shelf.Remove(app(1001))},
		{"tag on a base of 40000", shelf.Remove(app(1000))},
		{"platform", shelf.Remove(platform)},
		{"ID", shelf.Remove(shelf.RemovalItem{ID: benchDigest("config", 1000)})},
		{"base of 40000", shelf.Remove(tag("base", "1"))},
		{"base of 40000 by force", shelf.Removal{Items: []shelf.RemovalItem{tag("base", "1")}, Force: true}},
		{"one of 20000 tags of a digest", shelf.Remove(tag("same", "v00777"))},
		{"ID with 20000 tags", shelf.Remove(shelf.RemovalItem{ID: benchDigest("config", 1)})},
		{"1000 tags", several},
	} {
		b.Run(bench.name, func(b *testing.B) {
			timed(b, func(int) {
				if _, err := s.Removals.PlanRemoval(b.Context(), bench.asked); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
	for _, bench := range []struct {
		name  string
		asked shelf.Prune
	}{{"prune 5000 dangling", shelf.Prune{}}, {"prune everything", shelf.Prune{All: true}}, {"prune half by date", shelf.Prune{All: true, Until: time.UnixMilli(benchTags * 500)}}} {
		b.Run(bench.name, func(b *testing.B) {
			timed(b, func(int) {
				if _, err := s.Removals.PlanPrune(b.Context(), bench.asked); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
