package browser

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stowage/stowage/test/shelf"
)

// boxed opens a tab in front of a shelf with postgres:15, beside a Docker Hub that has more.
func boxed(t *testing.T) (*Tab, *shelf.Server, *shelf.Hub) {
	t.Helper()
	h := shelf.DockerHub(t, "library/postgres:15", "library/nginx:latest")
	s := shelf.Start(t, shelf.ListRegistries(t, h.Listed()))
	s.AwaitState(s.Pull("postgres:15", "linux/amd64"), "done")
	b := Open(t, s)
	b.Focused()
	b.Open("/images")
	return b, s, h
}

// closed fails the test unless the box's list is gone.
func (b *Tab) closed(after string) {
	b.t.Helper()
	b.See(`#box[aria-expanded="false"]:not([aria-activedescendant])`)
	if !Is[bool](b, `document.getElementById("box-options").hidden`) {
		b.t.Errorf("the list is still there after %s", after)
	}
}

const postgresPage = "/images/docker.io/library/postgres:15"

func TestTheBoxFindsWhatIsStoredAndThenWhatRegistriesHave(t *testing.T) {
	t.Parallel()
	b, _, h := boxed(t)
	b.Click("#box")
	h.Search.Forget()
	b.Press("postgres")
	b.See("#box-options #box-hit-0")
	if n := h.Search.Count("GET", "/search"); n < 1 || n > 3 {
		t.Errorf("eight letters typed quickly made %d searches", n)
	}
	ids := Is[[]string](b, `Array.from(document.querySelectorAll("#box-options [role=option]"), (o) => o.id)`)
	stored, hit := slices.Index(ids, "box-stored-0"), slices.Index(ids, "box-hit-0")
	if stored != 0 || hit < stored || ids[len(ids)-1] != "box-all" {
		t.Errorf("the order is %v", ids)
	}
	for selector, want := range map[string]string{"#box-stored-0": "postgres:15",
		"#box-hit-0": "postgres Official stored"} {
		if text := b.Text("%s", selector); !strings.HasPrefix(strings.ReplaceAll(text, " :", ":"), want) {
			t.Errorf("%s says %q, want %q", selector, text, want)
		}
	}
	b.See(`#box[aria-expanded="true"][aria-controls="box-options"]`)
	if heard := Is[string](b, `document.getElementById("live").textContent`); !strings.Contains(heard, "in registries") {
		t.Errorf("heard is %q", heard)
	}

	// Round with the arrows: the text itself is one of the places.
	b.Press(kb.ArrowUp)
	b.See(`#box[aria-activedescendant="box-all"]`)
	b.Press(kb.ArrowDown)
	b.See(`#box:not([aria-activedescendant])`)
	b.Press(kb.ArrowDown)
	b.See(`#box[aria-activedescendant="box-stored-0"]`)
	b.See(`#box-stored-0[aria-selected="true"]`)
	if n := Is[int](b, `document.querySelectorAll("#box-options [aria-selected=true]").length`); n != 1 {
		t.Errorf("%d options are chosen", n)
	}
	b.EnterKey()
	b.See("#image")
	if b.Location() != postgresPage {
		t.Errorf("Enter leads to %s", b.Location())
	}
	Is[bool](b, `(history.back(), true)`)
	b.See("#image-list")
	b.closed("the way back")

	// With the mouse.
	b.Click("#box")
	b.Press(strings.Repeat(kb.Backspace, 20) + "nginx")
	b.Click(`#box-hit-0`)
	b.See(`main h1`)
	if want := "/search?q=nginx&repo=nginx"; b.Location() != want {
		t.Errorf("the first hit leads to %s, want %s", b.Location(), want)
	}
}

