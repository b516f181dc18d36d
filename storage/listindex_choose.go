package storage

import (
	"context"
	"database/sql"
	"math"
	"math/bits"
	"path"
	"slices"
	"strings"
	"unique"

	"github.com/stowage/stowage/image"
)

// listFilter is a ListQuery in the index's terms.
type listFilter struct {
	repository image.Repository
	text       string  // in lower case
	reached    []int64 // rows that the text finds by an ID or digest
	references []string
	dangling   DanglingFilter
	labels     []image.Label
	from, to   int64 // created from one millisecond up to, not including, another
	dated      bool  // the two count
	registry   string
	platform   image.Platform
	updates    uint8 // a bit for each updateCode; 0: any
	pinned     bool
}

// compile reads what only the database knows. Errors are of kind Invalid.
func (q ListQuery) compile(ctx context.Context, tx *sql.Tx) (listFilter, error) {
	f := listFilter{repository: q.Repository, references: q.References, dangling: q.Dangling, labels: q.Labels, registry: q.Registry,
		platform: q.Platform, pinned: q.Pinned, from: math.MinInt64, to: math.MaxInt64, dated: !q.Before.IsZero() || !q.Since.IsZero()}
	for _, pattern := range q.References {
		if _, err := path.Match(pattern, ""); err != nil {
			return f, image.Errorf(image.Invalid, "%.80q is not a pattern: %w", pattern, err)
		}
	}
	if !q.Before.IsZero() {
		if f.to = q.Before.UnixMilli(); f.to < math.MaxInt64 && q.Before.Nanosecond()%1e6 > 0 {
			f.to++
		}
	}
	if !q.Since.IsZero() {
		f.from = q.Since.UnixMilli() + 1
	}
	for _, u := range q.Updates {
		f.updates |= 1 << updateCodes[u]
	}
	text := strings.ToLower(strings.TrimSpace(q.Text))
	f.text = strings.TrimPrefix(strings.TrimPrefix(text, "docker.io/"), "library/")
	if digits, ok := image.ParseIDPrefix(text); ok {
		from, to := "sha256:"+digits, "sha256:"+digits+"g" // g sorts after every hex digit
		var err error
		f.reached, err = rowsOf(ctx, tx, func(rows *sql.Rows) (id int64, err error) { return id, rows.Scan(&id) }, reachedBy, from, to, from, to, from, to)
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// reachedBy finds the rows of the list under which a digest can be reached that begins with given digits: an
// index, a manifest, the image ID of any platform, or a layer. Few digests are meant: the rest is not looked for.
const reachedBy = `SELECT id FROM listing WHERE digest IN (
	WITH RECURSIVE up (digest) AS (SELECT * FROM (
		SELECT digest FROM manifests WHERE digest BETWEEN ? AND ?
		UNION SELECT manifest_digest FROM images WHERE config_digest BETWEEN ? AND ?
		UNION SELECT manifest_digest FROM image_layers WHERE layer_digest BETWEEN ? AND ?
		LIMIT 1000)
		UNION SELECT e.index_digest FROM index_entries e JOIN up ON e.digest = up.digest AND e.kind IN ('image', 'index'))
	SELECT digest FROM up)`

// listChoice is what a filter chooses. It is valid while the index does not change.
type listChoice struct {
	index *listIndex
	rows  bitset // nil: all
	total int
}

// choose finds the rows that pass f, hands them to pick and tells as of which change they are.
func (x *listIndex) choose(f listFilter, pick func(*listChoice)) (seq int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := listChoice{index: x, total: len(x.orders[inID])}
	remembered := f.remembered(x)
	test := f.test()
	if f.repository == "" && len(remembered) == 0 && test == nil {
		pick(&c)
		return x.seq
	}
	c.rows = newBitset(len(x.entries))
	if f.repository == "" {
		for _, i := range x.orders[inID] {
			c.rows.set(i)
		}
	} else {
		for _, i := range x.repositoryRows(f.repository) {
			c.rows.set(i)
		}
	}
	for _, b := range remembered {
		c.rows.keep(b)
	}
	if test != nil {
		x.sieve(c.rows, test)
	}
	c.total = c.rows.count()
	pick(&c)
	return x.seq
}

// sieve takes out the rows that fail a test.
func (x *listIndex) sieve(rows bitset, test func(*entry) bool) {
	for w, word := range rows {
		for rest := word; rest != 0; rest &= rest - 1 {
			bit := bits.TrailingZeros64(rest)
			if !test(&x.entries[w*64+bit]) {
				rows[w] &^= 1 << bit
			}
		}
	}
}

// repositoryRows gives the places of a repository's rows.
func (x *listIndex) repositoryRows(name image.Repository) []uint32 {
	familiar := name.Familiar()
	list := x.orders[inRepository]
	at, _ := slices.BinarySearchFunc(list, familiar, func(i uint32, familiar string) int { return strings.Compare(x.entries[i].repo.familiar, familiar) })
	end := at
	for end < len(list) && x.entries[list[end]].repo.name == name {
		end++
	}
	return list[at:end]
}

// remembered gives the rows that pass each of the filters that are remembered.
func (f listFilter) remembered(x *listIndex) (all []bitset) {
	if f.text != "" {
		passed := x.passing(predicate{kind: byPart, text: f.text})
		if len(f.reached) > 0 {
			passed = slices.Clone(passed)
			for _, id := range f.reached {
				if i, found := x.place(id); found {
					passed.set(i)
				}
			}
		}
		all = append(all, passed)
	}
	if len(f.references) > 0 {
		any := newBitset(len(x.entries))
		for _, pattern := range f.references {
			for w, word := range x.passing(predicate{kind: byGlob, text: pattern}) {
				any[w] |= word
			}
		}
		all = append(all, any)
	}
	if len(f.labels) > 0 {
		all = append(all, x.passing(byAllLabels(f.labels)))
	}
	return all
}

// test gives the rest of the filter as a test of one row; nil where there is no rest. It is for one goroutine.
func (f listFilter) test() func(*entry) bool {
	var tests []func(*entry) bool
	switch f.dangling {
	case DanglingOnly:
		tests = append(tests, func(e *entry) bool { return e.reason == dangling })
	case DanglingHidden:
		tests = append(tests, func(e *entry) bool { return e.reason != dangling })
	case DanglingShown:
	}
	if f.pinned {
		tests = append(tests, func(e *entry) bool { return e.pinned })
	}
	if f.updates != 0 {
		tests = append(tests, func(e *entry) bool { return f.updates&(1<<e.update) != 0 })
	}
	if f.dated {
		tests = append(tests, func(e *entry) bool { return e.created >= f.from && e.created < f.to && e.created != unknownTime })
	}
	if f.registry != "" {
		tests = append(tests, func(e *entry) bool { return e.repo.host == f.registry })
	}
	if f.platform != (image.Platform{}) {
		tests = append(tests, hasPlatform(f.platform))
	}
	if len(tests) == 0 {
		return nil
	}
	return func(e *entry) bool {
		for _, t := range tests {
			if !t(e) {
				return false
			}
		}
		return true
	}
}

// unknownTime is how the database has the creation time of what does not say.
const unknownTime = -62135596800000

// hasPlatform tests whether a row has a platform; one without an OS version stands for all versions.
func hasPlatform(p image.Platform) func(*entry) bool {
	known := map[unique.Handle[string]]bool{}
	var last unique.Handle[string]
	var lastHas bool
	return func(e *entry) bool {
		if e.platforms == last {
			return lastHas
		}
		has, found := known[e.platforms]
		if !found {
			for s := range strings.FieldsSeq(e.platforms.Value()) {
				stored := storedPlatform(s)
				if p.OSVersion == "" {
					stored.OSVersion = ""
				}
				has = has || stored == p
			}
			known[e.platforms] = has
		}
		last, lastHas = e.platforms, has
		return has
	}
}

// page gives the IDs of the rows from offset on, at most limit, in an order or its reverse.
func (c *listChoice) page(o order, descending bool, offset, limit int) []int64 {
	limit = min(limit, c.total-offset)
	if limit <= 0 || offset < 0 {
		return nil
	}
	list := c.index.orders[o]
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
