// Package golden holds pages against files: a few pages whole, with all of their markup, and of the others what they
// say, offer and lead to.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	mainPart  = regexp.MustCompile(`(?s)<main[^>]*>(.*)</main>`)
	tagBreak  = regexp.MustCompile(`><`)
	assetHash = regexp.MustCompile(`/static/[^"]*`)
	planPrint = regexp.MustCompile(`name="plan" value="sha256:[0-9a-f]{64}"`)
)

// Main returns the page's own part, a tag a line, so that it can be read and compared.
func Main(page string) string {
	if m := mainPart.FindStringSubmatch(page); m != nil {
		page = m[1]
	}
	return assetHash.ReplaceAllString(tagBreak.ReplaceAllString(strings.TrimSpace(page), ">\n<"), "/static/…") + "\n"
}

// whole are the ten pages that are held with all of their markup: they show every part that pages are made of, in both
// languages. Of the others a file has what they say, which Outline tells.
var whole = []string{
	"images", "image_pinned", "image_use_korean", "storage", "search-all", "picker", "pull-form", "pull-tags-pulling",
	"prune-all",
	"delete-many",
}

// Hold compares a page with its file in testdata, but for the fingerprints of plans: the page's own part, or of a page
// that is not held whole the parts that a test is about, each the element with an ID or a label.
func Hold(t *testing.T, page, name string, parts ...string) {
	t.Helper()
	got := planPrint.ReplaceAllString(Main(page), `name="plan" value="…"`)
	if slices.Contains(whole, name) {
		compare(t, filepath.Join("testdata", name+".html"), got)
		return
	}
	said, err := Outline(got, parts...)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, filepath.Join("testdata", name+".txt"), said)
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run the tests with -update and look at what changed\n%s", path, got)
	}
}
