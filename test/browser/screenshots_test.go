package browser

import (
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

// screenshots is where TestScreenshots puts its pictures; without it, it takes none and looks at phones only.
var screenshots = flag.String("screenshots", "", "folder for pictures of each page")

// shot is a page to look at.
type shot struct {
	name   string
	server *shelf.Server
	path   string
	see    string // what must be visible before the picture is taken
}

// look is how a page is looked at: the picture's name ends in its name.
type look struct {
	name          string
	width, height int64
	dark          bool
	lang          string // the browser's
	always        bool   // also where no pictures are taken
}

var looks = []look{
	{name: "", width: 1280, height: 860, lang: "en"},
	{name: "-dark", width: 1280, height: 860, dark: true, lang: "en"},
	{name: "-ko", width: 1280, height: 860, lang: "ko"},
	{name: "-390", width: 390, height: 844, lang: "en", always: true},
	{name: "-390-dark-ko", width: 390, height: 844, dark: true, lang: "ko", always: true},
}

// TestScreenshots visits each page in light and dark, English and Korean: none may scroll sideways on a phone, nor
// make the browser complain. With -screenshots it keeps a picture of each.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	shots := pagesToLookAt(t)
	for _, l := range looks {
		if *screenshots == "" && !l.always {
			continue
		}
		t.Run("look"+l.name, func(t *testing.T) {
			tabs := map[*shelf.Server]*Tab{}
			live := append([]shot{runningPull(t), runningAllTags(t), troubledSearch(t)}, sentArchives(t)...) // to be looked at soon
			for _, s := range append(live, shots...) {
				b := tabs[s.server]
				if b == nil {
					b = Open(t, s.server)
					b.look(l)
					tabs[s.server] = b
				}
				b.Open(s.path)
				if do := beforehand[s.name]; do != nil {
					do(b)
				}
				b.See("%s", s.see)
				b.checkLook(s, l)
				if *screenshots != "" {
					b.picture(filepath.Join(*screenshots, s.name+l.name+".png"))
				}
			}
		})
	}
}

