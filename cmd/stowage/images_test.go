package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// shelved opens a tab in front of a shelf with five images: of Docker Hub's and of one other registry's repositories.
func shelved(t *testing.T) (*tab, *stowage, *upstream) {
	t.Helper()
	u := realUpstream(t)
	u.library(t, "library/ubuntu", "22.04")
	u.library(t, "library/ubuntu", "latest")
	u.library(t, "library/postgres", "15")
	u.library(t, "library/nginx", "latest")
	s := startStowage(t)
	for _, ref := range []string{"library/ubuntu:22.04", "library/ubuntu:latest", "library/postgres:15", "library/nginx:latest"} {
		s.awaitState(s.pull(u.ref(ref), "linux/amd64"), "done")
	}
	b := openTab(t, s)
	b.focused()
	return b, s, u
}

// rowsBecome waits until the list has these rows.
func (b *tab) rowsBecome(want ...string) {
	b.t.Helper()
	var got []string
	eventually(b.t, "the rows "+strings.Join(want, " "), func() bool {
		got, _ = evaluate[[]string](b, `Array.from(document.querySelectorAll("#image-list [data-row-link]"), (a) => a.textContent.replace(/\s/g, ""))`)
		return slices.EqualFunc(got, want, func(g, w string) bool { return strings.HasSuffix(g, "/library/"+w) })
	})
}

// filterKey goes to the filter of the list.
func (b *tab) filterKey() {
	b.t.Helper()
	b.key(input.DispatchKeyEventParams{Key: "f", Code: "KeyF", Text: "f", WindowsVirtualKeyCode: 70})
}

// comesTo waits until the tab is at an address.
func (b *tab) comesTo(want string) {
	b.t.Helper()
	eventually(b.t, "the address "+want, func() bool {
		at, err := evaluate[string](b, `decodeURIComponent(location.pathname + location.search)`)
		return err == nil && at == want
	})
}

func (b *tab) back() {
	b.t.Helper()
	is[bool](b, `(history.back(), true)`)
}

// Filters are typed as docker's, taken off, switched and gone back from with the keyboard alone.
func TestTheListIsFilteredByKeyboardAlone(t *testing.T) {
	t.Parallel()
	b, _, u := shelved(t)
	b.open("/images")
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")

	b.filterKey()
	b.see("#image-filter:focus")
	b.press("reference=*/library/ub* registry=" + u.host + " :22") // nothing is moved but what a space follows; the host's port may well have a 22
	b.see("[data-chip]")
	b.rowsBecome("ubuntu:22.04")
	if got, want := b.location(), "/images?q=:22&reference=*/library/ub*&registry="+u.host; unescaped(t, got) != want {
		t.Errorf("while typing: at %s, want %s", got, want)
	}
	if text := is[string](b, `document.getElementById("image-filter").value`); text != ":22" {
		t.Errorf("the box says %q", text)
	}
	b.see("#image-filter:focus")

	// What is not finished filters nothing yet; Enter finishes it.
	b.press(strings.Repeat(kb.Backspace, 3) + "label=no")
	b.rowsBecome("ubuntu:22.04", "ubuntu:latest")
	if text := is[string](b, `document.getElementById("image-filter").value`); text != "label=no" {
		t.Errorf("the box says %q", text)
	}
	b.enterKey()
	b.see(`#image-list h2`)
	b.see(`[data-chip][aria-label$="label=no"]`)
	if text := is[string](b, `document.getElementById("image-filter").value`); text != "" {
		t.Errorf("after Enter the box says %q", text)
	}

	// Back undoes the last step.
	b.back()
	b.rowsBecome("ubuntu:22.04", "ubuntu:latest")

	// A chip is a link; taking the first one off leaves the registry.
	is[bool](b, `(document.querySelector("[data-chip]").focus(), true)`)
	b.enterKey()
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")
	if got, want := b.location(), "/images?registry="+u.host; unescaped(t, got) != want {
		t.Errorf("at %s, want %s", got, want)
	}

	// A switch is turned with the space bar, and by going back.
	is[bool](b, `(document.querySelector("input[name=dangling]").focus(), true)`)
	b.press(" ")
	b.see(`#image-list h2`)
	b.see(`input[name=dangling]:checked`)
	b.back()
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")
	b.see(`input[name=dangling]:not(:checked)`)

	// A filter that is wrong says which part.
	b.filterKey()
	b.press("dangling=maybe")
	b.enterKey()
	if text := b.text("#toasts"); !strings.Contains(text, "(dangling)") {
		t.Errorf("the message is %q", text)
	}
}

