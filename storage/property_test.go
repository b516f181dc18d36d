package storage

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
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

var (
	propertySeed  = flag.Uint64("property.seed", 20261122, "seed of the random steps")
	propertySteps = flag.Int("property.steps", 400, "how many there are")
)

// walker takes random steps on a shelf and holds it, after each, against what has to be true always.
type walker struct {
	*testShelf
	clock   *clock
	random  *rand.Rand
	took    []string // the steps
	release func()   // of what a pull holds; nil where none does
	broken  bool     // the janitor cannot finish its rounds
}

// TestTheShelfHoldsTogetherWhateverHappens pulls, deletes, pins, hands out, undoes, prunes, sweeps, lets time pass, restarts and
// crashes in random order.
func TestTheShelfHoldsTogetherWhateverHappens(t *testing.T) {
	c := newClock()
	w := &walker{
		testShelf: newShelfWith(t, Options{UndoWindow: testWindow, Now: c.now, StrayGrace: time.Nanosecond}),
		clock:     c, random: rand.New(rand.NewPCG(*propertySeed, 0)),
	}
	first := w.Store
	t.Cleanup(func() {
		if w.Store != first { // which newShelfWith closes
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("-property.seed=%d; the last steps:\n%s", *propertySeed, strings.Join(w.took[max(0, len(w.took)-12):], "\n"))
		}
	})
	for range *propertySteps {
		if w.step(); t.Failed() {
			return
		}
	}
	w.letGo()
	w.mend()
	w.clock.move(2 * testWindow)
	w.note("the end")
	w.Janitor.Settle()
	w.Janitor.sweepStrays(t.Context())
	w.Janitor.Settle()
	totals, err := w.Lists.Totals(t.Context())
	if err != nil || totals.Waiting != 0 || totals.WaitingBytes != 0 {
		t.Errorf("in the end %+v (%v)", totals, err)
	}
	if files := w.files(); diskBytes(files) != totals.Bytes || len(files) != totals.Blobs {
		t.Errorf("%d files with %d bytes are on disk in the end, the sums say %d with %d", len(files), diskBytes(files), totals.Blobs, totals.Bytes)
	}
	w.holds()
}

func (w *walker) note(format string, args ...any) {
	w.took = append(w.took, fmt.Sprintf("%d: "+format, append([]any{len(w.took)}, args...)...))
}

// step takes one step, and looks.
func (w *walker) step() {
	w.t.Helper()
	steps := []struct {
		weight int
		take   func()
	}{
		{30, w.pullSome}, {24, w.deleteSome}, {6, w.pinSome}, {14, w.handSome}, {12, w.undoSome}, {6, w.pruneSome}, {2, w.sweep}, {10, w.wait}, {4, w.hold}, {3, w.restart}, {5, w.crash},
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	n := w.random.IntN(total)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			s.take()
			break
		}
	}
	if !w.broken {
		w.Janitor.Settle()
	}
	w.holds()
}

func pick[T any](w *walker, all []T) T { return all[w.random.IntN(len(all))] }

func (w *walker) chance(percent int) bool { return w.random.IntN(100) < percent }

var (
	walkRepositories = []string{"ubuntu", "team/app", "mirror.example.com/ubuntu"}
	walkTags         = []string{"1", "2", "latest"}
	walkSources      = []string{"jammy", "jammy", "jammy-next", "postgres", "postgres", "redis", "nested", "base", "copy", "squashed", "ci", "old", "undated", "half", "told", "told", "told-again", "strange"}
)

func (w *walker) pullSome() {
	w.t.Helper()
	source := pick(w, walkSources)
	words := pick(w, walkRepositories)
	if w.chance(15) {
		words += "@="
	} else {
		words += ":" + pick(w, walkTags) + "="
	}
	words += source
	var all []string
	for m := range w.Build(source).All() {
		if p := m.Descriptor.Platform; len(m.Children) == 0 && p.OS != "unknown" {
			all = append(all, p.Architecture)
		}
	}
	some := slices.DeleteFunc(slices.Clone(all), func(string) bool { return w.chance(40) })
	if len(some) == 0 {
		some = all[:1]
	}
	words += " " + strings.Join(some, " ")
	if w.chance(15) {
		words += " alone" // by an older version, or from a registry that lacks what describes the images
	}
	w.note("pull %s", words)
	w.pull(words)
}