// pagesToLookAt starts the servers that have each page, and lists those.
func pagesToLookAt(t *testing.T) []shot {
	t.Helper()
	demo, empty := shelf.StartDemo(t), shelf.Start(t)
	postgres := "/images/docker.io/library/postgres:15"
	layer := demo.Page(postgres).Links("/layers/")
	ubuntu := demo.Page("/images/docker.io/library/ubuntu:22.04").Links("/images/sha256:")
	if len(layer) == 0 || len(ubuntu) == 0 {
		t.Fatalf("the demo's images have no links: %v %v", layer, ubuntu)
	}
	failed := demo.Pull("postgres:99")
	demo.AwaitState(failed, "failed")
	changes := movedTag(t, demo)
	many, few := shelf.Start(t, shelf.ServeLarge(t).Args...), shelf.Start(t)
	all := pushManyTags(t)
	few.AwaitState(pullAllTags(few, all.Ref(all.repository)), "done")
	return []shot{
		{"images", demo, "/images", "tr[data-row]"},
		{"images-digests", demo, "/images?digests=1&sort=-size", "tr[data-row]"},
		{"images-filter", demo, "/images?q=ubuntu", "tr[data-row]"},
		{"images-none", demo, "/images?q=nothing-is-called-this", "#image-list h2"},
		{"images-empty", empty, "/images", `main form[action="/pull"]`},
		{"repository", demo, "/images/docker.io/library/ubuntu", "tr[data-row]"},
		{"image-layers", demo, postgres + "/layers", "li[data-row]"},
		{"image-download", demo, postgres + "/download", "#format-docker"},
		{"image-config", demo, "/images/ghcr.io/acme/api:v2.14.0/config", "#image .panel"},
		{"image-manifest", demo, postgres + "/manifest", "#image pre"},
		{"image-inspect", demo, postgres + "/inspect", "#inspect"},
		{"image-inspect-format", demo, postgres + "/inspect?format=" + url.QueryEscape("{{range $v := .RootFS.Layers}}{{println $v}}{{end}}"), "#format-text"},
		{"image-history", demo, postgres + "/history", "#image .panel"},
		{"image-use", demo, postgres + "/use?platform=linux%2Famd64", "#use-digest"},
		{"image-changes", demo, changes, "main ol"},
		{"updates", demo, "/updates", "#updates dl"},
		{"help", demo, "/help", "#dangling"},
		{"image-not-stored", demo, postgres + "?platform=linux/arm64", "#image .panel"},
		{"image-absent", demo, "/images/docker.io/library/mysql:8", `main a[href^="/pull"]`},
		{"layer", demo, layer[0], "main .panel"},
		{"pull-form", demo, "/pull?ref=postgres:15&platform=linux/arm64", "input[name=platform]"},
		{"pull-form-empty", demo, "/pull", "#ref"},
		{"pull-form-error", demo, "/pull?ref=" + url.QueryEscape("Library/Ubuntu:22.04"), "#pull-problem"},
		{"pulls", demo, "/pulls", "tr[data-row]"},
		{"pull-done", demo, "/pulls/3", `#pull[data-state="done"]`},
		{"pull-failed", demo, failed, `#pull[data-state="failed"]`},
		{"delete", demo, postgres + "/delete", `form[action$="/delete"]`},
		{"delete-many", demo, "/delete?ref=postgres:15&ref=ubuntu:latest&ref=debian:12&ref=mysql:8", `form[action="/delete"]`},
		{"delete-refused", demo, strings.TrimSuffix(ubuntu[0], "/") + "/delete", "main .alert"},
		{"search", demo, "/search?q=postgres&registry=docker.io&repo=postgres&tag=15", "#search-offers input[name=platform]"},
		{"search-registries", demo, "/search?q=nginx", "#search-results section a[data-row-link]"},
		{"search-empty", demo, "/search", "#search-results dl"},
		{"search-none", demo, "/search?q=nothing-is-called-this&official=1", "#search-results h2"},
		{"tags-5000", many, "/search?repo=" + shelf.LargeRepository + "&match=alpine&tags=2", "#tag-list"},
		{"all-tags", demo, "/pull?ref=ghcr.io/acme/api&all=1", `#survey form[action="/pulls"] button`},
		{"all-tags-done", few, "/pulls/1", `#pull[data-state="done"]`},
		{"box", demo, "/images", "#box-hit-0"},
		{"storage", demo, "/storage", "#largest tr[data-row]"},
		{"storage-empty", empty, "/storage", "#storage-map h2"},
		{"prune", demo, "/prune?all=1&until=24h", `form[action="/prune"] button.btn-error`},
		{"prune-nothing", empty, "/prune", "#prune-plan h2"},
		{"not-found", demo, "/nowhere", "main .panel"},
	}
}

// movedTag makes the demo's tag move twice, of which the shelf pulls the first and knows the second, and gives the page of
// what changed.
func movedTag(t *testing.T, demo *shelf.Server) string {
	t.Helper()
	const rolling = "/images/docker.io/library/ubuntu:rolling"
	demo.Post("/demo/move-tag", nil)
	demo.AwaitState(demo.Pull("ubuntu:rolling"), "done")
	demo.Post("/demo/move-tag", nil)
	demo.Post(rolling+"/check", nil)
	for _, link := range demo.Page(rolling + "/history").Links("/images/docker.io/library/ubuntu@") {
		if strings.Contains(link, "/changes?") {
			return link
		}
	}
	t.Fatal("the history leads to no changes")
	return ""
}

// beforehand is what is done on a page, by the name of its picture, before it is looked at.
var beforehand = map[string]func(*Tab){
	"box": func(b *Tab) {
		b.Focused()
		b.Click("#box")
		b.Press("postgres")
	},
}

// pullAllTags asks for a pull of all tags and gives the path of its page.
func pullAllTags(s *shelf.Server, repository string) string {
	s.T.Helper()
	p := s.Post("/pulls", url.Values{"ref": {repository}, "all": {"1"}})
	if !strings.HasPrefix(p.URL.Path, "/pulls/") {
		s.T.Fatalf("pull all tags of %s: %d at %s: %s", repository, p.Status, p.URL, p.Text())
	}
	return p.URL.Path
}

