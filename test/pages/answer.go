package pages

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/test/golden"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Answer is what a request came to.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Is holds an answer against a status and texts that it must have.
func (a Answer) Is(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("status %d, want %d", a.Status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	if t.Failed() {
		t.Log(a.Main())
	}
}

// Lacks holds an answer against texts that it must not have.
func (a Answer) Lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.Body, text) {
			t.Errorf("the page has %q", text)
		}
	}
}

// Main is the page's own part, a tag a line, so that it can be read.
func (a Answer) Main() string { return golden.Main(a.Body) }

// Golden holds the page, or the parts of it that a test is about, against its file in testdata.
func (a Answer) Golden(t *testing.T, name string, parts ...string) {
	t.Helper()
	golden.Hold(t, a.Body, name, parts...)
}

const Ubuntu = "/images/docker.io/library/ubuntu"

var Hidden = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)

// Form returns the fields of the plan's form, as a browser would send them.
func (a Answer) Form(t *testing.T) url.Values {
	t.Helper()
	_, rest, found := strings.Cut(a.Main(), `method="post"`)
	if !found {
		t.Fatalf("there is no form to confirm\n%s", a.Main())
	}
	form := url.Values{}
	for _, m := range Hidden.FindAllStringSubmatch(rest, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

// Flash returns the message that a redirect leaves for the next page.
func (a Answer) Flash(t *testing.T) ui.Flash {
	t.Helper()
	for _, k := range (&http.Response{Header: a.Header}).Cookies() {
		if k.Name == page.FlashCookie {
			return page.ReadFlash(k.Value, Clock)
		}
	}
	return ui.Flash{}
}

// WentTo holds an answer against the page that it leads to and the message there.
func (a Answer) WentTo(t *testing.T, to, message string) {
	t.Helper()
	if got := a.Header.Get("Location"); a.Status != http.StatusSeeOther || got != to {
		t.Errorf("%d to %q, want 303 to %q", a.Status, got, to)
	}
	if f := a.Flash(t); f.Kind != ui.KindSuccess || !strings.HasPrefix(f.Text, message) {
		t.Errorf("message %+v, want %q", f, message)
	}
}

var digests = regexp.MustCompile(`[0-9a-f]{64}|[0-9a-f]{12}\b`)

// ImageGolden is golden with digests numbered by their first appearance: golden files then do not hang on how
// layers are compressed.
func (a Answer) ImageGolden(t *testing.T, name string, parts ...string) {
	t.Helper()
	numbers := map[string]int{}
	a.Body = digests.ReplaceAllStringFunc(a.Main(), func(d string) string {
		if numbers[d[:12]] == 0 {
			numbers[d[:12]] = len(numbers) + 1
		}
		return fmt.Sprintf("digest-%d", numbers[d[:12]])
	})
	a.Golden(t, name, parts...)
}

// Rendered renders a page at the time of Clock.
func Rendered(t testing.TB, lang string, page interface {
	Render(context.Context, io.Writer) error
}) Answer {
	t.Helper()
	var b bytes.Buffer
	if err := page.Render(text.WithLocale(context.Background(), text.Locale{Lang: lang, Now: Clock}), &b); err != nil {
		t.Fatal(err)
	}
	return Answer{Body: b.String()}
}

// Boxes returns the values of the form's tick boxes, and of those that are ticked.
func Boxes(a Answer) (all, ticked []string) {
	for _, box := range tickBox.FindAllString(a.Body, -1) {
		value := valueOf.FindStringSubmatch(box)[1]
		all = append(all, value)
		if strings.Contains(box, " checked") {
			ticked = append(ticked, value)
		}
	}
	return all, ticked
}

func Same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

var (
	tickBox = regexp.MustCompile(`<input id="offer-\d+" type="checkbox"[^>]*>`)
	valueOf = regexp.MustCompile(` value="([^"]*)"`)
)
