package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
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
)

// chromium starts the browser once for all tests; each test has a profile of its own in it.
var chromium = sync.OnceValues(startChromium)

func startChromium() (context.Context, error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, errors.New("the browser tests need Chromium or Google Chrome on the PATH; the task \"test\" installs it: " +
			"go run github.com/go-task/task/v3/cmd/task@v3.53.0 test")
	}
	profile, err := os.MkdirTemp("", "stowage-chromium-")
	if err != nil {
		return nil, fmt.Errorf("make the browser's profile: %w", err)
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("no-proxy-server", true), chromedp.Flag("host-resolver-rules", "MAP "+elsewhereName+" 127.0.0.1, MAP "+shelfName+" 127.0.0.1"),
		chromedp.Flag("lang", "en-US"),
	)
	browser, stopBrowser := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	atEnd(func() {
		stopBrowser()
		stopAllocator()
		_ = os.RemoveAll(profile)
	})
	if err := chromedp.Do(browser); err != nil { // starts it
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return browser, nil
}

// tab is a window of the browser with a profile of its own: no cookies, nothing in the cache. It notes what a page
// must not do.
type tab struct {
	t   *testing.T
	ctx context.Context
	own string // the only host that pages may speak to

	mu       sync.Mutex
	problems []string
	loaded   float64 // bytes over the wire
}

// openTab opens a tab for pages of s. At the end of the test it fails for errors on the console, exceptions,
// violations of the Content-Security-Policy and requests to another host.
func openTab(t *testing.T, s *stowage) *tab {
	t.Helper()
	browser, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{t: t, own: s.host()}
	var closeTab context.CancelFunc
	b.ctx, closeTab = chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.note))
	t.Cleanup(closeTab)
	t.Cleanup(func() {
		for _, p := range b.noted() {
			t.Errorf("the browser noted: %s", p)
		}
	})
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(1280, 860)); err != nil { // opens it
		t.Fatalf("open a tab: %v", err)
	}
	return b
}

// note listens to the browser.
func (b *tab) note(event any) {
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

func (b *tab) noted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.problems)
}

// overTheWire is how many bytes the tab has received.
func (b *tab) overTheWire() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.loaded)
}

// evaluate gives what a JavaScript expression is on the page that the tab shows. It also works where the page's own
// scripts are off.
func evaluate[T any](b *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// open goes to a path of the server and waits until the page is there.
func (b *tab) open(path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate("http://"+b.own+path)); err != nil {
		b.t.Fatalf("open %s: %v", path, err)
	}
	if _, err := evaluate[bool](b, `document.fonts.ready.then(() => true)`); err != nil {
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

// await asks the page for something until it is there, that is, until it is not null. Looking again and again from here,
// rather than once from the page, outlives the navigations that come between.
func await[T any](b *tab, selector, expression string) T {
	b.t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	expired := time.After(patience)
	for {
		// An error means that the page went away under the look.
		if found, err := evaluate[*T](b, expression); err == nil && found != nil {
			return *found
		}
		select {
		case <-again.C:
		case <-expired:
			b.t.Fatalf("%s does not come to be visible%s", selector, b.where())
		}
	}
}

// see waits until something is visible.
func (b *tab) see(format string, args ...any) {
	b.t.Helper()
	selector := fmt.Sprintf(format, args...)
	await[bool](b, selector, fmt.Sprintf(element, selector)+" && true")
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

// click waits for something and clicks it with the mouse.
func (b *tab) click(format string, args ...any) {
	b.t.Helper()
	selector := fmt.Sprintf(format, args...)
	at := await[[]float64](b, selector, fmt.Sprintf(point, fmt.Sprintf(element, selector)))
	if len(at) != 2 {
		b.t.Fatalf("%s cannot be clicked: something lies on top%s", selector, b.where())
	}
	if err := chromedp.Do(b.ctx, chromedp.MouseClickXY(at[0], at[1])); err != nil {
		b.t.Fatalf("click %s: %v", selector, err)
	}
}

// enter clicks into a box, types and presses Enter.
func (b *tab) enter(selector, text string) {
	b.t.Helper()
	b.click("%s", selector)
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(text+"\r")); err != nil {
		b.t.Fatalf("type into %s: %v", selector, err)
	}
}

// text is what a part of the page says, with white space made single spaces.
func (b *tab) text(format string, args ...any) string {
	b.t.Helper()
	selector := fmt.Sprintf(format, args...)
	s := await[string](b, selector, "("+fmt.Sprintf(element, selector)+")?.textContent")
	return strings.Join(strings.Fields(s), " ")
}

// where tells what the tab shows, for failures.
func (b *tab) where() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience/10)
	defer cancel()
	shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return ""
	}
	return "\nat " + shown
}

// withoutScripting turns the pages' scripts off.
func (b *tab) withoutScripting() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	if err != nil {
		b.t.Fatal(err)
	}
}

// location is the address that the tab shows, without the server's.
func (b *tab) location() string {
	b.t.Helper()
	s, err := evaluate[string](b, `location.pathname + location.search`)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}
