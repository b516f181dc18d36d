package browser

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

func TestSeveralImagesAreDeletedAndBroughtBackInABrowser(t *testing.T) { deleteSeveral(t, true) }

func TestSeveralImagesAreDeletedAndBroughtBackWithScriptingOff(t *testing.T) { deleteSeveral(t, false) }

// deleteSeveral pins one of three images, looks at the plan for deleting all of them, carries it out and undoes it.
func deleteSeveral(t *testing.T, scripting bool) {
	t.Parallel()
	s := shelf.StartDemo(t)
	b := Open(t, s)
	b.Focused()
	if !scripting {
		b.WithoutScripting()
	}
	const redis = "/images/docker.io/library/redis:7"
	before := s.Page("/images").Text()

	// Pin: the note is asked for in place.
	b.Open(redis)
	b.Click(`details:has(#pin-note) summary`)
	b.Click("#pin-note")
	b.Press("needed by billing")
	b.Click(`form[action$="/pin"] button`)
	b.See("[data-pinned-digest]")
	if text := b.Text("[data-pinned-digest]"); !strings.Contains(text, "Pinned by ") ||
		!strings.Contains(text, "needed by billing") {
		t.Errorf("the page does not say who pinned it and why: %s", text)
	}

	// The plan says of each what happens, and nothing has happened.
	b.Open("/delete?" + url.Values{"ref": {"postgres:15", "ubuntu:latest", "redis:7"}}.Encode())
	text := b.Text("main")
	for _, want := range []string{"Delete 3 items", "Untagged, and its 2 images deleted with it.", "Untagged only",
		"needed by billing", "1 of 3 is not deleted", "Delete 2 of 3"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not say %q: %s", want, text)
		}
	}
	if status, _ := s.Get("/images/docker.io/library/postgres:15"); status != 200 {
		t.Errorf("looking at the plan deleted something: %d", status)
	}

	// Carried out: what the rules keep is still there.
	b.Click(`form[action="/delete"] button.btn-error`)
	b.See(`form[action^="/removals/"] button`)
	if text := b.Text("main .alert"); !strings.Contains(text, "Deleted 2 items.") || !strings.Contains(text, "1 stays") ||
		!strings.Contains(text, "Can be undone until ") {
		t.Errorf("the message is %q", text)
	}
	if text := b.Text("main"); strings.Contains(text, "postgres:15") || !strings.Contains(text, "redis:7") {
		t.Errorf("the list is not that of what is left: %s", text)
	}

	// Undone: everything is as it was.
	b.Click(`form[action^="/removals/"] button`)
	b.See(`main .alert:not(:has(form))`)
	if text := b.Text("main .alert"); !strings.Contains(text, "2 references are back: ") {
		t.Errorf("the message is %q", text)
	}
	for _, name := range []string{"postgres:15", "ubuntu:latest", "redis:7"} {
		if text := b.Text("main"); !strings.Contains(before, name) || !strings.Contains(text, name) {
			t.Errorf("%s is not on the list again: %s", name, text)
		}
	}

	// With force, from a refused plan: one click leads to it, one takes the pin away.
	b.Open(redis + "/delete")
	b.Click(`a[href$="force=1"]`)
	b.See(`input[name=force][value="1"] ~ * button.btn-error`)
	b.Open(redis + "/delete")
	b.Click(`form[action$="/unpin"] button`)
	b.See(`form[action$="/delete"] button.btn-error`)
	b.Click(`form[action$="/delete"] button.btn-error`)
	b.See(`form[action^="/removals/"] button`)
	if status, _ := s.Get(redis); status != 404 {
		t.Errorf("redis:7 is still there: %d", status)
	}
}
