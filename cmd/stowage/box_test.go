package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// boxed opens a tab in front of a shelf with postgres:15, beside a Docker Hub that has more.
func boxed(t *testing.T) (*tab, *stowage, *hub) {
	t.Helper()
	h := dockerHub(t, "library/postgres:15", "library/nginx:latest")
	s := startStowage(t, listRegistries(t, h.listed()))
	s.awaitState(s.pull("postgres:15", "linux/amd64"), "done")
	b := openTab(t, s)
	b.focused()
	b.open("/images")
	return b, s, h
}

// focused gives the tab the focus for good: the window of a tab among others has it now and then only.
func (b *tab) focused() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	if err != nil {
		b.t.Fatal(err)
	}
}

// press presses keys, letters among them.
func (b *tab) press(keys string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
		b.t.Fatalf("press %q: %v", keys, err)
	}
}

// key presses one key as a keyboard does: what it writes comes only where no script takes the key.
func (b *tab) key(e input.DispatchKeyEventParams) {
	b.t.Helper()
	for _, e.Type = range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, e); err != nil {
			b.t.Fatalf("press %s: %v", e.Key, err)
		}
		e.Text = ""
	}
}

func (b *tab) enterKey() {
	b.t.Helper()
	b.key(input.DispatchKeyEventParams{Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13})
}

// is gives what a JavaScript expression is.
func is[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := evaluate[T](b, expression)
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// closed fails the test unless the box's list is gone.
func (b *tab) closed(after string) {
	b.t.Helper()
	b.see(`#box[aria-expanded="false"]:not([aria-activedescendant])`)
	if !is[bool](b, `document.getElementById("box-options").hidden`) {
		b.t.Errorf("the list is still there after %s", after)
	}
}

const postgresPage = "/images/docker.io/library/postgres:15"

func TestTheBoxFindsWhatIsStoredAndThenWhatRegistriesHave(t *testing.T) {
	t.Parallel()
	b, _, h := boxed(t)
	b.click("#box")
	h.search.Forget()
	b.press("postgres")
	b.see("#box-options #box-hit-0")
	if n := h.search.Count("GET", "/search"); n < 1 || n > 3 {
		t.Errorf("eight letters typed quickly made %d searches", n)
	}
	ids := is[[]string](b, `Array.from(document.querySelectorAll("#box-options [role=option]"), (o) => o.id)`)
	stored, hit := slices.Index(ids, "box-stored-0"), slices.Index(ids, "box-hit-0")
	if stored != 0 || hit < stored || ids[len(ids)-1] != "box-all" {
		t.Errorf("the order is %v", ids)
	}
	for selector, want := range map[string]string{"#box-stored-0": "postgres:15", "#box-hit-0": "postgres Official stored"} {
		if text := b.text("%s", selector); !strings.HasPrefix(strings.ReplaceAll(text, " :", ":"), want) {
			t.Errorf("%s says %q, want %q", selector, text, want)
		}
	}
	b.see(`#box[aria-expanded="true"][aria-controls="box-options"]`)
	if heard := is[string](b, `document.getElementById("live").textContent`); !strings.Contains(heard, "in registries") {
		t.Errorf("heard is %q", heard)
	}

	// Round with the arrows: the text itself is one of the places.
	b.press(kb.ArrowUp)
	b.see(`#box[aria-activedescendant="box-all"]`)
	b.press(kb.ArrowDown)
	b.see(`#box:not([aria-activedescendant])`)
	b.press(kb.ArrowDown)
	b.see(`#box[aria-activedescendant="box-stored-0"]`)
	b.see(`#box-stored-0[aria-selected="true"]`)
	if n := is[int](b, `document.querySelectorAll("#box-options [aria-selected=true]").length`); n != 1 {
		t.Errorf("%d options are chosen", n)
	}
	b.enterKey()
	b.see("#image")
	if b.location() != postgresPage {
		t.Errorf("Enter leads to %s", b.location())
	}
	is[bool](b, `(history.back(), true)`)
	b.see("#image-list")
	b.closed("the way back")

	// With the mouse.
	b.click("#box")
	b.press(strings.Repeat(kb.Backspace, 20) + "nginx")
	b.click(`#box-hit-0`)
	b.see(`main h1`)
	if want := "/search?q=nginx&repo=nginx"; b.location() != want {
		t.Errorf("the first hit leads to %s, want %s", b.location(), want)
	}
}

func TestTheBoxUnderstandsWhatIsPasted(t *testing.T) {
	t.Parallel()
	b, s, h := boxed(t)
	b.click("#box")
	h.search.Forget()
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: "docker pull --platform linux/arm64 postgres:15"}); err != nil {
		t.Fatal(err)
	}
	b.see(`#box-lead[href="/pull?ref=postgres:15&platform=linux/arm64"]`)
	b.see(`#box-stored-0[href="%s"]`, postgresPage)
	if n := len(h.search.Requests()); n != 0 {
		t.Errorf("%d requests to the search service for a reference", n)
	}
	b.enterKey()
	b.see(`input[name=platform][value="linux/arm64"]:checked`)
	if want := "/pull?ref=postgres:15&platform=linux/arm64"; b.location() != want {
		t.Errorf("Enter leads to %s, want %s", b.location(), want)
	}
	// The same with scripting off.
	for text, want := range map[string]string{
		"docker+pull+nginx:latest": "/pull", "postgres:15": postgresPage, "nginx": "/search", "docker+pull+postgres:15": postgresPage,
	} {
		if p := s.page("/search?q=" + text); p.status != 200 || p.url.Path != want {
			t.Errorf("%s: %d at %s, want %s", text, p.status, p.url.Path, want)
		}
	}
}

