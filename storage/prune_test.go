package storage

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
)

// pruning is one row of the rules of pruning: what is on the shelf, what a prune is asked for, what it does and leaves.
type pruning struct {
	rule   string   // docker's behaviour that it mirrors; where it differs on purpose, that and product.md's reason
	shelf  []string // as in the rows of deletions
	all    bool
	until  string   // a day
	labels []string // "stage=ci" or "!stage"
	held   string   // what a running pull holds: "jammy", or a layer

	untagged []string
	deleted  []string
	kept     []string // what was chosen and stays: "ubuntu:22.04: base: postgres:15"
	left     []string
}

var prunings = []pruning{
	{
		rule:     "docker image prune: what has no tag goes, what has one stays",
		shelf:    []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64", "redis:7=redis amd64"},
		untagged: []string{"ubuntu@jammy"}, deleted: []string{"jammy/amd64"},
		left: []string{"ubuntu:22.04=jammy-next amd64 arm64", "redis:7=redis amd64"},
	},
	{
		rule:     "docker image prune: what describes a dangling image goes with it",
		shelf:    []string{"app:1=told amd64 arm64", "app:1=jammy amd64"},
		untagged: []string{"app@told"}, deleted: []string{"told/amd64", "told/arm64"},
		left: []string{"app:1=jammy amd64"},
	},
	{
		rule:  "docker image prune: nothing to do",
		shelf: []string{"redis:7=redis amd64"},
		left:  []string{"redis:7=redis amd64"},
	},
	{
		rule:     "docker prunes what was pulled by digest; here it stays, since somebody asked for exactly it",
		shelf:    []string{"ubuntu@=jammy amd64", "redis:7=redis amd64", "redis:7=ci amd64"},
		untagged: []string{"redis@redis"}, deleted: []string{"redis/amd64"},
		left: []string{"ubuntu@=jammy amd64 (by digest)", "redis:7=ci amd64"},
	},
	{
		rule:  "docker image prune -a: everything without a container; here, without a pin",
		shelf: []string{"ubuntu@=jammy amd64", "redis:7=redis amd64", "redis:latest=redis amd64", "mine:1=ci amd64", "pin mine:1 in use"},
		all:   true, untagged: []string{"redis:7", "redis:latest", "ubuntu@jammy"}, deleted: []string{"redis/amd64", "jammy/amd64"},
		kept: []string{"mine:1: pinned: mine@ci"},
		left: []string{"mine:1=ci amd64"},
	},
	{
		rule:  "docker image prune -a on a shelf in use: nothing goes, and it says why",
		shelf: []string{"redis:7=redis amd64", "pin redis:7 cache"},
		all:   true, kept: []string{"redis:7: pinned: redis@redis"},
		left: []string{"redis:7=redis amd64"},
	},
	{
		rule:  "a dangling digest that is pinned stays; docker keeps it for its container",
		shelf: []string{"redis:7=redis amd64", "pin redis:7 cache", "redis:7=ci amd64"},
		kept:  []string{"redis@redis: pinned: redis@redis"},
		left:  []string{"redis:7=ci amd64", "redis@=redis amd64 (dangling)"},
	},
	{
		rule:  "docker skips what has dependent child images; here with the reason",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:22.04=ci amd64", "postgres:15=postgres amd64"},
		kept:  []string{"ubuntu@jammy: base: postgres:15"},
		left:  []string{"ubuntu:22.04=ci amd64", "ubuntu@=jammy amd64 (dangling)", "postgres:15=postgres amd64"},
	},
	{
		rule:  "docker: a base goes with what is built on it",
		shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
		all:   true, untagged: []string{"ubuntu:22.04", "postgres:15"}, deleted: []string{"jammy/amd64", "postgres/amd64"},
	},
	{
		rule:  "a base stays with what is pinned on it; its other users go",
		shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64", "mine:1=copy amd64", "redis:7=redis amd64", "pin postgres:15 "},
		all:   true, untagged: []string{"redis:7"}, deleted: []string{"redis/amd64"},
		kept: []string{"mine:1: base: postgres:15", "postgres:15: pinned: postgres@postgres", "ubuntu:22.04: base: postgres:15"},
		left: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64", "mine:1=copy amd64"},
	},
	{
		rule:  "docker: one image ID in two repositories is one image; pinned in one, it goes from the other",
		shelf: []string{"redis:7=redis amd64", "mirror.example.com/redis:7=redis amd64", "pin redis:7 "},
		all:   true, untagged: []string{"mirror.example.com/redis:7"},
		kept: []string{"redis:7: pinned: redis@redis"},
		left: []string{"redis:7=redis amd64"},
	},
	{
		rule:  "--filter until: created before, whenever it was pulled",
		shelf: []string{"a:1=old amd64", "b:1=ci amd64"},
		all:   true, until: "2021-01-01", untagged: []string{"a:1"}, deleted: []string{"old/amd64"},
		left: []string{"b:1=ci amd64"},
	},
	{
		rule:  "--filter until: the very time of its creation is not before",
		shelf: []string{"a:1=old amd64"},
		all:   true, until: "2020-02-29",
		left: []string{"a:1=old amd64"},
	},
	{
		rule:  "--filter until: without a creation date is never before, as docker has it since 25",
		shelf: []string{"a:1=undated amd64"},
		all:   true, until: "2030-01-01",
		left: []string{"a:1=undated amd64"},
	},
	{
		rule:  "--filter until, of several platforms: docker has one; here each has to be old enough",
		shelf: []string{"a:1=half amd64 arm64"},
		all:   true, until: "2021-01-01",
		left: []string{"a:1=half amd64 arm64"},
	},
	{
		rule:  "--filter until, of several platforms: those that are stored count",
		shelf: []string{"a:1=half arm64"},
		all:   true, until: "2021-01-01", untagged: []string{"a:1"}, deleted: []string{"half/arm64"},
	},
	{
		rule:  "--filter label=key",
		shelf: []string{"a:1=ci amd64", "b:1=old amd64"},
		all:   true, labels: []string{"stage"}, untagged: []string{"a:1"}, deleted: []string{"ci/amd64"},
		left: []string{"b:1=old amd64"},
	},
	{
		rule:  "--filter label=key=value, another value",
		shelf: []string{"a:1=ci amd64"},
		all:   true, labels: []string{"stage=production"},
		left: []string{"a:1=ci amd64"},
	},
	{
		rule:  "--filter label, several: all of them",
		shelf: []string{"a:1=ci amd64"},
		all:   true, labels: []string{"stage=ci", "team"},
		left: []string{"a:1=ci amd64"},
	},
	{
		rule:  "--filter label!=key",
		shelf: []string{"a:1=ci amd64", "b:1=old amd64"},
		all:   true, labels: []string{"!stage"}, untagged: []string{"b:1"}, deleted: []string{"old/amd64"},
		left: []string{"a:1=ci amd64"},
	},
	{
		rule:  "--filter label!=key=value, another value does not protect",
		shelf: []string{"a:1=ci amd64"},
		all:   true, labels: []string{"!stage=production"}, untagged: []string{"a:1"}, deleted: []string{"ci/amd64"},
	},
	{
		rule:  "--filter label, of several platforms: docker has one; here each has to have it",
		shelf: []string{"a:1=half amd64 arm64"},
		all:   true, labels: []string{"stage"},
		left: []string{"a:1=half amd64 arm64"},
	},
	{
		rule:  "--filter label!, of several platforms: one of them protects all",
		shelf: []string{"a:1=half amd64 arm64"},
		all:   true, labels: []string{"!stage"},
		left: []string{"a:1=half amd64 arm64"},
	},
	{
		rule:  "filters apply to dangling digests too",
		shelf: []string{"a:1=old amd64", "a:1=ci amd64", "a:1=redis amd64"},
		until: "2021-01-01", untagged: []string{"a@old"}, deleted: []string{"old/amd64"},
		left: []string{"a:1=redis amd64", "a@=ci amd64 (dangling)"},
	},
	{
		rule:     "an index within an index goes with it",
		shelf:    []string{"stack:1=nested amd64 arm64 arm", "stack:1=redis amd64"},
		untagged: []string{"stack@nested"}, deleted: []string{"nested/arm64", "nested/arm"},
		left: []string{"stack:1=redis amd64"},
	},
	{
		rule:  "a digest that a running pull is about to record stays; docker's prune takes it away under the pull",
		shelf: []string{"a:1=old amd64", "a:1=ci amd64"},
		held:  "old", kept: []string{"a@old: held: "},
		left: []string{"a:1=ci amd64", "a@=old amd64 (dangling)"},
	},
}

