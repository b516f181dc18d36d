package storage

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/database"
)

// Whatever a plan takes, each batch is as small as was asked for or one thing, and every thing is in one of them.
func TestBatchesAreBoundedAndLeaveNothingOut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	for range 300 {
		p := randomPlan(random)
		left := newRest(p)
		most := 1 + random.IntN(80)
		tags, roots, images, forgotten := 0, 0, 0, 0
		for batches := 0; !left.empty(); batches++ {
			if batches > 1000 {
				t.Fatal("it does not end")
			}
			b := left.next(most)
			rows := len(b.forgotten) + rowsOfTag*len(b.tags) + rowsOfImage*len(b.roots)
			if things := len(b.forgotten) + len(b.tags) + len(b.roots) + len(b.taken); things == 0 || rows > most+rowsOfTag+rowsOfImage {
				t.Errorf("a batch of %d things has %d rows, %d were asked for", things, rows, most)
			}
			tags, roots, images, forgotten = tags+len(b.tags), roots+len(b.roots), images+len(b.taken), forgotten+len(b.forgotten)
		}
		all := len(p.Untagged)
		for _, d := range p.Dropped {
			all += len(d.Names)
		}
		if tags != all || roots != len(p.Dropped) || images != len(p.Images) || forgotten != len(p.Forgotten) {
			t.Errorf("%d tags of %d, %d roots of %d, %d images of %d and %d wishes of %d were taken",
				tags, all, roots, len(p.Dropped), images, len(p.Images), forgotten, len(p.Forgotten))
		}
	}
}

func randomPlan(random *rand.Rand) (p removal.Plan) {
	root := func(n int) removal.Root {
		r := removal.Root{Key: removal.Key{Repository: int64(n), Digest: benchDigest("root", n)}, Tags: random.IntN(60)}
		for i := range r.Tags {
			r.Names = append(r.Names, fmt.Sprintf("v%02d", i))
		}
		return r
	}
	for n := range random.IntN(6) {
		d := removal.Drop{Root: root(n), Layers: random.IntN(12)}
		for i := range random.IntN(3) {
			d.Images = append(d.Images, benchDigest("image", i))
		}
		p.Dropped = append(p.Dropped, d)
	}
	for n := range random.IntN(4) {
		r := root(100 + n)
		for _, name := range r.Names[:len(r.Names)/2] {
			p.Untagged = append(p.Untagged, removal.Untag{Root: r, Tag: name})
		}
		p.Forgotten = append(p.Forgotten, root(200+n))
		p.Images = append(p.Images, removal.Taken{Manifest: benchDigest("taken", n), Layers: random.IntN(9), Roots: []removal.Root{r}})
	}
	return p
}

// inParts is a shelf on which a prune of everything takes many batches: pause is called after each of them but the last.
func inParts(t *testing.T, o Options, pause func(s *testShelf, n int)) *testShelf {
	t.Helper()
	s := newShelfWith(t, o)
	s.fill([]string{
		"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64", "ubuntu:latest=jammy-next amd64", "ubuntu@=jammy-next amd64",
		"postgres:15=postgres amd64 arm64", "postgres:latest=postgres amd64 arm64", "mirror.example.com/ubuntu:1=jammy amd64",
		"redis:7=redis amd64", "stack:1=nested amd64 arm64 arm", "team/app:1=told amd64 arm64", "team/app:2=told-again amd64", "team/app:3=strange amd64 arm64",
	})
	for i := range 9 {
		s.pull(fmt.Sprintf("many:%d=copy amd64", i))
	}
	s.settled()
	s.Removals.rows, s.Removals.fixed = 8, true
	n := 0
	s.Removals.pause = func(time.Duration) {
		n++
		pause(s, n)
	}
	return s
}

