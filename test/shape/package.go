package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// pkg is what is counted of one package.
type pkg struct {
	folder  string
	files   map[string]*file
	lines   int // with templates
	goLines int
	long    int
	types   map[string]bool // exported ones
	methods map[string]int  // by receiver
	fields  map[string]int  // by struct
	homes   map[string]string
	members map[string]string // a method's name → its file; "" where several files have one
}

// file is what one file declares and what it names.
type file struct {
	names     map[string]bool // that it does not declare itself
	selectors map[string]bool // that stand behind a dot
	uses      map[string]bool // the package's other files, once all are known
}

func newPkg(folder string) *pkg {
	return &pkg{folder: folder, files: map[string]*file{}, types: map[string]bool{}, methods: map[string]int{},
		fields: map[string]int{},
		homes:  map[string]string{}, members: map[string]string{}}
}

func (p *pkg) read(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	f := &file{names: map[string]bool{}, selectors: map[string]bool{}, uses: map[string]bool{}}
	p.files[name] = f
	for line := range strings.Lines(string(raw)) {
		p.lines++
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > lineLength {
			p.long++
		}
	}
	if filepath.Ext(path) != ".go" {
		return nil
	}
	p.goLines += strings.Count(string(raw), "\n")
	// The parser's own resolution of names within a file is all that is needed: what it leaves over stands in other files.
	parsed, err := parser.ParseFile(token.NewFileSet(), path, raw, 0)
	if err != nil {
		return err
	}
	for _, d := range parsed.Decls {
		p.declare(name, d)
	}
	for _, id := range parsed.Unresolved {
		f.names[id.Name] = true
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			f.selectors[s.Sel.Name] = true
		}
		return true
	})
	return nil
}

// declare notes what a declaration adds to the package.
func (p *pkg) declare(home string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			p.homes[d.Name.Name] = home
			return
		}
		p.methods[receiver(d.Recv.List[0].Type)]++
		if other, known := p.members[d.Name.Name]; known && other != home {
			home = ""
		}
		p.members[d.Name.Name] = home
	case *ast.GenDecl:
		for _, s := range d.Specs {
			p.specify(home, s)
		}
	}
}

func (p *pkg) specify(home string, s ast.Spec) {
	switch s := s.(type) {
	case *ast.TypeSpec:
		p.homes[s.Name.Name] = home
		if _, asked := s.Type.(*ast.InterfaceType); !asked && s.Name.IsExported() && s.Assign == token.NoPos {
			p.types[s.Name.Name] = true
		}
		if t, ok := s.Type.(*ast.StructType); ok {
			p.fields[s.Name.Name] = t.Fields.NumFields()
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			p.homes[n.Name] = home
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// link finds which files use which: by the names of the package, and by methods that one file alone declares.
func (p *pkg) link() {
	for name, f := range p.files {
		for n := range f.names {
			if home := p.homes[n]; home != "" && home != name {
				f.uses[home] = true
			}
		}
		for n := range f.selectors {
			if home := p.members[n]; home != "" && home != name {
				f.uses[home] = true
			}
		}
	}
}
