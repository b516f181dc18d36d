package image

import (
	"bytes"
	"slices"
	"strings"
)

// SortTags puts the tags of a repository in the order in which people look for them, newest first, in place:
//
//	latest         and its variants: latest-alpine
//	versions       16.1, 15, 15-alpine, 15.10, 15.10-bookworm, 15.9, 15.9-rc1: a tag that moves (15) before
//	               those that it moved over, a variant after its plain version, a pre-release after its release;
//	               a leading v does not count
//	words          alpine, edge, stable
//	words, numbers pg17, pg16, release-1.10, release-1.9
//	dates          20260401, 2026-03-31, jammy-20240808
//	build numbers  48213
//	commits        860c190, main-860c190
//	digests        sha256-…, and the signatures that are kept under such tags
//
// The order is total and depends on nothing but the names: equal lists come out equal, whatever order they
// came in. Names that cannot be tags have a place too.
func SortTags(tags []string) {
	type keyed struct {
		key      []byte
		from, to int // of its key in the arena
		tag      string
	}
	arena := make([]byte, 0, 32*len(tags))
	list := make([]keyed, len(tags))
	for i, t := range tags {
		from := len(arena)
		arena = appendTagKey(arena, t)
		list[i] = keyed{from: from, to: len(arena), tag: t}
	}
	for i := range list { // only now: the arena grew
		list[i].key = arena[list[i].from:list[i].to]
	}
	slices.SortFunc(list, func(a, b keyed) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.tag, b.tag) // 1.2 before v1.2
	})
	for i := range list {
		tags[i] = list[i].tag
	}
}

// The groups of tags, in their order.
const (
	groupLatest = iota
	groupVersion
	groupWord
	groupNumbered
	groupDate
	groupBuild
	groupCommit
	groupDigest
)

// What comes next in a key. Keys are compared byte by byte, so a smaller one stands first: what ends before
// what goes on, and, of what goes on, numbers before words.
const (
	keyEnd    = 0
	keyNumber = 1
	keyText   = 2
	keyPre    = 2 // after the numbers of a version: a pre-release stands after every release of its family
)

// appendTagKey appends the key of a tag, which sorts as the tag does.
func appendTagKey(key []byte, tag string) []byte {
	switch {
	case digestTag(tag):
		return appendWords(append(key, groupDigest), tag)
	case commitTag(tag):
		return appendWords(append(key, groupCommit), tag)
	}
	if d, ok := cutDate(tag); ok {
		key = append(key, groupDate)
		key = appendNumber(key, d.day)
		rest := d.rest
		for { // the time or the count of a day: 20240808.1 came after 20240808
			n, after := cutNumber(strings.TrimLeft(rest, ".-_tT:"))
			if n == "" {
				break
			}
			key = appendNumber(append(key, keyEnd), n)
			rest = after
		}
		key = append(key, keyNumber)
		key = append(appendWords(key, d.prefix), keyEnd)
		return appendWords(key, rest)
	}
	if rest, ok := strings.CutPrefix(tag, DefaultTag); ok && (rest == "" || separator(rest[0])) {
		return appendWords(append(key, groupLatest), rest)
	}
	version := tag
	if len(tag) > 1 && (tag[0] == 'v' || tag[0] == 'V') && digit(tag[1]) {
		version = tag[1:]
	}
	switch n, rest := cutNumber(version); {
	case n == "" && !strings.ContainsAny(tag, "0123456789"):
		return appendWords(append(key, groupWord), tag)
	case n == "":
		return appendWords(append(key, groupNumbered), tag)
	case len(n) >= minBuildDigits && (rest == "" || rest[0] != '.'):
		return appendWords(append(key, groupBuild), version)
	}
	return appendVersion(append(key, groupVersion), version)
}

// minBuildDigits is from how many digits on a number alone is not the version of anything.
const minBuildDigits = 5

// appendVersion appends a version: its numbers, a pre-release, and what is left as the name of a variant.
func appendVersion(key []byte, version string) []byte {
	rest := version
	for {
		n, after := cutNumber(rest)
		if n == "" {
			break
		}
		key = appendNumber(append(key, keyNumber), n)
		rest = after
		if len(rest) < 2 || rest[0] != '.' || !digit(rest[1]) {
			break
		}
		rest = rest[1:]
	}
	rank, after, ok := cutPreRelease(rest)
	if !ok {
		return appendWords(append(key, keyEnd), rest)
	}
	key = append(key, keyPre, rank)
	rest = after
	for { // rc without a number moves over rc2 and rc1
		n, after := cutNumber(strings.TrimLeft(rest, ".-_"))
		if n == "" {
			break
		}
		key = appendNumber(append(key, keyNumber), n)
		rest = after
	}
	return appendWords(append(key, keyEnd), rest)
}

// preReleases are the words of pre-releases, the one nearest to the release first. Those of one letter need a
// number: 3.14.0a1. "dev" is not among them: it is the name of variants with a shell and compilers.
var preReleases = []struct {
	word string
	rank byte
}{
	{"rc", 0}, {"cr", 0},
	{"preview", 1}, {"pre", 1}, {"ea", 1},
	{"beta", 2}, {"b", 2},
	{"milestone", 3}, {"m", 3},
	{"alpha", 4}, {"a", 4},
	{"snapshot", 5}, {"nightly", 5}, {"canary", 5},
}

