package listing

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unique"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// predicate is a filter whose answers are remembered.
type predicate struct {
	kind   predicateKind
	text   string
	labels []image.Label // for byLabels, where text tells them from others
}

// predicateKey tells one filter from others.
type predicateKey struct {
	kind predicateKind
	text string
}

func (p predicate) key() predicateKey { return predicateKey{p.kind, p.text} }

type predicateKind uint8

const (
	byPart predicateKind = iota
	byGlob
	byLabels
	byDangling
	byNotDangling
	byRegistry
	byPlatform
	byUpdate
	byPinned
)

// byAllLabels is the filter by labels.
func byAllLabels(labels []image.Label) predicate {
	text := ""
	for _, l := range labels {
		text += strconv.Quote(l.String())
	}
	return predicate{byLabels, text, labels}
}

const (
	// mostPassed bounds the filters of which it is remembered which rows passed: looking at each row is the one part of a
	// choice that takes milliseconds, and people turn pages, change the order and combine filters far more often than they
	// ask for what nobody asked for yet. They take some 800 kB at 100,000 rows.
	mostPassed = 64
	fewChanges = 200 // up to which what is remembered is kept right; more, and it is forgotten
)

// passed is which rows passed a filter.
type passed struct {
	of   predicate
	rows bitset
}

// passing returns the places whose rows pass. The caller holds x.mu and must not change the answer.
func (x *Index) passing(p predicate) bitset {
	if known, ok := x.passed.Get(p.key()); ok {
		return known.rows
	}
	rows := newBitset(len(x.entries))
	passes := x.matcher(p)
	for i := range x.entries {
		if e := &x.entries[i]; e.id != 0 && passes(e) {
			rows.set(uint32(i))
		}
	}
	x.passed.Put(p.key(), &passed{p, rows})
	return rows
}

// changed has what is remembered follow changes at some places. The caller holds x.mu for writing.
func (x *Index) changed(places []uint32) {
	if len(places) > fewChanges {
		x.passed.Clear()
		return
	}
	for _, known := range x.passed.All() {
		if more := len(newBitset(len(x.entries))) - len(known.rows); more > 0 {
			known.rows = append(known.rows, make(bitset, more)...)
		}
		passes := x.matcher(known.of)
		for _, i := range places {
			known.rows.clear(i)
			if e := &x.entries[i]; e.id != 0 && passes(e) {
				known.rows.set(i)
			}
		}
	}
}

// matcher returns the test of a row. It remembers what it found of a repository, so it is for one goroutine.
func (x *Index) matcher(p predicate) func(*entry) bool {
	switch p.kind {
	case byPart:
		return func(e *entry) bool {
			if e.upper {
				return strings.Contains(strings.ToLower(e.name), p.text)
			}
			return strings.Contains(e.name, p.text)
		}
	case byGlob:
		return globMatcher(p.text)
	case byLabels:
		wanted := make([]wantedLabel, len(p.labels))
		for i, l := range p.labels {
			wanted[i] = wantedLabel{x.labelHash(l), l.Any}
		}
		return func(e *entry) bool { return e.labels != "" && labelled(e.labels, wanted) }
	case byDangling:
		return func(e *entry) bool { return e.reason == dangling }
	case byNotDangling:
		return func(e *entry) bool { return e.reason != dangling }
	case byRegistry:
		return func(e *entry) bool { return e.repo.host == p.text }
	case byPlatform:
		return platformMatcher(image.StoredPlatform(p.text))
	case byUpdate:
		state := updateCodes[shelf.UpdateState(p.text)]
		return func(e *entry) bool { return e.update == state }
	case byPinned:
		return func(e *entry) bool { return e.pinned }
	}
	return func(*entry) bool { return false }
}

// platformMatcher tests whether a row has a platform; one without an OS version stands for all versions.
func platformMatcher(p image.Platform) func(*entry) bool {
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
				stored := image.StoredPlatform(s)
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

// globMatcher is docker's reference filter: the familiar name with its tag or digest, or else the name alone. Most of a
// pattern is held against a name once for all the rows of its repository.
func globMatcher(pattern string) func(*entry) bool {
	g := newGlob(pattern)
	byDigest := strings.Contains(pattern, "@")
	type known struct{ whole, below bool }
	repositories := map[*repository]known{}
	var last *repository
	var of known
	return func(e *entry) bool {
		if e.repo != last {
			var found bool
			if of, found = repositories[e.repo]; !found {
				familiar := e.repo.familiar
				of = known{whole: g.match(familiar), below: g.folder(familiar)}
				repositories[e.repo] = of
			}
			last = e.repo
		}
		if of.whole || !of.below {
			return of.whole
		}
		// A tag's row is its digest's row too, and found by it. Docker would show it as <none>, which here means that
		// there is no tag.
		return g.match(e.name) || byDigest && e.reason == tagged &&
			g.match(e.repo.familiar+"@sha256:"+hex.EncodeToString(e.digest[:]))
	}
}
