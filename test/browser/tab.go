package browser

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/stowage/stowage/test/shelf"
)

// Tab is a window of the browser with a profile of its own: no cookies, nothing in the cache. It notes what a page
// must not do.
type Tab struct {
	t   *testing.T
	ctx context.Context
	own string // the only host that pages may speak to

	mu       sync.Mutex
	problems []string
	loaded   float64 // bytes over the wire
}

// Open opens a tab for pages of s. At the end of the test it fails for errors on the console, exceptions,
// violations of the Content-Security-Policy and requests to another host.
func Open(t *testing.T, s *shelf.Server) *Tab {
	t.Helper()
	b := &Tab{t: t, own: s.Host()}
	b.start(chromedp.WithListener(b.note))
	t.Cleanup(func() {
		for _, p := range b.noted() {
			t.Errorf("the browser noted: %s", p)
		}
	})
	return b
}

// OpenElsewhere opens a tab for pages that may speak to anybody.
func OpenElsewhere(t *testing.T, host string) *Tab {
	t.Helper()
	b := &Tab{t: t, own: host}
	b.start()
	return b
}

// start opens the tab in the browser of all tests.
func (b *Tab) start(options ...chromedp.ContextOption) {
	b.t.Helper()
	all, err := chromium()
	if err != nil {
		b.t.Fatal(err)
	}
	var closeTab context.CancelFunc
	b.ctx, closeTab = chromedp.NewContext(all, append(options, chromedp.WithNewBrowserContext())...)
	b.t.Cleanup(closeTab)
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(1280, 860)); err != nil { // opens it
		b.t.Fatalf("open a tab: %v", err)
	}
}

// note listens to the browser.
func (b *Tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		d := e.ExceptionDetails
		text := d.Text
		if d.Exception != nil {
			text += " " + d.Exception.Description
		}
		b.problems = append(b.problems, fmt.Sprintf("exception at %s line %d: %s", d.URL, d.LineNumber+1, text))
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "assert" {
			text := ""
			for _, a := range e.Args {
				text += fmt.Sprintf(" %s%s", a.Value, a.Description)
			}
			b.problems = append(b.problems, fmt.Sprintf("console %s:%s", e.Type, text))
		}
	case *log.EventEntryAdded:
		// An answer that is no success is for the tests to judge: error pages are pages.
		if e.Entry.Level == "error" && e.Entry.Source != "network" {
			b.problems = append(b.problems, fmt.Sprintf("log %s: %s", e.Entry.Source, e.Entry.Text))
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "data" && u.Host != b.own {
			b.problems = append(b.problems, "a request to "+e.Request.URL)
		}
	case *network.EventLoadingFinished:
		b.loaded += e.EncodedDataLength
	}
}

func (b *Tab) noted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.problems)
}

// OverTheWire is how many bytes the tab has received.
func (b *Tab) OverTheWire() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.loaded)
}

// Evaluate returns what a JavaScript expression is on the page that the tab shows. It also works where the page's own
// scripts are off.
func Evaluate[T any](b *Tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, shelf.Patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Open goes to a path of the server and waits until the page is there.
func (b *Tab) Open(path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, shelf.Patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate("http://"+b.own+path)); err != nil {
		b.t.Fatalf("open %s: %v", path, err)
	}
	if _, err := Evaluate[bool](b, `document.fonts.ready.then(() => true)`); err != nil {
		b.t.Fatalf("open %s: %v", path, err)
	}
}

// element finds what a selector names once the page has loaded, if a person could see it.
const element = `(() => {
	if (document.readyState !== "complete") return null;
	for (const e of document.querySelectorAll(%q)) {
		const box = e.getBoundingClientRect();
		if (box.width > 0 && box.height > 0 && e.checkVisibility({visibilityProperty: true})) return e;
	}
	return null;
})()`

// Await asks the page for something until it is there, that is, until it is not null. Looking again and again from
// here, rather than once from the page, outlives the navigations that come between.
func Await[T any](b *Tab, selector, expression string) T {
	b.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	expired := time.After(shelf.Patience)
	for {
		// An error means that the page went away under the look.
		if found, err := Evaluate[*T](b, expression); err == nil && found != nil {
			return *found
		}
		select {
		case <-again.C:
		case <-expired:
			b.t.Fatalf("%s does not come to be visible%s", selector, b.where())
		}
	}
}

// See waits until something is visible.
func (b *Tab) See(format string, args ...any) {
	b.t.Helper()
	selector := fmt.Sprintf(format, args...)
	Await[bool](b, selector, fmt.Sprintf(element, selector)+" && true")
}

// point scrolls to something and tells where to click it. It fails where something else lies on top.
const point = `(() => {
	const e = %s;
	if (!e) return null;
	e.scrollIntoView({block: "center", inline: "nearest", behavior: "instant"});
	const box = e.getClientRects()[0];
	const x = box.x + box.width / 2, y = box.y + box.height / 2, hit = document.elementFromPoint(x, y);
	if (!hit || !(e.contains(hit) || hit.contains(e) || hit.closest("label")?.control === e)) return [];
	return [x, y];
})()`

// Click waits for something and clicks it with the mouse.
func (b *Tab) Click(format string, args ...any) {
	b.t.Helper()
	selector := fmt.Sprintf(format, args...)
	at := Await[[]float64](b, selector, fmt.Sprintf(point, fmt.Sprintf(element, selector)))
	if len(at) != 2 {
		b.t.Fatalf("%s cannot be clicked: something lies on top%s", selector, b.where())
	}
	if err := chromedp.Do(b.ctx, chromedp.MouseClickXY(at[0], at[1])); err != nil {
		b.t.Fatalf("click %s: %v", selector, err)
	}
}

// Text is what a part of the page says, with white space made single spaces.
func (b *Tab) Text(format string, args ...any) string {
	b.t.Helper()
	selector := fmt.Sprintf(format, args...)
	s := Await[string](b, selector, "("+fmt.Sprintf(element, selector)+")?.textContent")
	return strings.Join(strings.Fields(s), " ")
}

// where returns what the tab shows, for failures.
func (b *Tab) where() string {
	ctx, cancel := context.WithTimeout(b.ctx, shelf.Patience/10)
	defer cancel()
	shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return ""
	}
	return "\nat " + shown
}

// WithoutScripting turns the pages' scripts off.
func (b *Tab) WithoutScripting() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true})
	if err != nil {
		b.t.Fatal(err)
	}
}

// Location is the address that the tab shows, without the server's.
func (b *Tab) Location() string {
	b.t.Helper()
	s, err := Evaluate[string](b, `location.pathname + location.search`)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// Is returns what a JavaScript expression is.
func Is[T any](b *Tab, expression string) T {
	b.t.Helper()
	v, err := Evaluate[T](b, expression)
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Choose puts a file into the form, as the browser's own dialog does.
func (b *Tab) Choose(path string) {
	b.t.Helper()
	b.See("#upload-archive")
	if err := chromedp.Do(b.ctx, chromedp.SetUploadFiles("#upload-archive", []string{path})); err != nil {
		b.t.Fatal(err)
	}
}

// SeeText waits until a part of the page says something.
func (b *Tab) SeeText(selector, text string) {
	b.t.Helper()
	shelf.Eventually(b.t, text+" in "+selector, func() bool {
		said, err := Evaluate[string](b, `(document.querySelector(`+"`"+selector+"`"+
			`)?.textContent ?? "").replace(/\s+/g, " ")`)
		return err == nil && strings.Contains(said, text)
	})
}
