package main

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestDanglingImagesArePrunedWithAPreviewInABrowser(t *testing.T) { pruneDangling(t, true) }

func TestDanglingImagesArePrunedWithAPreviewWithScriptingOff(t *testing.T) { pruneDangling(t, false) }

// movedDemo is the demo after its moving tag has moved, and was pulled again.
func movedDemo(t *testing.T) *stowage {
	t.Helper()
	s := startDemo(t)
	s.post("/demo/move-tag", nil)
	s.awaitState(s.pull("ubuntu:rolling", "linux/amd64"), "done")
	eventually(t, "what uses the disk to be counted", func() bool {
		return strings.Contains(s.page("/storage").text(), "dangling")
	})
	return s
}

// pruneDangling looks at what a prune would free, goes on to the preview, carries it out, undoes it, and prunes for good.
func pruneDangling(t *testing.T, scripting bool) {
	t.Parallel()
	s := movedDemo(t)
	b := openTab(t, s)
	b.focused()
	if !scripting {
		b.withoutScripting()
	}
	images := s.page("/images").links("/images/")

	// The map leads to the repositories.
	b.open("/storage")
	b.see(`svg.treemap a.tile-repository[href="/images/docker.io/library/postgres"]`)
	b.see(`svg.treemap a.tile-dangling`)
	if text := b.text("#prune-summary"); !strings.Contains(text, "1 image, ") {
		t.Errorf("the summary is %q", text)
	}

	// A filter that chooses nothing says so, while it is typed or in the preview.
	b.click(`form[action="/prune"] input[name=until]`)
	b.press("2020-01-01")
	if scripting {
		b.seeText("#prune-summary", "Nothing to prune")
	}
	b.click(`form[action="/prune"] button`)
	b.see("#prune-plan h2")
	if at, text := b.location(), b.text("#prune-plan"); at != "/prune?until=2020-01-01" || !strings.Contains(text, "No image is chosen by these filters.") {
		t.Errorf("at %s it says %q", at, text)
	}
	b.click(`#prune-plan a[href="/prune"]`)

	// The preview says what goes and what that frees, and nothing has gone.
	b.see(`form[action="/prune"][method="post"] button.btn-error`)
	plan := b.text("#prune-plan")
	for _, want := range []string{"What goes", "Frees ", "1 image", "docker image prune"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the preview does not say %q: %s", want, plan)
		}
	}
	if now := s.page("/images").links("/images/"); !slices.Equal(now, images) {
		t.Errorf("looking at the preview changed the shelf to %q from %q", now, images)
	}

	// Carried out, undone, and carried out again.
	b.click(`form[action="/prune"][method="post"] button.btn-error`)
	b.see(`main .alert form[action^="/removals/"] button`)
	if at, text := b.location(), b.text("main .alert"); at != "/storage" || !strings.Contains(text, "Pruned 1 image. Its ") || !strings.Contains(text, "Can be undone until ") {
		t.Errorf("at %s the message is %q", at, text)
	}
	if text := b.text("#removals"); !strings.Contains(text, "Undo") {
		t.Errorf("the page does not list what can be undone: %s", text)
	}
	b.click(`main .alert form[action^="/removals/"] button`)
	b.see(`main .alert:not(:has(form))`)
	if now := s.page("/images").links("/images/"); !slices.Equal(now, images) {
		t.Errorf("after the undo the shelf is %q, it was %q", now, images)
	}
	b.open("/prune")
	b.click(`form[action="/prune"][method="post"] button.btn-error`)
	b.see("#waiting form[action='/storage/sweep'] button")
	b.click("#waiting form[action='/storage/sweep'] button")
	b.seeText("main .alert", "Freed ")
	if text := b.text("main .alert"); !strings.Contains(text, "cannot be undone any more") {
		t.Errorf("the message is %q", text)
	}
	if text := s.page("/prune").text(); !strings.Contains(text, "Nothing to prune") {
		t.Errorf("there is something left to prune: %s", text)
	}
}

// TestThePreviewFollowsTheForm types into the form of the preview: the plan below it and the address follow.
func TestThePreviewFollowsTheForm(t *testing.T) {
	t.Parallel()
	s := movedDemo(t)
	b := openTab(t, s)
	b.focused()
	b.open("/prune")
	b.seeText("#prune-plan", "Frees ")
	b.click(`input[name=all][value="1"]`)
	b.seeText("#prune-plan", "docker image prune --all")
	b.click("input[name=label]")
	b.press("maintainer")
	b.seeText("#prune-plan", "--filter label=maintainer")
	if at := b.location(); at != "/prune?all=1&label=maintainer" {
		t.Errorf("the address is %s", at)
	}
	b.click("input[name=until]")
	b.press("gestern")
	b.seeText("#prune-plan", `until: "gestern" is not a time.`)
	if typed, err := evaluate[string](b, `document.querySelector("input[name=label]").value`); err != nil || typed != "maintainer" {
		t.Errorf("the label has become %q: %v", typed, err)
	}
	if text := b.text("#prune-plan"); strings.Contains(text, "Frees") {
		t.Errorf("there is still a plan: %s", text)
	}
}

// TestTheMapIsWalkedByKeyboard moves through the map by Tab, and follows a tile by Enter.
func TestTheMapIsWalkedByKeyboard(t *testing.T) {
	t.Parallel()
	s := movedDemo(t)
	b := openTab(t, s)
	b.focused()
	b.open("/storage")
	b.see("svg.treemap a")
	first, err := evaluate[string](b, `(() => {
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
	b.press("\r")
	b.see("#image-list")
	if at, err := url.PathUnescape(b.location()); err != nil || at != href {
		t.Errorf("Enter leads to %s, want %s: %v", at, href, err)
	}
}

// seeText waits until a part of the page says something.
func (b *tab) seeText(selector, text string) {
	b.t.Helper()
	eventually(b.t, text+" in "+selector, func() bool {
		said, err := evaluate[string](b, `(document.querySelector(`+"`"+selector+"`"+`)?.textContent ?? "").replace(/\s+/g, " ")`)
		return err == nil && strings.Contains(said, text)
	})
}
