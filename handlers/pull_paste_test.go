package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestWhatIsPastedAlongWithAReferenceIsTakenOff(t *testing.T) {
	for text, want := range map[string]struct{ reference, platform string }{
		"postgres:15":                                         {"postgres:15", ""},
		"docker pull postgres:15":                             {"postgres:15", ""},
		"  docker   pull\tpostgres:15\n":                      {"postgres:15", ""},
		"docker image pull -q postgres:15":                    {"postgres:15", ""},
		"podman pull ghcr.io/org/app:1.2":                     {"ghcr.io/org/app:1.2", ""},
		"docker pull --platform linux/arm64 postgres:15":      {"postgres:15", "linux/arm64"},
		"docker pull --platform='linux/arm64' 'postgres:15'":  {"postgres:15", "linux/arm64"},
		"FROM golang:1.26 AS build":                           {"golang:1.26", ""},
		"from golang:1.26":                                    {"golang:1.26", ""},
		"from golang as build":                                {"golang", ""},
		"FROM scratch":                                        {"scratch", ""},
		"FROM --platform=linux/amd64 golang:1.26 as build":    {"golang:1.26", "linux/amd64"},
		"FROM --platform=$BUILDPLATFORM golang:1.26 AS build": {"golang:1.26", ""},
		"image: redis:7":                                      {"redis:7", ""},
		"- image: 'redis:7'":                                  {"redis:7", ""},
		`"image": "redis:7",`:                                 {"redis:7", ""},
		`"redis:7",`:                                          {"redis:7", ""},
		"`redis:7`":                                           {"redis:7", ""},
		"`docker pull redis:7`":                               {"redis:7", ""},
		"'redis:7'":                                           {"redis:7", ""},
		"redis:7,":                                            {"redis:7", ""},
		// Left as it is, for the reference's own rules to refuse or take.
		"":                            {"", ""},
		"image:15":                    {"image:15", ""},
		"docker pull":                 {"docker pull", ""},
		"docker run redis:7":          {"docker run redis:7", ""},
		"docker pull a b":             {"docker pull a b", ""},
		"docker pull --platform":      {"docker pull --platform", ""},
		"FROM a b c":                  {"FROM a b c", ""},
		"from scratch":                {"from scratch", ""},
		"FROM a AS":                   {"FROM a AS", ""},
		`"redis:7`:                    {`"redis:7`, ""},
		"http://registry.example/x:1": {"http://registry.example/x:1", ""},
	} {
		if reference, platform := pasted(text); reference != want.reference || platform != want.platform {
			t.Errorf("%q: %q for %q, want %q for %q", text, reference, platform, want.reference, want.platform)
		}
	}
}

func TestAPastedCommandIsLookedUpAndTheBoxShowsTheReference(t *testing.T) {
	p := newPulls(t, nil)
	ref := p.ref("library/postgres:16")
	a := p.form("docker pull --platform linux/arm64 " + ref)
	a.is(t, http.StatusOK, `value="`+ref+`"`)
	a.lacks(t, `value="docker pull`)
	_, ticked := boxes(a)
	same(t, "ticked", ticked, []string{"linux/arm64"})
	if job := p.end(p.start("FROM --platform=linux/arm64 " + ref + " AS build")); job.Reference.Familiar() != ref || len(job.Platforms) != 1 || job.Platforms[0] != linuxARM64 {
		t.Errorf("pulled %+v", job)
	}
}

func TestAPageOfDockerHubIsRefusedWithTheNameToType(t *testing.T) {
	p := newPulls(t, nil)
	for page, name := range map[string]string{
		"https://hub.docker.com/_/postgres":              "postgres",
		"https://hub.docker.com/_/postgres/":             "postgres",
		"hub.docker.com/_/postgres?tab=tags":             "postgres",
		"https://hub.docker.com/r/bitnami/redis":         "bitnami/redis",
		"https://hub.docker.com/r/bitnami/redis/tags":    "bitnami/redis",
		"hub.docker.com/r/bitnami/redis#!":               "bitnami/redis",
		"https://hub.docker.com/search?q=x":              "",
		"https://hub.docker.com/_/<b>":                   "",
		"https://hub.docker.com/r/only":                  "",
		"https://hub.docker.com/_/postgres:15":           "",
		"https://HUB.docker.com/r/" + "UPPER" + "/redis": "",
	} {
		want := "Type the name of the image: " + name
		if name == "" {
			want = "Type a name such as"
		}
		p.form(page).is(t, http.StatusBadRequest, "is the address of a web page", want)
	}
	p.form("http://registry.example.com/x").is(t, http.StatusBadRequest, "is an address, not an image reference")
	p.get("/pull?ref="+url.QueryEscape("https://hub.docker.com/_/postgres"), "Accept-Language", "ko").
		is(t, http.StatusBadRequest, "웹 페이지의 주소입니다", "이미지의 이름을 입력하세요: postgres")
}

func TestAPastedIDOrDigestLeadsToWhatTheShelfHas(t *testing.T) {
	p := newPulls(t, nil)
	job := p.end(p.start(p.ref("library/postgres:16"), "linux/amd64"))
	target, err := p.store.Target(t.Context(), job.Reference)
	if err != nil {
		t.Fatal(err)
	}
	id, layer := target.Images[0].ID, job.Layers[0].Digest
	for ref, want := range map[string]string{
		id.Encoded()[:12]:                 "/images/" + string(id),
		id.Encoded():                      "/images/" + string(id),
		string(id)[:30]:                   "/images/" + string(id),
		string(job.Digest):                "/images/" + p.ref("library/postgres") + "@" + string(job.Digest),
		job.Digest.Encoded()[:12]:         "/images/" + p.ref("library/postgres") + "@" + string(job.Digest),
		string(layer):                     "/layers/" + string(layer),
		string(target.Images[0].Manifest): "/images/" + p.ref("library/postgres") + "@" + string(target.Images[0].Manifest),
	} {
		a := p.form(ref)
		if got := a.header.Get("Location"); a.status != http.StatusFound || got != want {
			t.Errorf("%s: %d to %q, want %q", ref, a.status, got, want)
		}
	}
	p.form("sha256:"+strings.Repeat("0", 64)).is(t, http.StatusNotFound, "Nothing on the shelf has an ID or a digest that begins with 000", "Pull it by its name")
	p.form(strings.Repeat("0", 64)).is(t, http.StatusBadRequest, "is not an image reference")
}
