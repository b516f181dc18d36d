package listing

import (
	"cmp"
	"slices"
	"strings"
	"unique"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// group is a repository as the chosen rows of it come to. Its rows are from..to in the order inRepository.
type group struct {
	from, to  int
	tags      int
	dangling  int
	byDigest  int
	available int
	gone      int
	pinned    int
	created   int64
	pulled    int64
	size      int64
	handed    int64
	handedAt  int64
}

// groupKeys are the orders of repositories beside the one by name.
var groupKeys = map[shelf.Sort]func(*group) int64{
	"": nil, shelf.SortName: nil,
	shelf.SortTags:      func(g *group) int64 { return int64(g.tags) },
	shelf.SortCreated:   func(g *group) int64 { return g.created },
	shelf.SortPulled:    func(g *group) int64 { return g.pulled },
	shelf.SortSize:      func(g *group) int64 { return g.size },
	shelf.SortDownloads: func(g *group) int64 { return g.handed },
	// What needs somebody first, as among rows: many updates, then tags that are gone.
	shelf.SortUpdate: func(g *group) int64 { return -int64(g.available)<<32 - int64(g.gone) },
}

// Repositories returns a page of the chosen rows by repositories, and how many there are.
func (c *Choice) Repositories(by shelf.Sort, descending bool, offset, limit int) ([]shelf.RepositoryRow, int) {
	groups := c.groups() // by name
	total := len(groups)
	type place struct {
		key int64
		at  int
	}
	places := make([]place, total)
	for i := range groups {
		places[i].at = i
		if key := groupKeys[by]; key != nil {
			places[i].key = key(&groups[i])
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.at, b.at)) })
	if descending {
		slices.Reverse(places)
	}
	offset = min(max(0, offset), total)
	places = places[offset:min(total, offset+max(0, limit))]
	rows := make([]shelf.RepositoryRow, len(places))
	for i, p := range places {
		rows[i] = c.repository(&groups[p.at])
	}
	return rows, total
}

// groups adds the chosen rows up.
func (c *Choice) groups() []group {
	entries, list := c.index.entries, c.index.orders[inRepository]
	var groups []group
	var g *group
	var last *entry // the chosen row before
	for at, i := range list {
		if c.rows != nil && !c.rows.has(i) {
			continue
		}
		e := &entries[i]
		if g == nil || last.repo != e.repo {
			groups = append(groups, group{from: at, created: unknownTime})
			g, last = &groups[len(groups)-1], nil
		}
		g.to = at + 1
		switch e.reason {
		case tagged:
			g.tags++
			g.handed += int64(e.handed) - int64(e.direct) // by the tag; by the digest they have it in common with others
		case askedFor:
			g.byDigest++
		case dangling:
			g.dangling++
		}
		switch e.update {
		case updateCodes[shelf.UpdateAvailable]:
			g.available++
		case updateCodes[shelf.UpdateGone]:
			g.gone++
		}
		if last == nil || last.digest != e.digest { // tags on one digest are next to each other
			g.size += e.total
			g.handed += int64(e.direct)
			if e.pinned {
				g.pinned++
			}
		}
		g.created, g.pulled, g.handedAt = max(g.created, e.created), max(g.pulled, e.pulled), max(g.handedAt, e.handedAt)
		last = e
	}
	return groups
}

// repository words a group as a row.
func (c *Choice) repository(g *group) shelf.RepositoryRow {
	list := c.index.orders[inRepository]
	row := shelf.RepositoryRow{
		Repository: c.index.entries[list[g.from]].repo.name, Tags: g.tags, Dangling: g.dangling, ByDigest: g.byDigest,
		Available: g.available,
		Gone:      g.gone, Pinned: g.pinned, Created: timeOf(g.created), Pulled: timeOf(g.pulled), Size: g.size,
		Downloads: shelf.Download{Count: g.handed},
	}
	if g.handedAt != 0 {
		row.Downloads.Last = timeOf(g.handedAt)
	}
	sets := map[unique.Handle[string]]bool{}
	for _, i := range list[g.from:g.to] {
		if c.rows == nil || c.rows.has(i) {
			sets[c.index.entries[i].platforms] = true
		}
	}
	seen := map[string]bool{}
	for set := range sets {
		for s := range strings.FieldsSeq(set.Value()) {
			if !seen[s] {
				seen[s] = true
				row.Platforms = append(row.Platforms, image.StoredPlatform(s))
			}
		}
	}
	slices.SortFunc(row.Platforms, func(a, b image.Platform) int { return strings.Compare(a.String(), b.String()) })
	return row
}