// cutPreRelease takes the word of a pre-release off what follows the numbers of a version.
func cutPreRelease(s string) (rank byte, rest string, ok bool) {
	s = strings.TrimLeft(s, ".-_")
	end := 0
	for end < len(s) && letter(s[end]) {
		end++
	}
	for _, p := range preReleases {
		if end != len(p.word) || !strings.EqualFold(s[:end], p.word) {
			continue
		}
		if end == 1 && (len(s) == 1 || !digit(s[1])) {
			continue
		}
		return p.rank, s[end:], true
	}
	return 0, s, false
}

// datedTag is a tag with a day in it, such as bookworm-20240812-slim.
type datedTag struct {
	prefix string // without digits
	day    string // eight digits
	rest   string
}

// cutDate finds a day in a tag: at its beginning or after words.
func cutDate(tag string) (datedTag, bool) {
	at := strings.IndexAny(tag, "0123456789")
	if at < 0 {
		return datedTag{}, false
	}
	s := tag[at:]
	run := digits(s)
	switch {
	case run == 8 || run == 12 || run == 14: // with a time behind it: 202408081530
		if !day(s[:4], s[4:6], s[6:8]) {
			return datedTag{}, false
		}
		return datedTag{prefix: tag[:at], day: s[:8], rest: s[8:]}, true
	case run == 4 && len(s) >= 10 && (s[4] == '-' || s[4] == '_') && s[7] == s[4] && digits(s[5:]) == 2 &&
		digits(s[8:]) == 2:
		if !day(s[:4], s[5:7], s[8:10]) {
			return datedTag{}, false
		}
		return datedTag{prefix: tag[:at], day: s[:4] + s[5:7] + s[8:10], rest: s[10:]}, true
	}
	return datedTag{}, false
}

// day reports whether digits make a day that a tag may mean.
func day(y, m, d string) bool {
	return y >= "1990" && y < "2100" && m >= "01" && m <= "12" && d >= "01" && d <= "31"
}

// commitTag reports whether a tag names a commit, alone or after words: git's short hashes have 7 digits or more.
func commitTag(tag string) bool {
	last := tag[strings.LastIndexAny(tag, ".-_")+1:]
	if len(last) < 7 || len(last) > 40 || strings.ContainsAny(tag[:len(tag)-len(last)], "0123456789") {
		return false
	}
	letters, figures := 0, 0
	for i := range len(last) {
		switch c := last[i]; {
		case digit(c):
			figures++
		case c >= 'a' && c <= 'f':
			letters++
		default:
			return false
		}
	}
	return letters > 0 && figures > 0
}

// digestTag reports whether a tag is a digest, or holds the signatures, attestations or bills of material of
// one: sha256-<hex>, sha256-<hex>.sig (cosign), or the hex alone.
func digestTag(tag string) bool {
	hex, named := tag, false
	for _, algorithm := range []string{"sha256", "sha512"} {
		if rest, ok := strings.CutPrefix(tag, algorithm); ok && rest != "" && separator(rest[0]) {
			hex, named = rest[1:], true
		}
	}
	n := 0
	for n < len(hex) && (digit(hex[n]) || hex[n] >= 'a' && hex[n] <= 'f') {
		n++
	}
	if named {
		return n >= 32
	}
	return n == 64 && n == len(hex) // without a separator none of the extensions can follow
}

// appendWords appends text as people order it: words by the alphabet, and numbers, which are counts or
// versions, from the highest. What separates them does not count.
func appendWords(key []byte, s string) []byte {
	for s != "" {
		switch {
		case digit(s[0]):
			n, rest := cutNumber(s)
			key = appendNumber(append(key, keyNumber), n)
			s = rest
		case separator(s[0]):
			s = s[1:]
		default:
			key = append(key, keyText)
			for s != "" && !digit(s[0]) && !separator(s[0]) {
				c := s[0]
				if c >= 'A' && c <= 'Z' {
					c += 'a' - 'A'
				}
				key = append(key, c)
				s = s[1:]
			}
			key = append(key, keyEnd)
		}
	}
	return key
}

// appendNumber appends a number of any length so that higher ones stand first.
func appendNumber(key []byte, n string) []byte {
	n = strings.TrimLeft(n, "0")
	for rest := len(n); ; rest -= 254 { // how long it is; one byte does for every tag
		if rest < 255 {
			key = append(key, byte(255-rest))
			break
		}
		key = append(key, 0)
	}
	for i := range len(n) {
		key = append(key, '9'-n[i]+'0')
	}
	return key
}

// cutNumber takes the digits off the beginning of a text.
func cutNumber(s string) (number, rest string) {
	n := digits(s)
	return s[:n], s[n:]
}

// digits counts those at the beginning of a text.
func digits(s string) int {
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func separator(c byte) bool { return c == '.' || c == '-' || c == '_' || c == 0 }
