package browser

import (
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

// The demo's registry moves a tag, a check tells so with both digests, and pulling settles it.
func TestAnUpdateIsFoundShownAndPulledInABrowser(t *testing.T) { findUpdate(t, true) }

func TestAnUpdateIsFoundShownAndPulledWithScriptingOff(t *testing.T) { findUpdate(t, false) }

func findUpdate(t *testing.T, scripting bool) {
	t.Parallel()
	s := shelf.StartDemo(t)
	b := Open(t, s)
	b.Focused()
	if !scripting {
		b.WithoutScripting()
	}
	const rolling = "/images/docker.io/library/ubuntu:rolling"
	b.Open(rolling)
	b.See(`#update[data-update="current"]`)
	here := b.Text("#image p .mono")
	s.Post("/demo/move-tag", nil)
	b.Click(`form[action$="/check"] button`)
	b.See(`#update[data-update="available"]`)
	_, digest, _ := strings.Cut(b.Text("#update"), "Here")
	if text := b.Text("#update"); !strings.Contains(text, "was asked by a check") ||
		!strings.Contains(text, "At the registry") || !strings.Contains(here, digest[:12]) {
		t.Errorf("the evidence is %q, the page is of %q", text, here)
	}

	b.Open("/updates")
	b.Click(`main form[action="/updates"] button`)
	b.SeeText("#updates", "1 with an update")
	b.See(`#updates a[href^="/pull?ref=ubuntu:rolling"]`)
	b.Open("/images?update=available")
	b.See(`tr[data-row] a[href$="ubuntu:rolling"]`)

	s.AwaitState(s.Pull("ubuntu:rolling"), "done")
	b.Open(rolling)
	b.See(`#update[data-update="current"]`)
	b.Open(rolling + "/history")
	b.Click(`#image a[href*="/changes?from="]`)
	b.See("main ol li")
	if text := b.Text("main"); !strings.Contains(text, "What changed in ubuntu") || !strings.Contains(text, "1 added") {
		t.Errorf("what changed: %s", text)
	}
}
