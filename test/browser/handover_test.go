package browser

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/shelf"
)

// clipboard returns what was copied.
func (b *Tab) clipboard() string {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-read"}, Setting: browser.PermissionSettingGranted,
		BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
	if err == nil { // only a page that has the focus may read it
		_, err = chromedp.Call(b.ctx, emulation.SetFocusEmulationEnabled,
			emulation.SetFocusEmulationEnabledParams{Enabled: true})
	}
	var text string
	if err == nil {
		text, err = Evaluate[string](b, `navigator.clipboard.readText()`)
	}
	if err != nil {
		b.t.Fatalf("read the clipboard: %v", err)
	}
	return text
}

// downloads has the browser keep what it downloads in a folder.
func (b *Tab) downloads() (folder string) {
	b.t.Helper()
	folder = b.t.TempDir()
	_, err := chromedp.Call(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
		DownloadPath: folder,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return folder
}

// downloaded waits for a whole file of some size.
func (b *Tab) downloaded(folder, name string, size int64) (path string) {
	b.t.Helper()
	path = filepath.Join(folder, name)
	shelf.Eventually(b.t, "the download", func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() == size
	})
	return path
}

func TestAnImageIsHandedOverFromOneServerToAnotherInTheBrowser(t *testing.T) {
	t.Parallel()
	u := shelf.RealUpstream(t)
	index := u.Holds(t, "team/debian",
		sample.Index{Attest: true, Entries: []sample.Source{shelf.Plain(t), shelf.Must(sample.Image{
			Platform: v1.Platform{OS: "linux", Architecture: "arm64"},
			Steps: []sample.Step{{By: "ADD rootfs.tar /",
				Layer: sample.NewLayer(sample.Gzip, sample.Data("rootfs", "arm", 300_000))}},
		}.Build())}}, "12")
	from, to := shelf.Start(t), shelf.Start(t)
	from.AwaitState(from.Pull(u.Ref("team/debian:12"), "linux/amd64", "linux/arm64"), "done")

	// The command that is copied is one that an engine understands, with this server's own address.
	b := Open(t, from)
	folder := b.downloads()
	b.Open(u.Address("team/debian:12"))
	b.Click(`#image .panel a[href$="/use"]`)
	b.Click(`button[data-copy^="docker pull "]`)
	b.See(`button.copied[data-copy^="docker pull "]`)
	command := b.clipboard()
	name := strings.ReplaceAll(u.Ref("team/debian:12"), u.Host, strings.ReplaceAll(u.Host, ":", "_"))
	if command != "docker pull "+from.Host()+"/"+name {
		t.Errorf("copied is %q", command)
	}
	status, _ := from.Get("/v2/" + strings.ReplaceAll(strings.TrimSuffix(name, ":12"), from.Host()+"/", "") +
		"/manifests/12")
	if status != http.StatusOK {
		t.Errorf("what the command names is answered %d", status)
	}

	b.Click(`#image .panel a[href$="/download"]`)
	b.See(`a.btn[href*="/archive"]`)
	size := contentLength(t, from, Is[string](b, `document.querySelector('a.btn[href*="/archive"]').getAttribute("href")`))
	b.Click(`a.btn[href*="/archive"]`)
	file := b.downloaded(folder, "127.0.0.1_"+u.Host[strings.LastIndexByte(u.Host, ':')+1:]+"_team_debian_12.tar", size)

	// An empty server takes it, and shows the same image.
	other := Open(t, to)
	other.Open("/archives")
	other.Choose(file)
	other.Click("#upload button")
	other.See(`#pull[data-state="done"]`)
	other.Click(`#pull-outcome a[href=%q]`, u.Address("team/debian:12"))
	other.See("#image")
	for _, section := range []string{"", "/layers?platform=linux/arm64", "/config", "/manifest", "/inspect"} {
		b.Open(u.Address("team/debian:12" + section))
		other.Open(u.Address("team/debian:12" + section))
		if one, two := b.Text("#image section.panel[aria-label]"),
			other.Text("#image section.panel[aria-label]"); one != two || one == "" {
			t.Errorf("%s: the one server shows\n%s\nand the other\n%s", section, one, two)
		}
	}
	for _, s := range []*shelf.Server{from, to} {
		if status, body := s.Get(u.Address("team/debian:12")); status != http.StatusOK ||
			!strings.Contains(body, index.Digest().String()) {
			t.Errorf("%s does not show the digest that the registry has", s.URL)
		}
	}
}

// contentLength asks how many bytes an address has.
func contentLength(t *testing.T, s *shelf.Server, path string) int64 {
	t.Helper()
	res, err := http.Head(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ContentLength <= 0 {
		t.Fatalf("HEAD %s: %s, %d bytes", path, res.Status, res.ContentLength)
	}
	return res.ContentLength
}
