package ui

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
)

// hostile is text as a registry or an image may send it.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)> style="x"`

func rendered(t *testing.T, ctx context.Context, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(ctx, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func reference(t *testing.T, s string) image.Reference {
	t.Helper()
	ref, err := image.ParseRepositoryReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// library is every component, fed with hostile text wherever it takes text.
func library(t *testing.T) map[string]templ.Component {
	t.Helper()
	url := func(string) string { return "/?q=" + hostile }
	plain := Text(hostile)
	return map[string]templ.Component{
		"PageHeader":    PageHeader(plain, hostile),
		"Badge":         Badge(KindInfo, hostile),
		"IconBadge":     IconBadge(KindSuccess, IconCheck, hostile),
		"PlatformBadge": PlatformBadge(hostile, false),
		"Digest":        Digest(hostile, false),
		"DigestShort":   Digest(hostile, true),
		"CopyButton":    CopyButton(hostile, hostile),
		"Reference":     Reference(image.Reference{Repository: hostile, Tag: hostile}),
		"Untagged":      Untagged("docker.io/" + hostile),
		"Stat":          Stat(hostile, hostile, hostile),
		"StatGrid":      StatGrid(),
		"EmptyState":    EmptyState(IconImage, hostile, hostile),
		"Alert":         Alert(KindError, hostile, hostile, hostile),
		"Toast":         Toast(KindError, hostile, hostile, hostile),
		"Progress":      Progress(5, 10, KindPrimary, hostile),
		"Bar":           Bar(5, 10, hostile),
		"TimeAgo":       TimeAgo(time.Unix(0, 0)),
		"Size":          Size(1234),
		"Command":       Command(hostile),
		"CodeBlock":     CodeBlock("code"),
		"Highlighted":   HighlightedJSON([]byte(strconv.Quote(hostile)), url),
		"Menu":          Menu(IconMore, hostile),
		"Dialog":        Dialog("dialog", hostile),
		"Tabs":          Tabs(hostile, []Tab{{hostile, url(""), true}}, ""),
		"Breadcrumb":    Breadcrumb([]Crumb{{hostile, url("")}, {hostile, "javascript:alert(1)"}, {hostile, ""}}),
		"Pagination":    Pagination(2, 9, "#list", func(int) string { return url("") }),
		"SortHeader":    SortHeader(SortColumn{Label: hostile, Key: "a", Current: "a", Target: "#list", URL: url}),
		"PlanList":      PlanList([]PlanLine{{Kind: PlanKeep, What: plain, Detail: hostile, Size: 5}}),
		"ConfirmBar":    ConfirmBar(hostile, hostile),
		"ErrorPage": ErrorPage(Chrome{Title: hostile, Path: hostile, Query: hostile, RequestID: hostile, Flash: Flash{Kind: KindInfo, Text: hostile, Undo: 7, Until: time.Unix(1, 0)}, Demo: true, Refresh: 3},
			ErrorView{404, hostile, hostile, hostile, hostile}),
		"ErrorFragment": ErrorFragment(ErrorView{500, hostile, hostile, hostile, hostile}),
	}
}

func TestHostileTextStaysText(t *testing.T) {
	for name, c := range library(t) {
		got := rendered(t, context.Background(), c)
		if strings.Contains(got, "<script>") || strings.Contains(got, "<img") || strings.Contains(got, "javascript:") {
			t.Errorf("%s lets markup through:\n%s", name, got)
		}
	}
}

// The Content-Security-Policy allows neither inline scripts nor style attributes.
func TestComponentsKeepTheContentSecurityPolicy(t *testing.T) {
	inTag := regexp.MustCompile(`<[a-z]+(\s+[^\s=>"'/]+(="[^"]*"|='[^']*')?)*\s*/?>`)
	quoted := regexp.MustCompile(`"[^"]*"|'[^']*'`)
	inline := regexp.MustCompile(`\s(style|on[a-z]+)(=|\s|>|/)`)
	for name, c := range library(t) {
		for _, tag := range inTag.FindAllString(rendered(t, context.Background(), c), -1) {
			if bare := quoted.ReplaceAllString(tag, "=''"); inline.MatchString(bare) {
				t.Errorf("%s has an inline style or handler: %s", name, tag)
			}
			if strings.HasPrefix(tag, "<style") || strings.HasPrefix(tag, "<script") && !strings.Contains(tag, ` src="/static/`) {
				t.Errorf("%s has an inline script or style sheet: %s", name, tag)
			}
		}
	}
}

func TestEveryKindOfErrorHasATitle(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../image/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Kind" {
			kinds++
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := text.ErrorTitles[image.Kind(value)]; !ok {
				t.Errorf("kind %s has no title", value)
			}
		}
		return true
	})
	if kinds != len(text.ErrorTitles) {
		t.Errorf("%d kinds, %d titles", kinds, len(text.ErrorTitles))
	}
	if got := text.ErrorTitle(korean(), "unheard of"); got != "내부 오류" {
		t.Errorf("an unknown kind is called %q", got)
	}
}

