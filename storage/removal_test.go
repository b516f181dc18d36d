package storage

import (
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/test/rules"
)

func TestDeletingFollowsTheRules(t *testing.T) {
	for _, tt := range rules.Deletions {
		if !tt.Stored {
			continue
		}
		t.Run(tt.Rule, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.fill(tt.Shelf)
			s.Janitor.Settle()
			before := diskBytes(s.files())
			asked := s.AskedDeletion(tt)
			plan, err := s.Removals.PlanRemoval(t.Context(), asked)
			if tt.Missing {
				if image.KindOf(err) != image.NotFound {
					t.Fatalf("error %v, want not found", err)
				}
				s.check(tt.Left)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s.CheckPlan(tt, plan)
			done, err := s.Removals.Remove(t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa"))
			refused := tt.Refused != nil
			if conflict := image.KindOf(err) == image.Conflict; conflict != refused || err != nil && !conflict {
				t.Fatalf("carrying it out: %v", err)
			}
			if done.Plan.Fingerprint != plan.Fingerprint || done.ID != 0 {
				t.Errorf("another plan was carried out:\n got %+v\nwant %+v", done, plan)
			}
			s.check(tt.Left)
			if freed := before - diskBytes(s.files()); freed != plan.Totals.Freed {
				t.Errorf("%d bytes left the disk, the plan said %d", freed, plan.Totals.Freed)
			}
		})
	}
}

func diskBytes(files map[image.Digest]int64) (total int64) {
	for _, n := range files {
		total += n
	}
	return total
}

func tagRef(t *testing.T, s string) image.Reference {
	t.Helper()
	ref, err := image.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestAPlanThatNoLongerHoldsIsNotCarriedOut(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	asked := shelf.Remove(shelf.RemovalItem{Reference: tagRef(t, "ubuntu:22.04")})
	shown, err := s.Removals.PlanRemoval(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	s.pull("mine:1=copy amd64") // now the layers are shared
	refused, err := s.Removals.Remove(t.Context(), asked, shown.Fingerprint, image.ActorNamed("noa"))
	now := refused.Plan
	if image.KindOf(err) != image.Conflict {
		t.Fatalf("error %v, want a conflict", err)
	}
	if len(now.Stays) != 2 || now.Totals.Freed >= shown.Totals.Freed {
		t.Errorf("the plan that came back is not the one that holds now: %+v", now)
	}
	s.check([]string{"mine:1=copy amd64", "ubuntu:22.04=jammy amd64"})
	if _, err := s.Removals.Remove(t.Context(), asked, now.Fingerprint, image.ActorNamed("noa")); err != nil {
		t.Fatal(err)
	}
	s.check([]string{"mine:1=copy amd64"})
}

func TestADeletedTagKeepsItsHistory(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	ref := tagRef(t, "ubuntu:22.04")
	if _, err := s.remove(t.Context(), shelf.Remove(shelf.RemovalItem{Reference: ref})); err != nil {
		t.Fatal(err)
	}
	events, err := s.Tags.TagHistory(t.Context(), ref.Repository, ref.Tag)
	if err != nil || len(events) != 2 {
		t.Fatalf("history %+v (%v), want two events", events, err)
	}
	if e := events[0]; e.Event != shelf.TagDeleted || e.By != "noa" || e.Old != s.Build("jammy").Digest() || e.OldStored || e.New != "" || e.At.IsZero() {
		t.Errorf("newest event %+v", e)
	}
}

func TestWhatIsPulledAgainBeforeItsFilesWentStays(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	if _, err := s.remove(t.Context(), shelf.Remove(shelf.RemovalItem{Reference: tagRef(t, "ubuntu:22.04")})); err != nil {
		t.Fatal(err)
	}
	s.pull("ubuntu:latest=jammy amd64")
	s.check([]string{"ubuntu:latest=jammy amd64"})
}

func TestFilesThatARunningPullHoldsStay(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	layer, err := s.Layers["base-amd64"].Content()
	if err != nil {
		t.Fatal(err)
	}
	release := s.Blobs.Hold([]image.Digest{layer.Digest})
	if _, err := s.remove(t.Context(), shelf.Remove(shelf.RemovalItem{Reference: tagRef(t, "ubuntu:22.04")})); err != nil {
		t.Fatal(err)
	}
	s.Janitor.Settle()
	files := s.files()
	if len(files) != 1 || files[layer.Digest] != layer.Size {
		t.Errorf("files %v, want the layer that is held and no other", files)
	}
	s.pull("redis:7=redis amd64")
	release()
	s.check([]string{"redis:7=redis amd64"})
}

// Each look-up of a plan goes by an index: a scan of 100,000 tags, or of their layers, would show at once. Rows that are
// asked for one after the other must not be sorted first, either: the base of the whole shelf has all of it.
func TestAPlanLooksUpWhatItNeeds(t *testing.T) {
	s := newShelf(t)
	queries := map[string]int{ // by the number of their arguments
		belowQuery: 1, aboveQuery: 2, tagsQuery: 2, pinsQuery: 1, usedQuery: 2, chainsQuery: 1, builtQuery: 1, namingQuery: 1,
		pointingQuery: 1,
	}
	for _, query := range usersQueries {
		queries[query] = 1
	}
	for _, t := range slices.Concat(keptOfDocuments, keptOfRoots, keptOfTags, []keptTable{keptOfHanded}) {
		queries[t.keep()] = 3
	}
	for query, n := range queries {
		sorts := query == belowQuery || query == keptOfDocuments[0].keep() // what is below one digest is not much
		plan, err := database.RowsOf(t.Context(), s.folder.db, scanPlan, `EXPLAIN QUERY PLAN `+query, []any{`["sha256:00"]`, 1, 1}[:n]...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for _, line := range plan {
			scanned, isScan := strings.CutPrefix(line, "SCAN ")
			known := slices.ContainsFunc([]string{"j VIRTUAL", "json_each VIRTUAL", "up", "down", "CONSTANT ROW", "(subquery"}, func(of string) bool { return strings.HasPrefix(scanned, of) })
			if isScan && !known || strings.Contains(line, "B-TREE") && !sorts {
				t.Errorf("%s\n%s", query, line)
			}
		}
	}
}
