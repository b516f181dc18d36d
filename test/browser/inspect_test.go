package browser

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

const inspected = "/images/docker.io/library/postgres:15/inspect"

// Typed, clicked, wrong, and with the address that goes with it.
func TestATemplateIsTypedAndAnsweredInABrowser(t *testing.T) {
	t.Parallel()
	s := shelf.StartDemo(t)
	b := Open(t, s)
	b.Focused()
	b.Open(inspected)
	b.Click("#format")
	b.Press("{{.Os}} on {{.Architecture}}")
	b.SeeText("#format-text", "linux on amd64")
	if at, err := url.Parse(b.Location()); err != nil || at.Query().Get("format") != "{{.Os}} on {{.Architecture}}" {
		t.Errorf("the address does not follow: %s, %v", b.Location(), err)
	}

	b.Open(inspected + "?format=" + url.QueryEscape("{{.Nope}}"))
	b.SeeText("#format-output", `map has no entry for key "Nope"`)

	b.Click(`#format-form ~ p a[href*="RootFS.Layers%%7D%%7D%%7B%%7Bprintln"]`)
	b.See(`#format-text`)
	if lines := strings.Count(b.Text("#format-text"), "sha256:"); lines != 13 {
		t.Errorf("%d layers are listed, want 13: %s", lines, b.Text("#format-text"))
	}
}

func TestATemplateIsAnsweredWithScriptingOff(t *testing.T) {
	t.Parallel()
	s := shelf.StartDemo(t)
	b := Open(t, s)
	b.Focused()
	b.WithoutScripting()
	b.Open(inspected)
	b.Click("#format")
	b.Press("{{.Architecture}}")
	b.Click("#format-form button")
	b.SeeText("#format-text", "amd64")
	b.Open(inspected + "?format=" + url.QueryEscape("{{.Os"))
	b.SeeText("#format-output", "emplate parsing error: ")
}

func TestCurlGetsTheBareAnswerOfATemplate(t *testing.T) {
	t.Parallel()
	s := shelf.StartDemo(t)
	for template, want := range map[string]struct {
		status int
		body   string
	}{
		"{{.Architecture}}": {http.StatusOK, "amd64\n"},
		"{{.Nope}}": {http.StatusBadRequest,
			"template parsing error: template: :1:2: executing \"\" at <.Nope>: map has no entry for key \"Nope\"\n"},
	} {
		p := s.Send(http.MethodGet, inspected+"?format="+url.QueryEscape(template), nil,
			map[string]string{"Accept": "text/plain"})
		if p.Status != want.status || p.Body != want.body {
			t.Errorf("%s: %d %q, want %d %q", template, p.Status, p.Body, want.status, want.body)
		}
	}
}