func TestTheLayoutSaysLanguageThemeAndPlace(t *testing.T) {
	got := rendered(t, korean(), Layout(Chrome{Title: "ubuntu", Active: NavPulls, Theme: ThemeDark, ActivePulls: 1200, Path: "/images?q=a&sort=-size", Query: "ubuntu:22.04"}))
	for _, want := range []string{
		`<html lang="ko" data-theme="dark">`, `<title>ubuntu · Stowage</title>`,
		`<a href="/pulls" aria-current="page">`, `<a href="/images">`, `1,200`,
		`name="back" value="/images?q=a&amp;sort=-size"`, `name="q" value="ubuntu:22.04"`,
		`value="dark" aria-pressed="true"`, `value="light" aria-pressed="false"`, `value="ko" lang="ko" aria-pressed="true"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	if got := rendered(t, context.Background(), Layout(Chrome{})); !strings.Contains(got, `<html lang="en">`) || strings.Contains(got, "http-equiv") || strings.Contains(got, `id="pull-count" class`) {
		t.Error("the layout without a choice has a theme, a refresh or a count")
	}
}

func TestTheLayoutLoadsNothingFromOtherHosts(t *testing.T) {
	got := rendered(t, context.Background(), Layout(Chrome{}))
	for _, m := range regexp.MustCompile(`(?:src|href|action)="([^"]*)"`).FindAllStringSubmatch(got, -1) {
		if !strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "#") || strings.HasPrefix(m[1], "//") {
			t.Errorf("the layout names %s", m[1])
		}
	}
}

func TestReferencesAreShownAsDockerShortensThem(t *testing.T) {
	for ref, want := range map[string]string{
		"docker.io/library/ubuntu:22.04":        "ubuntu:22.04",
		"bitnami/redis:7":                       "bitnami/redis:7",
		"ghcr.io/acme/api:v2":                   "ghcr.io/acme/api:v2",
		"localhost:5000/a/b":                    "localhost:5000/a/b",
		"postgres@" + someDigest:                "postgres@a2282ad0db62",
		"ghcr.io/acme/api@" + someDigest:        "ghcr.io/acme/api@a2282ad0db62",
		"docker.io/library/docker.io/library/x": "library/docker.io/library/x",
	} {
		if got := strings.TrimSpace(shown(rendered(t, context.Background(), Reference(reference(t, ref))))); got != want {
			t.Errorf("%s is shown as %q, want %q", ref, got, want)
		}
	}
	if got := strings.TrimSpace(shown(rendered(t, context.Background(), Untagged("docker.io/library/ubuntu")))); got != "ubuntu:<none>" {
		t.Errorf("untagged is shown as %q", got)
	}
}

func TestADigestIsCopiedWhole(t *testing.T) {
	got := rendered(t, context.Background(), Digest(someDigest, true))
	if !strings.Contains(got, `data-copy="`+someDigest+`"`) || !strings.Contains(got, `>a2282ad0db62</span>`) {
		t.Error(got)
	}
}

func TestAPlatformThatIsNotStoredSaysSo(t *testing.T) {
	if got := rendered(t, context.Background(), PlatformBadge("linux/arm64", false)); !strings.Contains(got, "not stored") || !strings.Contains(got, "border-dashed") {
		t.Error(got)
	}
	if got := rendered(t, context.Background(), PlatformBadge("linux/arm64", true)); strings.Contains(got, "not stored") || !strings.Contains(got, ">arm64<") {
		t.Error(got)
	}
}