func TestPruningFollowsTheRules(t *testing.T) {
	for _, tt := range prunings {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.fill(tt.shelf)
			s.Settle()
			if tt.held != "" {
				defer s.Hold([]image.Digest{s.build(tt.held).Digest()})()
			}
			before := diskBytes(s.files())
			asked := s.prune(tt)
			plan, err := s.PlanPrune(t.Context(), asked)
			if err != nil {
				t.Fatal(err)
			}
			s.checkPrune(tt, plan)
			done, err := s.Prune(t.Context(), asked, plan.Fingerprint, "noa")
			if plan.Refused() {
				if image.KindOf(err) != image.Conflict {
					t.Errorf("carrying out what the rules refuse whole: %v", err)
				}
			} else if err != nil || done.Plan.Fingerprint != plan.Fingerprint {
				t.Errorf("carrying it out (%v):\n got %+v\nwant %+v", err, done.Plan, plan)
			}
			s.check(tt.left)
			if freed := before - diskBytes(s.files()); freed != plan.Totals.Freed {
				t.Errorf("%d bytes left the disk, the plan said %d", freed, plan.Totals.Freed)
			}
			if again, err := s.PlanPrune(t.Context(), asked); err != nil || again.Totals.Items != again.Totals.Refused || again.Totals.Refused != len(tt.kept) {
				t.Errorf("a second prune would do %+v (%v)", again.Totals, err)
			}
		})
	}
}

