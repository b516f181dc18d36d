package text

import (
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

// errorFiles is where a language has its error texts: errors.ko.toml, and errors_SUBJECT.ko.toml beside it.
func errorFiles(t *testing.T, lang string) []string {
	t.Helper()
	paths, err := filepath.Glob("locales/errors*." + lang + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// errorSources are the folders whose packages, and those below them, make errors that people may be shown.
var errorSources = []string{"image", "auth", "shelf", "job", "registry", "pull", "archive", "storage", "handlers", "web", "views"}

// formats collects the formats of the texts that people may be shown, and where they stand.
type formats struct {
	t         *testing.T
	fset      *token.FileSet
	pkg       string
	positions map[string]string
	forward   map[string]formatter // functions of the package that hand a format on
	exported  map[string]formatter // those of all packages that others can call, as package.Name
}

// formatter is a function that takes a format.
type formatter struct {
	param    int // which of its parameters that is
	internal bool
}

// parsed is a package, and which of its functions hand a format on.
type parsed struct {
	pkg     string
	files   []*ast.File
	forward map[string]formatter
}

// errorFormats reads the source for the formats given to image.Errorf, Suggest and Textf, or to a function that
// hands its own format on to them. What is of kind Internal is never shown and left out.
func errorFormats(t *testing.T) map[string]string {
	t.Helper()
	f := &formats{t: t, fset: token.NewFileSet(), positions: map[string]string{}, exported: map[string]formatter{}}
	var all []parsed
	for _, dir := range folders(t, errorSources...) {
		paths, err := filepath.Glob("../../" + dir + "/*.go")
		if err != nil || len(paths) == 0 {
			t.Fatalf("no source in %s (%v)", dir, err)
		}
		p := parsed{pkg: filepath.Base(dir), forward: map[string]formatter{}}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(f.fset, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			p.files = append(p.files, file)
		}
		f.pkg, f.forward = p.pkg, p.forward
		for _, file := range p.files {
			ast.Inspect(file, f.findForwarding)
		}
		all = append(all, p)
	}
	for _, p := range all {
		f.pkg, f.forward = p.pkg, p.forward
		for _, file := range p.files {
			ast.Inspect(file, f.collect)
			if path := f.fset.Position(file.Pos()).Filename; path != filepath.Join("..", "..", "image", "errors.go") {
				ast.Inspect(file, f.refuseBareMessages)
			}
		}
	}
	return f.positions
}

func (f *formats) position(n ast.Node) string {
	return strings.TrimPrefix(f.fset.Position(n.Pos()).String(), "../../")
}

// formatterOf reports whether a call is of a function that takes a format.
func (f *formats) formatterOf(call *ast.CallExpr) (formatter, bool) {
	name, from := "", ""
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		name, from = fun.Name, f.pkg
	case *ast.SelectorExpr:
		name = fun.Sel.Name
		if x, ok := fun.X.(*ast.Ident); ok {
			from = x.Name
		}
	}
	switch {
	case name == "Errorf" && from == "image" && len(call.Args) > 1:
		return formatter{param: 1, internal: identName(call.Args[0]) == "Internal"}, true
	case name == "Textf" && from == "image", name == "Suggest":
		return formatter{}, len(call.Args) > 0
	}
	known, ok := f.forward[name]
	if !ok {
		known, ok = f.exported[from+"."+name]
	}
	return known, ok && from != "fmt" && len(call.Args) > known.param
}

// identName returns the last name of an expression such as image.Internal.
func identName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// findForwarding notes functions with the parameters format string, args ...any that hand both on.
func (f *formats) findForwarding(n ast.Node) bool {
	var name string
	var kind *ast.FuncType
	var body *ast.BlockStmt
	switch n := n.(type) {
	case *ast.FuncDecl:
		name, kind, body = n.Name.Name, n.Type, n.Body
	case *ast.AssignStmt:
		if lit, ok := n.Rhs[0].(*ast.FuncLit); ok {
			name, kind, body = identName(n.Lhs[0]), lit.Type, lit.Body
		}
	}
	if body == nil {
		return true
	}
	param, position := -1, 0
	for _, field := range kind.Params.List {
		for _, p := range field.Names {
			if p.Name == "format" {
				param = position
			}
			position++
		}
	}
	if param < 0 {
		return true
	}
	ast.Inspect(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if to, ok := f.formatterOf(call); ok && handsOn(call, to) {
				f.forward[name] = formatter{param: param, internal: to.internal}
				if ast.IsExported(name) {
					f.exported[f.pkg+"."+name] = f.forward[name]
				}
			}
		}
		return true
	})
	return true
}

