package docker

import (
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

// pasteCases are texts that people paste, with the reference and the platform in them.
var pasteCases = []struct{ text, reference, platform string }{
	{"postgres:15", "postgres:15", ""},
	{"docker pull postgres:15", "postgres:15", ""},
	{"  docker   pull\tpostgres:15\n", "postgres:15", ""},
	{"docker image pull -q postgres:15", "postgres:15", ""},
	{"docker pull --quiet postgres:15", "postgres:15", ""},
	{"docker pull postgres:15 --quiet", "postgres:15", ""},
	{"$ docker pull postgres:15", "postgres:15", ""},
	{"root@host:~# docker pull postgres:15", "postgres:15", ""},
	{`PS C:\Users\kim> docker.exe pull postgres:15`, "postgres:15", ""},
	{"sudo -E docker pull postgres:15", "postgres:15", ""},
	{"DOCKER_HOST=ssh://a docker -H tcp://b:2375 pull postgres:15", "postgres:15", ""},
	{"cd /srv && docker pull postgres:15 && docker run postgres:16", "postgres:15", ""},
	{"docker save postgres:15 | gzip > x.tgz", "postgres:15", ""},
	{"podman pull ghcr.io/org/app:1.2", "ghcr.io/org/app:1.2", ""},
	{"podman pull --arch arm64 --variant v8 docker.io/library/redis:7", "docker.io/library/redis:7", "linux/arm64/v8"},
	{"docker pull --platform linux/arm64 postgres:15", "postgres:15", "linux/arm64"},
	{"docker pull postgres:15 --platform linux/arm64", "postgres:15", "linux/arm64"},
	{"docker pull --platform='linux/arm64' 'postgres:15'", "postgres:15", "linux/arm64"},
	{"docker pull --platform=$PLATFORM postgres:15", "postgres:15", ""},

	{"docker run redis:7", "redis:7", ""},
	{"docker run redis", "redis", ""},
	{"docker run -d --name web -p 80:80 --rm -e A=b nginx:1.27", "nginx:1.27", ""},
	{"docker run -dit --restart=unless-stopped -p80:80 -v/a:/b -eA=b nginx:1.27 nginx -g 'daemon off;'", "nginx:1.27", ""},
	{"docker run --rm -it --platform linux/arm/v7 -v $(pwd):/work -w /work golang:1.26 go build -o x ./...", "golang:1.26",
		"linux/arm/v7"},
	{"docker container run --mount type=bind,src=/a,dst=/b --network host --gpus all -u 1000:1000 -- ghcr.io/org/app@sha256:" + zeroHex + " -p 1", "ghcr.io/org/app@sha256:" + zeroHex, ""},
	{"docker run -d \\\n  --name some-postgres \\\n  -e POSTGRES_PASSWORD='my secret; password' \\\n  postgres:15",
		"postgres:15", ""},
	{"docker run -d \\  --name some-postgres \\  -e POSTGRES_PASSWORD=x \\  postgres:15", "postgres:15", ""},
	{"docker run -d ` --name x ` postgres:15", "postgres:15", ""},
	{"docker run --health-cmd 'curl -f http://localhost || exit 1' --add-host=a:1.2.3.4 nginx", "nginx", ""},
	{"docker create --name x -m 1g alpine:3.20 sh", "alpine:3.20", ""},
	{"podman run --pod web --tz=local --userns keep-id docker.io/library/nginx", "docker.io/library/nginx", ""},
	{"nerdctl -n k8s.io run -d --net host --name x alpine:3.20", "alpine:3.20", ""},
	{"docker --context remote inspect -f '{{.Architecture}}' alpine:3.20", "alpine:3.20", ""},
	{"docker manifest inspect alpine:3.20", "alpine:3.20", ""},
	{"docker buildx imagetools inspect --raw alpine:3.20", "alpine:3.20", ""},
	{"docker tag alpine:3.20 localhost:5000/alpine:3.20", "alpine:3.20", ""},

	{"skopeo copy docker://alpine:3.20 dir:/tmp/x", "alpine:3.20", ""},
	{"skopeo copy --all --src-creds u:p docker://quay.io/org/app:1 docker://localhost:5000/app:1", "quay.io/org/app:1",
		""},
	{"skopeo --override-arch arm64 --override-os linux inspect --config docker://alpine:3.20", "alpine:3.20",
		"linux/arm64"},
	{"skopeo inspect --format '{{.Digest}}' docker://alpine", "alpine", ""},
	{"crane pull --platform linux/arm64 alpine:3.20 x.tar", "alpine:3.20", "linux/arm64"},
	{"crane manifest ghcr.io/org/app:1 | jq .", "ghcr.io/org/app:1", ""},
	{"crane digest alpine:3.20", "alpine:3.20", ""},
	{"regctl image copy -p linux/amd64 alpine:3.20 ocidir://x", "alpine:3.20", "linux/amd64"},
	{"regctl manifest get --format raw-body alpine:3.20", "alpine:3.20", ""},
	{"oras pull ghcr.io/org/app:1 -o out", "ghcr.io/org/app:1", ""},
	{"ctr -n k8s.io images pull --platform linux/arm64 docker.io/library/alpine:3.20", "docker.io/library/alpine:3.20",
		"linux/arm64"},
	{"crictl pull registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10", ""},
	{"kubectl run web --image=nginx:1.27 --port 80", "nginx:1.27", ""},
	{"kubectl create deployment web --image nginx:1.27", "nginx:1.27", ""},

	{"FROM golang:1.26 AS build", "golang:1.26", ""},
	{"from golang:1.26", "golang:1.26", ""},
	{"from golang as build", "golang", ""},
	{"FROM scratch", "scratch", ""},
	{"FROM --platform=linux/amd64 golang:1.26 as build", "golang:1.26", "linux/amd64"},
	{"FROM --platform=$BUILDPLATFORM golang:1.26 AS build", "golang:1.26", ""},
	{"COPY --from=ghcr.io/org/tool:1 /bin/tool /bin/", "ghcr.io/org/tool:1", ""},
	{"image: redis:7", "redis:7", ""},
	{"image: redis", "redis", ""},
	{"- image: 'redis:7'", "redis:7", ""},
	{"image: redis:7 # the cache", "redis:7", ""},
	{"services:\n  db:\n    image: postgres:15\n    ports:\n      - 5432:5432", "postgres:15", ""},
	{`"image": "redis:7",`, "redis:7", ""},
	{`"redis:7",`, "redis:7", ""},
	{"`redis:7`", "redis:7", ""},
	{"`docker pull redis:7`", "redis:7", ""},
	{"'redis:7'", "redis:7", ""},
	{"redis:7,", "redis:7", ""},
}

// plainCases are texts that are left as they are, for the reference's own rules to refuse or take.
var plainCases = []string{
	"", "image:15", "docker pull", "docker pull a b", "FROM a b c", "from scratch", "FROM a AS", `"redis:7`,
	"http://registry.example/x:1", "docker run", "docker run 'unclosed", "docker run (x)", "docker compose up redis",
	"docker network create redis", "docker desktop", "podman desktop for windows", "skopeo copy dir:/x docker://y",
	"skopeo inspect oci:x",
	"crane", "crane pull", "time series image: fast", "image: a b", "image: a:1 image: b:1", "COPY --from=build /a /b",
	"https://", "#", "$",
	"kubectl run web", "kubectl get pods", "quay.io/org/app", "github.com", "quay.io", "https://quay.io/org/app",
}

// commandCases are commands that name no image, which a flag tells from words to search for.
var commandCases = []string{
	"docker pull --platform", "docker run -d", "docker run --rm -it", "docker login -u me -p secret registry.example",
	"$ sudo podman logout --all",
	"/usr/bin/docker.exe compose -f compose.yml up", "skopeo login --username me registry.example",
}

var zeroHex = strings.Repeat("0", 64)

func TestTheImageInAPastedTextIsFound(t *testing.T) {
	for _, tt := range pasteCases {
		if p := ReadPaste(tt.text); p.Name != tt.reference || p.Platform != tt.platform || p.Repository || p.NoImage ||
			p.AllTags {
			t.Errorf("%q: %+v, want %q for %q", tt.text, p, tt.reference, tt.platform)
		}
	}
	for _, text := range plainCases {
		if p := ReadPaste(text); p != (Paste{Name: unquoted(text)}) {
			t.Errorf("%q: %+v, want it as it is", text, p)
		}
	}
	for _, text := range commandCases {
		if p := ReadPaste(text); p != (Paste{Name: text, NoImage: true}) {
			t.Errorf("%q: %+v, want a command without an image", text, p)
		}
	}
	for text, want := range map[string]bool{
		"docker pull --all-tags postgres": true, "docker pull -a postgres": true, "docker pull -qa postgres": true,
		"podman image pull --all-tags=true x":   true,
		"docker pull --all-tags=false postgres": false, "docker run -a stdout postgres": false, "docker pull postgres": false,
	} {
		if p := ReadPaste(text); p.AllTags != want || !p.Along {
			t.Errorf("%q: %+v, want all tags: %v", text, p, want)
		}
	}
}

func TestAPageAboutAnImageIsReadAsTheImage(t *testing.T) {
	digest := "sha256:" + zeroHex
	for address, want := range map[string]string{
		"https://hub.docker.com/_/postgres":                                                     "postgres",
		"https://hub.docker.com/_/postgres/":                                                    "postgres",
		"hub.docker.com/_/postgres?tab=tags":                                                    "postgres",
		"https://hub.docker.com/r/bitnami/redis":                                                "bitnami/redis",
		"https://hub.docker.com/r/bitnami/redis/tags?name=7":                                    "bitnami/redis",
		"hub.docker.com/r/bitnami/redis#!":                                                      "bitnami/redis",
		"https://HUB.docker.com/repository/docker/bitnami/redis/general":                        "bitnami/redis",
		"https://hub.docker.com/layers/library/postgres/16/images/sha256-" + zeroHex:            "postgres:16",
		"https://hub.docker.com/layers/bitnami/redis/7.4/images/sha256-" + zeroHex + "?x=y":     "bitnami/redis:7.4",
		"https://quay.io/repository/prometheus/prometheus":                                      "quay.io/prometheus/prometheus",
		"https://quay.io/repository/prometheus/prometheus?tab=tags":                             "quay.io/prometheus/prometheus",
		"https://quay.io/repository/prometheus/prometheus?tab=tags&tag=v3.1.0":                  "quay.io/prometheus/prometheus:v3.1.0",
		"quay.io/repository/org/deep/name?tab=info":                                             "quay.io/org/deep/name",
		"https://quay.io/repository/org/app/manifest/" + digest:                                 "quay.io/org/app@" + digest,
		"https://quay.io/repository/org/app/tag/1.2":                                            "quay.io/org/app:1.2",
		"https://github.com/orgs/Home-Assistant/packages/container/package/amd64-base":          "ghcr.io/home-assistant/amd64-base",
		"https://github.com/orgs/org/packages/container/app/12345?tag=1.2":                      "ghcr.io/org/app:1.2",
		"https://github.com/users/kim/packages/container/package/tools%2Fapp":                   "ghcr.io/kim/tools/app",
		"https://github.com/Kim/Tools/pkgs/container/app":                                       "ghcr.io/kim/app",
		"https://github.com/kim/tools/pkgs/container/tools%2Fapp/12345?tag=latest":              "ghcr.io/kim/tools/app:latest",
		"https://github.com/kim/tools/pkgs/container/app/versions?filters%5Bversion_type%5D=ed": "ghcr.io/kim/app",
		"https://gallery.ecr.aws/docker/library/postgres":                                       "public.ecr.aws/docker/library/postgres",
		"gallery.ecr.aws/lambda/python":                                                         "public.ecr.aws/lambda/python",
	} {
		ref, err := image.ParseRepositoryReference(want)
		if err != nil {
			t.Fatal(err)
		}
		if p := ReadPaste(address); p != (Paste{Name: want, Along: true, Repository: ref.Tag == "" && ref.Digest == ""}) {
			t.Errorf("%s: %+v, want %s", address, p, want)
		}
	}
	for _, address := range []string{
		"https://hub.docker.com/", "https://hub.docker.com/search?q=x", "https://hub.docker.com/_/<b>",
		"https://hub.docker.com/r/only",
		"https://hub.docker.com/_/postgres:15", "https://HUB.docker.com/r/UPPER/redis", "hub.docker.com/r/a/b@" + digest,
		"https://github.com/kim/tools",
		"github.com/orgs/org/packages", "https://gallery.ecr.aws/",
		"https://github.com/orgs/org/packages/container/app/1?tag=not%20one",
	} {
		if p := ReadPaste(address); !p.NoImage || p.Name != address {
			t.Errorf("%s: %+v, want no image", address, p)
		}
	}
}

// FuzzPaste reads what nobody thought of: nothing may end the program, and a name is a part of the text or its end.
func FuzzPaste(f *testing.F) {
	for _, tt := range pasteCases {
		f.Add(tt.text)
	}
	for _, text := range plainCases {
		f.Add(text)
	}
	f.Add("https://quay.io/repository/org/app/manifest/sha256:" + zeroHex)
	f.Add("https://github.com/kim/tools/pkgs/container/tools%2Fapp/12345?tag=latest")
	f.Fuzz(func(t *testing.T, text string) {
		p := ReadPaste(text)
		if len(p.Name) > len(text)+len("public.ecr.aws/") || len(p.Platform) > len(text)+len("linux/") {
			t.Errorf("%q: %+v", text, p)
		}
		if again := ReadPaste(p.Name); p.Repository && again.NoImage {
			t.Errorf("%q is %+v, which is %+v", text, p, again)
		}
	})
}