// references lists what can be named: tags and digests.
func (w *walker) references() []image.Reference {
	w.t.Helper()
	refs, err := database.RowsOf(w.t.Context(), w.folder.db, func(rows *sql.Rows) (ref image.Reference, err error) {
		return ref, rows.Scan(&ref.Repository, &ref.Tag, &ref.Digest)
	}, `SELECT r.name, t.name, '' FROM tags t JOIN repositories r ON r.id = t.repository_id
		UNION ALL SELECT r.name, '', d.digest FROM repository_digests d JOIN repositories r ON r.id = d.repository_id ORDER BY 1, 2, 3`)
	if err != nil {
		w.t.Fatal(err)
	}
	return refs
}

func (w *walker) deleteSome() {
	w.t.Helper()
	refs := w.references()
	if len(refs) == 0 {
		return
	}
	asked := shelf.Removal{Force: w.chance(30)}
	for range 1 + w.random.IntN(3) {
		item := shelf.RemovalItem{Reference: pick(w, refs)}
		target, err := w.Images.Target(w.t.Context(), item.Reference)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(target.Images) > 0 && w.chance(25) {
			item.Platform = pick(w, target.Images).Platform
		} else if len(target.Images) > 0 && w.chance(20) {
			item = shelf.RemovalItem{ID: pick(w, target.Images).ID}
		}
		asked.Items = append(asked.Items, item)
	}
	var words []string
	for _, item := range asked.Items {
		words = append(words, w.ItemWords(item))
	}
	w.note("delete %s, force %t", strings.Join(words, " + "), asked.Force)
	plan, err := w.Removals.PlanRemoval(w.t.Context(), asked)
	if err != nil {
		w.t.Fatal(err)
	}
	w.carryOut(plan, func(f image.Digest) (shelf.Removed, error) {
		return w.Removals.Remove(w.t.Context(), asked, f, image.ActorNamed("noa"))
	})
}