// runningAllTags is the page of a pull of all tags that stands in the middle, on a server of its own; see
// runningPull.
func runningAllTags(t *testing.T) shot {
	t.Helper()
	s, m := shelf.Start(t), pushManyTags(t)
	const part = 100_000
	m.Hold(fake.GetBlob(m.layers[2].Descriptor.Digest), part)
	return shot{"all-tags-running", s, pullAllTags(s, m.Ref(m.repository)), `#pull[data-state="pulling"] progress[value="` + strconv.Itoa(part) + `"]`}
}

// troubledSearch is a search of three registries, one of which answers; of the others one is too slow, and the
// other one has a web page for an answer.
func troubledSearch(t *testing.T) shot {
	t.Helper()
	h := shelf.DockerHub(t, "library/nginx:latest")
	list := []registry.Entry{h.Listed()}
	for _, name := range []string{"slow.example", "broken.example"} {
		u := shelf.StandIn(t, fake.Quay{Found: fake.QuayFound(), Tagged: h.Tags}.Handler())
		if name == "slow.example" {
			u.Hold(fake.Searches, -1)
		} else {
			u.On(fake.Any, fake.HTML())
		}
		list = append(list, registry.Entry{Host: name, Address: u.Host, TLS: outbound.TLSOff, Search: registry.SearchQuay})
	}
	return shot{"search-trouble", shelf.Start(t, shelf.ListRegistries(t, list...)), "/search?q=nginx&limit=3", "#search-results [aria-busy=true]"}
}

// runningPull is the page of a pull that stands in the middle, on a server of its own: some layers are held on their
// way, at different places, the others are done. It is to be looked at soon: a registry that delivers nothing is
// asked anew after 30 s.
func runningPull(t *testing.T) shot {
	t.Helper()
	s, u := shelf.Start(t), shelf.RealUpstream(t)
	index := u.Library(t, "library/postgres", "15")
	layers := shelf.Platform(t, index, "linux/amd64").Layers()
	held := map[int]int64{0: 40, 4: 75, 8: 20} // in percent
	for i, percent := range held {
		u.Hold(fake.GetBlob(layers[i].Descriptor.Digest), layers[i].Descriptor.Size*percent/100)
	}
	pull := s.Pull("localhost"+strings.TrimPrefix(u.Ref("library/postgres:15"), "127.0.0.1"), "linux/amd64")
	s.Await(pull, "at rest", func(p *shelf.Page) bool {
		done := 0
		for i := range layers {
			if text, _ := p.Layer(i); strings.Contains(text, "Done") {
				done++
			}
		}
		return done == len(layers)-len(held)
	})
	return shot{"pull-running", s, pull, `#pull[data-state="pulling"]`}
}

// look makes a tab look at pages in a way.
func (b *Tab) look(l look) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(l.width, l.height)); err != nil {
		b.t.Fatal(err)
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = chromedp.Call(b.ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": l.lang}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// sideways lists what is wider than the window, outside of parts that scroll by themselves.
const sideways = `(() => {
	const root = document.scrollingElement;
	if (root.scrollWidth <= window.innerWidth) return "";
	const wide = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > window.innerWidth + 1);
	return root.scrollWidth + " px: " + wide.slice(0, 5).map(e => e.outerHTML.slice(0, 200)).join("\n");
})()`

// checkLook judges a page in the way that the tab looks at it.
func (b *Tab) checkLook(s shot, l look) {
	b.t.Helper()
	if wide, err := Evaluate[string](b, sideways); err != nil || wide != "" {
		b.t.Errorf("%s%s scrolls sideways at %d px: %s %v", s.name, l.name, l.width, wide, err)
	}
	if lang, err := Evaluate[string](b, `document.documentElement.lang`); err != nil || lang != l.lang {
		b.t.Errorf("%s%s is in %q, want %q: %v", s.name, l.name, lang, l.lang, err)
	}
	// The lightness of the background, of what the browser has computed: 0 is black.
	light, err := Evaluate[string](b, `(() => {
		const c = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
		c.fillStyle = getComputedStyle(document.body).backgroundColor;
		c.fillRect(0, 0, 1, 1);
		return String(c.getImageData(0, 0, 1, 1).data[0]);
	})()`)
	if n, bad := strconv.Atoi(light); err != nil || bad != nil || (n < 128) != l.dark {
		b.t.Errorf("%s%s has a background of lightness %s: %v", s.name, l.name, light, err)
	}
}

// picture keeps what the tab shows.
func (b *Tab) picture(path string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
