package storage

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/test/rules"
)

// disuse is one row of the rules of pruning what is unused: what happened on the shelf, in order, and what a prune does then.
type disuse struct {
	rule   string
	events []string // as for pulls; "hand NAME", which can end in an architecture as in the rows of deletions; "wait 40d"
	all    bool
	until  string // a day
	unused string

	untagged []string
	used     []string // what stays: "redis:7: handed out 10d"
	left     []string
}

var disuses = []disuse{
	{
		rule:   "what was neither handed out nor pulled for so long goes",
		events: []string{"redis:7=redis amd64", "wait 31d"},
		all:    true, unused: "30d", untagged: []string{"redis:7"},
	},
	{
		rule:   "what came onto the shelf since stays, however old the image is",
		events: []string{"old:1=old amd64", "wait 29d"},
		all:    true, unused: "30d", used: []string{"old:1: pulled 29d"},
		left: []string{"old:1=old amd64"},
	},
	{
		rule:   "what was pulled again since stays",
		events: []string{"redis:7=redis amd64", "wait 40d", "redis:7=redis amd64", "wait 10d"},
		all:    true, unused: "30d", used: []string{"redis:7: pulled 10d"},
		left: []string{"redis:7=redis amd64"},
	},
	{
		rule:   "what was handed out by its tag since stays",
		events: []string{"redis:7=redis amd64", "mine:1=ci amd64", "wait 40d", "hand redis:7", "wait 10d"},
		all:    true, unused: "30d", untagged: []string{"mine:1"}, used: []string{"redis:7: handed out 10d"},
		left: []string{"redis:7=redis amd64"},
	},
	{
		rule:   "the very moment is since",
		events: []string{"redis:7=redis amd64", "wait 40d", "hand redis:7", "wait 30d"},
		all:    true, unused: "30d", used: []string{"redis:7: handed out 30d"},
		left: []string{"redis:7=redis amd64"},
	},
	{
		rule:   "what was handed out before that goes",
		events: []string{"redis:7=redis amd64", "wait 40d", "hand redis:7", "wait 30d", "wait 1ms"},
		all:    true, unused: "30d", untagged: []string{"redis:7"},
	},
	{
		rule:   "what was handed out by its digest stays with its tags",
		events: []string{"redis:7=redis amd64", "redis:latest=redis amd64", "wait 40d", "hand redis@=redis", "wait 4d"},
		all:    true, unused: "4w", used: []string{"redis:7: handed out 4d"},
		left: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
	},
	{
		rule:   "a digest stays with all its tags where one of them was handed out",
		events: []string{"redis:7=redis amd64", "redis:latest=redis amd64", "wait 40d", "hand redis:latest", "wait 4d"},
		all:    true, unused: "30d", used: []string{"redis:7: handed out 4d"},
		left: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
	},
	{
		rule:   "an index stays where one of its platforms was handed out by its own digest",
		events: []string{"ubuntu:22.04=jammy amd64 arm64", "wait 40d", "hand ubuntu:22.04/arm64", "wait 1d"},
		all:    true, unused: "30d", used: []string{"ubuntu:22.04: handed out 1d"},
		left: []string{"ubuntu:22.04=jammy amd64 arm64"},
	},
	{
		rule:   "another repository's use of the same digest is its own",
		events: []string{"redis:7=redis amd64", "mirror.example.com/redis:7=redis amd64", "wait 40d", "hand redis:7", "wait 1d"},
		all:    true, unused: "30d", untagged: []string{"mirror.example.com/redis:7"}, used: []string{"redis:7: handed out 1d"},
		left: []string{"redis:7=redis amd64"},
	},
	{
		rule:   "without all, dangling digests are looked at and nothing else",
		events: []string{"redis:7=redis amd64", "redis:7=ci amd64", "redis:7=old amd64", "wait 40d", "hand redis@=ci", "wait 1d"},
		unused: "30d", untagged: []string{"redis@redis"}, used: []string{"redis@ci: handed out 1d"},
		left: []string{"redis:7=old amd64", "redis@=ci amd64 (dangling)"},
	},
	{
		rule:   "a tag that has moved on keeps its count, and what it pointed to has its own",
		events: []string{"redis:7=redis amd64", "hand redis:7", "wait 40d", "redis:7=ci amd64", "hand redis:7", "wait 1d"},
		unused: "30d", untagged: []string{"redis@redis"},
		left: []string{"redis:7=ci amd64"},
	},
	{
		rule:   "with until, only what both choose",
		events: []string{"a:1=old amd64", "b:1=ci amd64", "c:1=half arm64", "d:1=undated amd64", "wait 40d", "hand c:1", "wait 1d"},
		all:    true, until: "2021-01-01", unused: "30d", untagged: []string{"a:1"}, used: []string{"c:1: handed out 1d"},
		left: []string{"b:1=ci amd64", "c:1=half arm64", "d:1=undated amd64"},
	},
	{
		rule:   "a pin keeps what is unused",
		events: []string{"redis:7=redis amd64", "pin redis:7 cache", "wait 40d"},
		all:    true, unused: "30d",
		left: []string{"redis:7=redis amd64"},
	},
}

