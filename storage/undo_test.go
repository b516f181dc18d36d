package storage

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/test/rules"
)

// clock is the store's, moved by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now().Truncate(time.Millisecond)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const testWindow = 10 * time.Minute

// newUndoShelf is a shelf whose deletions can be undone for testWindow on a clock.
func newUndoShelf(t *testing.T) (*testShelf, *clock) {
	t.Helper()
	c := newClock()
	return newShelfWith(t, Options{UndoWindow: testWindow, Now: c.now}), c
}

// dumpQueries give every row that says what is on the shelf, without the ids that may change.
var dumpQueries = []string{
	`SELECT name, familiar FROM repositories`,
	`SELECT digest, size, stored_at FROM blobs`,
	`SELECT digest, kind, media_type FROM manifests`,
	`SELECT index_digest, position, digest, media_type, size, kind, platform, describes FROM index_entries`,
	`SELECT manifest_digest, config_digest, platform, created, size, layers, unpacked, broken, stored_at, facts, base_digest FROM images`,
	`SELECT digest, state, diff_id, unpacked, entries, problem FROM layers`,
	`SELECT manifest_digest, position, layer_digest, diff_id, size, media_type, created_by, hex(chain_id) FROM image_layers`,
	`SELECT manifest_digest, key, value FROM image_labels`,
	`SELECT digest, media_type FROM attestations`,
	`SELECT manifest_digest, attestation_digest FROM image_attestations`,
	`SELECT attestation_digest, position, blob_digest, predicate FROM attestation_blobs`,
	`SELECT r.name, d.digest, d.by_digest, d.pulled_at, d.pulled_by FROM repository_digests d JOIN repositories r ON r.id = d.repository_id`,
	`SELECT r.name, t.name, t.digest, t.pulled_at, t.pulled_by FROM tags t JOIN repositories r ON r.id = t.repository_id`,
	`SELECT r.name, p.digest, p.note, p.pinned_by, p.pinned_at FROM pins p JOIN repositories r ON r.id = p.repository_id`,
	`SELECT r.name, c.tag, c.answer, c.upstream_digest, c.method, c.checked_at, c.problem FROM tag_checks c JOIN repositories r ON r.id = c.repository_id`,
	`SELECT r.name, h.tag, h.count, h.last_at FROM handed_tags h JOIN repositories r ON r.id = h.repository_id`,
	`SELECT r.name, h.digest, h.count, h.last_at, h.direct, h.direct_last_at FROM handed_digests h JOIN repositories r ON r.id = h.repository_id`,
	dumpListing,
	`SELECT rows_listed, blob_count, blob_bytes, repositories, waiting_count, waiting_bytes FROM totals`,
}

const dumpListing = `SELECT r.name, l.digest, l.tag, l.reason, l.name, l.image_id, l.platform, l.platforms, l.created, l.pulled_at, l.size, l.unpacked, l.total_size, l.broken, l.pinned, l.update_state,
	l.handed, l.handed_direct, l.handed_at
	FROM listing l JOIN repositories r ON r.id = l.repository_id`

// dump returns the rows of queries as text, sorted.
func (s *testShelf) dump(queries ...string) []string { return s.dumpFrom(s.folder.db, queries...) }

func (s *testShelf) dumpFrom(q database.Querier, queries ...string) []string {
	s.t.Helper()
	var all []string
	for _, query := range queries {
		table := query[strings.Index(query, "FROM "):]
		rows, err := database.RowsOf(s.t.Context(), q, func(rows *sql.Rows) (string, error) {
			columns, err := rows.Columns()
			if err != nil {
				return "", err
			}
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			err = rows.Scan(values...)
			row := table + ":"
			for _, v := range values {
				row += fmt.Sprintf(" %v", *v.(*any))
			}
			return row, err
		}, query)
		if err != nil {
			s.t.Fatalf("%s: %v", query, err)
		}
		all = append(all, rows...)
	}
	slices.Sort(all)
	return all
}

// same compares two dumps.
func (s *testShelf) same(what string, got, want []string) {
	s.t.Helper()
	for _, row := range got {
		if _, found := slices.BinarySearch(want, row); !found {
			s.t.Errorf("%s: new: %s", what, row)
		}
	}
	for _, row := range want {
		if _, found := slices.BinarySearch(got, row); !found {
			s.t.Errorf("%s: gone: %s", what, row)
		}
	}
}

