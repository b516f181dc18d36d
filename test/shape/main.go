// Command shape prints the measures of the house that the project holds itself to: files and lines of a package, methods
// of a receiver, fields of a struct, arrows between files that run against the others, long lines and nouns that are
// declared twice. It reads the checkout below the working directory, parses it and runs nothing.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// The bars. What is over one is marked with an asterisk.
const (
	maxFiles   = 20
	maxLines   = 2500
	maxStorage = 4500 // storage holds all SQL
	maxMethods = 25
	maxFields  = 15
	maxUp      = 0.10  // of a package's arrows
	maxLong    = 0.005 // of all lines
	lineLength = 120   // columns
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "shape:", err)
		os.Exit(1)
	}
}

func run() error {
	packages, err := load(".")
	if err != nil {
		return err
	}
	printPackages(packages)
	printNames("Receivers over", maxMethods, "methods", packages, func(p *pkg) map[string]int { return p.methods })
	printNames("Structs over", maxFields, "fields", packages, func(p *pkg) map[string]int { return p.fields })
	printTwice(packages)
	printLines(packages)
	return nil
}

// load reads each package of the product: what is neither a test nor generated.
func load(root string) ([]*pkg, error) {
	byFolder := map[string]*pkg{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !product(path) {
			return nil
		}
		folder := filepath.ToSlash(filepath.Dir(path))
		if byFolder[folder] == nil {
			byFolder[folder] = newPkg(folder)
		}
		return byFolder[folder].read(path)
	})
	packages := make([]*pkg, 0, len(byFolder))
	for _, p := range byFolder {
		p.link()
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b *pkg) int { return strings.Compare(a.folder, b.folder) })
	return packages, err
}

// product reports whether a file is the product's own code. Templates count, what is generated of them does not.
func product(path string) bool {
	switch filepath.Ext(path) {
	case ".templ":
		return true
	case ".go":
		return !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "_templ.go") && !strings.HasPrefix(filepath.ToSlash(path), "test/")
	}
	return false
}

func printPackages(packages []*pkg) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "package\tfiles\tlines\tarrows\tup\t")
	files, lines := 0, 0
	for _, p := range packages {
		most := maxLines
		if p.folder == "storage" {
			most = maxStorage
		}
		arrows, up := p.arrows()
		share := 0.0
		if arrows > 0 {
			share = float64(up) / float64(arrows)
		}
		upward := starred(fmt.Sprintf("%d %%", int(share*100+0.5)), share > maxUp)
		fmt.Fprintln(w, strings.Join([]string{p.folder, mark(len(p.files), maxFiles), mark(p.lines, most), strconv.Itoa(arrows), upward, ""}, "\t"))
		files, lines = files+len(p.files), lines+p.lines
	}
	fmt.Fprintln(w, strings.Join([]string{fmt.Sprintf("all %d", len(packages)), strconv.Itoa(files), strconv.Itoa(lines), "", "", ""}, "\t"))
	flush(w)
}

// printNames prints what exceeds a bar, the largest first.
func printNames(what string, bar int, unit string, packages []*pkg, counts func(*pkg) map[string]int) {
	type row struct {
		name  string
		count int
	}
	var over []row
	for _, p := range packages {
		for name, n := range counts(p) {
			if n > bar {
				over = append(over, row{p.folder + "." + name, n})
			}
		}
	}
	slices.SortFunc(over, func(a, b row) int {
		if a.count != b.count {
			return b.count - a.count
		}
		return strings.Compare(a.name, b.name)
	})
	fmt.Printf("\n%s %d %s: %d\n", what, bar, unit, len(over))
	for _, r := range over {
		fmt.Printf("  %s %d\n", r.name, r.count)
	}
}

// printTwice prints the exported types that several packages declare. Names that say what a type is for its own package,
// as Options does, are no nouns of the product.
func printTwice(packages []*pkg) {
	homes := map[string][]string{}
	for _, p := range packages {
		if p.folder == "sample" || strings.HasPrefix(p.folder, "sample/") {
			continue
		}
		for name := range p.types {
			if !slices.Contains([]string{"Options", "Store", "Handler", "Handlers", "Client", "Writer", "Reader", "Entry"}, name) {
				homes[name] = append(homes[name], p.folder)
			}
		}
	}
	var twice []string
	for name, at := range homes {
		if len(at) > 1 {
			twice = append(twice, name+" ("+strings.Join(at, ", ")+")")
		}
	}
	slices.Sort(twice)
	fmt.Printf("\nNouns declared twice: %d\n", len(twice))
	for _, t := range twice {
		fmt.Println("  " + t)
	}
}

func printLines(packages []*pkg) {
	all, long, product := 0, 0, 0
	for _, p := range packages {
		all, long = all+p.lines, long+p.long
		if p.folder != "sample" && !strings.HasPrefix(p.folder, "sample/") {
			product += p.goLines
		}
	}
	share := float64(long) / float64(max(all, 1))
	fmt.Printf("\nLines over %d columns: %d, %s\n", lineLength, long, starred(fmt.Sprintf("%.2f %%", share*100), share > maxLong))
	fmt.Printf("Go lines of the product without sample: %d\n", product)
}

func mark(n, bar int) string { return starred(fmt.Sprint(n), n > bar) }

func starred(s string, over bool) string {
	if over {
		return "*" + s
	}
	return s
}

func flush(w *tabwriter.Writer) {
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "shape:", err)
	}
}