func TestBarsStayWithinTheirBounds(t *testing.T) {
	for _, tt := range []struct {
		value, max int64
		want       string
	}{{5, 10, `value="5" max="10"`}, {0, 0, `value="0" max="1"`}, {20, 10, `value="10" max="10"`}} {
		if got := rendered(t, context.Background(), Progress(tt.value, tt.max, KindInfo, "x")); !strings.Contains(got, tt.want) {
			t.Errorf("Progress(%d, %d): %s", tt.value, tt.max, got)
		}
		if got := rendered(t, context.Background(), Bar(tt.value, tt.max, "x")); !strings.Contains(got, tt.want) {
			t.Errorf("Bar(%d, %d): %s", tt.value, tt.max, got)
		}
	}
	if got := rendered(t, context.Background(), Progress(-1, 10, KindInfo, "x")); strings.Contains(got, "value") {
		t.Errorf("progress that nobody knows has a value: %s", got)
	}
}

func TestASortedColumnLinksToItsReverse(t *testing.T) {
	for current, want := range map[string][2]string{
		"size": {`aria-sort="ascending"`, `href="?sort=-size"`}, "-size": {`aria-sort="descending"`, `href="?sort=size"`}, "name": {`aria-sort="none"`, `href="?sort=size"`},
	} {
		got := rendered(t, context.Background(), SortHeader(SortColumn{Label: "Size", Key: "size", Current: current, URL: func(s string) string { return "?sort=" + s }}))
		if !strings.Contains(got, want[0]) || !strings.Contains(got, want[1]) {
			t.Errorf("sorted by %s: %s", current, got)
		}
		if strings.Contains(got, "hx-") {
			t.Errorf("a plain link has htmx attributes: %s", got)
		}
	}
}

func TestPaginationNamesThePagesAround(t *testing.T) {
	for _, tt := range []struct {
		page, pages int
		want        []int
	}{
		{1, 1, []int{1}}, {1, 3, []int{1, 2, 3}}, {5, 17, []int{1, 0, 4, 5, 6, 0, 17}}, {3, 5, []int{1, 2, 3, 4, 5}}, {4, 8, []int{1, 2, 3, 4, 5, 0, 8}}, {17, 17, []int{1, 0, 16, 17}},
	} {
		got := pageNumbers(tt.page, tt.pages)
		if len(got) != len(tt.want) {
			t.Errorf("page %d of %d: %v, want %v", tt.page, tt.pages, got, tt.want)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("page %d of %d: %v, want %v", tt.page, tt.pages, got, tt.want)
				break
			}
		}
	}
	urlFor := func(n int) string { return "?page=" + strconv.Itoa(n) }
	if got := rendered(t, context.Background(), Pagination(1, 1, "", urlFor)); got != "" {
		t.Errorf("a single page has a pagination: %s", got)
	}
	got := rendered(t, context.Background(), Pagination(1, 2, "#list", urlFor))
	if strings.Contains(got, `rel="prev"`) || !strings.Contains(got, `rel="next"`) || !strings.Contains(got, `hx-target="#list"`) || !strings.Contains(got, `href="?page=2"`) {
		t.Error(got)
	}
}

func TestInternalErrorsShowAGeneralSentence(t *testing.T) {
	got := rendered(t, context.Background(), ErrorFragment(ErrorView{Status: 500, Title: "Internal error", RequestID: "abc"}))
	if !strings.Contains(got, "Something went wrong on the server") || !strings.Contains(got, "abc") {
		t.Error(got)
	}
}

func TestThemesAreReadFromAClosedList(t *testing.T) {
	for s, want := range map[string]Theme{"": ThemeSystem, "light": ThemeLight, "dark": ThemeDark, `"><b>`: ThemeSystem} {
		if got := ParseTheme(s); got != want {
			t.Errorf("ParseTheme(%q) = %q", s, got)
		}
	}
}

// The browser refreshes ages with the same texts as the server's.
func TestTheBrowserHasTheWordsForAges(t *testing.T) {
	got := rendered(t, korean(), Layout(Chrome{}))
	if !strings.Contains(got, `&#34;days&#34;:&#34;#일 전&#34;`) {
		t.Error("no words for days in Korean")
	}
}

func korean() context.Context {
	return text.WithLocale(context.Background(), text.Locale{Lang: text.Korean})
}
