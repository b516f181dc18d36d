package storage

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// BenchmarkListBySQLOrIndex answers the same views of a list of 100,000 tags by plain SQL, with a covering index under
// each order and one under the filters, and by the index in memory. docs/decisions/list.md gives its figures.
func BenchmarkListBySQLOrIndex(b *testing.B) {
	s := newVariedShelf(b)
	if _, err := (writing{s.folder.db}).ExecContext(b.Context(), `CREATE INDEX bench_name ON listing (name, id);
		CREATE INDEX bench_size ON listing (size, name, id);
		CREATE INDEX bench_filter ON listing (name, update_state, platforms, repository_id);
		CREATE INDEX bench_label ON image_labels (key, value, manifest_digest);
		CREATE INDEX bench_group ON listing (repository_id, digest, reason, update_state, created, pulled_at, total_size);
		ANALYZE`); err != nil {
		b.Fatal(err)
	}
	const text = `instr(name, ?) > 0`
	for _, v := range []struct {
		name  string
		where string // of SQL
		args  []any
		order string
		query shelf.Query
	}{
		{"all by size", `TRUE`, nil, `size DESC, name DESC, id DESC`, shelf.Query{Sort: shelf.SortSize, Descending: true}},
		{"text with many rows by size", text, []any{"api"}, `size DESC, name DESC, id DESC`, shelf.Query{Text: "api", Sort: shelf.SortSize, Descending: true}},
		{"text with few rows by size", text, []any{"api-800:1."}, `size DESC, name DESC, id DESC`, shelf.Query{Text: "api-800:1.", Sort: shelf.SortSize, Descending: true}},
		{"text, platform and update", text + ` AND instr(' ' || platforms || ' ', ' linux/arm64 ') > 0 AND update_state = 'available'`, []any{"api"},
			`name, id`, shelf.Query{Text: "api", Platform: image.Platform{OS: "linux", Architecture: "arm64"}, Updates: []shelf.UpdateState{shelf.UpdateAvailable}}},
		{"label", `digest IN (SELECT manifest_digest FROM image_labels WHERE key = 'stage' AND value = 'ci')`, nil,
			`name, id`, shelf.Query{Labels: []image.Label{{Key: "stage", Value: "ci"}}}},
	} {
		b.Run(v.name+"/sql", func(b *testing.B) {
			atPercentile(b, func() error {
				var total int
				if err := s.folder.db.QueryRowContext(b.Context(), `SELECT count(*) FROM listing WHERE `+v.where, v.args...).Scan(&total); err != nil {
					return err
				}
				ids, err := database.RowsOf(b.Context(), s.folder.db, func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) },
					`SELECT id FROM listing WHERE `+v.where+` ORDER BY `+v.order+` LIMIT 50`, v.args...)
				if err != nil || len(ids) == 0 {
					return fmt.Errorf("%d rows: %w", len(ids), err)
				}
				return s.folder.db.View(b.Context(), func(tx *sql.Tx) error {
					_, err := readRows(b.Context(), tx, ids)
					return err
				})
			})
		})
		b.Run(v.name+"/index", func(b *testing.B) {
			v.query.Limit = 50
			atPercentile(b, func() error {
				rows, _, err := s.Lists.List(b.Context(), v.query)
				if err != nil || len(rows) == 0 {
					return fmt.Errorf("%d rows: %w", len(rows), err)
				}
				return nil
			})
		})
	}
	b.Run("by repository/sql", func(b *testing.B) {
		atPercentile(b, func() error {
			_, err := database.RowsOf(b.Context(), s.folder.db, func(rows *sql.Rows) (id int64, err error) {
				var tags, available, size int64
				return id, rows.Scan(&id, &tags, &available, &size)
			}, `SELECT repository_id, sum(tags), sum(available), sum(size) FROM (
				SELECT repository_id, sum(reason = 'tag') AS tags, sum(update_state = 'available') AS available, max(total_size) AS size, max(created), max(pulled_at)
				FROM listing GROUP BY repository_id, digest) GROUP BY repository_id`)
			return err
		})
	})
	b.Run("by repository/index", func(b *testing.B) {
		atPercentile(b, func() error {
			_, _, err := s.Lists.ListRepositories(b.Context(), shelf.Query{Limit: 50})
			return err
		})
	})
}

// atPercentile runs a view as often as the benchmark wants and reports the 95th percentile of its times beside their mean.
func atPercentile(b *testing.B, view func() error) {
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if err := view(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "ms-p95")
}

// newVariedShelf opens a shelf whose list has 100,000 rows that differ in what filters ask for.
func newVariedShelf(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	services := []string{"api", "worker", "gateway", "frontend", "exporter", "postgres", "proxy", "ingest"}
	platforms := []string{"linux/amd64", "linux/amd64 linux/arm64", "linux/arm64"}
	err = seedRows(b, s, func(seed *benchSeed) {
		for n := range 100_000 {
			repository := fmt.Sprintf("team-%d/%s-%d", n/50%40, services[n/50%len(services)], n/50)
			seed.image(n, []string{"base 0"}, repository, fmt.Sprintf("%d.%d.%d", n%50/20, n%50/5%4, n%5))
			m := benchDigest("manifest", n)
			seed.exec(`INSERT INTO image_labels (manifest_digest, key, value) VALUES (?, 'stage', ?)`, m, []string{"ci", "staging", "production"}[n%3])
			seed.exec(`UPDATE listing SET size = ?, platforms = ?, update_state = ? WHERE digest = ?`,
				n*7919%100_003, platforms[n%3], []string{"", "current", "available"}[n/3%3], m)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}