// pruneAll plans a prune of everything and carries it out.
func (s *testShelf) pruneAll() (shelf.Removed, error) {
	s.t.Helper()
	plan, err := s.Removals.PlanPrune(s.t.Context(), shelf.Prune{All: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.Removals.Prune(s.t.Context(), shelf.Prune{All: true}, plan.Fingerprint, image.ActorNamed("noa"))
}

func window(t *testing.T) Options {
	t.Helper()
	return Options{UndoWindow: testWindow, Now: newClock().now}
}

func TestOthersWriteWhileALargeRemovalIsCarriedOutAndUndone(t *testing.T) {
	batches := 0
	s := inParts(t, window(t), func(s *testShelf, n int) {
		batches = n
		words := fmt.Sprintf("mine.example.com/other:%d=squashed amd64", n)
		s.pull(words)
		if _, err := s.Tags.Pin(t.Context(), s.Read(words).Ref, "", image.ActorNamed("mira")); err != nil {
			t.Error(err)
		}
	})
	before := s.dump(dumpQueries[:len(dumpQueries)-1]...)
	done, err := s.pruneAll()
	if err != nil || batches < 8 {
		t.Fatalf("%d batches, %v", batches, err)
	}
	if rows := s.rows(); len(rows) != batches {
		t.Errorf("left: %q, want what %d people pulled meanwhile", rows, batches)
	}
	s.Removals.pause = nil
	s.undo(done.ID)
	for i := range batches {
		s.delete(true, fmt.Sprintf("mine.example.com/other:%d", i+1))
	}
	s.same("after the undo", s.dump(dumpQueries[:len(dumpQueries)-1]...), before)
}

// A plan stands while its own batches are the only changes. So a batch is one change, whatever it writes.
func TestEachBatchIsOneChange(t *testing.T) {
	var numbers []int64
	number := func(s *testShelf) {
		n, err := database.ChangeNumber(t.Context(), s.folder.db)
		if err != nil {
			t.Error(err)
		}
		numbers = append(numbers, n)
	}
	s := inParts(t, window(t), func(s *testShelf, _ int) { number(s) })
	number(s)
	if _, err := s.pruneAll(); err != nil {
		t.Fatal(err)
	}
	number(s)
	if len(numbers) < 8 {
		t.Fatalf("%d numbers", len(numbers))
	}
	for i, n := range numbers {
		if n != numbers[0]+int64(i) {
			t.Fatalf("the numbers of the batches are %d", numbers)
		}
	}
}

// What somebody does with what is not removed yet has the plan shown anew, and all of it is still there.
func TestAPlanThatSomebodyTouchesWhileItIsCarriedOutIsShownAnew(t *testing.T) {
	for what, touch := range map[string]func(s *testShelf) error{
		"pins it": func(s *testShelf) error {
			_, err := s.Tags.Pin(s.t.Context(), tagRef(s.t, "ubuntu:22.04"), "", image.ActorNamed("mira"))
			return err
		},
		"moves its tag":        func(s *testShelf) error { s.pull("ubuntu:22.04=squashed amd64"); return nil },
		"gives it another tag": func(s *testShelf) error { s.pull("ubuntu:new=jammy-next amd64"); return nil },
		"pins the last of a split digest": func(s *testShelf) error {
			_, err := s.Tags.Pin(s.t.Context(), tagRef(s.t, "many:8"), "", image.ActorNamed("mira"))
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var touched []string
			s := inParts(t, window(t), func(s *testShelf, n int) {
				if n == 2 {
					s.Removals.pause = nil
					if err := touch(s); err != nil {
						t.Fatal(err)
					}
					if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
			done, err := s.pruneAll()
			if image.KindOf(err) != image.Conflict || done.ID != 0 {
				t.Fatalf("removal %d, %v, plan %+v", done.ID, err, done.Plan)
			}
			after := s.dump(dumpQueries...)
			if again, err := s.Removals.PlanPrune(t.Context(), shelf.Prune{All: true}); err != nil || again.Fingerprint != done.Plan.Fingerprint {
				t.Errorf("the plan that came back is not the one that holds now (%v): %+v", err, done.Plan)
			}
			if list, err := s.Removals.Removals(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("removals %+v, %v", list, err)
			}
			touched = s.rows()
			// The same without the prune.
			other := inParts(t, window(t), nil)
			other.Removals.pause = nil
			if err := touch(other); err != nil {
				t.Fatal(err)
			}
			if want := other.rows(); !slices.Equal(touched, want) {
				t.Errorf("left\n got %q\nwant %q", touched, want)
			}
			if len(after) != len(other.dump(dumpQueries...)) {
				t.Error("some rows are missing or too many")
			}
		})
	}
}

// What somebody comes to use below what is removed stays, as if it had been pulled after the removal.
func TestWhatIsPulledWhileItIsRemovedStays(t *testing.T) {
	s := inParts(t, window(t), func(s *testShelf, n int) {
		if n == 1 {
			s.pull("mine.example.com/copy:1=copy amd64")
			s.pull("mine.example.com/base:1=base amd64")
		}
	})
	if _, err := s.pruneAll(); err != nil {
		t.Fatal(err)
	}
	s.Removals.pause = nil
	if _, _, err := s.Janitor.Sweep(t.Context(), image.ActorNamed("mira")); err != nil {
		t.Fatal(err)
	}
	s.check([]string{"mine.example.com/copy:1=copy amd64", "mine.example.com/base:1=base amd64"})
}

// A change that has nothing to do with a plan, such as a layer that was unpacked, leaves it as it is.
func TestAPlanStandsWhenSomethingElseChanges(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64", "redis:7=redis amd64"})
	s.settled()
	asked := shelf.Remove(shelf.RemovalItem{Reference: tagRef(t, "ubuntu:22.04")})
	plan, number, err := s.Removals.plan(t.Context(), s.Removals.planningRemoval(asked))
	if err != nil {
		t.Fatal(err)
	}
	s.exec(`UPDATE layers SET state = state`)
	if _, now, err := s.Removals.plan(t.Context(), s.Removals.planningRemoval(asked)); err != nil || now == number {
		t.Errorf("the number is still %d, %v", now, err)
	}
	if _, err := s.Removals.Remove(t.Context(), asked, plan.Shown.Fingerprint, image.ActorNamed("noa")); err != nil {
		t.Error(err)
	}
	s.check2("redis:7=redis amd64")
}

// killed returns the folder as it is on disk when the process is killed now.
func (s *testShelf) killed() (folder string) {
	s.t.Helper()
	to := filepath.Join(s.t.TempDir(), "data")
	// Within a transaction nobody else writes the database: as on disk after a crash, it is of one moment.
	if err := s.folder.db.Tend(s.t.Context(), "", func(*sql.Tx) error { return copyMoving(s.dir, to) }); err != nil {
		s.t.Fatal(err)
	}
	return to
}

// reborn opens a folder as the next process does, and waits until what was cut off is undone.
func (s *testShelf) reborn(folder string) *testShelf {
	s.t.Helper()
	next := *s
	next.dir, next.options.Dir = folder, folder
	next.open()
	store := next.Store
	s.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.t.Error(err)
		}
	})
	if err := next.Removals.begin(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	next.Removals.end()
	next.Janitor.Settle()
	return &next
}

func TestARemovalThatIsKilledInTheMiddleIsUndoneAtTheNextStart(t *testing.T) {
	for _, o := range []Options{window(t), {}} { // with a window to undo it in, and without one
		var folders []string
		s := inParts(t, o, func(s *testShelf, n int) {
			if n%3 == 1 {
				folders = append(folders, s.killed())
			}
		})
		before, files := s.dump(dumpQueries...), s.files()
		if _, err := s.pruneAll(); err != nil {
			t.Fatal(err)
		}
		if len(folders) < 3 {
			t.Fatalf("%d folders", len(folders))
		}
		for _, folder := range folders {
			next := s.reborn(folder)
			next.same("after the next start", next.dump(dumpQueries...), before)
			if on := next.files(); len(on) != len(files) {
				t.Errorf("%d files are there of %d", len(on), len(files))
			}
			if list, err := next.Removals.Removals(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("removals %+v, %v", list, err)
			}
		}
	}
}

func TestAnUndoThatIsKilledInTheMiddleIsFinishedAtTheNextStart(t *testing.T) {
	var folders []string
	undoing := false
	s := inParts(t, window(t), func(s *testShelf, n int) {
		if undoing && n%3 == 1 {
			folders = append(folders, s.killed())
		}
	})
	before := s.dump(dumpQueries...)
	done, err := s.pruneAll()
	if err != nil {
		t.Fatal(err)
	}
	undoing = true
	s.undo(done.ID)
	s.same("after the undo", s.dump(dumpQueries...), before)
	if len(folders) < 3 {
		t.Fatalf("%d folders", len(folders))
	}
	for _, folder := range folders {
		next := s.reborn(folder)
		next.same("after the next start", next.dump(dumpQueries...), before)
	}
}

// Nothing is swept while a removal may have to bring it back, and its rows go a few at a time once its time is over.
func TestTheRowsOfALargeRemovalGoWithItsWindow(t *testing.T) {
	c := newClock()
	s := inParts(t, Options{UndoWindow: testWindow, Now: c.now}, func(s *testShelf, n int) {
		if n == 2 {
			c.move(2 * testWindow)
			s.Janitor.Settle()
		}
	})
	files := len(s.files())
	s.Removals.pause = func(time.Duration) {
		c.move(2 * testWindow)
		s.Janitor.Settle()
		if on := len(s.files()); on != files {
			t.Errorf("%d files of %d are there in the middle", on, files)
		}
	}
	if _, err := s.pruneAll(); err != nil {
		t.Fatal(err)
	}
	c.move(2 * testWindow)
	s.check(nil)
	if left := s.dump(`SELECT count(*) FROM removed_rows`, `SELECT count(*) FROM removals`); !slices.Equal(left, []string{"FROM removals: 0", "FROM removed_rows: 0"}) {
		t.Errorf("left: %q", left)
	}
}
