package browser

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

func TestDanglingImagesArePrunedWithAPreviewInABrowser(t *testing.T) { pruneDangling(t, true) }

func TestDanglingImagesArePrunedWithAPreviewWithScriptingOff(t *testing.T) { pruneDangling(t, false) }

// movedDemo is the demo after its moving tag has moved, and was pulled again.
func movedDemo(t *testing.T) *shelf.Server {
	t.Helper()
	s := shelf.StartDemo(t)
	s.Post("/demo/move-tag", nil)
	s.AwaitState(s.Pull("ubuntu:rolling", "linux/amd64"), "done")
	shelf.Eventually(t, "what uses the disk to be counted", func() bool {
		return strings.Contains(s.Page("/storage").Text(), "dangling")
	})
	return s
}

// pruneDangling looks at what a prune would free, goes on to the preview, carries it out, undoes it, and prunes for
// good.
func pruneDangling(t *testing.T, scripting bool) {
	t.Parallel()
	s := movedDemo(t)
	b := Open(t, s)
	b.Focused()
	if !scripting {
		b.WithoutScripting()
	}
	images := s.Page("/images").Links("/images/")

	// The map leads to the repositories.
	b.Open("/storage")
	b.See(`svg.treemap a.tile-repository[href="/images/docker.io/library/postgres"]`)
	b.See(`svg.treemap a.tile-dangling`)
	if text := b.Text("#prune-summary"); !strings.Contains(text, "1 image, ") {
		t.Errorf("the summary is %q", text)
	}

	// A filter that chooses nothing says so, while it is typed or in the preview.
	b.Click(`form[action="/prune"] input[name=until]`)
	b.Press("2020-01-01")
	if scripting {
		b.SeeText("#prune-summary", "Nothing to prune")
	}
	b.Click(`form[action="/prune"] button`)
	b.See("#prune-plan h2")
	if at, text := b.Location(), b.Text("#prune-plan"); at != "/prune?until=2020-01-01" ||
		!strings.Contains(text, "No image is chosen by these filters.") {
		t.Errorf("at %s it says %q", at, text)
	}
	b.Click(`#prune-plan a[href="/prune"]`)

	// The preview says what goes and what that frees, and nothing has gone.
	b.See(`form[action="/prune"][method="post"] button.btn-error`)
	plan := b.Text("#prune-plan")
	for _, want := range []string{"What goes", "Frees ", "1 image", "docker image prune"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the preview does not say %q: %s", want, plan)
		}
	}
	if now := s.Page("/images").Links("/images/"); !slices.Equal(now, images) {
		t.Errorf("looking at the preview changed the shelf to %q from %q", now, images)
	}

	// Carried out, undone, and carried out again.
	b.Click(`form[action="/prune"][method="post"] button.btn-error`)
	b.See(`main .alert form[action^="/removals/"] button`)
	if at, text := b.Location(), b.Text("main .alert"); at != "/storage" ||
		!strings.Contains(text, "Pruned 1 image. Its ") || !strings.Contains(text, "Can be undone until ") {
		t.Errorf("at %s the message is %q", at, text)
	}
	if text := b.Text("#removals"); !strings.Contains(text, "Undo") {
		t.Errorf("the page does not list what can be undone: %s", text)
	}
	b.Click(`main .alert form[action^="/removals/"] button`)
	b.See(`main .alert:not(:has(form))`)
	if now := s.Page("/images").Links("/images/"); !slices.Equal(now, images) {
		t.Errorf("after the undo the shelf is %q, it was %q", now, images)
	}
	b.Open("/prune")
	b.Click(`form[action="/prune"][method="post"] button.btn-error`)
	b.See("#waiting form[action='/storage/sweep'] button")
	b.Click("#waiting form[action='/storage/sweep'] button")
	b.SeeText("main .alert", "Freed ")
	if text := b.Text("main .alert"); !strings.Contains(text, "cannot be undone any more") {
		t.Errorf("the message is %q", text)
	}
	if text := s.Page("/prune").Text(); !strings.Contains(text, "Nothing to prune") {
		t.Errorf("there is something left to prune: %s", text)
	}
}

// TestThePreviewFollowsTheForm types into the form of the preview: the plan below it and the address follow.
func TestThePreviewFollowsTheForm(t *testing.T) {
	t.Parallel()
	s := movedDemo(t)
	b := Open(t, s)
	b.Focused()
	b.Open("/prune")
	b.SeeText("#prune-plan", "Frees ")
	b.Click(`input[name=all][value="1"]`)
	b.SeeText("#prune-plan", "docker image prune --all")
	b.Click("input[name=label]")
	b.Press("maintainer")
	b.SeeText("#prune-plan", "--filter label=maintainer")
	if at := b.Location(); at != "/prune?all=1&label=maintainer" {
		t.Errorf("the address is %s", at)
	}
	b.Click("input[name=until]")
	b.Press("gestern")
	b.SeeText("#prune-plan", `until: "gestern" is not a time.`)
	if typed, err := Evaluate[string](b, `document.querySelector("input[name=label]").value`); err != nil ||
		typed != "maintainer" {
		t.Errorf("the label has become %q: %v", typed, err)
	}
	if text := b.Text("#prune-plan"); strings.Contains(text, "Frees") {
		t.Errorf("there is still a plan: %s", text)
	}
}

// TestTheMapIsWalkedByKeyboard moves through the map by Tab, and follows a tile by Enter.
func TestTheMapIsWalkedByKeyboard(t *testing.T) {
	t.Parallel()
	s := movedDemo(t)
	b := Open(t, s)
	b.Focused()
	b.Open("/storage")
	b.See("svg.treemap a")
	first, err := Evaluate[string](b, `(() => {
		const a = document.querySelector("svg.treemap a");
		a.focus();
		return getComputedStyle(a.querySelector("rect")).strokeWidth + " " + a.getAttribute("href");
	})()`)
	if err != nil {
		t.Fatal(err)
	}
	width, href, _ := strings.Cut(first, " ")
	if width == "2px" {
		t.Errorf("the focus of a tile is not visible: its border has %s", width)
	}
	b.Press("\r")
	b.See("#image-list")
	if at, err := url.PathUnescape(b.Location()); err != nil || at != href {
		t.Errorf("Enter leads to %s, want %s: %v", at, href, err)
	}
}
