package listing

import (
	"path"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// Filter is a query in the index's terms: a row must pass each group of predicates, by any of the group.
type Filter struct {
	repository image.Repository
	groups     [][]predicate
	reached    []int64 // rows that the text finds by an ID or digest; they count as in the first group
	created    createdSpan
	dated      bool // created counts
}

// Compile puts q in the index's terms. What only the database knows comes from reached: the IDs of the rows under which
// a digest can be reached that begins with some digits. Errors are its own, or of kind Invalid.
func Compile(q shelf.Query, reached func(digits string) ([]int64, error)) (f Filter, err error) {
	f = Filter{repository: q.Repository, created: spanOf(q.Since, q.Before),
		dated: !q.Before.IsZero() || !q.Since.IsZero()}
	if text := strings.ToLower(strings.TrimSpace(q.Text)); text != "" {
		part := strings.TrimPrefix(strings.TrimPrefix(text, "docker.io/"), "library/")
		f.all(predicate{kind: byPart, text: part})
		if digits, ok := image.ParseIDPrefix(text); ok && len(digits) >= FewestDigits {
			if f.reached, err = reached(digits); err != nil {
				return f, err
			}
		}
	}
	var globs, states []predicate
	for _, pattern := range q.References {
		if _, err := path.Match(pattern, ""); err != nil {
			return f, image.Errorf(image.Invalid, "%.80q is not a pattern: %w", pattern, err)
		}
		globs = append(globs, predicate{kind: byGlob, text: pattern})
	}
	for _, u := range q.Updates {
		states = append(states, predicate{kind: byUpdate, text: string(u)})
	}
	f.any(globs)
	f.any(states)
	if len(q.Labels) > 0 {
		f.all(byAllLabels(q.Labels))
	}
	switch q.Dangling {
	case shelf.DanglingOnly:
		f.all(predicate{kind: byDangling})
	case shelf.DanglingHidden:
		f.all(predicate{kind: byNotDangling})
	case shelf.DanglingShown:
	}
	if q.Registry != "" {
		f.all(predicate{kind: byRegistry, text: q.Registry})
	}
	if q.Platform != (image.Platform{}) {
		f.all(predicate{kind: byPlatform, text: q.Platform.String()})
	}
	if q.Pinned {
		f.all(predicate{kind: byPinned})
	}
	return f, nil
}

func (f *Filter) all(p predicate) { f.groups = append(f.groups, []predicate{p}) }

func (f *Filter) any(p []predicate) {
	if len(p) > 0 {
		f.groups = append(f.groups, p)
	}
}

// FewestDigits is from how many hex digits on a text is looked for in IDs and digests too: fewer of them are in
// thousands.
const FewestDigits = 4

// Choice is what a filter chooses. It is valid while the index does not change.
type Choice struct {
	index *Index
	rows  bitset // nil: all
	total int
}

// Choose finds the rows that pass f, hands them to pick and returns as of which change they are.
func (x *Index) Choose(f Filter, pick func(*Choice)) (change int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := Choice{index: x, total: len(x.orders[inID])}
	if f.repository == "" && len(f.groups) == 0 && !f.dated {
		pick(&c)
		return x.change
	}
	c.rows = newBitset(len(x.entries))
	switch {
	case f.repository != "":
		c.rows.setAll(x.repositoryRows(f.repository))
	case f.dated:
		c.rows.setAll(x.createdRows(f.created))
	default:
		c.rows.setAll(x.orders[inID])
	}
	if f.repository != "" && f.dated {
		created := newBitset(len(x.entries))
		created.setAll(x.createdRows(f.created))
		c.rows.keep(created)
	}
	for i, group := range f.groups {
		passed := x.passingAny(group)
		if i == 0 && len(f.reached) > 0 {
			passed = slices.Clone(passed)
			for _, id := range f.reached {
				if i, found := x.place(id); found {
					passed.set(i)
				}
			}
		}
		c.rows.keep(passed)
	}
	c.total = c.rows.count()
	pick(&c)
	return x.change
}

// passingAny returns the places whose rows pass any of some predicates. The caller must not change the answer.
func (x *Index) passingAny(group []predicate) bitset {
	if len(group) == 1 {
		return x.passing(group[0])
	}
	passed := newBitset(len(x.entries))
	for _, p := range group {
		for w, word := range x.passing(p) {
			passed[w] |= word
		}
	}
	return passed
}

// createdRows returns the places of the rows that were created in a span.
func (x *Index) createdRows(span createdSpan) []uint32 {
	list := x.orders[inCreated]
	at := func(ms int64) int {
		i, _ := slices.BinarySearchFunc(list, ms, func(i uint32, ms int64) int {
			if x.entries[i].created < ms {
				return -1
			}
			return 1
		})
		return i
	}
	first := at(span.from)
	return list[first:max(first, at(span.to))]
}

// repositoryRows returns the places of a repository's rows.
func (x *Index) repositoryRows(name image.Repository) []uint32 {
	familiar := name.Familiar()
	list := x.orders[inRepository]
	at, _ := slices.BinarySearchFunc(list, familiar,
		func(i uint32, familiar string) int { return strings.Compare(x.entries[i].repo.familiar, familiar) })
	end := at
	for end < len(list) && x.entries[list[end]].repo.name == name {
		end++
	}
	return list[at:end]
}

// Total returns how many rows are chosen.
func (c *Choice) Total() int { return c.total }

// Page returns the IDs of the rows from offset on, at most limit, in an order or its reverse.
func (c *Choice) Page(by shelf.Sort, descending bool, offset, limit int) []int64 {
	limit = min(limit, c.total-offset)
	if limit <= 0 || offset < 0 {
		return nil
	}
	list := c.index.orders[rowOrders[by]]
	// Walked from the nearer end, rising or falling as that is.
	first, fromEnd := offset, descending
	turned := offset > c.total/2
	if turned {
		first, fromEnd = c.total-offset-limit, !descending
	}
	ids := make([]int64, 0, limit)
	at := func(k int) uint32 {
		if fromEnd {
			return list[len(list)-1-k]
		}
		return list[k]
	}
	if c.rows == nil {
		for k := first; k < first+limit; k++ {
			ids = append(ids, c.index.entries[at(k)].id)
		}
	} else {
		for k, passed := 0, 0; len(ids) < limit; k++ {
			i := at(k)
			if !c.rows.has(i) {
				continue
			}
			if passed++; passed > first {
				ids = append(ids, c.index.entries[i].id)
			}
		}
	}
	if turned {
		slices.Reverse(ids)
	}
	return ids
}