func TestPruningWhatIsUnusedFollowsTheRules(t *testing.T) {
	for _, tt := range disuses {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			s, c := newUndoShelf(t)
			for _, e := range tt.events {
				s.happen(c, e)
			}
			asked := s.AskedPrune(rules.Pruning{All: tt.all, Until: tt.until})
			asked.Unused = c.now().Add(-age(t, tt.unused))
			plan, err := s.Removals.PlanPrune(t.Context(), asked) // what was handed out is not written yet
			if err != nil {
				t.Fatal(err)
			}
			var untagged, used []string
			for _, ref := range plan.Untagged {
				untagged = append(untagged, s.Word(ref))
			}
			for _, u := range plan.Used {
				days := strings.TrimSuffix(c.now().Sub(u.At).Truncate(24*time.Hour).String(), "h0m0s")
				used = append(used, s.Word(u.Reference)+": "+string(u.How)+" "+map[string]string{"24": "1d", "96": "4d", "240": "10d", "696": "29d", "720": "30d"}[days])
			}
			slices.Sort(untagged)
			if !slices.Equal(untagged, tt.untagged) || !slices.Equal(used, tt.used) || plan.Totals.Used != len(tt.used) {
				t.Errorf("untagged %q, used %q (%d)\nwant     %q, used %q", untagged, used, plan.Totals.Used, tt.untagged, tt.used)
			}
			if _, err := s.Removals.Prune(t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa")); err != nil && image.KindOf(err) != image.Conflict {
				t.Error(err)
			}
			left := s.rows()
			slices.Sort(tt.left)
			if !slices.Equal(left, tt.left) {
				t.Errorf("left %q\nwant %q", left, tt.left)
			}
		})
	}
}

// happen lets one thing happen on the shelf.
func (s *testShelf) happen(c *clock, event string) {
	s.t.Helper()
	if span, ok := strings.CutPrefix(event, "wait "); ok {
		c.move(age(s.t, span))
	} else if name, ok := strings.CutPrefix(event, "hand "); ok {
		s.hand(name)
	} else {
		s.fill([]string{event})
	}
}

// hand hands out what a name names: "redis:7", "redis@=redis", or a platform by its own digest, "ubuntu:22.04/arm64".
func (s *testShelf) hand(name string) {
	s.t.Helper()
	name, architecture, only := strings.Cut(name, "/")
	ref := s.Read(name).Ref
	d := s.target(ref).Digest
	if only {
		for _, i := range s.target(ref).Images {
			if i.Platform.Architecture == architecture {
				d = i.Manifest
			}
		}
		ref = image.Reference{Repository: ref.Repository, Digest: d}
	}
	s.Downloads.Downloaded(ref, d)
}

func (s *testShelf) target(ref image.Reference) shelf.Target {
	s.t.Helper()
	t, err := s.Images.Target(s.t.Context(), ref)
	if image.KindOf(err) == image.NotFound && ref.Digest != "" { // not known by itself
		return shelf.Target{Digest: ref.Digest}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return t
}

func age(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := docker.ParseAge(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// On a shelf that is older than the counting, nobody knows what was handed out before.
func TestNothingIsUnusedBeforeItWasCounted(t *testing.T) {
	s, c := newUndoShelf(t)
	s.pull("redis:7=redis amd64")
	c.move(400 * 24 * time.Hour)
	if _, err := (writing{s.folder.db}).ExecContext(t.Context(), `DELETE FROM handed_since`); err != nil { // as an older version leaves it
		t.Fatal(err)
	}
	if err := s.Downloads.countHanded(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := c.now()
	c.move(29 * 24 * time.Hour)
	plan := func() shelf.RemovalPlan {
		p, err := s.Removals.PlanPrune(t.Context(), shelf.Prune{All: true, Unused: c.now().Add(-30 * 24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	want := shelf.PlanUse{Reference: tagRef(t, "redis:7"), How: shelf.UseUncounted, At: began.UTC()}
	if p := plan(); p.Totals.Items != 0 || p.Totals.Used != 1 || len(p.Used) != 1 || p.Used[0] != want {
		t.Errorf("%+v %+v", p.Totals, p.Used)
	}
	c.move(24 * time.Hour)
	if p := plan(); p.Totals.Items != 1 || p.Totals.Used != 0 {
		t.Errorf("a day later %+v %+v", p.Totals, p.Used)
	}
}

// What is handed out between the plan and its confirmation is not taken away; what stays anyway does not hold a plan up.
func TestAPruneOfWhatIsUnusedIsConfirmedByWhatItDoes(t *testing.T) {
	s, c := newUndoShelf(t)
	s.fill([]string{"redis:7=redis amd64", "mine:1=ci amd64", "old:1=old amd64"})
	c.move(40 * 24 * time.Hour)
	s.hand("mine:1")
	asked := shelf.Prune{All: true, Unused: c.now().Add(-30 * 24 * time.Hour)}
	plan, err := s.Removals.PlanPrune(t.Context(), asked)
	if err != nil || plan.Totals.Items != 2 || plan.Totals.Used != 1 {
		t.Fatalf("%+v, %v", plan.Totals, err)
	}
	s.hand("redis:7")
	s.hand("mine:1")
	now, err := s.Removals.Prune(t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa"))
	if image.KindOf(err) != image.Conflict || now.Plan.Totals.Items != 1 || now.Plan.Totals.Used != 2 {
		t.Fatalf("%+v, %v", now.Plan.Totals, err)
	}
	s.hand("mine:1")
	s.hand("redis:7")
	if _, err := s.Removals.Prune(t.Context(), asked, now.Plan.Fingerprint, image.ActorNamed("noa")); err != nil {
		t.Error(err)
	}
	if left := s.rows(); !slices.Equal(left, []string{"mine:1=ci amd64", "redis:7=redis amd64"}) {
		t.Errorf("left %q", left)
	}
}
