package pulls_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/text"
)

var totalOf = regexp.MustCompile(`data-pick-total>([^<]*)<`)

func TestPullFormWithoutReferenceShowsWhatOneLooksLike(t *testing.T) {
	p := newPulls(t, nil)
	p.get("/pull").Is(t, http.StatusOK, `name="ref"`, `href="/pull?ref=postgres:15"`, "postgres@sha256:")
}

func TestPullFormOffersThePlatformsWithTheDefaultTicked(t *testing.T) {
	p := newPulls(t, nil)
	index := pages.Built(t, "library/postgres", "15")
	a := p.form(p.ref("library/postgres:15"))
	a.Is(t, http.StatusOK, p.host+"/library/postgres:15", string(index.Digest()), "An index of 6 platforms", "6 attestations",
		"docker pull --platform linux/arm/v7 "+p.host+"/library/postgres:15", "Not stored yet")
	all, ticked := pages.Boxes(a)
	pages.Same(t, "offered", all, []string{"linux/amd64", "linux/arm/v7", "linux/arm64", "linux/386", "linux/ppc64le", "linux/s390x"})
	pages.Same(t, "ticked", ticked, []string{"linux/amd64"})
	if got, want := totalOf.FindStringSubmatch(a.Body)[1], text.HumanSize(pages.Union(pages.PlatformOf(t, index, "linux/amd64"))); got != want {
		t.Errorf("to download: %s, want %s", got, want)
	}
}

func TestPullFormTicksTheAskedPlatformsAndCountsSharedLayersOnce(t *testing.T) {
	p := newPulls(t, nil)
	index := pages.Built(t, "library/postgres", "15")
	arm, old := pages.PlatformOf(t, index, "linux/arm64/v8"), pages.PlatformOf(t, index, "linux/arm/v7")
	if pages.Union(arm, old) == pages.Union(arm)+pages.Union(old) {
		t.Fatal("the two samples share no layer")
	}
	a := p.form(p.ref("library/postgres:15"), "linux/arm64/v8", "linux/arm/v7")
	_, ticked := pages.Boxes(a)
	pages.Same(t, "ticked", ticked, []string{"linux/arm/v7", "linux/arm64"})
	if got, want := totalOf.FindStringSubmatch(a.Body)[1], text.HumanSize(pages.Union(arm, old)); got != want {
		t.Errorf("to download: %s, want %s", got, want)
	}
}

func TestPullFormOfASingleImageNamesItsPlatform(t *testing.T) {
	p := newPulls(t, nil)
	a := p.form(p.ref("test/arm64-only"))
	a.Is(t, http.StatusOK, "A single image")
	all, _ := pages.Boxes(a)
	pages.Same(t, "offered", all, []string{"linux/arm64"})
}

func TestPullFormSaysWhichPlatformIsNotOfferedAndWhichAre(t *testing.T) {
	p := newPulls(t, nil)
	a := p.form(p.ref("library/postgres:16"), "linux/riscv64", "linux/arm64")
	a.Is(t, http.StatusNotFound, "has no image for linux/riscv64", "It has linux/amd64, linux/arm64.", "No such platform")
	_, ticked := pages.Boxes(a)
	pages.Same(t, "ticked", ticked, []string{"linux/arm64"})
}

func TestPullFormRefusesWhatIsNoPlatformAndStillOffersTheRest(t *testing.T) {
	p := newPulls(t, nil)
	a := p.form(p.ref("library/postgres:16"), "linux/amd64/v1/v2/v3")
	a.Is(t, http.StatusBadRequest, "is not a platform", `value="linux/arm64"`)
}