func (s *testShelf) prune(tt pruning) image.Prune {
	s.t.Helper()
	asked := image.Prune{All: tt.all}
	if tt.until != "" {
		var err error
		if asked.Until, err = time.Parse(time.DateOnly, tt.until); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, words := range tt.labels {
		words, not := strings.CutPrefix(words, "!")
		label, err := image.ParseLabel(words)
		if err != nil {
			s.t.Fatal(err)
		}
		if not {
			asked.NotLabels = append(asked.NotLabels, label)
		} else {
			asked.Labels = append(asked.Labels, label)
		}
	}
	return asked
}

func (s *testShelf) checkPrune(tt pruning, plan image.RemovalPlan) {
	s.t.Helper()
	var untagged, deleted, kept []string
	for _, ref := range plan.Untagged {
		untagged = append(untagged, s.word(ref))
	}
	for _, i := range plan.Deleted {
		deleted = append(deleted, strings.TrimSuffix(s.nameOf(i.ID), "/"+i.Platform.Architecture)+"/"+i.Platform.Architecture)
	}
	for _, i := range plan.Items {
		if i.Refusal != nil {
			kept = append(kept, s.word(i.Item.Reference)+": "+string(i.Refusal.Reason)+": "+s.wordAll(i.Refusal.By))
			if i.Refusal.Text.String() == "" {
				s.t.Errorf("%s stays without a word", s.word(i.Item.Reference))
			}
		}
	}
	for _, part := range []struct {
		name      string
		got, want []string
	}{{"untagged", untagged, tt.untagged}, {"deleted", deleted, tt.deleted}, {"kept", kept, tt.kept}} {
		slices.Sort(part.got)
		want := slices.Sorted(slices.Values(part.want))
		if !slices.Equal(part.got, want) {
			s.t.Errorf("%s\n got %q\nwant %q", part.name, part.got, want)
		}
	}
}

// A filter's time comes from "24h" and is another one when the plan is confirmed: what counts is what it chooses.
func TestAPruneIsConfirmedByWhatItDoes(t *testing.T) {
	s := newShelf(t)
	s.pull("a:1=old amd64")
	asked := image.Prune{All: true, Until: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	plan, err := s.PlanPrune(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	asked.Until = asked.Until.Add(time.Second)
	if _, err := s.Prune(t.Context(), asked, plan.Fingerprint, "noa"); err != nil {
		t.Error(err)
	}
	s.check(nil)
}

func TestAPruneWhosePlanNoLongerHoldsIsNotCarriedOut(t *testing.T) {
	s := newShelf(t)
	s.fill([]string{"a:1=old amd64", "a:1=ci amd64"})
	plan, err := s.PlanPrune(t.Context(), image.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	s.pull("a:1=redis amd64") // one more is dangling
	refused, err := s.Prune(t.Context(), image.Prune{}, plan.Fingerprint, "noa")
	if image.KindOf(err) != image.Conflict || refused.Plan.Totals.Items != 2 {
		t.Errorf("%+v, %v", refused, err)
	}
	s.check([]string{"a:1=redis amd64", "a@=old amd64 (dangling)", "a@=ci amd64 (dangling)"})
}

// Lists of a plan end somewhere; its sums and its fingerprint do not.
func TestALongPlanIsShownInPartAndCarriedOutWhole(t *testing.T) {
	s := newShelfWith(t, Options{UndoWindow: testWindow})
	const digests = image.MaxPlanLines + 200
	err := seedRows(t, s.Store, func(seed *benchSeed) {
		seed.image(0, []string{"base"}, "base", "1")
		for n := range digests {
			seed.image(n+1, []string{"base", fmt.Sprint(n)}, fmt.Sprintf("app-%04d", n))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := s.PlanPrune(t.Context(), image.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]int{"items": len(plan.Items), "untagged": len(plan.Untagged), "deleted": len(plan.Deleted), "blobs": len(plan.Blobs)} {
		if n != image.MaxPlanLines {
			t.Errorf("%d %s are listed, want %d", n, what, image.MaxPlanLines)
		}
	}
	want := image.PlanTotals{Items: digests, Untagged: digests, Images: digests, Layers: digests, Blobs: 3 * digests, Stays: 1, Freed: digests * (2000 + 5000 + 1000)}
	if plan.Totals != want {
		t.Errorf("sums %+v, want %+v", plan.Totals, want)
	}
	last := benchDigest("manifest", digests) // nothing of it is listed
	if err := s.update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE repository_digests SET by_digest = 1 WHERE digest = ?`, last)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), image.Prune{}, plan.Fingerprint, "noa"); image.KindOf(err) != image.Conflict {
		t.Errorf("carrying out what has changed where nothing is listed: %v", err)
	}
	if plan, err = s.PlanPrune(t.Context(), image.Prune{}); err != nil || plan.Totals.Items != digests-1 {
		t.Fatalf("%+v, %v", plan.Totals, err)
	}
	if _, err := s.Prune(t.Context(), image.Prune{}, plan.Fingerprint, "noa"); err != nil {
		t.Fatal(err)
	}
	totals, err := s.Totals(t.Context())
	if err != nil || totals.Images != 2 || totals.Waiting != 3*(digests-1) || totals.WaitingBytes != plan.Totals.Freed {
		t.Errorf("left: %+v, %v", totals, err)
	}
}