// handsOn reports whether a call passes its own function's format and arguments on.
func handsOn(call *ast.CallExpr, to formatter) bool {
	return call.Ellipsis != token.NoPos && identName(call.Args[to.param]) == "format"
}

// collect notes the formats of calls.
func (f *formats) collect(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return true
	}
	to, ok := f.formatterOf(call)
	if !ok || to.internal || handsOn(call, to) {
		return true
	}
	format, ok := literal(call.Args[to.param])
	if !ok {
		f.t.Errorf("%s: the format of a text that people are shown is put together at run time", f.position(call))
		return true
	}
	if n := len(verbsOf(format)); n != len(call.Args)-to.param-1 {
		f.t.Errorf("%s: %q has %d verbs for %d arguments", f.position(call), format, n, len(call.Args)-to.param-1)
	}
	f.positions[format] = f.position(call)
	return true
}

// literal returns the value of a string literal, or of several that are joined by +.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, okX := literal(e.X)
		y, okY := literal(e.Y)
		return x + y, okX && okY && e.Op == token.ADD
	}
	return "", false
}

// refuseBareMessages refuses errors whose message no translation can know of.
func (f *formats) refuseBareMessages(n ast.Node) bool {
	bare := func(name string) bool { return name == "Message" || name == "Suggestion" }
	switch n := n.(type) {
	case *ast.CompositeLit:
		if name := identName(n.Type); name != "Error" {
			return true
		}
		for _, element := range n.Elts {
			if kv, ok := element.(*ast.KeyValueExpr); ok && bare(identName(kv.Key)) {
				f.t.Errorf("%s: an Error is given its message bare; use Errorf and Suggest", f.position(n))
			}
		}
	case *ast.AssignStmt:
		for _, to := range n.Lhs {
			if field, ok := to.(*ast.SelectorExpr); ok && bare(field.Sel.Name) {
				f.t.Errorf("%s: a message is changed after it was made; use Errorf and Suggest", f.position(n))
			}
		}
	}
	return true
}

var (
	verbPattern  = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)
	placePattern = regexp.MustCompile(`\{(\d+)\}`)
	// A particle that depends on how the word before it ends, right after an argument of which nobody knows.
	particlePattern = regexp.MustCompile(`\}"?(은|는|이|가|을|를|과|와|로|으로)([\s,.]|$)`)
)

// verbsOf returns the verbs of a format; %% is none.
func verbsOf(format string) []string {
	return verbPattern.FindAllString(strings.ReplaceAll(format, "%%", ""), -1)
}

func TestEveryErrorIsTranslated(t *testing.T) {
	used := errorFormats(t)
	if len(used) < 100 {
		t.Fatalf("only %d formats found", len(used))
	}
	for format, position := range used {
		words := verbPattern.ReplaceAllString(strings.ReplaceAll(format, "%%", ""), "")
		if strings.Contains(words, "%") {
			t.Errorf("%s: %q has an argument index or a width by *", position, format)
		}
		if !regexp.MustCompile(`\p{L}`).MatchString(words) {
			t.Errorf("%s: %q has no words of its own to translate", position, format)
		}
	}
	for _, l := range Languages {
		if l.Code == English {
			continue
		}
		messages := readMessages(t, errorFiles(t, l.Code)...)
		for format, position := range used {
			m := messages[format]
			if m == nil {
				t.Errorf("%s: %q has no translation to %s", position, format, l.Name)
				continue
			}
			places := map[string]bool{}
			for _, match := range placePattern.FindAllStringSubmatch(m.Other, -1) {
				places[match[1]] = true
			}
			n := len(verbsOf(format))
			for i := 1; i <= n; i++ {
				if !places[strconv.Itoa(i)] {
					t.Errorf("%q leaves out {%d} in %q", m.Other, i, format)
				}
			}
			if len(places) > n {
				t.Errorf("%q has places that %q has no arguments for", m.Other, format)
			}
		}
		for format, m := range messages {
			if used[format] == "" {
				t.Errorf("%s: nobody says %q", l.Name, format)
			}
			if l.Code == Korean && !regexp.MustCompile(`\p{Hangul}`).MatchString(m.Other) {
				t.Errorf("%q is no Korean for %q", m.Other, format)
			}
			if l.Code == Korean && particlePattern.MatchString(m.Other) {
				t.Errorf("%q has a particle that does not fit every argument", m.Other)
			}
		}
	}
}

