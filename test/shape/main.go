// Command shape prints the measures of the house that the project holds itself to: files and lines of a package,
// methods of a receiver, fields of a struct, arrows between files that run against the others, long lines and nouns
// that are declared twice. It reads the checkout below the working directory, parses it and runs nothing. Tests and
// generated files do not count.
package main

import (
	"cmp"
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
	var bars bars
	bars.packages(packages)
	bars.names("Receivers", maxMethods, "methods", packages, func(p *pkg) map[string]int { return p.methods })
	bars.names("Structs", maxFields, "fields", packages, func(p *pkg) map[string]int { return p.fields })
	bars.twice(packages)
	bars.lines(packages)
	return bars.print()
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
		if !product(filepath.ToSlash(path)) {
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
		return !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "_templ.go") && !isTest(path)
	}
	return false
}

// isTest reports whether a file belongs to a package of tests: below test, or a suite such as blobtest beside what it
// tests.
func isTest(path string) bool {
	return strings.HasPrefix(path, "test/") || strings.HasSuffix(filepath.Dir(path), "test")
}

// bars are what the measures are held to, each with what is over it.
type bars struct {
	rows []bar
}

type bar struct {
	what  string
	over  int
	where string
}

// hold adds a bar, met where nothing is over it.
func (b *bars) hold(what string, over []string) {
	b.rows = append(b.rows, bar{what, len(over), strings.Join(over, ", ")})
}

// print prints the bars, met or missed.
func (b *bars) print() error {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range b.rows {
		verdict := "met"
		if r.over > 0 {
			verdict = fmt.Sprintf("missed by %d", r.over)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.what, verdict, r.where)
	}
	return w.Flush()
}

func (b *bars) packages(packages []*pkg) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "package\tfiles\tlines\tarrows\tup\t")
	files, lines := 0, 0
	var manyFiles, manyLines, manyUp []string
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
		cells := []string{p.folder, mark(len(p.files), maxFiles), mark(p.lines, most), strconv.Itoa(arrows), upward, ""}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
		files, lines = files+len(p.files), lines+p.lines
		for _, over := range []struct {
			is   bool
			list *[]string
		}{{len(p.files) > maxFiles, &manyFiles}, {p.lines > most, &manyLines}, {share > maxUp, &manyUp}} {
			if over.is && !isSample(p) {
				*over.list = append(*over.list, p.folder)
			}
		}
	}
	all := []string{fmt.Sprintf("all %d", len(packages)), strconv.Itoa(files), strconv.Itoa(lines), "", "", ""}
	fmt.Fprintln(w, strings.Join(all, "\t"))
	flush(w)
	b.hold(fmt.Sprintf("files a package ≤ %d", maxFiles), manyFiles)
	b.hold(fmt.Sprintf("lines a package ≤ %d, storage %d", maxLines, maxStorage), manyLines)
	b.hold(fmt.Sprintf("arrows up ≤ %.0f %%", maxUp*100), manyUp)
}

// names prints what exceeds a bar, the largest first.
func (b *bars) names(what string, most int, unit string, packages []*pkg, counts func(*pkg) map[string]int) {
	type row struct {
		name  string
		count int
	}
	var over []row
	for _, p := range packages {
		for name, n := range counts(p) {
			if n > most {
				over = append(over, row{p.folder + "." + name, n})
			}
		}
	}
	slices.SortFunc(over, func(a, b row) int { return cmp.Or(b.count-a.count, strings.Compare(a.name, b.name)) })
	fmt.Printf("\n%s over %d %s: %d\n", what, most, unit, len(over))
	var names []string
	for _, r := range over {
		fmt.Printf("  %s %d\n", r.name, r.count)
		names = append(names, r.name)
	}
	b.hold(fmt.Sprintf("%s: %s ≤ %d", strings.ToLower(what), unit, most), names)
}

// ownNames say what a type is for its own package, as Options does: they are no nouns of the product.
var ownNames = []string{"Options", "Store", "Handler", "Handlers", "Client", "Writer", "Reader", "Entry", "Shelf",
	"Source"}

// twice prints the exported types that several packages declare, but for interfaces: each package declares what it asks
// of others.
func (b *bars) twice(packages []*pkg) {
	homes := map[string][]string{}
	for _, p := range packages {
		for name := range p.types {
			if !isSample(p) && !slices.Contains(ownNames, name) {
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
	b.hold("nouns declared twice 0", twice)
}

func (b *bars) lines(packages []*pkg) {
	all, long, product := 0, 0, 0
	var longest []string
	for _, p := range packages {
		all, long = all+p.lines, long+p.long
		if p.long > 0 {
			longest = append(longest, fmt.Sprintf("%s %d", p.folder, p.long))
		}
		if !isSample(p) {
			product += p.goLines
		}
	}
	share := float64(long) / float64(max(all, 1))
	percent := starred(fmt.Sprintf("%.2f %%", share*100), share > maxLong)
	fmt.Printf("\nLines over %d columns: %d of %d, %s\n  %s\n", lineLength, long, all, percent,
		strings.Join(longest, ", "))
	fmt.Printf("Go lines of the product without sample: %d\n", product)
	if share <= maxLong {
		long, longest = 0, nil
	}
	b.rows = append(b.rows, bar{fmt.Sprintf("lines over %d columns ≤ %.1f %%", lineLength, maxLong*100), long,
		strings.Join(longest, ", ")})
}

// isSample reports whether a package makes images for the demo and the tests.
func isSample(p *pkg) bool { return p.folder == "sample" || strings.HasPrefix(p.folder, "sample/") }

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
