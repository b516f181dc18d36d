package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	return s.update(b.Context(), func(tx *sql.Tx) error {
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
				if _, err := s.PlanRemoval(b.Context(), bench.asked); err != nil {
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
				if _, err := s.PlanPrune(b.Context(), bench.asked); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// meanwhile pins an image of its own all the time while f works, and returns how long the longest pin waited.
func meanwhile(b *testing.B, s *Store, f func()) (waited time.Duration) {
	b.Helper()
	mine := image.Reference{Repository: "example.com/mine", Tag: "1"}
	pin := func() {
		began := time.Now()
		if _, err := s.Pin(b.Context(), mine, "", "mira"); err != nil {
			b.Error(err)
		}
		waited = max(waited, time.Since(began))
	}
	pin()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for every := time.NewTicker(20 * time.Millisecond); ; pin() {
			select {
			case <-stop:
				return
			case <-every.C:
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return waited
}

// BenchmarkPrune prunes everything of a shelf of 100,000 tags. It reports the longest batch, for which the one writer is
// taken, and how long another person's pin waited.
func BenchmarkPrune(b *testing.B) {
	s := newBenchShelf(b, time.Hour)
	prune(b, s)
}

func prune(b *testing.B, s *Store) (id int64) {
	b.Helper()
	if err := seedRows(b, s, func(seed *benchSeed) { seed.image(benchTags*2, []string{"mine"}, "mine", "1") }); err != nil {
		b.Fatal(err)
	}
	asked := shelf.Prune{All: true}
	var longest time.Duration
	batches := 1
	s.removals.pause = func(took time.Duration) { longest, batches = max(longest, took), batches+1 }
	waited := meanwhile(b, s, func() {
		began := time.Now()
		plan, err := s.PlanPrune(b.Context(), asked)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-plan")
		began = time.Now()
		done, err := s.Prune(b.Context(), asked, plan.Fingerprint, "noa")
		if err != nil {
			b.Fatal(err)
		}
		id = done.ID
		b.ReportMetric(time.Since(began).Seconds(), "s-prune")
	})
	b.ReportMetric(float64(batches), "batches")
	b.ReportMetric(float64(longest.Milliseconds()), "ms-longest-batch")
	b.ReportMetric(float64(waited.Milliseconds()), "ms-longest-pin")
	return id
}

// BenchmarkUndo undoes a prune of 100,000 tags, of images of one layer of their own, since their files have to be there.
func BenchmarkUndo(b *testing.B) {
	s, err := Open(b.Context(), Options{Dir: b.TempDir(), UndoWindow: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	err = seedRows(b, s, func(seed *benchSeed) {
		seed.image(0, []string{"base"}, "base", "1")
		for n := 1; n < benchTags; n++ {
			seed.image(n, []string{"base", fmt.Sprint(n)}, fmt.Sprintf("team/app-%d", n/benchPerRepo), fmt.Sprintf("1.%d", n%benchPerRepo))
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	err = eachRow(b.Context(), s.read, func(rows *sql.Rows) (bool, error) {
		var d image.Digest
		var size int64
		if err := rows.Scan(&d, &size); err != nil {
			return true, err
		}
		f, err := os.Create(filepath.Join(s.dir, "blobs", "sha256", d.Encoded()))
		if err != nil {
			return true, err
		}
		return false, errors.Join(f.Truncate(size), f.Close())
	}, `SELECT digest, size FROM blobs`)
	if err != nil {
		b.Fatal(err)
	}
	id := prune(b, s)
	var longest time.Duration
	s.removals.pause = func(took time.Duration) { longest = max(longest, took) }
	waited := meanwhile(b, s, func() {
		began := time.Now()
		if _, err := s.Undo(b.Context(), id, "kim"); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-undo")
	})
	b.ReportMetric(float64(longest.Milliseconds()), "ms-longest-undo-batch")
	b.ReportMetric(float64(waited.Milliseconds()), "ms-longest-pin-at-undo")
	if totals, err := s.Totals(b.Context()); err != nil || totals.Images != benchTags+1 {
		b.Errorf("%+v, %v", totals, err)
	}
}