func TestAnErrorIsASentenceInTheReadersLanguage(t *testing.T) {
	inner := image.Errorf(image.Corrupt, "size %d is negative", -1)
	for _, tt := range []struct {
		text            image.Text
		english, korean string
	}{
		{image.Text{}, "", ""},
		{image.Errorf(image.TooLarge, "the index lists %d manifests, more than %d", 3000, 2000).Text(),
			"The index lists 3000 manifests, more than 2000.", "인덱스에 매니페스트가 3000개 있어 최대 2000개를 넘습니다."},
		{image.Errorf(image.NotFound, "%s of %s is not stored", "linux/arm64", "ubuntu:22.04").Text(),
			"linux/arm64 of ubuntu:22.04 is not stored.", "ubuntu:22.04의 linux/arm64 이미지는 저장되어 있지 않습니다."},
		{image.Errorf(image.Invalid, "%q is not a platform", "x\u202ey").Text(), `"x\u202ey" is not a platform.`, `"x\u202ey": 올바른 플랫폼이 아닙니다.`},
		{image.Errorf(image.Corrupt, "entry %d of the index: %w", 3, inner).Text(), "Entry 3 of the index: size -1 is negative.", "인덱스의 3번째 항목: 크기가 음수입니다: -1"},
		{image.Errorf(image.NotFound, "%s has no %s", "ghcr.io", image.Textf("blob %s of %s", "1a2b", "a/b")).Text(),
			"ghcr.io has no blob 1a2b of a/b.", "ghcr.io에 a/b의 블롭 1a2b 데이터가 없습니다."},
		{image.Textf("%s and %d more", image.Textf("cancelled"), 2), "Cancelled and 2 more.", "취소되었습니다. 외 2개"},
		{image.Errorf(image.Invalid, "%s has no image for %s", "{2}\u202e", "amd64").Text(),
			`{2}\u202e has no image for amd64.`, `{2}\u202e: amd64 플랫폼의 이미지가 없습니다.`},
		{image.Errorf(image.Invalid, "x").Suggest("Check the name.").Advice(), "Check the name.", "이름을 확인하세요."},
		{image.Textf("nobody translated this %d%%", 5), "Nobody translated this 5%.", "Nobody translated this 5%."},
		{image.Plain("100%d of ubuntu"), "100%d of ubuntu.", "100%d of ubuntu."},
	} {
		if got := ErrorText(context.Background(), tt.text); got != tt.english {
			t.Errorf("English: %q, want %q", got, tt.english)
		}
		if got := ErrorText(korean(), tt.text); got != tt.korean {
			t.Errorf("Korean: %q, want %q", got, tt.korean)
		}
	}
}

func TestATextIsTheSameAfterItWasKept(t *testing.T) {
	e := image.Errorf(image.Unavailable, "the connection to %s broke after %d of %d bytes", "docker.io", 3, 5).Because(errors.New("reset"))
	b, err := json.Marshal(e.Text())
	if err != nil {
		t.Fatal(err)
	}
	var kept image.Text
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	if got := ErrorText(korean(), kept); kept.String() != e.Message || got != "5바이트 중 3바이트를 받은 뒤 docker.io의 연결이 끊어졌습니다." {
		t.Errorf("%s is %q, %q", b, kept, got)
	}
}
