package storage

import (
	"slices"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
)

// The list's until and a prune's choose the same images; what has no date, or the year 1, is chosen by neither.
func TestOlderThanMeansTheSameInTheListAndInAPrune(t *testing.T) {
	s := newShelf(t)
	moment := time.Date(2024, 1, 1, 0, 0, 0, 500_000, time.UTC)
	dates := map[string]time.Time{
		"none": {}, "year1": time.Date(1, 5, 1, 0, 0, 0, 0, time.UTC), "zone": time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 9*3600)),
		"epoch": time.Unix(0, 0).UTC(), "before": moment.Add(-time.Millisecond), "at": moment, "after": moment.Add(time.Millisecond),
		"future": time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for name, created := range dates {
		s.Source[name] = sample.Image{
			Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Created: created,
			Steps: []sample.Step{{By: "COPY", Layer: sample.NewLayer(sample.Gzip, sample.Text("name", name))}},
		}
		s.pull(name + ":1=" + name + " amd64")
	}
	for _, until := range []time.Time{moment, moment.Add(300 * time.Microsecond), moment.AddDate(200, 0, 0), time.Unix(0, 0).UTC(), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)} {
		rows, _, err := s.Lists.List(t.Context(), shelf.Query{Before: until, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var listed, pruned []string
		for _, r := range rows {
			listed = append(listed, r.Reference.Familiar())
		}
		plan, err := s.Removals.PlanPrune(t.Context(), shelf.Prune{All: true, Until: until})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range plan.Items {
			pruned = append(pruned, i.Item.Reference.Familiar())
		}
		slices.Sort(listed)
		slices.Sort(pruned)
		if !slices.Equal(listed, pruned) {
			t.Errorf("until %s: the list has %v, the prune %v", until, listed, pruned)
		}
		for _, undated := range []string{"none:1", "year1:1", "zone:1"} {
			if slices.Contains(pruned, undated) {
				t.Errorf("until %s: %s has no date and goes", until, undated)
			}
		}
		if all := []string{"after:1", "at:1", "before:1", "epoch:1"}; until.Year() == 2224 && !slices.Equal(listed, append(all, "future:1")) {
			t.Errorf("until %s: %v", until, listed)
		}
	}
}
