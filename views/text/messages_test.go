package text

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// usage is where the source asks for a message, and with which values.
type usage struct {
	position string
	names    []string // of the values; nil where the message is not asked for by T directly
	direct   bool
}

// usages type-checks the packages that may word a page and finds every constant of type MessageID in them. Types
// make the search complete: a text cannot be asked for by a plain string. Only views' own imports are needed;
// what the other packages import is left out, and the errors that follow from that are of no interest here.
func usages(t *testing.T) map[string][]usage {
	t.Helper()
	const module = "github.com/stowage/stowage/"
	exports := exportData(t, module+"views/...")
	found := map[string][]usage{}
	for _, dir := range folders(t, "views", "handlers", "web") {
		fset := token.NewFileSet()
		paths, err := filepath.Glob("../../" + dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		var files []*ast.File
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
		config := types.Config{Error: func(error) {}, Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
			if exports[path] == "" {
				return nil, fmt.Errorf("no export data for %s", path)
			}
			return os.Open(exports[path])
		})}
		if _, err := config.Check(module+dir, fset, files, info); err != nil && strings.HasPrefix(dir, "views") {
			t.Fatalf("type-check %s: %v", dir, err)
		}
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				expr, ok := n.(ast.Expr)
				if !ok {
					return true
				}
				position := fset.Position(expr.Pos()).String()
				if call, ok := expr.(*ast.CallExpr); ok && isT(info, call) {
					if id, ok := constantString(info, call.Args[1]); ok {
						found[id] = append(found[id], usage{position, valueNames(t, info, call, position), true})
					}
					return true
				}
				tv := info.Types[expr]
				if tv.Type == nil || tv.Type.String() != module+"views/text.MessageID" {
					return true
				}
				if tv.Value != nil {
					found[constant.StringVal(tv.Value)] = append(found[constant.StringVal(tv.Value)], usage{position: position})
				} else if call, ok := expr.(*ast.CallExpr); ok && info.Types[call.Fun].IsType() {
					t.Errorf("%s: a MessageID is put together at run time, so nobody can tell whether it exists", position)
				}
				return true
			})
		}
	}
	return found
}

