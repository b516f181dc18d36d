package browser

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

func TestTheMainPathInABrowser(t *testing.T) { walkMainPath(t, true) }

func TestTheMainPathWithScriptingOff(t *testing.T) { walkMainPath(t, false) }

// walkMainPath is what somebody does on the first day: paste a reference, choose two platforms, watch them come, look
// at the image, switch the platform, delete one of them, delete the tag.
func walkMainPath(t *testing.T, scripting bool) {
	t.Parallel()
	u := shelf.RealUpstream(t)
	index := u.Library(t, "library/nginx", "latest")
	layers := shelf.Platform(t, index, "linux/arm64/v8").Layers()
	const held = 50_000
	hold := u.Hold(fake.GetBlob(layers[0].Descriptor.Digest), held)
	s := shelf.Start(t, "--undo-window=0")
	b := Open(t, s)
	if !scripting {
		b.WithoutScripting()
	}
	ref := u.Ref("library/nginx:latest")

	// An empty shelf says what to do first. The box in the header takes the reference.
	b.Open("/")
	b.See(`main form[action="/pull"] input[name=ref]`)
	if n := b.OverTheWire(); n < 1000 || n >= 120_000 {
		t.Errorf("the first page view took %d bytes over the wire, want less than 120 kB", n)
	} else {
		t.Logf("the first page view took %d bytes over the wire", n)
	}
	b.Enter("header input[name=q]", ref)

	// The form shows the platforms; the server's own is ticked.
	b.See(`input[name=platform][value="linux/amd64"]:checked`)
	b.See(`input[name=platform][value="linux/386"]:not(:checked)`)
	b.Click(`input[name=platform][value="linux/arm64"]`)
	b.See(`input[name=platform][value="linux/arm64"]:checked`)
	if scripting {
		if n := b.Text("[data-pick-count]"); n != "2" {
			t.Errorf("%s platforms are counted as ticked, want 2", n)
		}
	}

	// The pull runs, and one layer of it stands in the middle for certain.
	b.Click(`form[action="/pulls"] .panel-foot button`)
	b.See(`#pull[data-state="pulling"] li progress[value="%d"]`, held)
	at := b.Location()
	row := b.Text(`#pull li:has(progress[value="%d"])`, held)
	for _, want := range []string{shelf.Short(layers[0]), "Downloading", "50 kB / "} {
		if !strings.Contains(row, want) {
			t.Errorf("the layer's row does not say %q but %q", want, row)
		}
	}
	if n := b.Text("#pull-count"); n != "1" {
		t.Errorf("the navigation counts %q pulls, want 1", n)
	}
	hold.Release()
	b.See(`#pull[data-state="done"]`)
	if text := b.Text("#pull"); !strings.Contains(text, "Downloaded newer image for "+ref) || !strings.Contains(text, index.Digest().String()) {
		t.Errorf("no outcome lines of docker's: %s", text)
	}
	if b.Location() != at {
		t.Errorf("the pull is at %s, then at %s", at, b.Location())
	}
	for d, n := range u.ServedBlobs() {
		if got := blobSize(t, s, d.Encoded()); got != n {
			t.Errorf("blob %s: %d bytes served, %d stored", d, n, got)
		}
	}

	// The image page: its platforms and sections.
	b.Click(`#pull-outcome a[href*="platform=linux/arm64"]`)
	b.See(`#image a[aria-current=true][href*="platform=linux/arm64"]`)
	b.Click(`#image .tabbar a[href*="/inspect"]`)
	if text := b.Text("#inspect"); !strings.Contains(text, `"Architecture": "arm64"`) {
		t.Errorf("the Inspect section is not arm64's: %s", text)
	}
	b.Click(`#image nav a[href*="platform=linux/amd64"]`)
	b.See(`#image a[aria-current=true][href*="platform=linux/amd64"]`)
	if text := b.Text("#inspect"); !strings.Contains(text, `"Architecture": "amd64"`) {
		t.Errorf("after the switch the Inspect section is not amd64's: %s", text)
	}
	if want := "/images/" + ref + "/inspect?platform=linux/amd64"; b.Location() != want {
		t.Errorf("the address is %s, want %s: people paste it", b.Location(), want)
	}

	// Deleting the platform shown: first the plan, then the other one is still there.
	gone := shelf.Platform(t, index, "linux/amd64").Layers()[0]
	b.Click(`#image summary.text-error`)
	b.Click(`a[href*="/delete?platform=linux/amd64"]`)
	b.See(`form[action$="/delete"] button`)
	if text := b.Text("main"); !strings.Contains(text, "What goes") || !strings.Contains(text, "linux/amd64") || !strings.Contains(text, "Frees ") {
		t.Errorf("the plan does not say what goes: %s", text)
	}
	if n := blobSize(t, s, gone.Descriptor.Digest.Encoded()); n != gone.Descriptor.Size {
		t.Errorf("looking at the plan changed the disk: %d bytes of a layer", n)
	}
	b.Click(`form[action$="/delete"] button`)
	b.See(`#image a[href^="/pull?ref="][href*="platform=linux/amd64"]`)
	b.See(`#image a[aria-current=true][href*="platform=linux/arm64"]`)
	if text := b.Text("main"); !strings.Contains(text, "Deleted") {
		t.Errorf("no word about the deletion: %s", text)
	}

	// Deleting the tag, from the list: the shelf is empty again, and so is the disk.
	b.Click(`header nav a[href="/images"]`)
	b.Click(`tr[data-row] .cell-actions summary`)
	b.Click(`tr[data-row] a[href$="/delete"]`)
	b.Click(`form[action$="/delete"] button`)
	b.See(`main form[action="/pull"] input[name=ref]`)
	if text := b.Text("main"); !strings.Contains(text, "Nothing on the shelf yet") {
		t.Errorf("the list is not empty: %s", text)
	}
	shelf.Eventually(t, "the blobs to leave the disk", func() bool {
		left, err := filepath.Glob(filepath.Join(s.Data, "blobs", "sha256", "*"))
		return err == nil && len(left) == 0
	})
}

// blobSize is how many bytes of a blob are on disk; 0 when it is not there.
func blobSize(t *testing.T, s *shelf.Server, hex string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(s.Data, "blobs", "sha256", hex))
	if err != nil {
		t.Logf("blob %s: %s", hex, strconv.Quote(err.Error()))
		return 0
	}
	return info.Size()
}
