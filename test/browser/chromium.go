package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"github.com/chromedp/chromedp"

	"github.com/stowage/stowage/test/shelf"
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
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP "+elsewhereName+" 127.0.0.1, MAP "+shelfName+" 127.0.0.1"),
		chromedp.Flag("lang", "en-US"),
	)
	browser, stopBrowser := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	shelf.AtEnd(func() {
		stopBrowser()
		stopAllocator()
		_ = os.RemoveAll(profile)
	})
	if err := chromedp.Do(browser); err != nil { // starts it
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return browser, nil
}

// Names that Chromium is told to find on this machine: of a page elsewhere, and of a server on a network, which
// browsers tell nothing of the site that a request comes from.
const (
	elsewhereName = "evil.example"
	shelfName     = "shelf.example"
)