func (w *walker) pruneSome() {
	w.t.Helper()
	asked := shelf.Prune{All: w.chance(25)}
	if w.chance(25) {
		asked.Until = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if w.chance(20) {
		asked.NotLabels = []image.Label{{Key: "stage", Any: true}}
	}
	if w.chance(25) {
		asked.Unused = w.clock.now().Add(-time.Duration(w.random.IntN(1200)) * time.Second)
	}
	w.note("prune %+v", asked)
	plan, err := w.Removals.PlanPrune(w.t.Context(), asked)
	if err != nil {
		w.t.Fatal(err)
	}
	if plan.Totals.Items > 0 {
		w.carryOut(plan, func(f image.Digest) (shelf.Removed, error) {
			return w.Removals.Prune(w.t.Context(), asked, f, image.ActorNamed("noa"))
		})
	}
}

// carryOut carries a plan out, holds the sums against it and sometimes undoes it at once.
func (w *walker) carryOut(plan shelf.RemovalPlan, remove func(image.Digest) (shelf.Removed, error)) {
	w.t.Helper()
	if err := w.Unpacker.AwaitUnpacked(w.t.Context()); err != nil { // it writes rows, too
		w.t.Fatal(err)
	}
	w.batch()
	dump := w.dump(dumpQueries[:len(dumpQueries)-1]...)
	before, after, done, err := w.weighed(func() (shelf.Removed, error) { return remove(plan.Fingerprint) })
	if plan.Refused() {
		if image.KindOf(err) != image.Conflict {
			w.t.Errorf("what the rules refuse was carried out: %v", err)
		}
		w.same("after a refusal", w.dump(dumpQueries[:len(dumpQueries)-1]...), dump)
		return
	}
	if err != nil || done.Plan.Fingerprint != plan.Fingerprint || done.ID == 0 {
		w.t.Fatalf("carrying out what was planned: %+v, %v", done, err)
	}
	freed := plan.Totals.Freed
	for _, b := range plan.Stays {
		if b.Held {
			freed += b.Size
		}
	}
	if before.Bytes-after.Bytes != freed || after.WaitingBytes-before.WaitingBytes != freed {
		w.t.Errorf("the plan frees %d bytes, and the sums went from %+v to %+v", freed, before, after)
	}
	if w.chance(25) {
		w.note("undo %d at once", done.ID)
		w.undo(done.ID)
		w.same("after the undo", w.dump(dumpQueries[:len(dumpQueries)-1]...), dump)
	}
}

// batch makes the batches of what is carried out next small, or as large as it is.
func (w *walker) batch() {
	w.Removals.rows, w.Removals.fixed = pick(w, []int{1, 1, 15, 60, firstRows}), true
}

// weighed returns the sums before and after a removal. No round of the janitor comes between them: it takes a blob that is held
// out of those that wait, for a moment.
func (w *walker) weighed(remove func() (shelf.Removed, error)) (before, after shelf.Totals, done shelf.Removed, err error) {
	w.t.Helper()
	w.Janitor.work.Lock()
	defer w.Janitor.work.Unlock()
	before, failed := w.Lists.Totals(w.t.Context())
	if failed != nil {
		w.t.Fatal(failed)
	}
	done, err = remove()
	if after, failed = w.Lists.Totals(w.t.Context()); failed != nil {
		w.t.Fatal(failed)
	}
	return before, after, done, err
}

func (w *walker) undoSome() {
	w.t.Helper()
	list, err := w.Removals.Removals(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if len(list) == 0 {
		return
	}
	r := pick(w, list)
	w.batch()
	_, err = w.Removals.Undo(w.t.Context(), r.ID, image.ActorNamed("kim"))
	w.note("undo %d: %v", r.ID, err)
	if err != nil && image.KindOf(err) != image.Conflict {
		w.t.Error(err)
	}
	if image.KindOf(err) == image.Conflict { // a later one has to go first: all of them, newest first, bring everything back
		for _, r := range list {
			if _, err := w.Removals.Undo(w.t.Context(), r.ID, image.ActorNamed("kim")); err != nil {
				w.t.Errorf("undo %d, after the later ones: %v", r.ID, err)
			}
		}
	}
}

func (w *walker) pinSome() {
	w.t.Helper()
	refs := w.references()
	if len(refs) == 0 {
		return
	}
	ref := pick(w, refs)
	pin, err := w.Tags.PinOf(w.t.Context(), ref)
	if err != nil {
		w.t.Fatal(err)
	}
	w.note("pin %s, or unpin it: %t", w.Word(ref), pin != nil)
	if pin != nil {
		err = w.Tags.Unpin(w.t.Context(), ref, image.ActorNamed("mira"))
	} else {
		_, err = w.Tags.Pin(w.t.Context(), ref, "", image.ActorNamed("mira"))
	}
	if err != nil {
		w.t.Error(err)
	}
}

// handSome hands out a reference, or one of its platforms by its own digest.
func (w *walker) handSome() {
	w.t.Helper()
	refs := w.references()
	if len(refs) == 0 {
		return
	}
	ref := pick(w, refs)
	target, err := w.Images.Target(w.t.Context(), ref)
	if err != nil {
		w.t.Fatal(err)
	}
	d := target.Digest
	if len(target.Images) > 0 && w.chance(40) {
		d = pick(w, target.Images).Manifest
		ref = image.Reference{Repository: ref.Repository, Digest: d}
	}
	w.note("hand out %s, %s", w.Word(ref), w.NameOf(d))
	w.Downloads.Downloaded(ref, d)
	if err := w.Downloads.WriteDownloads(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *walker) sweep() {
	w.t.Helper()
	if w.broken {
		return
	}
	w.note("sweep")
	before := diskBytes(w.files())
	_, bytes, err := w.Janitor.Sweep(w.t.Context(), image.ActorNamed("mira"))
	if left := before - diskBytes(w.files()); err != nil || left != bytes {
		w.t.Errorf("swept %d bytes (%v), %d left the disk", bytes, err, left)
	}
}

func (w *walker) wait() {
	d := time.Duration(w.random.IntN(240)) * time.Second
	w.note("wait %s", d)
	w.clock.move(d)
}

// hold makes a pull hold some files, or lets go of them.
func (w *walker) hold() {
	w.t.Helper()
	if w.release != nil {
		w.note("let go")
		w.letGo()
		return
	}
	var some []image.Digest
	for d := range w.files() {
		some = append(some, d)
	}
	slices.Sort(some)
	some = slices.DeleteFunc(some, func(image.Digest) bool { return w.chance(70) })
	w.note("hold %d files", len(some))
	w.release = w.Blobs.Hold(some)
}

func (w *walker) letGo() {
	if w.release != nil {
		w.release()
		w.release = nil
	}
}

func (w *walker) restart() {
	w.t.Helper()
	w.note("restart")
	w.letGo()
	w.mend()
	if err := w.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
	w.Janitor.awaitFirstSweep(w.t)
}

// crash goes on with the folder as it is on disk at this moment. Before that, the janitor sometimes fails in the middle of
// its rounds for a few steps.
func (w *walker) crash() {
	w.t.Helper()
	if !w.broken && w.chance(60) {
		inIndex := w.chance(30)
		w.note("the janitor fails from now on, in index.json: %t", inIndex)
		w.fail(inIndex)
		return
	}
	w.note("crash")
	w.letGo()
	to := filepath.Join(w.t.TempDir(), "data")
	// Within a transaction nobody else writes the database: as on disk after a crash, it is of one moment.
	err := w.folder.db.Tend(w.t.Context(), "", func(*sql.Tx) error { return copyMoving(w.dir, to) })
	if err != nil {
		w.t.Fatal(err)
	}
	w.mend()
	if err := w.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.dir, w.options.Dir = to, to
	w.open()
	w.Janitor.awaitFirstSweep(w.t)
}

// fail makes the janitor fail before it writes index.json, or between rows and files.
func (w *walker) fail(inIndex bool) {
	w.Janitor.Settle()
	k := w.Janitor
	k.mu.Lock()
	defer k.mu.Unlock()
	w.broken = true
	fails := errors.New("the disk does not answer")
	if inIndex {
		k.writeIndex = func(context.Context) error { return fails }
	} else {
		k.persist = func() error { return fails }
	}
}

func (w *walker) mend() {
	if !w.broken {
		return
	}
	w.broken = false
	k := w.Janitor
	k.mu.Lock()
	k.persist = w.folder.db.Persist
	k.writeIndex = func(ctx context.Context) error { return w.folder.blobs.WriteIndex(ctx, w.Janitor.layoutEntries(ctx)) }
	k.mu.Unlock()
	k.wake()
	w.Janitor.Settle()
}

// copyMoving copies a folder in which files come and go.
func copyMoving(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o750)
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o600)
	})
}

