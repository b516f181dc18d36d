package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const inspected = "/images/docker.io/library/postgres:15/inspect"

// Typed, clicked, wrong, and with the address that goes with it.
func TestATemplateIsTypedAndAnsweredInABrowser(t *testing.T) {
	t.Parallel()
	s := startDemo(t)
	b := openTab(t, s)
	b.focused()
	b.open(inspected)
	b.click("#format")
	b.press("{{.Os}} on {{.Architecture}}")
	b.seeText("#format-text", "linux on amd64")
	if at, err := url.Parse(b.location()); err != nil || at.Query().Get("format") != "{{.Os}} on {{.Architecture}}" {
		t.Errorf("the address does not follow: %s, %v", b.location(), err)
	}

	b.open(inspected + "?format=" + url.QueryEscape("{{.Nope}}"))
	b.seeText("#format-output", `map has no entry for key "Nope"`)

	b.click(`#format-form ~ p a[href*="RootFS.Layers%%7D%%7D%%7B%%7Bprintln"]`)
	b.see(`#format-text`)
	if lines := strings.Count(b.text("#format-text"), "sha256:"); lines != 13 {
		t.Errorf("%d layers are listed, want 13: %s", lines, b.text("#format-text"))
	}
}

func TestATemplateIsAnsweredWithScriptingOff(t *testing.T) {
	t.Parallel()
	s := startDemo(t)
	b := openTab(t, s)
	b.focused()
	b.withoutScripting()
	b.open(inspected)
	b.click("#format")
	b.press("{{.Architecture}}")
	b.click("#format-form button")
	b.seeText("#format-text", "amd64")
	b.open(inspected + "?format=" + url.QueryEscape("{{.Os"))
	b.seeText("#format-output", "emplate parsing error: ")
}

func TestCurlGetsTheBareAnswerOfATemplate(t *testing.T) {
	t.Parallel()
	s := startDemo(t)
	for template, want := range map[string]struct {
		status int
		body   string
	}{
		"{{.Architecture}}": {http.StatusOK, "amd64\n"},
		"{{.Nope}}":         {http.StatusBadRequest, "template parsing error: template: :1:2: executing \"\" at <.Nope>: map has no entry for key \"Nope\"\n"},
	} {
		p := s.send(http.MethodGet, inspected+"?format="+url.QueryEscape(template), nil, map[string]string{"Accept": "text/plain"})
		if p.status != want.status || p.body != want.body {
			t.Errorf("%s: %d %q, want %d %q", template, p.status, p.body, want.status, want.body)
		}
	}
}
