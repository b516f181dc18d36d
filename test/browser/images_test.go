package browser

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stowage/stowage/test/shelf"
)

// shelved opens a tab in front of a shelf with five images: of Docker Hub's and of one other registry's repositories.
func shelved(t *testing.T) (*Tab, *shelf.Server, *shelf.Upstream) {
	t.Helper()
	u := shelf.RealUpstream(t)
	u.Library(t, "library/ubuntu", "22.04")
	u.Library(t, "library/ubuntu", "latest")
	u.Library(t, "library/postgres", "15")
	u.Library(t, "library/nginx", "latest")
	s := shelf.Start(t)
	for _, ref := range []string{"library/ubuntu:22.04", "library/ubuntu:latest", "library/postgres:15",
		"library/nginx:latest"} {
		s.AwaitState(s.Pull(u.Ref(ref), "linux/amd64"), "done")
	}
	b := Open(t, s)
	b.Focused()
	return b, s, u
}

// rowsBecome waits until the list has these rows.
func (b *Tab) rowsBecome(want ...string) {
	b.t.Helper()
	var got []string
	shelf.Eventually(b.t, "the rows "+strings.Join(want, " "), func() bool {
		got, _ = Evaluate[[]string](b, `Array.from(document.querySelectorAll("#image-list [data-row-link]"), (a) => a.textContent.replace(/\s/g, ""))`)
		return slices.EqualFunc(got, want, func(g, w string) bool { return strings.HasSuffix(g, "/library/"+w) })
	})
}

// filterKey goes to the filter of the list.
func (b *Tab) filterKey() {
	b.t.Helper()
	b.Key(input.DispatchKeyEventParams{Key: "f", Code: "KeyF", Text: "f", WindowsVirtualKeyCode: 70})
}

// comesTo waits until the tab is at an address.
func (b *Tab) comesTo(want string) {
	b.t.Helper()
	shelf.Eventually(b.t, "the address "+want, func() bool {
		at, err := Evaluate[string](b, `decodeURIComponent(location.pathname + location.search)`)
		return err == nil && at == want
	})
}

func (b *Tab) back() {
	b.t.Helper()
	Is[bool](b, `(history.back(), true)`)
}