// untrue are queries that find what must not be.
var untrue = map[string]string{
	"a row refers to nothing":          `SELECT "table" || ' ' || coalesce(rowid, '') || ' ' || parent FROM pragma_foreign_key_check`,
	"an image lacks layers":            `SELECT manifest_digest FROM images i WHERE layers <> (SELECT count(*) FROM image_layers il WHERE il.manifest_digest = i.manifest_digest)`,
	"an image has no manifest":         `SELECT manifest_digest FROM images i WHERE NOT EXISTS (SELECT 1 FROM manifests m WHERE m.digest = i.manifest_digest AND m.kind = 'manifest')`,
	"an image has no chain IDs":        `SELECT manifest_digest FROM image_layers WHERE chain_id IS NULL OR length(chain_id) <> 32`,
	"a blob waits and is stored":       `SELECT w.digest FROM waiting_blobs w JOIN blobs b ON b.digest = w.digest`,
	"kept rows without their deletion": `SELECT removal_id FROM removed_rows WHERE removal_id NOT IN (SELECT id FROM removals)`,
	"a repository that knows nothing":  `SELECT name FROM repositories r WHERE NOT EXISTS (SELECT 1 FROM repository_digests d WHERE d.repository_id = r.id)`,
	"a count of what a repository does not lead to": `WITH RECURSIVE down (repo, digest) AS (SELECT repository_id, digest FROM repository_digests
		UNION SELECT down.repo, e.digest FROM index_entries e JOIN down ON e.index_digest = down.digest) SELECT digest FROM handed_digests WHERE (repository_id, digest) NOT IN (SELECT repo, digest FROM down)`,
	"a layer without an image":                   `SELECT digest FROM layers WHERE digest NOT IN (SELECT layer_digest FROM image_layers)`,
	"a blob that nothing needs":                  `SELECT digest FROM blobs WHERE digest NOT IN (SELECT digest FROM manifests UNION SELECT config_digest FROM images UNION SELECT layer_digest FROM image_layers UNION SELECT blob_digest FROM attestation_blobs)`,
	"an attestation of nothing":                  `SELECT digest FROM attestations WHERE digest NOT IN (SELECT attestation_digest FROM image_attestations)`,
	"an attestation without its manifest":        `SELECT digest FROM attestations a WHERE NOT EXISTS (SELECT 1 FROM attestation_blobs ab WHERE ab.attestation_digest = a.digest AND ab.position = 0 AND ab.blob_digest = a.digest)`,
	"an index or a manifest that nobody reaches": `WITH RECURSIVE down (digest) AS (SELECT digest FROM repository_digests UNION SELECT e.digest FROM index_entries e JOIN down ON e.index_digest = down.digest) SELECT digest FROM manifests WHERE digest NOT IN (SELECT digest FROM down)`,
	"a digest without an image":                  `WITH RECURSIVE down (top, digest) AS (SELECT digest, digest FROM repository_digests UNION SELECT down.top, e.digest FROM index_entries e JOIN down ON e.index_digest = down.digest) SELECT digest FROM repository_digests d WHERE NOT EXISTS (SELECT 1 FROM down JOIN images i ON i.manifest_digest = down.digest WHERE down.top = d.digest)`,
	"a wrong sum": `SELECT 'totals' FROM totals WHERE (rows_listed, blob_count, blob_bytes, repositories, waiting_count, waiting_bytes) <>
		((SELECT count(*) FROM listing), (SELECT count(*) FROM blobs), (SELECT coalesce(sum(size), 0) FROM blobs), (SELECT count(*) FROM repositories),
		(SELECT count(*) FROM waiting_blobs), (SELECT coalesce(sum(size), 0) FROM waiting_blobs))`,
}

