package removal_test

import (
	"slices"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/test/rules"
)

func TestDeletingFollowsTheRules(t *testing.T) {
	for _, tt := range rules.Deletions {
		t.Run(tt.Rule, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t, tt.Shelf)
			asked := m.AskedDeletion(tt)
			plan, err := removal.Remove(m, asked, m.found(asked), nil)
			if tt.Missing {
				if image.KindOf(err) != image.NotFound {
					t.Errorf("error %v, want not found", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			m.CheckPlan(tt, plan.Shown)
			if refused := plan.Refused(); (image.KindOf(refused) == image.Conflict) != (tt.Refused != nil) {
				t.Errorf("refused: %v", refused)
			}
			m.check(plan, tt.Left)
		})
	}
}

func TestPruningFollowsTheRules(t *testing.T) {
	for _, tt := range rules.Prunings {
		t.Run(tt.Rule, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t, tt.Shelf)
			held := map[image.Digest]bool{}
			if tt.Held != "" {
				held[m.Build(tt.Held).Digest()] = true
			}
			plan, err := removal.Prune(m, m.AskedPrune(tt), m.chosen(tt.All), held)
			if err != nil {
				t.Fatal(err)
			}
			m.CheckPrune(tt, plan.Shown)
			m.check(plan, tt.Left)
			again, err := removal.Prune(m, m.AskedPrune(tt), m.chosen(tt.All), held)
			if totals := again.Shown.Totals; err != nil || totals.Items != len(tt.Kept) || totals.Refused != len(tt.Kept) {
				t.Errorf("a second prune would do %+v (%v)", totals, err)
			}
		})
	}
}

// chosen returns what a prune looks at: everything, or what dangles.
func (m *memory) chosen(all bool) removal.Chosen {
	c := removal.Chosen{Labels: m.labels}
	for _, at := range m.keys() {
		if r := m.root(at, 1); all || r.Tags == 0 && !r.ByDigest {
			c.Roots = append(c.Roots, r)
		}
	}
	return c
}

func (m *memory) labels(manifests []image.Digest, keys []string, each func(manifest image.Digest, key, value string)) error {
	for _, d := range manifests {
		for _, key := range keys {
			if value, ok := m.documents[d].labels[key]; ok {
				each(d, key, value)
			}
		}
	}
	return nil
}

// check carries a plan out, unless the rules refuse it, and looks at what is left.
func (m *memory) check(plan removal.Plan, left []string) {
	m.t.Helper()
	before := m.bytes()
	if plan.Refused() == nil {
		m.carryOut(plan)
	}
	if rows, want := m.rows(), slices.Sorted(slices.Values(left)); !slices.Equal(rows, want) {
		m.t.Errorf("left\n got %q\nwant %q", rows, want)
	}
	if freed := before - m.bytes(); freed != plan.Shown.Totals.Freed {
		m.t.Errorf("nothing needs %d bytes any more, the plan said %d", freed, plan.Shown.Totals.Freed)
	}
}

func TestAPlanDoesNotChangeByItself(t *testing.T) {
	m := newMemory(t, []string{
		"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64", "postgres:15=postgres amd64 arm64", "redis:7=redis amd64",
	})
	asked := shelf.Remove(m.Item("ubuntu:22.04", ""))
	first, err := removal.Remove(m, asked, m.found(asked), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := removal.Remove(m, asked, m.found(asked), nil)
		if err != nil || again.Shown.Fingerprint != first.Shown.Fingerprint {
			t.Fatalf("the same question has another plan (%v):\n%+v\n%+v", err, again, first)
		}
	}
}
