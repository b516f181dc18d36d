package house

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pagePath finds a text in the code that begins with the path of a page.
var pagePath = regexp.MustCompile("[\"`]/(images|layers|pulls?|search|storage|prune|delete|removals|archives?|updates|help|preferences|demo|sign-in|sign-out|first-start|profile|admin)([\"`/?])")

// knowPaths are the places that may know the paths of pages.
var knowPaths = []string{
	"views/address/", // reads and writes them
	"web/routes.go",  // the table of routes
}

func TestOnlyAddressesAndTheRoutesKnowThePathsOfPages(t *testing.T) {
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == "node_modules" || name == "test" || strings.HasPrefix(name, ".") && name != "." {
				return filepath.SkipDir
			}
			return nil
		}
		code := strings.HasSuffix(name, ".templ") ||
			strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(name, "_templ.go")
		code = code && path.Base(name) != "help.templ" // words for people: an example of each kind of address
		if !code || slices.ContainsFunc(knowPaths, func(place string) bool { return strings.HasPrefix(name, place) }) {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		for n, line := range strings.Split(string(text), "\n") {
			if found := pagePath.FindString(line); found != "" {
				t.Errorf("%s:%d: %s…: take it from views/address", name, n+1, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