func TestTheBoxUnderstandsWhatIsPasted(t *testing.T) {
	t.Parallel()
	b, s, h := boxed(t)
	b.Click("#box")
	h.Search.Forget()
	if _, err := chromedp.Call(b.ctx, input.InsertText,
		input.InsertTextParams{Text: "docker pull --platform linux/arm64 postgres:15"}); err != nil {
		t.Fatal(err)
	}
	b.See(`#box-lead[href="/pull?ref=postgres:15&platform=linux/arm64"]`)
	b.See(`#box-stored-0[href="%s"]`, postgresPage)
	if n := len(h.Search.Requests()); n != 0 {
		t.Errorf("%d requests to the search service for a reference", n)
	}
	b.EnterKey()
	b.See(`input[name=platform][value="linux/arm64"]:checked`)
	if want := "/pull?ref=postgres:15&platform=linux/arm64"; b.Location() != want {
		t.Errorf("Enter leads to %s, want %s", b.Location(), want)
	}
	// The same with scripting off.
	for text, want := range map[string]string{
		"docker+pull+nginx:latest": "/pull", "postgres:15": postgresPage, "nginx": "/search",
		"docker+pull+postgres:15": postgresPage,
	} {
		if p := s.Page("/search?q=" + text); p.Status != 200 || p.URL.Path != want {
			t.Errorf("%s: %d at %s, want %s", text, p.Status, p.URL.Path, want)
		}
	}
}

func TestTheBoxClosesAndTheKeyboardIsNotTrapped(t *testing.T) {
	t.Parallel()
	b, _, _ := boxed(t)
	b.Key(input.DispatchKeyEventParams{Key: "/", Code: "Slash", Text: "/", WindowsVirtualKeyCode: 191})
	b.Press("postgres")
	b.See("#box-stored-0")
	b.Press(kb.ArrowDown + kb.Escape)
	b.closed("Escape")
	b.See("#box:focus")
	if text := Is[string](b, `document.getElementById("box").value`); text != "postgres" {
		t.Errorf("after Escape the box says %q", text)
	}
	b.Press(kb.Escape)
	b.See("#box:not(:focus)")

	b.Key(input.DispatchKeyEventParams{Key: "k", Code: "KeyK", WindowsVirtualKeyCode: 75, Modifiers: 2})
	b.See("#box:focus")
	b.See("#box-stored-0") // there was a text already
	b.Press(kb.Tab)
	b.closed("Tab")
	b.See("#box:not(:focus)")

	b.Click("#box")
	b.See("#box-stored-0")
	b.Click("main h1")
	b.closed("a click elsewhere")

	b.Click("#box")
	b.See("#box-stored-0")
	b.Press(strings.Repeat(kb.Backspace, 7)) // one letter is not enough
	b.closed("the text")
}

func TestAnInputMethodIsLeftAlone(t *testing.T) {
	t.Parallel()
	b, _, _ := boxed(t)
	b.Click("#box")
	for _, composed := range []string{"ㅍ", "포", "포ㅅ", "포스"} {
		if _, err := chromedp.Call(b.ctx, input.ImeSetComposition,
			input.ImeSetCompositionParams{Text: composed, SelectionStart: int64(len([]rune(composed))),
				SelectionEnd: int64(len([]rune(composed)))}); err != nil {
			t.Fatal(err)
		}
	}
	b.See("#box-all")
	if text := b.Text("#box-all"); !strings.Contains(text, "“포스”") {
		t.Errorf("what is composed is not searched for: %s", text)
	}
	// Keys that the input method takes: it chooses a character with them.
	for _, key := range []string{"Enter", "ArrowDown"} {
		b.Key(input.DispatchKeyEventParams{Key: key, Code: key, WindowsVirtualKeyCode: 229})
	}
	b.See(`#box[aria-expanded="true"]:not([aria-activedescendant])`)
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: "포스"}); err != nil {
		t.Fatal(err)
	}
	if text := Is[string](b, `document.getElementById("box").value`); text != "포스" || b.Location() != "/images" {
		t.Errorf("the box says %q at %s", text, b.Location())
	}
}

func TestTheBoxFitsAPhone(t *testing.T) {
	t.Parallel()
	b, _, _ := boxed(t)
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(390, 844)); err != nil {
		t.Fatal(err)
	}
	b.Open("/images")
	before := Is[float64](b, `document.querySelector("main").getBoundingClientRect().top`)
	b.Click("#box")
	b.Press("postgres")
	b.See("#box-hit-0")
	box := Is[[]float64](b, `(() => { const r = document.getElementById("box-options").getBoundingClientRect(); return [r.left, r.right, r.bottom]; })()`)
	if box[0] < 0 || box[1] > 390 || box[1]-box[0] < 360 || box[2] > 844-56 {
		t.Errorf("the list is at %v", box)
	}
	if Is[bool](b, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page scrolls sideways")
	}
	if after := Is[float64](b, `document.querySelector("main").getBoundingClientRect().top`); after != before {
		t.Errorf("the page moved from %v to %v", before, after)
	}
}
