package main

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

// choose puts a file into the form, as the browser's own dialog does.
func (b *tab) choose(path string) {
	b.t.Helper()
	b.see("#upload-archive")
	if err := chromedp.Do(b.ctx, chromedp.SetUploadFiles("#upload-archive", []string{path})); err != nil {
		b.t.Fatal(err)
	}
}

func TestABrowserUploadsAnArchiveAndIsLedToWhatWasStored(t *testing.T) {
	t.Parallel()
	raw := tarredImage(t, "", plainImage(t))
	for _, scripting := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripting %v", scripting), func(t *testing.T) {
			t.Parallel()
			s := startStowage(t)
			b := openTab(t, s)
			if !scripting {
				b.withoutScripting()
			}
			b.open("/images")
			b.click(`a[href="/archives"]`)
			b.choose(archiveFile(t, "tool.tar", raw))
			b.enter("#upload-name", "team/tool:1")
			b.see(`#pull[data-state="done"]`)
			if text := b.text("#pull h1"); text != "Uploaded tool.tar" {
				t.Errorf("the page says %q", text)
			}
			b.click(`#pull-outcome a[href="/images/docker.io/team/tool:1"]`)
			b.see("#image")
		})
	}
}

func TestABrowserIsLedToThePageThatSaysWhatIsWrongWithAnArchive(t *testing.T) {
	t.Parallel()
	s := startStowage(t, "--max-upload=4MB")
	b := openTab(t, s)
	b.open("/archives")
	b.choose(archiveFile(t, "wrong.tar", tarredImage(t, "a:1", must(sample.WrongDiffID().Build()))))
	b.click("#upload button")
	b.see(`#pull[data-state="failed"]`)
	if text := b.text("#pull-outcome"); !strings.Contains(text, "the image's config says") {
		t.Errorf("the page says %q", text)
	}
	b.open("/archives")
	// What is too large is not even sent.
	b.choose(archiveFile(t, "large.tar", make([]byte, 5_000_000)))
	b.seeText("#upload-problem", "at most 4 MB")
	b.click("#upload button")
	if status, body := s.get("/pulls"); status != http.StatusOK || strings.Contains(body, "large.tar") {
		t.Error("it was sent")
	}
	b.choose(archiveFile(t, "good.tar", tarredImage(t, "a:1", plainImage(t))))
	b.click("#upload button")
	b.see(`#pull[data-state="done"]`)
}

func TestABrowserStopsAnUploadThatItIsSending(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	b := openTab(t, s)
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(b.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: 50_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.open("/archives")
	b.choose(archiveFile(t, "slow.tar", tarredImage(t, "a:1", plainImage(t))))
	b.click("#upload button")
	b.see("[data-upload-cancel]")
	b.seeText("[data-upload-file]", "slow.tar")
	b.click("[data-upload-cancel]")
	b.seeText("#upload-problem", "Stopped. Nothing was stored.")
	eventually(t, "the end of the upload", func() bool { return len(s.staged()) == 0 })
	if s.blobs() > 0 {
		t.Errorf("%d blobs are left", s.blobs())
	}
}

// sentArchives is a server with uploads that went well and badly, and one under way.
func sentArchives(t *testing.T) []shot {
	t.Helper()
	s := startStowage(t)
	image := func(architecture string) sample.Image {
		return sample.Image{Platform: v1.Platform{OS: "linux", Architecture: architecture}, Steps: []sample.Step{
			{By: "ADD rootfs.tar /", Layer: sample.NewLayer(sample.Gzip, sample.Data("rootfs-"+architecture, architecture, 2_000_000))},
			{By: "COPY app /", Layer: sample.NewLayer(sample.Gzip, sample.Program("app", "app-"+architecture, 600_000))},
		}}
	}
	index := must(sample.Index{Entries: []sample.Source{image("amd64"), image("arm64")}}.Build())
	for _, sent := range []struct {
		name   string
		body   io.Reader
		status int
	}{
		{"release.tar", bytes.NewReader(tarredImage(t, "registry.example.com/platform/team/app:2026.11-rc1", index)), http.StatusCreated},
		{"release-of-2026-11-with-a-name-that-somebody-made-by-a-script-and-nobody-ever-shortened-again.tar", bytes.NewReader(tarredImage(t, "a:1", must(sample.WrongDiffID().Build()))), http.StatusUnprocessableEntity},
	} {
		if status, text, _ := s.put("/archives/"+sent.name, sent.body, nil); status != sent.status {
			t.Fatalf("%s: %d %s", sent.name, status, text)
		}
	}
	s.halfSent()
	return []shot{
		{"upload", s, "/archives", "#upload"},
		{"upload-done", s, "/pulls/1", `#pull[data-state="done"]`},
		{"upload-failed", s, "/pulls/2", `#pull[data-state="failed"]`},
		{"upload-running", s, "/pulls/3", `#pull[data-state="pulling"]`},
		{"uploads", s, "/pulls", "tr[data-row]"},
	}
}