func (s *testShelf) undo(id int64) shelf.Undone {
	s.t.Helper()
	undone, err := s.Removals.Undo(s.t.Context(), id, image.ActorNamed("kim"))
	if err != nil {
		s.t.Fatal(err)
	}
	return undone
}

// delete plans, carries out and gives what can be undone.
func (s *testShelf) delete(force bool, names ...string) shelf.Removed {
	s.t.Helper()
	asked := shelf.Removal{Force: force}
	for _, name := range names {
		asked.Items = append(asked.Items, s.Item(name, ""))
	}
	plan, err := s.Removals.PlanRemoval(s.t.Context(), asked)
	if err != nil {
		s.t.Fatal(err)
	}
	done, err := s.Removals.Remove(s.t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa"))
	if err != nil {
		s.t.Fatal(err)
	}
	return done
}

// checkWaiting holds the sums against what is said to wait, and the disk against both.
func (s *testShelf) checkWaiting(bytes int64) {
	s.t.Helper()
	s.Janitor.Settle()
	totals, err := s.Lists.Totals(s.t.Context())
	if err != nil || totals.WaitingBytes != bytes || (totals.Waiting == 0) != (bytes == 0) {
		s.t.Errorf("%d blobs with %d bytes wait (%v), want %d bytes", totals.Waiting, totals.WaitingBytes, err, bytes)
	}
	if on := diskBytes(s.files()); on != totals.Bytes+totals.WaitingBytes {
		s.t.Errorf("%d bytes are on disk, the sums say %d and %d", on, totals.Bytes, totals.WaitingBytes)
	}
}

// settled waits until what was pulled is unpacked and index.json is written, and notes an answer of the registry for
// each tag.
func (s *testShelf) settled() {
	s.t.Helper()
	if err := s.Unpacker.AwaitUnpacked(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	err := s.folder.db.Tend(s.t.Context(), "", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(s.t.Context(), `INSERT INTO tag_checks (repository_id, tag, answer, upstream_digest, method, checked_at, problem)
			SELECT repository_id, name, 'digest', digest, 'HEAD', 1234, '' FROM tags`)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(s.t.Context(), `UPDATE listing SET update_state = 'current' WHERE tag <> ''`)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Janitor.Settle()
}

// Deletions and prunes, undone: each row is as it was, nothing is fetched or unpacked again.
func TestUndoBringsEverythingBackAsItWas(t *testing.T) {
	check := func(t *testing.T, fill []string, remove func(s *testShelf) (shelf.Removed, error)) {
		t.Helper()
		s, _ := newUndoShelf(t)
		s.fill(fill)
		s.settled()
		before, files, layout := s.dump(dumpQueries...), s.files(), s.layoutNames()
		done, err := remove(s)
		if err != nil || done.Plan.Totals.Items == 0 { // refused, missing or nothing to do: as the tables say
			s.same("after nothing was done", s.dump(dumpQueries...), before)
			return
		}
		s.checkWaiting(done.Plan.Totals.Freed)
		if len(s.files()) != len(files) {
			t.Errorf("%d of %d files are left while it can be undone", len(s.files()), len(files))
		}
		undone := s.undo(done.ID)
		s.same("after the undo", s.dump(dumpQueries...), before)
		s.checkWaiting(0)
		if got := s.layoutNames(); !slices.Equal(got, layout) {
			t.Errorf("index.json\n got %q\nwant %q", got, layout)
		}
		if len(undone.Kept) > 0 || len(undone.Restored) != done.Plan.Totals.Untagged {
			t.Errorf("%d references went and %+v came back", done.Plan.Totals.Untagged, undone)
		}
		if _, err := s.Removals.Undo(t.Context(), done.ID, image.ActorNamed("kim")); image.KindOf(err) != image.NotFound {
			t.Errorf("a second undo: %v", err)
		}
	}
	for _, tt := range rules.Deletions {
		if !tt.Stored {
			continue
		}
		t.Run(tt.Rule, func(t *testing.T) {
			t.Parallel()
			check(t, tt.Shelf, func(s *testShelf) (shelf.Removed, error) {
				asked := s.AskedDeletion(tt)
				plan, err := s.Removals.PlanRemoval(t.Context(), asked)
				if err != nil {
					return shelf.Removed{}, err
				}
				return s.Removals.Remove(t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa"))
			})
		})
	}
	for _, tt := range rules.Prunings {
		if !tt.Stored {
			continue
		}
		t.Run(tt.Rule, func(t *testing.T) {
			t.Parallel()
			check(t, tt.Shelf, func(s *testShelf) (shelf.Removed, error) {
				plan, err := s.Removals.PlanPrune(t.Context(), s.AskedPrune(tt))
				if err != nil {
					return shelf.Removed{}, err
				}
				return s.Removals.Prune(t.Context(), s.AskedPrune(tt), plan.Fingerprint, image.ActorNamed("noa"))
			})
		})
	}
}

func TestADeletionIsListedUntilItsTimeIsOver(t *testing.T) {
	s, c := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64", "redis:7=redis amd64"})
	at := c.now()
	tags := s.delete(false, "ubuntu:22.04", "ubuntu:latest")
	c.move(time.Minute)
	id := s.delete(false, "id redis/amd64")
	list, err := s.Removals.Removals(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	first, second := list[1], list[0]
	if first.ID != tags.ID || !first.At.Equal(at) || !first.Until.Equal(at.Add(testWindow)) || !first.Until.Equal(tags.Until) || first.By != "noa" || first.Prune ||
		first.Items != 2 || first.Images != 2 || first.Freed != tags.Plan.Totals.Freed || s.WordAll(first.Names) != "ubuntu:22.04, ubuntu:latest" || len(first.IDs) != 0 {
		t.Errorf("the first deletion is %+v", first)
	}
	if second.ID != id.ID || !slices.Equal(second.IDs, []image.Digest{s.ID("redis", "amd64")}) || s.WordAll(second.Names) != "redis:7" {
		t.Errorf("the second deletion is %+v", second)
	}
	s.checkWaiting(tags.Plan.Totals.Freed + id.Plan.Totals.Freed)

	c.move(testWindow - time.Minute)
	s.checkWaiting(id.Plan.Totals.Freed)
	if list, err = s.Removals.Removals(t.Context()); err != nil || len(list) != 1 || list[0].ID != id.ID {
		t.Errorf("after the first one's time: %+v, %v", list, err)
	}
	if _, err := s.Removals.Undo(t.Context(), tags.ID, image.ActorNamed("kim")); image.KindOf(err) != image.NotFound {
		t.Errorf("undoing it after its time: %v", err)
	}
	c.move(time.Minute)
	s.check(nil)
	if rows := s.dump(`SELECT id FROM removals`, `SELECT removal_id FROM removed_rows`); len(rows) != 0 {
		t.Errorf("kept rows are left: %q", rows)
	}
}

func TestAnUndoneTagHasItInItsHistory(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	done := s.delete(false, "ubuntu:22.04")
	if undone := s.undo(done.ID); s.WordAll(undone.Restored) != "ubuntu:22.04" || undone.Removal.ID != done.ID || undone.Removal.By != "noa" {
		t.Errorf("undone %+v", undone)
	}
	ref := tagRef(t, "ubuntu:22.04")
	events, err := s.Tags.TagHistory(t.Context(), ref.Repository, ref.Tag)
	if err != nil || len(events) != 3 {
		t.Fatalf("history %+v (%v), want three events", events, err)
	}
	if e := events[0]; e.Event != shelf.TagRestored || e.By != "kim" || e.New != s.Build("jammy").Digest() || !e.NewStored || e.Old != "" || e.At.IsZero() {
		t.Errorf("newest event %+v", e)
	}
}

func TestATagThatWasPulledAgainStaysWhereItPoints(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64", "pin ubuntu:22.04 why"})
	done := s.delete(true, "ubuntu:22.04", "ubuntu:latest")
	s.pull("ubuntu:22.04=jammy-next amd64")
	undone := s.undo(done.ID)
	if s.WordAll(undone.Restored) != "ubuntu:latest" || s.WordAll(undone.Kept) != "ubuntu:22.04" {
		t.Errorf("undone %+v", undone)
	}
	s.check([]string{"ubuntu:22.04=jammy-next amd64 arm64", "ubuntu:latest=jammy amd64 arm64"})
	if pin, err := s.Tags.PinOf(t.Context(), tagRef(t, "ubuntu:latest")); err != nil || pin == nil || pin.Note != "why" {
		t.Errorf("pin %+v, %v", pin, err)
	}
}

func TestADigestWhoseTagMovedOnComesBackWithoutIt(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	done := s.delete(false, "ubuntu:22.04")
	s.pull("ubuntu:22.04=jammy-next amd64")
	undone := s.undo(done.ID)
	if s.WordAll(undone.Restored) != "ubuntu@jammy" || s.WordAll(undone.Kept) != "ubuntu:22.04" {
		t.Errorf("undone %+v", undone)
	}
	s.check([]string{"ubuntu:22.04=jammy-next amd64", "ubuntu@=jammy amd64 (dangling)"})
}

func TestWhatWasPulledAgainIsNotWaitingAnyMore(t *testing.T) {
	s, c := newUndoShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	done := s.delete(false, "ubuntu:22.04")
	s.pull("ubuntu:22.04=jammy amd64")
	undone := s.undo(done.ID) // brings the other platform
	if len(undone.Restored)+len(undone.Kept) != 0 {
		t.Errorf("undone %+v", undone)
	}
	s.checkWaiting(0)
	c.move(2 * testWindow)
	s.check([]string{"ubuntu:22.04=jammy amd64 arm64"})
}

func TestOfTwoUndosAtOnceOneBringsItBack(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	done := s.delete(false, "ubuntu:22.04")
	errs := make(chan error)
	for range 2 {
		go func() {
			_, err := s.Removals.Undo(context.WithoutCancel(t.Context()), done.ID, image.ActorNamed("kim"))
			errs <- err
		}()
	}
	kinds := map[image.Kind]int{}
	for range 2 {
		if err := <-errs; err != nil {
			kinds[image.KindOf(err)]++
		}
	}
	if len(kinds) != 1 || kinds[image.NotFound] != 1 {
		t.Errorf("errors %v, want one not found", kinds)
	}
	s.check([]string{"ubuntu:22.04=jammy amd64 arm64"})
}

// reopen closes the store and opens the folder anew.
func (s *testShelf) reopen() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.open()
	store := s.Store
	s.t.Cleanup(func() {
		if s.Store != store {
			return
		}
		if err := store.Close(); err != nil {
			s.t.Error(err)
		}
	})
}

func TestADeletionIsUndoneAfterARestart(t *testing.T) {
	s, c := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64 arm64", "redis:7=redis amd64"})
	s.settled()
	before := s.dump(dumpQueries...)
	done := s.delete(false, "ubuntu:22.04")
	s.reopen()
	s.checkWaiting(done.Plan.Totals.Freed)
	s.undo(done.ID)
	s.same("after the undo", s.dump(dumpQueries...), before)

	s.delete(false, "ubuntu:22.04")
	c.move(testWindow)
	s.reopen() // its time was over while the server was down
	s.check([]string{"redis:7=redis amd64"})
}

func TestSweepingGivesUpUndoing(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64 arm64", "redis:7=redis amd64"})
	done := s.delete(false, "ubuntu:22.04")
	totals, err := s.Lists.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, bytes, err := s.Janitor.Sweep(t.Context(), image.ActorNamed("mira"))
	if err != nil || files != totals.Waiting || bytes != done.Plan.Totals.Freed {
		t.Errorf("swept %d files with %d bytes (%v), want %d with %d", files, bytes, err, totals.Waiting, done.Plan.Totals.Freed)
	}
	s.check([]string{"redis:7=redis amd64"})
	if list, err := s.Removals.Removals(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("still listed: %+v, %v", list, err)
	}
	if _, err := s.Removals.Undo(t.Context(), done.ID, image.ActorNamed("kim")); image.KindOf(err) != image.NotFound {
		t.Errorf("undoing it: %v", err)
	}
	if files, bytes, err := s.Janitor.Sweep(t.Context(), image.ActorNamed("mira")); err != nil || files != 0 || bytes != 0 {
		t.Errorf("a second sweep removed %d files with %d bytes, %v", files, bytes, err)
	}
}

// Somebody removed the file by hand.
func TestAnUndoWhoseFilesAreGoneChangesNothing(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	done := s.delete(false, "ubuntu:22.04")
	s.Janitor.Settle()
	before := s.dump(dumpQueries...)
	if err := os.Remove(filepath.Join(s.dir, "blobs", "sha256", s.ID("jammy", "arm64").Encoded())); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Removals.Undo(t.Context(), done.ID, image.ActorNamed("kim")); image.KindOf(err) != image.Conflict {
		t.Errorf("error %v, want a conflict", err)
	}
	s.same("after the undo that failed", s.dump(dumpQueries...), before)
}

func TestWhatALaterDeletionTookIsUndoneAfterIt(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64"})
	untagged := s.delete(false, "ubuntu:latest")
	platform := s.delete(false, "ubuntu:22.04/arm64")
	rest := s.delete(false, "ubuntu:22.04")
	for _, earlier := range []shelf.Removed{untagged, platform} {
		if _, err := s.Removals.Undo(t.Context(), earlier.ID, image.ActorNamed("kim")); image.KindOf(err) != image.Conflict {
			t.Errorf("error %v, want a conflict", err)
		}
	}
	s.undo(rest.ID)
	s.undo(untagged.ID)
	s.undo(platform.ID)
	s.check([]string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64"})
}

// The layers that stayed for another image went with it: the earlier deletion is undone all the same.
func TestAnUndoBringsLayersThatWentLater(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64 arm64"})
	first := s.delete(false, "postgres:15")
	second := s.delete(false, "ubuntu:22.04")
	s.undo(first.ID)
	s.check2("postgres:15=postgres amd64 arm64")
	s.undo(second.ID)
	s.check([]string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64 arm64"})
}

// check2 holds the list against rows where something else still waits.
func (s *testShelf) check2(want ...string) {
	s.t.Helper()
	s.Janitor.Settle()
	if got := s.rows(); !slices.Equal(got, want) {
		s.t.Errorf("rows\n got %q\nwant %q", got, want)
	}
}

func TestAPlatformThatComesBackIsSeenUnderEachDigest(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	done := s.delete(false, "ubuntu:22.04")
	s.pull("ubuntu:next=jammy-next amd64") // which lists the same arm64
	s.undo(done.ID)
	s.check([]string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:next=jammy-next amd64 arm64"})
}

// A layer is pulled again, and unpacked again, before the image comes back that was not unpacked yet.
func TestAnImageThatComesBackIsAddedUp(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.pull("redis:7=redis amd64")
	s.settled()
	err := s.folder.db.Tend(t.Context(), "", func(tx *sql.Tx) error { // as before it was unpacked
		_, err := tx.ExecContext(t.Context(), `UPDATE images SET unpacked = NULL`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	done := s.delete(false, "redis:7")
	s.undo(done.ID)
	if rows, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 1}); err != nil || len(rows) != 1 || rows[0].Unpacked <= 0 {
		t.Errorf("rows %+v, %v", rows, err)
	}
}

func TestADeletionWithoutAWindowCannotBeUndone(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	done := s.delete(false, "redis:7")
	if done.ID != 0 || !done.Until.IsZero() {
		t.Errorf("removed %+v", done)
	}
	if list, err := s.Removals.Removals(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	s.check(nil)
}

// relisted returns what the list would be, written anew from the other rows.
func (s *testShelf) relisted() (rows []string) {
	s.t.Helper()
	undone := image.Errorf(image.Cancelled, "only looked at")
	err := s.folder.db.Tend(s.t.Context(), "", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(s.t.Context(), `DELETE FROM listing`); err != nil {
			return err
		}
		roots, err := database.RowsOf(s.t.Context(), tx, func(rows *sql.Rows) (k removal.Key, err error) { return k, rows.Scan(&k.Repository, &k.Digest) },
			`SELECT repository_id, digest FROM repository_digests`)
		if err != nil {
			return err
		}
		for _, r := range roots {
			if err := s.Lists.refreshListing(s.t.Context(), tx, r.Repository, r.Digest); err != nil {
				return err
			}
		}
		rows = s.dumpFrom(tx, dumpListing)
		return undone
	})
	if err != nil && image.KindOf(err) != image.Cancelled {
		s.t.Fatal(err)
	}
	return rows
}
