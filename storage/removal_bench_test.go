package storage

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// meanwhile pins an image of its own all the time while f works, and returns how long the longest pin waited.
func meanwhile(b *testing.B, s *Store, f func()) (waited time.Duration) {
	b.Helper()
	mine := image.Reference{Repository: "example.com/mine", Tag: "1"}
	pin := func() {
		began := time.Now()
		if _, err := s.Tags.Pin(b.Context(), mine, "", image.ActorNamed("mira")); err != nil {
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

// BenchmarkPrune prunes everything of a shelf of 100,000 tags. It reports how long batches took, for which the one writer
// is taken, and how long another person's pin waited.
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
	var batches []time.Duration
	s.Removals.pause = func(took time.Duration) { batches = append(batches, took) }
	waited := meanwhile(b, s, func() {
		began := time.Now()
		plan, err := s.Removals.PlanPrune(b.Context(), asked)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-plan")
		began = time.Now()
		done, err := s.Removals.Prune(b.Context(), asked, plan.Fingerprint, image.ActorNamed("noa"))
		if err != nil {
			b.Fatal(err)
		}
		id = done.ID
		b.ReportMetric(time.Since(began).Seconds(), "s-prune")
	})
	reportBatches(b, batches, "batch")
	b.ReportMetric(float64(waited.Milliseconds()), "ms-longest-pin")
	return id
}

// reportBatches reports the median, the 99th percentile and the longest of the times that batches took.
func reportBatches(b *testing.B, times []time.Duration, name string) {
	b.Helper()
	slices.Sort(times)
	b.ReportMetric(float64(len(times)), name+"es")
	b.ReportMetric(float64(times[len(times)/2].Milliseconds()), "ms-"+name+"-p50")
	b.ReportMetric(float64(times[len(times)*99/100].Milliseconds()), "ms-"+name+"-p99")
	b.ReportMetric(float64(times[len(times)-1].Milliseconds()), "ms-"+name+"-longest")
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
	err = database.EachRow(b.Context(), s.folder.db, func(rows *sql.Rows) (bool, error) {
		var d image.Digest
		var size int64
		if err := rows.Scan(&d, &size); err != nil {
			return true, err
		}
		f, err := os.Create(filepath.Join(s.folder.dir, "blobs", "sha256", d.Encoded()))
		if err != nil {
			return true, err
		}
		return false, errors.Join(f.Truncate(size), f.Close())
	}, `SELECT digest, size FROM blobs`)
	if err != nil {
		b.Fatal(err)
	}
	id := prune(b, s)
	var batches []time.Duration
	s.Removals.pause = func(took time.Duration) { batches = append(batches, took) }
	waited := meanwhile(b, s, func() {
		began := time.Now()
		if _, err := s.Removals.Undo(b.Context(), id, image.ActorNamed("kim")); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-undo")
	})
	reportBatches(b, batches, "undo-batch")
	b.ReportMetric(float64(waited.Milliseconds()), "ms-longest-pin-at-undo")
	if totals, err := s.Lists.Totals(b.Context()); err != nil || totals.Images != benchTags+1 {
		b.Errorf("%+v, %v", totals, err)
	}
}

// BenchmarkCopiesOrRoots compares two ways to keep what a prune takes for an undo, of 10,000 digests of a shelf of 100,000
// tags: copies of all its rows, as it is done, or its roots alone, under which everything stays until its time is over.
// With the latter whatever looks at images would have to leave out what no root leads to: the last figures are of that.
func BenchmarkCopiesOrRoots(b *testing.B) {
	s := newBenchShelf(b, time.Hour)
	ctx := b.Context()
	p, _, err := s.Removals.plan(ctx, s.Removals.planningPrune(shelf.Prune{All: true}))
	if err != nil {
		b.Fatal(err)
	}
	took := map[string]time.Duration{}
	timed := func(name string, f func() error) {
		began := time.Now()
		if err := f(); err != nil {
			b.Fatal(name, err)
		}
		took[name] += time.Since(began)
	}
	bases := []image.Digest{benchDigest("manifest", 0)}
	users := 0
	timed("built-on", func() error {
		return questions{ctx, s.folder.db}.BuiltOn(bases, func(_, _ image.Digest) bool { users++; return false })
	})
	timed("built-on-but-for-trash", func() error {
		query := strings.Replace(builtQuery, "CROSS JOIN images i ON", "CROSS JOIN images i ON "+reachedImage+" AND", 1)
		return database.EachRow(ctx, s.folder.db, func(*sql.Rows) (bool, error) { users--; return false, nil }, query, benchChains(b, s, bases))
	})
	if users != 0 {
		b.Errorf("the two look-ups differ by %d", users)
	}
	if _, err := (writing{s.folder.db}).ExecContext(ctx, `CREATE TABLE bench_digests AS SELECT * FROM repository_digests WHERE false;
		CREATE TABLE bench_tags AS SELECT * FROM tags WHERE false`); err != nil {
		b.Fatal(err)
	}
	var id int64
	err = s.folder.db.Tend(ctx, "", func(tx *sql.Tx) (err error) {
		id, err = insertRemoval(ctx, tx, p.Shown, 0, "noa", database.Millis(time.Now().Add(time.Hour)), true)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	part := 0
	undone := errors.New("undone")
	for left, roots := newRest(p), 0; roots < 10_000; {
		batch := left.next(firstRows * 10)
		roots += len(batch.roots)
		err := s.folder.db.Tend(ctx, "", func(tx *sql.Tx) error { // the roots alone
			timed("s-roots", func() error { return moveRoots(ctx, tx, s, batch) })
			return undone
		})
		if !errors.Is(err, undone) {
			b.Fatal(err)
		}
		err = s.folder.db.Tend(ctx, "", func(tx *sql.Tx) error {
			c := copies{ctx: ctx, tx: tx, id: id, part: part}
			part += partsOfBatch
			timed("s-copies", func() error { return c.keep(batch) })
			a := applying{ctx: ctx, tx: tx, of: s.Removals, batch: batch, by: image.ActorNamed("noa"), sweep: database.Millis(time.Now().Add(time.Hour))}
			timed("s-apply", a.apply)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	var bytes int64
	if err := s.folder.db.QueryRowContext(ctx, `SELECT sum(length(rows)) FROM removed_rows`).Scan(&bytes); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(bytes)/1e6, "MB-copies")
	for _, name := range []string{"s-copies", "s-apply", "s-roots"} {
		b.ReportMetric(took[name].Seconds(), name)
	}
	for _, name := range []string{"built-on", "built-on-but-for-trash"} {
		b.ReportMetric(float64(took[name].Microseconds())/1000, "ms-"+name)
	}
}

// reachedImage holds of images that a root leads to.
const reachedImage = `EXISTS (WITH RECURSIVE up (digest) AS (VALUES (i.manifest_digest)` + upRest + `
	SELECT 1 FROM up CROSS JOIN repository_digests d ON d.digest = up.digest)`

// benchChains returns the chain IDs of images as builtQuery reads them.
func benchChains(b *testing.B, s *Store, images []image.Digest) string {
	b.Helper()
	list, err := json.Marshal(images)
	if err != nil {
		b.Fatal(err)
	}
	var chain []byte
	var skipped string
	if err := s.folder.db.QueryRowContext(b.Context(), chainsQuery, string(list)).Scan(&skipped, &skipped, &chain); err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("[%q]", hex.EncodeToString(chain))
}

// moveRoots moves the roots and tags of a batch elsewhere.
func moveRoots(ctx context.Context, tx *sql.Tx, s *Store, of *batch) error {
	a := applying{ctx: ctx, tx: tx, of: s.Removals, batch: of, by: image.ActorNamed("noa")}
	err := over(&a, of.tags, `INSERT INTO bench_tags SELECT * FROM tags WHERE (repository_id, name)`+listedPairs)
	if err == nil {
		err = over(&a, keysOf(of.roots), `INSERT INTO bench_digests SELECT * FROM repository_digests WHERE (repository_id, digest)`+listedPairs)
	}
	if err == nil {
		err = a.untag()
	}
	for _, table := range []string{"repository_digests", "listing"} {
		if err == nil {
			err = over(&a, keysOf(of.roots), `DELETE FROM `+table+` WHERE (repository_id, digest)`+listedPairs)
		}
	}
	return err
}
