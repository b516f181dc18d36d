package pulls_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/test/pages"
)

func TestAPastedCommandIsLookedUpAndTheBoxShowsTheReference(t *testing.T) {
	p := newPulls(t, nil)
	ref := p.ref("library/postgres:16")
	for _, command := range []string{
		"docker pull --platform linux/arm64 " + ref, "docker run -d --name db --platform=linux/arm64 -e POSTGRES_PASSWORD=" + strings.Repeat("x", 700) + " " + ref,
	} {
		led := p.form(command)
		if want := "/pull?ref=" + ref + "&platform=linux/arm64"; led.Status != http.StatusFound || led.Header.Get("Location") != want {
			t.Errorf("%.40s: %d to %q, want %q", command, led.Status, led.Header.Get("Location"), want)
		}
		a := p.get(led.Header.Get("Location"))
		a.Is(t, http.StatusOK, `value="`+ref+`"`)
		a.Lacks(t, `value="docker`, "POSTGRES_PASSWORD")
		_, ticked := pages.Boxes(a)
		pages.Same(t, "ticked", ticked, []string{"linux/arm64"})
	}
	if j := p.end(p.start("FROM --platform=linux/arm64 " + ref + " AS build")); j.Reference().Familiar() != ref || len(pull.Wanted(j)) != 1 || pull.Wanted(j)[0] != linuxARM64 {
		t.Errorf("pulled %+v", j)
	}
}

func TestAPageThatIsAboutNoImageIsRefused(t *testing.T) {
	p := newPulls(t, nil)
	for _, page := range []string{"https://hub.docker.com/search?q=x", "https://hub.docker.com/r/only", "https://github.com/kim/tools"} {
		p.form(page).Is(t, http.StatusBadRequest, "is the address of a web page", "Type a name such as")
	}
	p.form("http://registry.example.com/x").Is(t, http.StatusBadRequest, "is an address, not an image reference")
	p.get("/pull?ref="+url.QueryEscape("https://hub.docker.com/search?q=x"), "Accept-Language", "ko").Is(t, http.StatusBadRequest, "웹 페이지의 주소입니다")
	p.form(strings.Repeat("x", 5000)).Is(t, http.StatusBadRequest, "more than any reference has")
}

func TestAPastedIDOrDigestLeadsToWhatTheShelfHas(t *testing.T) {
	p := newPulls(t, nil)
	j := p.end(p.start(p.ref("library/postgres:16"), "linux/amd64"))
	target, err := p.store.Images.Target(t.Context(), j.Reference())
	if err != nil {
		t.Fatal(err)
	}
	id, layer := target.Images[0].ID, j.Progress.Layers[0].Digest
	for ref, want := range map[string]string{
		id.Encoded()[:12]:                 "/images/" + string(id),
		id.Encoded():                      "/images/" + string(id),
		string(id)[:30]:                   "/images/" + string(id),
		string(pull.DigestOf(j)):          "/images/" + p.ref("library/postgres") + "@" + string(pull.DigestOf(j)),
		pull.DigestOf(j).Encoded()[:12]:   "/images/" + p.ref("library/postgres") + "@" + string(pull.DigestOf(j)),
		string(layer):                     "/layers/" + string(layer),
		string(target.Images[0].Manifest): "/images/" + p.ref("library/postgres") + "@" + string(target.Images[0].Manifest),
	} {
		a := p.form(ref)
		if got := a.Header.Get("Location"); a.Status != http.StatusFound || got != want {
			t.Errorf("%s: %d to %q, want %q", ref, a.Status, got, want)
		}
	}
	p.form("sha256:"+strings.Repeat("0", 64)).Is(t, http.StatusNotFound, "Nothing on the shelf has an ID or a digest that begins with 000", "Pull it by its name")
	p.form(strings.Repeat("0", 64)).Is(t, http.StatusBadRequest, "is not an image reference")
}
