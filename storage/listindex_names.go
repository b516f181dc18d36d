package storage

import (
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"sync"
)

// namePredicate is a filter by name: a part of it, or a glob.
type namePredicate struct {
	text string
	glob bool
}

// nameCache remembers which rows passed a filter by name: looking at each name is the one part of a choice that takes
// milliseconds, and people turn pages and change the order far more often than the filter.
type nameCache struct {
	mu    sync.Mutex
	known []cachedNames // the last used at the end
}

type cachedNames struct {
	of     namePredicate
	passed bitset
}

const (
	maxCachedNames = 64  // some 800 kB at 100,000 rows
	fewChanges     = 200 // up to which what is remembered is kept right; more, and it is forgotten
)

// passing gives the places whose names pass. The caller holds x.mu and must not change the answer.
func (x *listIndex) passing(p namePredicate) bitset {
	c := &x.names
	c.mu.Lock()
	if i := slices.IndexFunc(c.known, func(k cachedNames) bool { return k.of == p }); i >= 0 {
		k := c.known[i]
		c.known = append(slices.Delete(c.known, i, i+1), k)
		c.mu.Unlock()
		return k.passed
	}
	c.mu.Unlock()
	passed := newBitset(len(x.entries))
	passes := p.matcher()
	for i := range x.entries {
		if e := &x.entries[i]; e.id != 0 && passes(e) {
			passed.set(uint32(i)) //nolint:gosec // as in add
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCachedNames {
		c.known = slices.Delete(c.known, 0, 1+len(c.known)-maxCachedNames)
	}
	c.known = append(c.known, cachedNames{p, passed})
	return passed
}

// changed follows changes at some places. The caller holds x.mu for writing.
func (c *nameCache) changed(x *listIndex, places []uint32) {
	if len(places) > fewChanges {
		c.forget()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.known {
		known := &c.known[k]
		if more := len(newBitset(len(x.entries))) - len(known.passed); more > 0 {
			known.passed = append(known.passed, make(bitset, more)...)
		}
		passes := known.of.matcher()
		for _, i := range places {
			known.passed.clear(i)
			if e := &x.entries[i]; e.id != 0 && passes(e) {
				known.passed.set(i)
			}
		}
	}
}

func (c *nameCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = nil
}

// matcher gives the test of a row. It remembers what it found of a repository, so it is for one goroutine.
func (p namePredicate) matcher() func(*entry) bool {
	if !p.glob {
		return func(e *entry) bool {
			if e.upper {
				return strings.Contains(strings.ToLower(e.name), p.text)
			}
			return strings.Contains(e.name, p.text)
		}
	}
	g := newGlob(p.text)
	byDigest := strings.Contains(p.text, "@")
	repositories := map[*listedRepository]bool{}
	return func(e *entry) bool {
		whole, known := repositories[e.repo]
		if !known {
			whole = g.match(e.repo.familiar)
			repositories[e.repo] = whole
		}
		// A tag's row is its digest's row too, and found by it. Docker would show it as <none>, which here means that
		// there is no tag.
		return whole || g.match(e.name) || byDigest && e.reason == tagged && g.match(e.repo.familiar+"@sha256:"+hex.EncodeToString(e.digest[:]))
	}
}

// glob is a pattern of path.Match, with what a name must begin and end with to be worth the look.
type glob struct{ pattern, prefix, suffix string }

func newGlob(pattern string) glob {
	g := glob{pattern: pattern, prefix: pattern}
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		g.prefix = pattern[:i]
		if !strings.ContainsAny(pattern, `[\`) {
			g.suffix = pattern[strings.LastIndexAny(pattern, `*?`)+1:]
		}
	}
	return g
}

func (g glob) match(name string) bool {
	if !strings.HasPrefix(name, g.prefix) || !strings.HasSuffix(name, g.suffix) {
		return false
	}
	matched, err := path.Match(g.pattern, name)
	return matched && err == nil
}
