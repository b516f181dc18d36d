package listing

import (
	"path"
	"strings"
)

// glob matches as path.Match does, which is what docker has, and quicker where a pattern has neither classes nor
// escapes: then nothing but a slash stands for a slash, so a name is matched part by part.
type glob struct {
	pattern string
	parts   []string // between the slashes; nil: path.Match has to do it
}

func newGlob(pattern string) glob {
	g := glob{pattern: pattern}
	if !strings.ContainsAny(pattern, `[\`) {
		g.parts = strings.Split(pattern, "/")
	}
	return g
}

func (g glob) match(name string) bool {
	if g.parts == nil || !isASCII(name) {
		matched, err := path.Match(g.pattern, name)
		return matched && err == nil
	}
	for i, part := range g.parts {
		text, rest, more := strings.Cut(name, "/")
		if more != (i < len(g.parts)-1) || !matchPart(part, text) {
			return false
		}
		name = rest
	}
	return true
}

// folder reports whether a name could match that begins as another and has no slash more: whether all parts but the
// last match.
func (g glob) folder(name string) bool {
	if g.parts == nil {
		return true
	}
	for i, part := range g.parts {
		text, rest, more := strings.Cut(name, "/")
		if more != (i < len(g.parts)-1) {
			return false
		}
		if more && isASCII(text) && !matchPart(part, text) {
			return false
		}
		name = rest
	}
	return true
}

// matchPart matches a text without slashes: * is any of it, ? one character.
func matchPart(pattern, text string) bool {
	p, t := 0, 0
	star, from := -1, 0 // the last star, and from where on what follows it was tried
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