// Filters are typed as docker's, taken off, switched and gone back from with the keyboard alone.
func TestTheListIsFilteredByKeyboardAlone(t *testing.T) {
	t.Parallel()
	b, _, u := shelved(t)
	b.Open("/images")
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")

	b.filterKey()
	b.See("#image-filter:focus")
	// nothing is moved but what a space follows; the host's port may well have a 22
	b.Press("reference=*/library/ub* registry=" + u.Host + " :22")
	b.See("[data-chip]")
	b.rowsBecome("ubuntu:22.04")
	if got, want := b.Location(), "/images?q=:22&reference=*/library/ub*&registry="+u.Host; unescaped(t, got) != want {
		t.Errorf("while typing: at %s, want %s", got, want)
	}
	if text := Is[string](b, `document.getElementById("image-filter").value`); text != ":22" {
		t.Errorf("the box says %q", text)
	}
	b.See("#image-filter:focus")

	// What is not finished filters nothing yet; Enter finishes it.
	b.Press(strings.Repeat(kb.Backspace, 3) + "label=no")
	b.rowsBecome("ubuntu:22.04", "ubuntu:latest")
	if text := Is[string](b, `document.getElementById("image-filter").value`); text != "label=no" {
		t.Errorf("the box says %q", text)
	}
	b.EnterKey()
	b.See(`#image-list h2`)
	b.See(`[data-chip][aria-label$="label=no"]`)
	if text := Is[string](b, `document.getElementById("image-filter").value`); text != "" {
		t.Errorf("after Enter the box says %q", text)
	}

	// Back undoes the last step.
	b.back()
	b.rowsBecome("ubuntu:22.04", "ubuntu:latest")

	// A chip is a link; taking the first one off leaves the registry.
	Is[bool](b, `(document.querySelector("[data-chip]").focus(), true)`)
	b.EnterKey()
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")
	if got, want := b.Location(), "/images?registry="+u.Host; unescaped(t, got) != want {
		t.Errorf("at %s, want %s", got, want)
	}

	// A switch is turned with the space bar, and by going back.
	Is[bool](b, `(document.querySelector("input[name=dangling]").focus(), true)`)
	b.Press(" ")
	b.See(`#image-list h2`)
	b.See(`input[name=dangling]:checked`)
	b.back()
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")
	b.See(`input[name=dangling]:not(:checked)`)

	// A filter that is wrong says which part.
	b.filterKey()
	b.Press("dangling=maybe")
	b.EnterKey()
	if text := b.Text("#toasts"); !strings.Contains(text, "(dangling)") {
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
	b.Open("/images")
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")
	ticked := func() int {
		return Is[int](b, `document.querySelectorAll("input[name=ref]:checked").length`)
	}
	if Is[bool](b, `document.getElementById("selection").checkVisibility()`) {
		t.Error("the bar is there while nothing is ticked")
	}
	b.Press("jjx")
	b.See("#selection")
	b.Press("jx")
	if text := b.Text("[data-pick-count]"); text != "2" || ticked() != 2 {
		t.Errorf("%d ticked, the bar says %s", ticked(), text)
	}
	shelf.Eventually(t, "the summary", func() bool {
		text, _ := Evaluate[string](b, `document.getElementById("selection-summary").textContent`)
		return strings.Contains(text, "B")
	})
	b.Press("X")
	b.See("[data-pick-all]:checked")
	if ticked() != 4 {
		t.Errorf("%d ticked after Shift+X", ticked())
	}
	b.Press("X")
	b.See("[data-pick-all]:not(:checked)")
	if n := ticked(); n != 0 {
		t.Errorf("%d ticked after Shift+X again", n)
	}
	b.Press("x")
	b.Click("#selection button[type=reset]")
	shelf.Eventually(t, "no tick", func() bool { return ticked() == 0 })
	if Is[bool](b, `document.getElementById("selection").checkVisibility()`) {
		t.Error("the bar stays after Clear")
	}

	// A tick stays with its row while the list is filtered, and goes with it.
	Is[bool](b, `(document.querySelectorAll("input[name=ref]")[2].click(), true)`)
	b.filterKey()
	b.Press("ubuntu")
	b.rowsBecome("ubuntu:22.04", "ubuntu:latest")
	if got := Is[[]string](b, `Array.from(document.querySelectorAll("input[name=ref]:checked"), (i) => i.value.split("/").pop())`); !slices.Equal(got, []string{"ubuntu:22.04"}) {
		t.Errorf("ticked is %q", got)
	}
	b.Click("#selection button.btn-error")
	b.comesTo("/images/" + u.Host + "/library/ubuntu:22.04/delete") // one thing has a page of its own
}

func TestTheListIsFilteredAndTickedWithScriptingOff(t *testing.T) {
	t.Parallel()
	b, s, u := shelved(t)
	b.WithoutScripting()
	b.Open("/images")
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(1280, 900)); err != nil {
		t.Fatal(err)
	}
	b.Click("#image-filter")
	b.Press("ub*")
	b.Press(strings.Repeat(kb.Backspace, 3) + "label=nothing platform=linux/amd64")
	b.Click("#image-list form button[name=go]")
	b.See("#image-list h2")
	if got := b.Location(); unescaped(t, got) != "/images?label=nothing&platform=linux/amd64" {
		t.Errorf("at %s", got)
	}
	b.Click(`[data-chip][aria-label$="label=nothing"]`)
	b.rowsBecome("nginx:latest", "postgres:15", "ubuntu:22.04", "ubuntu:latest")
	b.Click(`tr:nth-child(3) input[name=ref]`)
	b.Click(`tr:nth-child(4) input[name=ref]`)
	b.Click("#selection button.btn-error")
	b.comesTo("/delete?ref=" + u.Host + "/library/ubuntu:22.04&ref=" + u.Host + "/library/ubuntu:latest")
	if p := s.Page("/images?q=reference%3D*/*/ubuntu&q="); p.Status != http.StatusOK || p.URL.Query().
		Get("reference") != "*/*/ubuntu" {
		t.Errorf("%d at %s", p.Status, p.URL)
	}
}
