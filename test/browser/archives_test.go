package browser

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/shelf"
)

// archiveFile keeps an archive as a file that a browser can send.
func archiveFile(t *testing.T, name string, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestABrowserUploadsAnArchiveAndIsLedToWhatWasStored(t *testing.T) {
	t.Parallel()
	raw := shelf.Tarred(t, "", shelf.Plain(t))
	for _, scripting := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripting %v", scripting), func(t *testing.T) {
			t.Parallel()
			s := shelf.Start(t)
			b := Open(t, s)
			if !scripting {
				b.WithoutScripting()
			}
			b.Open("/images")
			b.Click(`a[href="/archives"]`)
			b.Choose(archiveFile(t, "tool.tar", raw))
			b.Enter("#upload-name", "team/tool:1")
			b.See(`#pull[data-state="done"]`)
			if text := b.Text("#pull h1"); text != "Uploaded tool.tar" {
				t.Errorf("the page says %q", text)
			}
			b.Click(`#pull-outcome a[href="/images/docker.io/team/tool:1"]`)
			b.See("#image")
		})
	}
}

func TestABrowserIsLedToThePageThatSaysWhatIsWrongWithAnArchive(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t, "--max-upload=4MB")
	b := Open(t, s)
	b.Open("/archives")
	b.Choose(archiveFile(t, "wrong.tar", shelf.Tarred(t, "a:1", shelf.Must(sample.WrongDiffID().Build()))))
	b.Click("#upload button")
	b.See(`#pull[data-state="failed"]`)
	if text := b.Text("#pull-outcome"); !strings.Contains(text, "the image's config says") {
		t.Errorf("the page says %q", text)
	}
	b.Open("/archives")
	// What is too large is not even sent.
	b.Choose(archiveFile(t, "large.tar", make([]byte, 5_000_000)))
	b.SeeText("#upload-problem", "at most 4 MB")
	b.Click("#upload button")
	if status, body := s.Get("/pulls"); status != http.StatusOK || strings.Contains(body, "large.tar") {
		t.Error("it was sent")
	}
	b.Choose(archiveFile(t, "good.tar", shelf.Tarred(t, "a:1", shelf.Plain(t))))
	b.Click("#upload button")
	b.See(`#pull[data-state="done"]`)
}

func TestABrowserStopsAnUploadThatItIsSending(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	b := Open(t, s)
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(b.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: 50_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Open("/archives")
	b.Choose(archiveFile(t, "slow.tar", shelf.Tarred(t, "a:1", shelf.Plain(t))))
	b.Click("#upload button")
	b.See("[data-upload-cancel]")
	b.SeeText("[data-upload-file]", "slow.tar")
	b.Click("[data-upload-cancel]")
	b.SeeText("#upload-problem", "Stopped. Nothing was stored.")
	shelf.Eventually(t, "the end of the upload", func() bool { return len(s.Staged()) == 0 })
	if s.Blobs() > 0 {
		t.Errorf("%d blobs are left", s.Blobs())
	}
}

// sentArchives is a server with uploads that went well and badly, and one under way.
func sentArchives(t *testing.T) []shot {
	t.Helper()
	s := shelf.Start(t)
	image := func(architecture string) sample.Image {
		return sample.Image{Platform: v1.Platform{OS: "linux", Architecture: architecture}, Steps: []sample.Step{
			{By: "ADD rootfs.tar /", Layer: sample.NewLayer(sample.Gzip,
				sample.Data("rootfs-"+architecture, architecture, 2_000_000))},
			{By: "COPY app /", Layer: sample.NewLayer(sample.Gzip, sample.Program("app", "app-"+architecture, 600_000))},
		}}
	}
	index := shelf.Must(sample.Index{Entries: []sample.Source{image("amd64"), image("arm64")}}.Build())
	for _, sent := range []struct {
		name   string
		body   io.Reader
		status int
	}{
		{"release.tar", bytes.NewReader(shelf.Tarred(t, "registry.example.com/platform/team/app:2026.11-rc1", index)),
			http.StatusCreated},
		{"release-of-2026-11-with-a-name-that-somebody-made-by-a-script-and-nobody-ever-shortened-again.tar",
			bytes.NewReader(shelf.Tarred(t, "a:1", shelf.Must(sample.WrongDiffID().Build()))), http.StatusUnprocessableEntity},
	} {
		if status, text, _ := s.Put("/archives/"+sent.name, sent.body, nil); status != sent.status {
			t.Fatalf("%s: %d %s", sent.name, status, text)
		}
	}
	s.HalfSent()
	return []shot{
		{"upload", s, "/archives", "#upload"},
		{"upload-done", s, "/pulls/1", `#pull[data-state="done"]`},
		{"upload-failed", s, "/pulls/2", `#pull[data-state="failed"]`},
		{"upload-running", s, "/pulls/3", `#pull[data-state="pulling"]`},
		{"uploads", s, "/pulls", "tr[data-row]"},
	}
}