// folders returns the given folders of the module and those below them that hold Go files.
func folders(t *testing.T, tops ...string) []string {
	t.Helper()
	var found []string
	for _, top := range tops {
		if _, err := os.Stat("../../" + top); errors.Is(err, fs.ErrNotExist) {
			continue // a folder to come
		}
		err := filepath.WalkDir("../../"+top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if d.Name() == "testdata" {
				return filepath.SkipDir
			}
			sources, err := filepath.Glob(path + "/*.go")
			if len(sources) > 0 {
				found = append(found, strings.TrimPrefix(path, "../../"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// exportData maps each package that the given ones need to the compiler's description of it.
func exportData(t *testing.T, packages ...string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, packages...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	exports := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		path, file, _ := strings.Cut(lines.Text(), "\t")
		exports[path] = file
	}
	return exports
}

// isT reports whether a call is of T.
func isT(info *types.Info, call *ast.CallExpr) bool {
	var name *ast.Ident
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		name = fun
	case *ast.SelectorExpr:
		name = fun.Sel
	default:
		return false
	}
	f, ok := info.Uses[name].(*types.Func)
	return ok && f.FullName() == "github.com/stowage/stowage/views/text.T" && len(call.Args) >= 2
}

// valueNames returns the names of the values that a call of T passes.
func valueNames(t *testing.T, info *types.Info, call *ast.CallExpr, position string) []string {
	t.Helper()
	values := call.Args[2:]
	if call.Ellipsis != token.NoPos {
		return nil
	}
	if len(values)%2 != 0 {
		t.Errorf("%s: T has a name without a value", position)
	}
	var names []string
	for i := 0; i < len(values); i += 2 {
		name, ok := constantString(info, values[i])
		if !ok {
			t.Errorf("%s: the name of a value of T is not a constant string", position)
			continue
		}
		names = append(names, name)
	}
	return names
}

// constantString returns the value of a constant. Where a neighbour of unknown type kept the checker from
// looking at it, a literal is read as it stands.
func constantString(info *types.Info, expr ast.Expr) (string, bool) {
	if v := info.Types[expr].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v), true
	}
	if lit, ok := expr.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		s, err := strconv.Unquote(lit.Value)
		return s, err == nil
	}
	if name, ok := expr.(*ast.SelectorExpr); ok {
		if c, ok := info.Uses[name.Sel].(*types.Const); ok {
			return constant.StringVal(c.Val()), c.Val().Kind() == constant.String
		}
	}
	return "", false
}

// catalogue reads the messages of a language by ID, those of errors apart. It also refuses a message that two
// files hold.
func catalogue(t *testing.T, lang string) map[string]*i18n.Message {
	t.Helper()
	paths, err := filepath.Glob("locales/*." + lang + ".toml")
	paths = slices.DeleteFunc(paths, func(path string) bool { return slices.Contains(errorFiles(t, lang), path) })
	if err != nil || len(paths) == 0 {
		t.Fatalf("no catalogue for %s (%v)", lang, err)
	}
	return readMessages(t, paths...)
}

func readMessages(t *testing.T, paths ...string) map[string]*i18n.Message {
	t.Helper()
	messages := map[string]*i18n.Message{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := i18n.ParseMessageFileBytes(b, path, map[string]i18n.UnmarshalFunc{"toml": toml.Unmarshal})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, m := range file.Messages {
			if messages[m.ID] != nil {
				t.Errorf("%s: %s stands in another file too", path, m.ID)
			}
			messages[m.ID] = m
		}
	}
	return messages
}

// places returns the names in a message's {{.Name}} places.
func places(m *i18n.Message) []string {
	var names []string
	for _, text := range []string{m.One, m.Other} {
		for _, match := range regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`).FindAllStringSubmatch(text, -1) {
			if !slices.Contains(names, match[1]) {
				names = append(names, match[1])
			}
		}
	}
	return names
}

func TestEveryMessageIsThereUsedAndWorded(t *testing.T) {
	used := usages(t)
	english, korean := catalogue(t, English), catalogue(t, Korean)
	for id, uses := range used {
		if english[id] == nil || korean[id] == nil {
			t.Errorf("%s: message %q is missing (English: %v, Korean: %v)", uses[0].position, id, english[id] != nil, korean[id] != nil)
		}
	}
	for lang, messages := range map[string]map[string]*i18n.Message{English: english, Korean: korean} {
		for id, m := range messages {
			if used[id] == nil {
				t.Errorf("%s: message %q is not used", lang, id)
			}
			if m.Other == "" {
				t.Errorf("%s: message %q has no text", lang, id)
			}
			for _, u := range used[id] {
				for _, place := range places(m) {
					if u.direct && !slices.Contains(u.names, place) {
						t.Errorf("%s: message %q in %s needs a value for %s", u.position, id, lang, place)
					}
				}
			}
		}
	}
}

func TestKoreanIsTranslated(t *testing.T) {
	english, korean := catalogue(t, English), catalogue(t, Korean)
	for id, e := range english {
		k := korean[id]
		if k == nil {
			t.Errorf("message %q has no Korean", id)
			continue
		}
		words := regexp.MustCompile(`\{\{.*?\}\}`).ReplaceAllString(e.Other, "")
		if strings.IndexFunc(words, unicode.IsLetter) >= 0 && k.Other == e.Other {
			t.Errorf("message %q is the same in both languages: %q", id, e.Other)
		}
		missing := places(e)
		for _, place := range places(k) {
			missing = slices.DeleteFunc(missing, func(s string) bool { return s == place })
		}
		if len(missing) > 0 {
			t.Errorf("message %q in Korean leaves out %v", id, missing)
		}
	}
	for id := range korean {
		if english[id] == nil {
			t.Errorf("message %q has no English", id)
		}
	}
}

func TestTFillsInCountsAndPicksThePlural(t *testing.T) {
	for _, tt := range []struct {
		lang string
		n    int
		want string
	}{
		{English, 1, "1 byte"}, {English, 0, "0 bytes"}, {English, 12845, "12,845 bytes"},
		{Korean, 1, "1바이트"}, {Korean, 12845, "12,845바이트"},
	} {
		ctx := WithLocale(context.Background(), Locale{Lang: tt.lang})
		if got := T(ctx, "format.bytes", Count, tt.n); got != tt.want {
			t.Errorf("%s, %d: %q, want %q", tt.lang, tt.n, got, tt.want)
		}
	}
}

func TestAMissingMessageShowsItsID(t *testing.T) {
	if got := T(context.Background(), "no.such.message"); got != "no.such.message" {
		t.Errorf("%q", got)
	}
}

func TestTheLanguageIsTheCookiesThenTheBrowsersThenEnglish(t *testing.T) {
	for _, tt := range []struct{ cookie, accept, want string }{
		{"", "", English},
		{"ko", "en", Korean},
		{"en", "ko", English},
		{"xx", "ko-KR,ko;q=0.9,en;q=0.8", Korean},
		{"", "ko", Korean},
		{"", "en-GB,ko;q=0.5", English},
		{"", "fr, ko;q=0.3", Korean},
		{"", "fr", English},
		{"", ";;;=", English},
		{"", strings.Repeat("ko-", 100000), English},
		{"<script>", "", English},
	} {
		if got := NegotiateLang(tt.cookie, tt.accept); got != tt.want {
			t.Errorf("cookie %q, Accept-Language %.40q: %s, want %s", tt.cookie, tt.accept, got, tt.want)
		}
	}
}

func BenchmarkT(b *testing.B) {
	ctx := WithLocale(context.Background(), Locale{Lang: Korean})
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			T(ctx, "action.copy")
		}
	})
	b.Run("values", func(b *testing.B) {
		for b.Loop() {
			T(ctx, "action.copy_value", "Value", "391a00ec7cac")
		}
	})
}
