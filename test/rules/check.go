package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// AskedDeletion returns what a row asks for.
func (s *Sources) AskedDeletion(tt Deletion) shelf.Removal {
	s.t.Helper()
	asked := shelf.Removal{Force: tt.Force}
	for words := range strings.SplitSeq(tt.Ask, " + ") {
		asked.Items = append(asked.Items, s.Item(words, tt.Only))
	}
	return asked
}

// CheckPlan holds what the plan says against a row, in any order.
func (s *Sources) CheckPlan(tt Deletion, plan shelf.RemovalPlan) {
	s.t.Helper()
	var untagged, deleted, stays, remains, by []string
	for _, ref := range plan.Untagged {
		untagged = append(untagged, s.Word(ref))
	}
	for _, i := range plan.Deleted {
		deleted = append(deleted, strings.TrimSuffix(s.NameOf(i.ID), "/"+i.Platform.Architecture)+"/"+i.Platform.Architecture)
	}
	for _, b := range plan.Stays {
		stays = append(stays, s.NameOf(b.Digest)+": "+s.WordAll(b.UsedBy))
		if b.Users != len(b.UsedBy) {
			s.t.Errorf("%s stays for %d references, and %d are named", s.NameOf(b.Digest), b.Users, len(b.UsedBy))
		}
	}
	for _, r := range plan.Remains {
		words := s.Word(r.Reference)
		for _, p := range r.Platforms {
			words += " " + p.Architecture
		}
		remains = append(remains, words)
	}
	var items, sentences []string
	for _, i := range plan.Items {
		words := s.ItemWords(i.Item)
		if i.Refusal == nil {
			items = append(items, words+": goes")
			continue
		}
		items = append(items, words+": "+string(i.Refusal.Reason)+": "+s.WordAll(i.Refusal.By))
		if i.Refusal.Count != len(i.Refusal.By) {
			s.t.Errorf("%s is refused for %d references, and %d are named", words, i.Refusal.Count, len(i.Refusal.By))
		}
		sentences = append(sentences, i.Refusal.Text.String())
		for _, ref := range i.Refusal.By {
			by = append(by, s.Word(ref))
			if i.Refusal.Reason != shelf.RefusedPinned && !strings.Contains(i.Refusal.Text.String(), ref.Familiar()) {
				s.t.Errorf("refusal %q does not name %s", i.Refusal.Text, ref.Familiar())
			}
		}
	}
	if tt.Items != nil && !slices.Equal(items, tt.Items) {
		s.t.Errorf("items\n got %q\nwant %q", items, tt.Items)
	}
	if said := strings.Join(sentences, "\n"); !strings.Contains(said, tt.Says) {
		s.t.Errorf("refusals %q, want %q", said, tt.Says)
	}
	if tt.Refused == nil {
		by = nil // some of several, as items tells
	}
	for _, part := range []struct {
		name      string
		got, want []string
	}{
		{"untagged", untagged, tt.Untagged}, {"deleted", deleted, tt.Deleted}, {"stays", stays, tt.Stays},
		{"remains", remains, tt.Remains}, {"refused for", by, tt.Refused},
	} {
		slices.Sort(part.got)
		want := slices.Sorted(slices.Values(part.want))
		if !slices.Equal(part.got, want) {
			s.t.Errorf("%s\n got %q\nwant %q", part.name, part.got, want)
		}
	}
	if plan.Refused() != (tt.Refused != nil) {
		s.t.Errorf("refusals %q", sentences)
	}
}

// AskedPrune returns what a row asks for.
func (s *Sources) AskedPrune(tt Pruning) shelf.Prune {
	s.t.Helper()
	asked := shelf.Prune{All: tt.All}
	if tt.Until != "" {
		var err error
		if asked.Until, err = time.Parse(time.DateOnly, tt.Until); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, words := range tt.Labels {
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

// CheckPrune holds what the plan of a prune says against a row, in any order.
func (s *Sources) CheckPrune(tt Pruning, plan shelf.RemovalPlan) {
	s.t.Helper()
	var untagged, deleted, kept []string
	for _, ref := range plan.Untagged {
		untagged = append(untagged, s.Word(ref))
	}
	for _, i := range plan.Deleted {
		deleted = append(deleted, strings.TrimSuffix(s.NameOf(i.ID), "/"+i.Platform.Architecture)+"/"+i.Platform.Architecture)
	}
	for _, i := range plan.Items {
		if i.Refusal != nil {
			kept = append(kept, s.Word(i.Item.Reference)+": "+string(i.Refusal.Reason)+": "+s.WordAll(i.Refusal.By))
			if i.Refusal.Text.String() == "" {
				s.t.Errorf("%s stays without a word", s.Word(i.Item.Reference))
			}
		}
	}
	for _, part := range []struct {
		name      string
		got, want []string
	}{{"untagged", untagged, tt.Untagged}, {"deleted", deleted, tt.Deleted}, {"kept", kept, tt.Kept}} {
		slices.Sort(part.got)
		want := slices.Sorted(slices.Values(part.want))
		if !slices.Equal(part.got, want) {
			s.t.Errorf("%s\n got %q\nwant %q", part.name, part.got, want)
		}
	}
}
