package listing

import (
	"math/rand/v2"
	"path"
	"strings"
	"testing"
)

// A glob is path.Match's, whatever is looked at first.
func TestAGlobMatchesWhatPathMatchDoes(t *testing.T) {
	parts := []string{"a", "b", "/", "*", "?", "[ab]", "[^a]", `\*`, ":", "-", "ab"}
	r := rand.New(rand.NewPCG(1, 2))
	text := func(from []string) (s string) {
		for range r.IntN(6) {
			s += from[r.IntN(len(from))]
		}
		return s
	}
	matches := 0
	for range 200_000 {
		pattern, name := text(parts), text([]string{"a", "b", "/", ":", "-", "*", "ä"})
		want, err := path.Match(pattern, name)
		if got := newGlob(pattern).match(name); got != (want && err == nil) {
			t.Fatalf("%q, %q: %v", pattern, name, got)
		}
		if want {
			matches++
			if at := strings.LastIndex(name, "/"); !newGlob(pattern).folder(name[:at+1]) {
				t.Fatalf("%q, %q: matches, and its folder does not", pattern, name)
			}
		}
	}
	if matches < 1000 {
		t.Errorf("only %d matched", matches)
	}
}