func TestTheBoxClosesAndTheKeyboardIsNotTrapped(t *testing.T) {
	t.Parallel()
	b, _, _ := boxed(t)
	b.key(input.DispatchKeyEventParams{Key: "/", Code: "Slash", Text: "/", WindowsVirtualKeyCode: 191})
	b.press("postgres")
	b.see("#box-stored-0")
	b.press(kb.ArrowDown + kb.Escape)
	b.closed("Escape")
	b.see("#box:focus")
	if text := is[string](b, `document.getElementById("box").value`); text != "postgres" {
		t.Errorf("after Escape the box says %q", text)
	}
	b.press(kb.Escape)
	b.see("#box:not(:focus)")

	b.key(input.DispatchKeyEventParams{Key: "k", Code: "KeyK", WindowsVirtualKeyCode: 75, Modifiers: 2})
	b.see("#box:focus")
	b.see("#box-stored-0") // there was a text already
	b.press(kb.Tab)
	b.closed("Tab")
	b.see("#box:not(:focus)")

	b.click("#box")
	b.see("#box-stored-0")
	b.click("main h1")
	b.closed("a click elsewhere")

	b.click("#box")
	b.see("#box-stored-0")
	b.press(strings.Repeat(kb.Backspace, 7)) // one letter is not enough
	b.closed("the text")
}

func TestAnInputMethodIsLeftAlone(t *testing.T) {
	t.Parallel()
	b, _, _ := boxed(t)
	b.click("#box")
	for _, composed := range []string{"ㅍ", "포", "포ㅅ", "포스"} {
		if _, err := chromedp.Call(b.ctx, input.ImeSetComposition, input.ImeSetCompositionParams{Text: composed, SelectionStart: int64(len([]rune(composed))), SelectionEnd: int64(len([]rune(composed)))}); err != nil {
			t.Fatal(err)
		}
	}
	b.see("#box-all")
	if text := b.text("#box-all"); !strings.Contains(text, "“포스”") {
		t.Errorf("what is composed is not searched for: %s", text)
	}
	// Keys that the input method takes: it chooses a character with them.
	for _, key := range []string{"Enter", "ArrowDown"} {
		b.key(input.DispatchKeyEventParams{Key: key, Code: key, WindowsVirtualKeyCode: 229})
	}
	b.see(`#box[aria-expanded="true"]:not([aria-activedescendant])`)
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: "포스"}); err != nil {
		t.Fatal(err)
	}
	if text := is[string](b, `document.getElementById("box").value`); text != "포스" || b.location() != "/images" {
		t.Errorf("the box says %q at %s", text, b.location())
	}
}

func TestTheBoxFitsAPhone(t *testing.T) {
	t.Parallel()
	b, _, _ := boxed(t)
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(390, 844)); err != nil {
		t.Fatal(err)
	}
	b.open("/images")
	before := is[float64](b, `document.querySelector("main").getBoundingClientRect().top`)
	b.click("#box")
	b.press("postgres")
	b.see("#box-hit-0")
	box := is[[]float64](b, `(() => { const r = document.getElementById("box-options").getBoundingClientRect(); return [r.left, r.right, r.bottom]; })()`)
	if box[0] < 0 || box[1] > 390 || box[1]-box[0] < 360 || box[2] > 844-56 {
		t.Errorf("the list is at %v", box)
	}
	if is[bool](b, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page scrolls sideways")
	}
	if after := is[float64](b, `document.querySelector("main").getBoundingClientRect().top`); after != before {
		t.Errorf("the page moved from %v to %v", before, after)
	}
}