func TestPullFormShowsWhatTheRegistrySaysBesideTheBox(t *testing.T) {
	for name, tt := range map[string]struct {
		ref    string // below the registry's host, unless it holds a space
		match  fake.Match
		fault  fake.Fault
		status int
		texts  []string
	}{
		"no such tag":       {"library/postgres:99", nil, nil, http.StatusNotFound, []string{"Not found", "Check the name and the tag."}},
		"no such name":      {"nobody/nothing:1", nil, nil, http.StatusNotFound, []string{"Not found"}},
		"sign-in":           {"library/postgres:15", fake.Manifests, fake.Challenge(`Basic realm="x"`), http.StatusForbidden, []string{"Sign-in needed", "docker login"}},
		"rate limit":        {"library/postgres:15", fake.Manifests, fake.TooManyRequests("600"), http.StatusTooManyRequests, []string{"Rate limit reached", "until 20"}},
		"fails":             {"library/postgres:15", getManifests, fake.Status(http.StatusInternalServerError, "UNKNOWN", "out of order"), http.StatusBadGateway, []string{"Registry unavailable", "out of order"}},
		"a web page":        {"library/postgres:15", fake.Manifests, fake.HTML(), http.StatusBadGateway, []string{"Registry unavailable"}},
		"not an image":      {"charts/mychart:0.1.0", nil, nil, http.StatusUnprocessableEntity, []string{"Not a container image", "helm"}},
		"other bytes":       {"library/postgres:15", getManifests, fake.Corrupt(), http.StatusBadGateway, []string{"Damaged data refused"}},
		"points to itself":  {"library/postgres:15", fake.Manifests, fake.SelfIndex(), http.StatusBadGateway, nil},
		"an address":        {" http://example.com/x", nil, nil, http.StatusBadRequest, []string{"That cannot be read", "is an address"}},
		"a folder":          {" ocidir:///etc", nil, nil, http.StatusBadRequest, []string{"is an address"}},
		"upper case":        {" Postgres:15", nil, nil, http.StatusBadRequest, []string{"try postgres:15"}},
		"a short digest":    {" postgres@sha256:abc", nil, nil, http.StatusBadRequest, []string{"64 hex digits; this one has 3"}},
		"a tag too long":    {" postgres:" + strings.Repeat("x", 200), nil, nil, http.StatusBadRequest, []string{"at most 128 characters"}},
		"far too long":      {" " + strings.Repeat("x", 5000), nil, nil, http.StatusBadRequest, []string{"5001 characters"}},
		"refused by a port": {" 127.0.0.1:1/x", nil, nil, http.StatusBadGateway, []string{"Registry unavailable", "refuses connections"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPulls(t, nil)
			if tt.fault != nil {
				p.registry.On(tt.match, tt.fault)
			}
			ref := tt.ref
			if !strings.HasPrefix(ref, " ") {
				ref = p.ref(ref)
			}
			a := p.form(ref)
			a.Is(t, tt.status, tt.texts...)
			a.Is(t, tt.status, `<input id="ref"`, `value="`+ref+`"`, `aria-invalid="true"`)
			if all, _ := pages.Boxes(a); len(all) > 0 {
				t.Errorf("platforms are offered: %v", all)
			}
		})
	}
}

func TestHostileTextFromARegistryIsOnlyText(t *testing.T) {
	p := newPulls(t, nil)
	const hostile = "<script>alert(1)</script>\u202egnp.exe"
	p.registry.On(getManifests, fake.Status(http.StatusInternalServerError, "UNKNOWN", hostile))
	a := p.form(p.ref("library/postgres:15"))
	a.Is(t, http.StatusBadGateway, "alert(1)")
	a.Lacks(t, "<script>alert", "\u202e")
	b := p.form(`"><script>alert(2)</script>`)
	b.Is(t, http.StatusBadRequest, "alert(2)")
	b.Lacks(t, "<script>alert")
}

func TestPullFormLeadsToWhatIsStored(t *testing.T) {
	p := newPulls(t, nil)
	ref := p.ref("library/postgres:16")
	p.end(p.start(ref, "linux/arm64"))
	a := p.form(ref)
	a.Is(t, http.StatusOK, "Stored: open it", `href="/images/`+ref+`"`, `href="/images/`+ref+`?platform=linux/arm64"`, "nothing to download")
	a.Lacks(t, `href="/images/`+ref+`?platform=linux/amd64"`, "tag moved")
}

func TestPullFormTellsThatTheTagMoved(t *testing.T) {
	reg, err := fake.NewRegistry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(reg)
	defer upstream.Close()
	p := newPulls(t, nil)
	ref := strings.TrimPrefix(upstream.URL, "http://") + "/" + sample.MovingRepository + ":" + sample.MovingTag
	old := pull.DigestOf(p.end(p.start(ref)))
	if err := reg.MoveTag(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	p.form(ref).Is(t, http.StatusOK, "tag moved", image.ShortDigest(old), "Stored: open it")
}

func TestPullFormSpeaksKorean(t *testing.T) {
	p := newPulls(t, nil)
	p.get("/pull?ref="+url.QueryEscape(p.ref("library/postgres:99")), "Accept-Language", "ko").
		Is(t, http.StatusNotFound, `lang="ko"`, "이미지 가져오기", "/library/postgres:99의 매니페스트를 찾을 수 없습니다(manifest unknown", "이름과 태그를 확인하세요.")
}