func unescaped(t *testing.T, address string) string {
	t.Helper()
	s, err := url.PathUnescape(address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRowsAreTickedByKeyboard(t *testing.T) {
	t.Parallel()
	b, _, u := shelved(t)
	b.open("/images")
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")
	ticked := func() int {
		return is[int](b, `document.querySelectorAll("input[name=ref]:checked").length`)
	}
	if is[bool](b, `document.getElementById("selection").checkVisibility()`) {
		t.Error("the bar is there while nothing is ticked")
	}
	b.press("jjx")
	b.see("#selection")
	b.press("jx")
	if text := b.text("[data-pick-count]"); text != "2" || ticked() != 2 {
		t.Errorf("%d ticked, the bar says %s", ticked(), text)
	}
	eventually(t, "the summary", func() bool {
		text, _ := evaluate[string](b, `document.getElementById("selection-summary").textContent`)
		return strings.Contains(text, "B")
	})
	b.press("X")
	b.see("[data-pick-all]:checked")
	if ticked() != 4 {
		t.Errorf("%d ticked after Shift+X", ticked())
	}
	b.press("X")
	b.see("[data-pick-all]:not(:checked)")
	if n := ticked(); n != 0 {
		t.Errorf("%d ticked after Shift+X again", n)
	}
	b.press("x")
	b.click("#selection button[type=reset]")
	eventually(t, "no tick", func() bool { return ticked() == 0 })
	if is[bool](b, `document.getElementById("selection").checkVisibility()`) {
		t.Error("the bar stays after Clear")
	}

	// A tick stays with its row while the list is filtered, and goes with it.
	is[bool](b, `(document.querySelectorAll("input[name=ref]")[2].click(), true)`)
	b.filterKey()
	b.press("ubuntu")
	b.rowsBecome("ubuntu:22.04", "ubuntu:latest")
	if got := is[[]string](b, `Array.from(document.querySelectorAll("input[name=ref]:checked"), (i) => i.value.split("/").pop())`); !slices.Equal(got, []string{"ubuntu:22.04"}) {
		t.Errorf("ticked is %q", got)
	}
	b.click("#selection button.btn-error")
	b.comesTo("/images/" + u.host + "/library/ubuntu:22.04/delete") // one thing has a page of its own
}

func TestTheListIsFilteredAndTickedWithScriptingOff(t *testing.T) {
	t.Parallel()
	b, s, u := shelved(t)
	b.withoutScripting()
	b.open("/images")
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(1280, 900)); err != nil {
		t.Fatal(err)
	}
	b.click("#image-filter")
	b.press("ub*")
	b.press(strings.Repeat(kb.Backspace, 3) + "label=nothing platform=linux/amd64")
	b.click("#image-list form button[name=go]")
	b.see("#image-list h2")
	if got := b.location(); unescaped(t, got) != "/images?label=nothing&platform=linux/amd64" {
		t.Errorf("at %s", got)
	}
	b.click(`[data-chip][aria-label$="label=nothing"]`)
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")
	b.click(`tr:nth-child(3) input[name=ref]`)
	b.click(`tr:nth-child(4) input[name=ref]`)
	b.click("#selection button.btn-error")
	b.comesTo("/delete?ref=" + u.host + "/library/ubuntu:22.04&ref=" + u.host + "/library/ubuntu:latest")
	if p := s.page("/images?q=reference%3D*/*/ubuntu&q="); p.status != http.StatusOK || p.url.Query().Get("reference") != "*/*/ubuntu" {
		t.Errorf("%d at %s", p.status, p.url)
	}
}
