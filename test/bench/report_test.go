//go:build linux

package bench

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

// The flags of `task bench`. Without -report nothing is measured: that takes minutes and a quiet machine.
var (
	report = flag.String("report", "", "measure, and rewrite the tables of this file")
	rounds = flag.Int("rounds", 7, "with -report: how often each pull is measured")
	only   = flag.String("only", "",
		"with -report: measure only pulls, serving, pages or searches, print that and leave the file as it is")
)

// TestReport measures what docs/benchmarks.md shows: pulls beside regctl and crane, serving beside distribution and
// olareg, the Images page at three sizes of shelf, and the Search page at a large registry.
func TestReport(t *testing.T) {
	if *report == "" {
		return
	}
	if shelf.RaceEnabled() {
		t.Fatal("a program with the race detector says nothing about speed")
	}
	page, err := os.ReadFile(*report)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	writeMachine(t, &out)
	for _, part := range []struct {
		name    string
		measure func()
	}{
		{"pulls", func() { writePulls(&out, measurePulls(t, *rounds)) }},
		{"serving", func() { reportServing(t, &out) }},
		{"pages", func() { writePages(&out, measurePages(t)) }},
		{"searches", func() {
			figures, memory := measureSearches(t)
			writeSearches(t, &out, figures, memory)
		}},
	} {
		if *only == "" || *only == part.name {
			part.measure()
		}
	}
	fmt.Println(out.String())
	if *only != "" {
		return
	}
	if page, err = between(page, out.Bytes()); err != nil {
		t.Fatalf("%s: %v", *report, err)
	}
	if err := os.WriteFile(*report, page, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The lines of the report that a new measurement goes between.
const (
	measuredBegin = "<!-- measured: begin -->\n"
	measuredEnd   = "<!-- measured: end -->\n"
)

// between replaces what stands between the two marks.
func between(page, measured []byte) ([]byte, error) {
	before, rest, found := strings.Cut(string(page), measuredBegin)
	_, after, found2 := strings.Cut(rest, measuredEnd)
	if !found || !found2 {
		return nil, errors.New("the marks of the measured part are missing")
	}
	return []byte(before + measuredBegin + "\n" + strings.TrimSpace(string(measured)) + "\n\n" + measuredEnd + after), nil
}

func TestTheMeasuredPartIsReplacedAndNothingElse(t *testing.T) {
	got, err := between([]byte("# Title\n"+measuredBegin+"old\n"+measuredEnd+"the rest\n"), []byte("new\n"))
	if want := "# Title\n" + measuredBegin + "\nnew\n\n" + measuredEnd + "the rest\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if _, err := between([]byte("# Title\n"), []byte("new\n")); err == nil {
		t.Error("a page without marks was taken")
	}
}
