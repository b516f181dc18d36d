package main

import (
	"strings"
	"testing"
)

// The demo's registry moves a tag, a check tells so with both digests, and pulling settles it.
func TestAnUpdateIsFoundShownAndPulledInABrowser(t *testing.T) { findUpdate(t, true) }

func TestAnUpdateIsFoundShownAndPulledWithScriptingOff(t *testing.T) { findUpdate(t, false) }

func findUpdate(t *testing.T, scripting bool) {
	t.Parallel()
	s := startDemo(t)
	b := openTab(t, s)
	b.focused()
	if !scripting {
		b.withoutScripting()
	}
	const rolling = "/images/docker.io/library/ubuntu:rolling"
	b.open(rolling)
	b.see(`#update[data-update="current"]`)
	here := b.text("#image p .mono")
	s.post("/demo/move-tag", nil)
	b.click(`form[action$="/check"] button`)
	b.see(`#update[data-update="available"]`)
	_, digest, _ := strings.Cut(b.text("#update"), "Here")
	if text := b.text("#update"); !strings.Contains(text, "was asked by a check") || !strings.Contains(text, "At the registry") || !strings.Contains(here, digest[:12]) {
		t.Errorf("the evidence is %q, the page is of %q", text, here)
	}

	b.open("/updates")
	b.click(`main form[action="/updates"] button`)
	b.seeText("#updates", "1 with an update")
	b.see(`#updates a[href^="/pull?ref=ubuntu:rolling"]`)
	b.open("/images?update=available")
	b.see(`tr[data-row] a[href$="ubuntu:rolling"]`)

	s.awaitState(s.pull("ubuntu:rolling"), "done")
	b.open(rolling)
	b.see(`#update[data-update="current"]`)
	b.open(rolling + "/history")
	b.click(`#image a[href*="/changes?from="]`)
	b.see("main ol li")
	if text := b.text("main"); !strings.Contains(text, "What changed in ubuntu") || !strings.Contains(text, "1 added") {
		t.Errorf("what changed: %s", text)
	}
}
