package imagepage_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
)

// movedShelf is a shelf on which app:1 moved from one index to another: amd64 got a layer, an environment variable and lost
// a port, arm64 stayed as it was, s390x went and riscv64 came.
type movedShelf struct {
	*pages.Shelf
	from, to image.Digest
}

func newMoved(t *testing.T) movedShelf {
	t.Helper()
	layer := func(name string) *sample.Layer {
		return sample.NewLayer(sample.Gzip, sample.Data("usr/"+name, name, 4000))
	}
	base, app, patch := layer("base"), layer("app"), layer("patch")
	im := func(architecture string, c sample.Config, steps ...sample.Step) sample.Image {
		return sample.Image{Platform: v1.Platform{OS: "linux", Architecture: architecture}, Created: sample.Epoch, Config: c, Steps: steps}
	}
	first := sample.Config{ImageConfig: v1.ImageConfig{Env: []string{"PATH=/bin", "MODE=old"}, Cmd: []string{"app"}, ExposedPorts: map[string]struct{}{"80/tcp": {}}}}
	second := sample.Config{ImageConfig: v1.ImageConfig{Env: []string{"PATH=/bin", "MODE=new <b>", "EXTRA=1"}, Cmd: []string{"app", "--fast"}}}
	arm := im("arm64", first, sample.Step{By: "COPY base", Layer: base})
	reg := fake.NewEmptyRegistry()
	m := movedShelf{Shelf: pages.NewOn(t, reg)}
	for i, source := range []sample.Index{
		{Entries: []sample.Source{im("amd64", first, sample.Step{By: "COPY base", Layer: base}, sample.Step{By: "COPY app", Layer: app}), arm, im("s390x", first, sample.Step{By: "COPY base", Layer: base})}},
		{Entries: []sample.Source{im("amd64", second, sample.Step{By: "COPY base", Layer: base}, sample.Step{By: "RUN patch <i>", Layer: patch}, sample.Step{By: "COPY app", Layer: app}), arm, im("riscv64", first, sample.Step{By: "COPY base", Layer: base})}},
	} {
		if err := reg.Push(t.Context(), "library/app", source, "1"); err != nil {
			t.Fatal(err)
		}
		m.Pull("app:1", "linux/amd64", "linux/arm64")
		if d := m.Target("app:1").Digest; i == 0 {
			m.from = d
		} else {
			m.to = d
		}
	}
	if err := m.Store.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m movedShelf) changes(query string) string {
	return "/images/docker.io/library/app@" + string(m.to) + "/changes?from=" + string(m.from) + query
}

func TestAMoveLeadsToWhatChanged(t *testing.T) {
	m := newMoved(t)
	history := m.Get("/images/docker.io/library/app:1/history")
	history.Is(t, http.StatusOK, `href="`+m.changes("")+`"`, `<option value="`+string(m.from)+`" selected>`, `<option value="`+string(m.to)+`" selected>`)

	page := m.Get(m.changes(""))
	page.Is(t, http.StatusOK,
		"What changed in app", "2 kept", "1 added", "0 dropped",
		"MODE", ">old<", "new &lt;b&gt;", "EXTRA", "80/tcp", `[&#34;app&#34;,&#34;--fast&#34;]`, "RUN patch &lt;i&gt;",
		"linux/s390x", "linux/riscv64", `href="/images/docker.io/library/app@`+string(m.from)+`"`, `href="/images/docker.io/library/app@`+string(m.to)+`"`)
	page.Lacks(t, "PATH", "new <b>", "patch <i>")
	page.ImageGolden(t, "image_changes")

	same := m.Get(m.changes("&platform=linux/arm64"))
	same.Is(t, http.StatusOK, "nothing in the config differs", "1 kept", "0 added", "the same")
}

func TestTwoPointsOfATagAreComparedAtAPermanentAddress(t *testing.T) {
	m := newMoved(t)
	form := url.Values{"from": {string(m.from)}, "to": {string(m.to)}}
	if a := m.Get("/images/docker.io/library/app:1/changes?" + form.Encode()); a.Status != http.StatusFound || a.Header.Get("Location") != m.changes("") {
		t.Errorf("%d to %q, want %q", a.Status, a.Header.Get("Location"), m.changes(""))
	}
	m.Get(strings.Replace(m.changes(""), string(m.from), string(m.to), 1)).Is(t, http.StatusOK, "Nothing changed")
}

func TestAComparisonSaysWhatIsMissing(t *testing.T) {
	m := newMoved(t)
	gone := image.DigestOf([]byte("gone"))
	m.Get(strings.Replace(m.changes(""), string(m.from), string(gone), 1)).Is(t, http.StatusNotFound,
		image.ShortDigest(gone)+" is not stored here any more", `href="/pull?ref=app@`+string(gone)+`"`)
	for query, says := range map[string]string{
		"":                      "(from)",
		"?from=sha256:12":       "is not a digest",
		"?from=latest":          "is not a digest",
		"?platform=none&from=x": "is not a digest",
	} {
		m.Get("/images/docker.io/library/app@"+string(m.to)+"/changes"+query).Is(t, http.StatusBadRequest, says)
	}
	m.Get(m.changes("&platform=linux/s390x")).Is(t, http.StatusNotFound, "is not stored on both sides")
	m.Get("/images/docker.io/library/app:1/changes?from="+string(m.from)).Is(t, http.StatusBadRequest, "(to)")
	id := m.Target("app:1").Images[0].ID
	m.Get("/images/"+string(id)+"/changes?from="+string(m.from)).Is(t, http.StatusBadRequest, "An image ID has no changes")
}

func TestTheHistoryRefusesWhatIsNoEvent(t *testing.T) {
	m := newMoved(t)
	m.Get("/images/docker.io/library/app:1/history?older=x").Is(t, http.StatusBadRequest, "(older)")
	older := m.Get("/images/docker.io/library/app:1/history?older=2")
	older.Is(t, http.StatusOK, "pulled", "Newest events")
	older.Lacks(t, ">moved<")
}
