package storage

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/test/rules"
)

func TestPruningFollowsTheRules(t *testing.T) {
	for _, tt := range rules.Prunings {
		if !tt.Stored {
			continue
		}
		t.Run(tt.Rule, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.fill(tt.Shelf)
			s.Janitor.Settle()
			if tt.Held != "" {
				defer s.Blobs.Hold([]image.Digest{s.Build(tt.Held).Digest()})()
			}
			before := diskBytes(s.files())
			asked := s.AskedPrune(tt)
			plan, err := s.Removals.PlanPrune(t.Context(), asked)
			if err != nil {
				t.Fatal(err)
			}
			s.CheckPrune(tt, plan)
			done, err := s.Removals.Prune(t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa"))
			if plan.Refused() {
				if image.KindOf(err) != image.Conflict {
					t.Errorf("carrying out what the rules refuse whole: %v", err)
				}
			} else if err != nil || done.Plan.Fingerprint != plan.Fingerprint {
				t.Errorf("carrying it out (%v):\n got %+v\nwant %+v", err, done.Plan, plan)
			}
			s.check(tt.Left)
			if freed := before - diskBytes(s.files()); freed != plan.Totals.Freed {
				t.Errorf("%d bytes left the disk, the plan said %d", freed, plan.Totals.Freed)
			}
			if again, err := s.Removals.PlanPrune(t.Context(), asked); err != nil || again.Totals.Items != again.Totals.Refused || again.Totals.Refused != len(tt.Kept) {
				t.Errorf("a second prune would do %+v (%v)", again.Totals, err)
			}
		})
	}
}

// A filter's time comes from "24h" and is another one when the plan is confirmed: what counts is what it chooses.
func TestAPruneIsConfirmedByWhatItDoes(t *testing.T) {
	s := newShelf(t)
	s.pull("a:1=old amd64")
	asked := shelf.Prune{All: true, Until: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	plan, err := s.Removals.PlanPrune(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	asked.Until = asked.Until.Add(time.Second)
	if _, err := s.Removals.Prune(t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa")); err != nil {
		t.Error(err)
	}
	s.check(nil)
}

func TestAPruneWhosePlanNoLongerHoldsIsNotCarriedOut(t *testing.T) {
	s := newShelf(t)
	s.fill([]string{"a:1=old amd64", "a:1=ci amd64"})
	plan, err := s.Removals.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	s.pull("a:1=redis amd64") // one more is dangling
	refused, err := s.Removals.Prune(t.Context(), shelf.Prune{}, plan.Fingerprint, image.ActorNamed("noa"))
	if image.KindOf(err) != image.Conflict || refused.Plan.Totals.Items != 2 {
		t.Errorf("%+v, %v", refused, err)
	}
	s.check([]string{"a:1=redis amd64", "a@=old amd64 (dangling)", "a@=ci amd64 (dangling)"})
}

// Lists of a plan end somewhere; its sums and its fingerprint do not.
func TestALongPlanIsShownInPartAndCarriedOutWhole(t *testing.T) {
	s := newShelfWith(t, Options{UndoWindow: testWindow})
	const digests = shelf.MaxPlanLines + 200
	err := seedRows(t, s.Store, func(seed *benchSeed) {
		seed.image(0, []string{"base"}, "base", "1")
		for n := range digests {
			seed.image(n+1, []string{"base", fmt.Sprint(n)}, fmt.Sprintf("app-%04d", n))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := s.Removals.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]int{"items": len(plan.Items), "untagged": len(plan.Untagged), "deleted": len(plan.Deleted), "blobs": len(plan.Blobs)} {
		if n != shelf.MaxPlanLines {
			t.Errorf("%d %s are listed, want %d", n, what, shelf.MaxPlanLines)
		}
	}
	want := shelf.PlanTotals{Items: digests, Untagged: digests, Images: digests, Layers: digests, Blobs: 3 * digests, Stays: 1, Freed: digests * (2000 + 5000 + 1000)}
	if plan.Totals != want {
		t.Errorf("sums %+v, want %+v", plan.Totals, want)
	}
	last := benchDigest("manifest", digests) // nothing of it is listed
	if err := s.folder.db.Tend(t.Context(), "", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE repository_digests SET by_digest = 1 WHERE digest = ?`, last)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Removals.Prune(t.Context(), shelf.Prune{}, plan.Fingerprint, image.ActorNamed("noa")); image.KindOf(err) != image.Conflict {
		t.Errorf("carrying out what has changed where nothing is listed: %v", err)
	}
	if plan, err = s.Removals.PlanPrune(t.Context(), shelf.Prune{}); err != nil || plan.Totals.Items != digests-1 {
		t.Fatalf("%+v, %v", plan.Totals, err)
	}
	if _, err := s.Removals.Prune(t.Context(), shelf.Prune{}, plan.Fingerprint, image.ActorNamed("noa")); err != nil {
		t.Fatal(err)
	}
	totals, err := s.Lists.Totals(t.Context())
	if err != nil || totals.Images != 2 || totals.Waiting != 3*(digests-1) || totals.WaitingBytes != plan.Totals.Freed {
		t.Errorf("left: %+v, %v", totals, err)
	}
}
