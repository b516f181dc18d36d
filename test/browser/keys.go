package browser

import (
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Enter clicks into a box, types and presses Enter.
func (b *Tab) Enter(selector, text string) {
	b.t.Helper()
	b.Click("%s", selector)
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(text+"\r")); err != nil {
		b.t.Fatalf("type into %s: %v", selector, err)
	}
}

// Focused gives the tab the focus for good: the window of a tab among others has it now and then only.
func (b *Tab) Focused() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetFocusEmulationEnabled,
		emulation.SetFocusEmulationEnabledParams{Enabled: true})
	if err != nil {
		b.t.Fatal(err)
	}
}

// Press presses keys, letters among them.
func (b *Tab) Press(keys string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
		b.t.Fatalf("press %q: %v", keys, err)
	}
}

// Key presses one key as a keyboard does: what it writes comes only where no script takes the key.
func (b *Tab) Key(e input.DispatchKeyEventParams) {
	b.t.Helper()
	for _, e.Type = range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown,
		input.DispatchKeyEventTypeKeyUp} {
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, e); err != nil {
			b.t.Fatalf("press %s: %v", e.Key, err)
		}
		e.Text = ""
	}
}

func (b *Tab) EnterKey() {
	b.t.Helper()
	b.Key(input.DispatchKeyEventParams{Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13})
}