// holds looks whether everything is as it has to be after each step.
func (w *walker) holds() {
	w.t.Helper()
	for what, query := range untrue {
		if found, err := database.RowsOf(w.t.Context(), w.folder.db, database.ScanString, query); err != nil || len(found) > 0 {
			w.t.Errorf("%s: %q, %v", what, found, err)
		}
	}
	if err := w.Unpacker.AwaitUnpacked(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.same("the list", w.dump(dumpListing), w.relisted())
	w.holdsOnDisk()
}

// holdsOnDisk holds the files and index.json against the rows. Files without a row are left by a crash, and gone after
// the next start; a janitor that fails leaves them, too.
func (w *walker) holdsOnDisk() {
	w.t.Helper()
	type row struct {
		digest  image.Digest
		size    int64
		waiting bool
	}
	files := w.files()
	known, err := database.RowsOf(w.t.Context(), w.folder.db, func(rows *sql.Rows) (r row, err error) { return r, rows.Scan(&r.digest, &r.size, &r.waiting) },
		`SELECT digest, size, 0 FROM blobs UNION ALL SELECT digest, size, 1 FROM waiting_blobs`)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range known {
		if size, there := files[r.digest]; !there || size != r.size {
			w.t.Errorf("blob %s (%s), waiting %t: %d bytes on disk (there: %t), its row says %d", r.digest, w.NameOf(r.digest), r.waiting, size, there, r.size)
		}
		delete(files, r.digest)
	}
	if w.broken {
		return
	}
	for d := range files {
		w.t.Errorf("blob %s (%s) is on disk and no row knows it", d, w.NameOf(d))
	}
	w.sumsAreThoseOfTheDisk()
	var names []string
	for _, ref := range w.references() {
		if ref.Digest != "" {
			if target, err := w.Images.Target(w.t.Context(), ref); err != nil || len(target.Tags) > 0 {
				continue
			}
		}
		d, err := targetDigest(w.t.Context(), w.folder.db, ref)
		if err != nil {
			w.t.Fatal(err)
		}
		names = append(names, ref.String()+" "+string(d))
	}
	slices.Sort(names)
	if got := w.layoutNames(); !slices.Equal(got, names) {
		w.t.Errorf("index.json\n got %q\nwant %q", got, names)
	}
}
