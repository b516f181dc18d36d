package imagepage

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// onPage is what a component makes of a page of its own.
func onPage(t *testing.T, c templ.Component) string {
	t.Helper()
	return rendered(t, ui.WithRoom(context.Background()), c)
}

// costly are texts that become much more on a page than they are.
var costly = map[string]string{
	"plain":              "x",
	"quotes":             `"`,
	"markup":             "<&'\"",
	"hidden":             "\u202e",
	"hidden and plain":   "a\x7f",
	"hidden and astral":  "a\U000e0041",
	"bytes without text": "a\xff",
	"wide":               "한",
}

func TestAForeignTextIsBoundedByTheMarkupThatItMakes(t *testing.T) {
	for name, part := range costly {
		got := rendered(t, t.Context(), ui.Verbatim(strings.Repeat(part, 1<<20/len(part))))
		if len(got) > ui.MaxMarkup+500 {
			t.Errorf("%s: a text makes %d bytes of markup", name, len(got))
		}
		if !strings.Contains(got, " bytes more") {
			t.Errorf("%s: nobody is told that something is left out", name)
		}
		if n := len(text.Visible(strings.Repeat(part, 1<<20/len(part)))); n > text.MaxVisible+len("…") {
			t.Errorf("%s: a text in an attribute has %d bytes", name, n)
		}
	}
}

func TestTheForeignTextsOfAPageShareItsRoom(t *testing.T) {
	for _, name := range []string{"quotes", "hidden and plain"} {
		part := costly[name]
		long := strings.Repeat(part, ui.MaxVerbatim/len(part))
		c := &image.Config{Author: long, Comment: long, DockerVersion: long}
		c.Config = image.RunConfig{User: long, WorkingDir: long, Cmd: []string{long}, Labels: map[string]string{}, StopSignal: long}
		steps := make([]StepView, 1000)
		for i := range steps {
			c.Config.OnBuild = append(c.Config.OnBuild, long)
			c.Config.Env = append(c.Config.Env, long+"="+long)
			steps[i] = StepView{Number: i + 1, Recorded: long, Author: long, Comment: long, Layer: StepLayer{DiffID: someDigest, Digest: someDigest, MediaType: long, Problem: image.Plain(long)}}
		}
		for page, section := range map[string]templ.Component{
			"config": ConfigSection(ConfigView{Config: c}), "layers": LayersSection(LayersView{Steps: steps, Layers: len(steps), Docker: long}),
		} {
			got := onPage(t, section)
			if most := ui.MaxForeign + 5<<20; len(got) > most { // what stands around the texts is ours: some 3 kB a row
				t.Errorf("%s on the %s page: %d bytes", name, page, len(got))
			}
			if !strings.Contains(got, " bytes more") {
				t.Errorf("%s on the %s page: nobody is told that something is left out", name, page)
			}
		}
	}
}

func TestAddressesInLabelsShareTheRoomOfThePage(t *testing.T) {
	c := &image.Config{}
	address := "https://example.com/?" + strings.Repeat("&", 1900)
	for range maxPairs {
		c.Config.Env = append(c.Config.Env, "A="+address)
	}
	got := onPage(t, ConfigSection(ConfigView{Config: c}))
	if len(got) > ui.MaxForeign+3<<20 || !strings.Contains(got, "<a class=\"link\" href=\"https://example.com/?&amp;") {
		t.Errorf("%d bytes", len(got))
	}
}

func TestADocumentIsShownAsFarAsThePageHasRoomAndTheRestIsLinked(t *testing.T) {
	deep := func(levels int) string {
		return strings.Repeat("[", levels) + strings.Repeat("1,", 60_000) + "1" + strings.Repeat("]", levels)
	}
	for name, raw := range map[string]string{
		"deep":              deep(6000),
		"as deep as can be": deep(100),
		"too deep for Go":   deep(20_000),
		"quotes":            `{"x":"` + strings.Repeat(`\"`, 2<<20) + `"}`,
		"markup":            `{"x":"` + strings.Repeat(`<&`, 2<<20) + `"}`,
		"escapes":           `{"x":"` + strings.Repeat("\x7f", 4<<20) + `"}`,
		"hidden":            `{"x":"` + strings.Repeat("\u202e", 1<<20) + `"}`,
		"bytes":             `{"x":"` + strings.Repeat("\xff", 4<<20) + `"}`,
		"numbers":           "[" + strings.Repeat("1,", 1<<20) + "1]",
		"digests":           `{"x":"` + strings.Repeat(someDigest, 50_000) + `"}`,
		"no JSON":           strings.Repeat("<", 4<<20),
		"blanks":            strings.Repeat(" ", 4<<20),
	} {
		for section, c := range map[string]templ.Component{
			"manifest": ManifestSection(ManifestView{Raw: []byte(raw), Digest: someDigest, Download: "/raw", Link: toLayer}),
			"inspect":  InspectSection(InspectView{JSON: []byte(raw), RawURL: "/raw", Link: toLayer}),
		} {
			got := onPage(t, c)
			if most := 5 << 20; len(got) > most {
				t.Errorf("%s in the %s section: %d bytes become %d", name, section, len(raw), len(got))
			}
			if whole := strings.Contains(got, "more bytes are left out"); whole != strings.Contains(got, `href="/raw" download>Download all of it`) {
				t.Errorf("%s in the %s section: what is left out is not linked", name, section)
			}
		}
	}
}

func TestAnOrdinaryLargeDocumentIsShownWhole(t *testing.T) {
	type entry struct {
		MediaType, Digest string
		Size              int
		Platform          map[string]string
	}
	index := map[string][]entry{}
	for range image.MaxEntries {
		index["manifests"] = append(index["manifests"], entry{"application/vnd.oci.image.manifest.v1+json", someDigest, 1234, map[string]string{"os": "windows", "architecture": "amd64"}})
	}
	raw, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	s := ui.ShowJSON(raw, true)
	var back bytes.Buffer
	if err := json.Compact(&back, s.Text); err != nil || s.Rest != 0 || !s.Indented || back.String() != string(raw) {
		t.Errorf("of %d bytes %d are left out; indented %v (%v)", len(raw), s.Rest, s.Indented, err)
	}
}

const someDigest = "sha256:a2282ad0db623c27f03bab803975c9e3942a24e974f07142d5d69b6b8eaaf9e2"

func toLayer(d string) string { return "/layers/" + d }

// rendered is the markup of a component.
func rendered(t *testing.T, ctx context.Context, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(ctx, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
