package browser

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

// long is a word of a hundred letters.
var long = strings.Repeat("longwordwith", 8) + "end."

// widePages are pages that repeat what somebody typed, or that show long names, by what is long in them.
func widePages(t *testing.T, s *shelf.Server) map[string]string {
	t.Helper()
	name := "team/" + strings.Repeat("deep-name/", 9) + "application"
	if status, text, _ := s.Put("/archives?name="+name+":"+long[:90], bytes.NewReader(shelf.Tarred(t, "", shelf.Must(sample.NoLayers().Build()))), nil); status >= 300 {
		t.Fatalf("%d %s", status, text)
	}
	file := long + ".tar"
	status, text, header := s.Put("/archives/"+file+"?name=a:1", strings.NewReader("no archive"), nil)
	if status != 400 {
		t.Fatalf("%d %s", status, text)
	}
	q, digest := url.QueryEscape(long), strings.Repeat("0", 64)
	image := "/images/docker.io/" + name
	return map[string]string{
		"images filtered by a word": "/images?q=" + q, "images of labels": "/images?label=" + q + "%3D" + q + "&platform=linux/" + long[:40], "images": "/images",
		"images grouped": "/images?group=repository", "images with digests": "/images?digests=1&no-trunc=1",
		"search": "/search?q=" + q, "search of a wrong registry": "/search?q=" + q + "&registry=" + q, "search of a repository": "/search?repo=team/" + long + "x",
		"pull form": "/pull?ref=" + q + ":" + q, "pull form of a host": "/pull?ref=registry.invalid/" + q + "x", "pull all": "/pull?all=1&ref=team/" + q + "x&match=" + q,
		"pull form of an ID": "/pull?ref=sha256:" + digest, "a wrong reference": "/pull?ref=" + url.QueryEscape(strings.ToUpper(long)),
		"repository": image, "tag": image + ":" + long[:90], "inspect": image + ":" + long[:90] + "/inspect?format=" + q, "use": image + ":" + long[:90] + "/use",
		"history": image + ":" + long[:90] + "/history", "download": image + ":" + long[:90] + "/download", "another platform": image + ":" + long[:90] + "?platform=linux/" + long[:60],
		"not stored": "/images/docker.io/team/" + long + "x:" + long, "no page": "/" + long + long, "an ID": "/images/sha256:" + digest, "a layer": "/layers/sha256:" + digest,
		"failed upload": header.Get("Location"), "upload": "/archives?name=" + q, "pulls": "/pulls", "delete": "/delete?ref=" + url.QueryEscape(name+":"+long[:90]),
		"delete of what is not there": "/delete?ref=" + q, "prune": "/prune?label=" + q + "&until=" + q, "storage": "/storage", "updates": "/updates", "help": "/help",
		"changes": image + "/changes?from=sha256:" + digest + "&to=sha256:" + digest,
	}
}

func TestNoPageScrollsSidewaysOnAPhoneWithLongTexts(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/postgres:15")
	h.Answers(t, fake.Hub{})
	s := shelf.Start(t, shelf.ListRegistries(t, h.Listed()))
	pages := widePages(t, s)
	s.Page(pages["search"]).Says(http.StatusOK, "Nothing found for “"+long)
	b := Open(t, s)
	for _, l := range []look{{"-390", 390, 844, false, "en", true}, {"-390-korean", 390, 844, true, "ko", true}} {
		b.look(l)
		for name, at := range pages {
			b.Open(at)
			if wide, err := Evaluate[string](b, sideways); err != nil || wide != "" {
				t.Errorf("%s, %s (%.60s): %s %v", name, l.lang, at, wide, err)
			}
		}
	}
	// What comes while somebody types, too.
	b.Open("/images")
	b.Click("#box")
	b.Press(long)
	b.See("#box-options")
	if wide, err := Evaluate[string](b, sideways); err != nil || wide != "" {
		t.Errorf("the box: %s %v", wide, err)
	}
}

func TestTheWindowsTitleFollowsTheFilters(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	if status, text, _ := s.Put("/archives?name=team/app:1", bytes.NewReader(shelf.Tarred(t, "", shelf.Must(sample.NoLayers().Build()))), nil); status >= 300 {
		t.Fatalf("%d %s", status, text)
	}
	b := Open(t, s)
	titled := func(want string) {
		t.Helper()
		Await[bool](b, "the title "+want, fmt.Sprintf(`document.title === %q || null`, want))
	}
	b.Open("/images")
	titled("Images · Stowage")
	b.Click("#image-filter")
	b.Press("postgres")
	titled("postgres – Images · Stowage")
	b.Open("/images?q=postgres&platform=linux/arm64")
	titled("postgres linux/arm64 – Images · Stowage")
	b.Open("/images/docker.io/team/app?pinned=1")
	titled("pinned=1 – team/app · Stowage")
}
