package imagepage_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
)

// What a docker engine answers about the sample images is kept in testdata/docker; README.md there says how it was
// recorded. The tests need no engine.
var dockerSocket = flag.String("docker", "", "record testdata/docker anew from the docker engine at this socket, which loses these images")

// formatAPI is the version of docker's API that inspect follows.
const formatAPI = "1.51"

// dockerHost stands for the registry's address in what is kept.
const dockerHost = "registry.example"

// transcript is what a docker engine and its client say about one image.
type transcript struct {
	Engine   string    // its version
	API      string    // the version that was asked for
	Driver   string    // its storage driver
	Client   string    // version of the command line
	Recorded time.Time // to the second

	Image    string // as one types it, without the registry's host
	Platform string // as pulled

	Inspect        json.RawMessage // GET /images/{name}/json
	History        json.RawMessage // GET /images/{name}/history
	HistoryTable   string          // docker history
	HistoryNoTrunc string          // docker history --no-trunc
	Formats        []formatted     `json:",omitempty"` // docker inspect -f; of formatAPI only
}

// formatted is what the client makes of a template.
type formatted struct {
	Template string
	Stdout   string
	Stderr   string `json:",omitempty"`
}

// dockerImages are the images that are compared.
var dockerImages = []struct{ name, image, platform string }{
	{"whiteouts", "library/nginx:1.27", "linux/amd64"},
	{"everything", "acme/api:v2.14.0", "linux/amd64"},
	{"arm64", "acme/api:v2.14.0", "linux/arm64/v8"},
	{"variant", "library/ubuntu:22.04", "linux/arm/v7"},
	{"thirteen-layers", "library/postgres:15", "linux/amd64"},
	{"hard-links", "prometheus/node-exporter:v1.8.2", "linux/amd64"},
	{"docker-media-types", "test/amd64-only:latest", "linux/amd64"},
	{"hostile", "acme/hostile:latest", "linux/amd64"},
	{"no-created", "test/no-created:latest", "linux/amd64"},
	{"no-history", "test/no-history:latest", "linux/amd64"},
	{"odd", "test/odd:latest", "linux/amd64"},
	{"bare", "test/bare:latest", "linux/amd64"},
}

// odd is an image whose layers have what makes counting hard, and a config with every key.
func odd() sample.Image {
	l := sample.NewLayer(sample.Gzip,
		sample.Text("./dotted/name", "dot\n"), sample.Text("/rooted/name", "slash\n"), sample.Text("no/parent/named/before", "deep\n"),
		sample.Data("zeros", "", 100_000), sample.Text("empty", ""),
		sample.Text("target", "shared by three names\n"), sample.Hardlink("link-1", "target"), sample.Hardlink("link-2", "link-1"),
		sample.Symlink("soft", "a/target/that/does/not/exist"),
		sample.File{Name: "fifo", Type: tar.TypeFifo}, sample.File{Name: "null", Type: tar.TypeChar, Dev: [2]int64{1, 3}},
		sample.File{Name: "xattr", Body: "with an attribute\n", PAX: map[string]string{"SCHILY.xattr.user.note": strings.Repeat("n", 200)}},
		sample.File{Name: strings.Repeat("long-", 40), Body: "a name over 100 bytes\n"},
	)
	removes := sample.NewLayer(sample.Gzip, sample.Whiteout("zeros"), sample.Whiteout("not-there"), sample.Dir("dotted"), sample.Opaque("dotted"), sample.Text("dotted/new", "new\n"))
	return sample.Image{
		Platform: pages.Amd64, Created: time.Date(2024, 2, 29, 23, 59, 59, 1, time.FixedZone("", 9*3600)), Author: "Odd <odd@acme.example>",
		Config: sample.Config{
			ImageConfig: v1.ImageConfig{
				Env: []string{"A=1"}, Labels: map[string]string{"b": "2", "a": "1"}, StopSignal: "9", WorkingDir: "/w", User: "u:g",
				Volumes: map[string]struct{}{"/v": {}}, ExposedPorts: map[string]struct{}{"53/udp": {}, "80/tcp": {}}, ArgsEscaped: true, //nolint:staticcheck // old images have it
			},
			Healthcheck: &sample.Healthcheck{Test: []string{"CMD-SHELL", "true"}, Interval: 90 * time.Second, Timeout: time.Millisecond, Retries: 2},
			Shell:       []string{"/bin/ash", "-c"}, OnBuild: []string{"RUN true"},
		},
		Steps: []sample.Step{
			{By: "ADD\ttabs\tin.tar /", Layer: l, Before: time.Hour},
			{By: "RUN 컨테이너 이미지를 만들고 나서 여러 파일을 지우는 긴 명령입니다 && rm -rf /zeros /dotted", Layer: removes, Comment: "지움"},
			{By: "nothing at all", Layer: sample.NewLayer(sample.Gzip)},
			{By: "ENV A=1", Comment: "last"},
		},
	}
}

// bare is an image whose config has nothing that it may leave out.
func bare() sample.Image {
	return sample.Image{Platform: pages.Amd64, Steps: []sample.Step{{NoHistory: true, Layer: sample.NewLayer(sample.Gzip, sample.Text("a", "a\n"))}}}
}

// dockerFormats are templates that are compared for every image.
var dockerFormats = []string{
	// Both of the exercise that the project began with.
	`{{ .Architecture }}`,
	`{{range $v := .RootFS.Layers}}{{println $v}}{{end}}`,

	`{{.Id}}`, `{{.ID}}`, `{{.Id}} {{.ID}}`, `{{.Size}} {{printf "%d" .Size}}`, `{{json .Config.Env}}`, `{{json .Config}}`, `{{json .RootFS}}`, `{{.Id}}{{json .Config}}`,
	`{{json .Metadata}}`, `{{.Metadata.LastTagTime}}`, `{{.Id}}{{.Metadata.LastTagTime}}`, `{{.Created}}`, `{{.Os}}/{{.Architecture}}{{with .Variant}}/{{.}}{{end}}`, `{{.OS}}`,
	`{{.DockerVersion}}|{{.Author}}|{{.Comment}}|{{.Parent}}`, `{{join .Config.Env "\n"}}`, `{{.Id}}{{join .Config.Env ", "}}`, `{{range .Config.Env}}{{.}}|{{else}}none{{end}}`,
	`{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}{{"\n"}}{{end}}`, `{{range $k, $v := .Config.ExposedPorts}}{{$k}}{{$v}} {{end}}`, `{{index .Config.Labels "maintainer"}}`,
	`{{.Config.Labels.maintainer}}`, `{{.Config.Healthcheck}}`, `{{.Config.Healthcheck.Interval}}`, `{{json .Config.Healthcheck}}`, `{{.Id}}{{json .Config.Healthcheck}}`,
	`{{.Config.Cmd}} {{.Config.Entrypoint}} {{len .RootFS.Layers}}`, `{{slice .Id 7 19}}`, `{{index .RootFS.Layers 0}}`, `{{index .RootFS.Layers 9999}}`, `{{truncate .Architecture 3}}|{{pad .Os 2 3}}|{{pad "" 2 3}}`,
	`{{upper .Os}} {{lower "ÄB"}} {{title "linux on arm"}} {{split "a,b,c" ","}}`, `{{json (split "a,b" ",")}}`, `{{truncate .Os -1}}`, `{{pad .Os -1 0}}`, `{{printf "%q %5s|%-8s|%x" .Os .Os .Os .Os}}`,
	`{{html "<a>"}} {{js "'"}} {{urlquery "a b&c"}} {{print 1 2 "x" 3}} {{println "y"}}`, `{{if and (eq .Os "linux") (gt .Size 10)}}big{{else}}small{{end}}`, `{{with $x := .Architecture}}{{$x | printf "%s!"}}{{end}}`,
	`{{define "t"}}[{{.}}]{{end}}{{template "t" .Os}}`, `{{range $i, $e := .RootFS.Layers}}{{if eq $i 2}}{{break}}{{end}}{{$i}}:{{slice $e 0 9}} {{end}}`, `{{range 3}}{{.}}{{end}}`,
	`{{.Config}}`, `{{.RootFS}}`, `{{.Metadata}}`, `{{.RepoTags}}`, `{{.Config.ExposedPorts}}`, `{{if .Config.Healthcheck}}checked{{else}}unchecked{{end}}`, `{{.Config.Healthcheck.Test}}`, `{{.Metadata.LastTagTime.IsZero}}`,
	`{{len .Config.Env}} {{len .Config.Labels}} {{.Config.OnBuild}} {{.Config.Shell}}`, `{{json .RepoTags}} {{range .RepoDigests}}{{.}}{{end}}`, `{{.Config.User}}|{{.Config.WorkingDir}}|{{.Config.StopSignal}}|{{.OsVersion}}|{{.Config.Volumes}}`,
	`{{printf "%v %T" .Size .Size}}`, `{{.Id}}{{printf "%v %T" .Size .Size}}`, `{{- .Os -}} x`, `{{block "b" .}}{{.Os}}{{end}}`, `{{$n := 0}}{{range .RootFS.Layers}}{{$n = len $.RootFS.Layers}}{{end}}{{$n}}`,
	`{{.Nope}}`, `{{.Config.Nope}}`, `{{.Id}}{{.Nope}}`, `{{.GraphDriver.Nope}}`, `{{.Os.Nope}}`, `{{index .Nope "a"}}`, `{{"text"}}`, `plain`, ` `, `{{/* nothing */}}`, `json`,
	`{{`, `{{.Os`, `{{end}}`, `{{nope .Os}}`, `{{table .Os}}`, `{{if}}`, `{{range .RootFS.Layers}}`, `{{template "missing"}}`, `{{.Os | }}`, `}}`, `{{"unclosed}}`, "two\n{{.Nope}}\nlines", `{{json}}`, `{{join .Os ","}}`, `{{.Config.Env.A}}`, `{{printf}}`, `{{1 | upper}}`,
}

// dockerRegistry holds the images that are compared.
func dockerRegistry(t *testing.T) *fake.Registry {
	t.Helper()
	reg := fake.NewEmptyRegistry()
	library := sample.Library()
	for _, i := range dockerImages {
		repository, tag, _ := strings.Cut(i.image, ":")
		source, found := sample.Lookup(library, repository, tag)
		switch repository {
		case "test/odd":
			source, found = odd(), true
		case "test/bare":
			source, found = bare(), true
		}
		if !found {
			t.Fatalf("no sample %s", i.image)
		}
		if err := reg.Push(t.Context(), repository, source, tag); err != nil {
			t.Fatal(err)
		}
	}
	return reg
}

func transcriptFile(driver, name string) string {
	return filepath.Join("testdata", "docker", driver, name+".json")
}

// With -docker this records them first.
func TestEveryComparedImageHasATranscriptOfDocker(t *testing.T) {
	if *dockerSocket != "" {
		recordDocker(t, *dockerSocket)
	}
	for _, i := range dockerImages {
		for _, tr := range transcriptsOf(t, i.name) {
			if tr.Image != i.image || tr.Platform != i.platform || tr.API == formatAPI && len(tr.Formats) != len(dockerFormats) {
				t.Errorf("the transcript of %s is of %s for %s with %d templates; record it anew", i.name, tr.Image, tr.Platform, len(tr.Formats))
			}
		}
	}
}

// transcriptsOf reads what each engine said about an image.
func transcriptsOf(t *testing.T, name string) map[string]transcript {
	t.Helper()
	files, err := filepath.Glob(transcriptFile("*", name))
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcript of %s: %v", name, err)
	}
	all := map[string]transcript{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var tr transcript
		if err := json.Unmarshal(raw, &tr); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		all[filepath.Base(filepath.Dir(f))] = tr
	}
	return all
}

// dockerEngine asks an engine by its API and by the client.
type dockerEngine struct {
	t      *testing.T
	socket string
	http   http.Client
	api    string
	own    string // the registry's address, replaced by dockerHost
}

// recordDocker has the engine pull each image, asks it, and has it forget the image.
func recordDocker(t *testing.T, socket string) {
	reg := dockerRegistry(t)
	server := httptest.NewServer(reg)
	defer server.Close()
	e := &dockerEngine{t: t, socket: socket, own: strings.TrimPrefix(server.URL, "http://")}
	e.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	var version struct{ Version, APIVersion string }
	e.get("/version", &version)
	e.api = min(version.APIVersion, formatAPI) // of equal length: they compare as text
	var info struct{ Driver, DockerRootDir string }
	e.get("/info", &info)
	client := strings.TrimSpace(e.docker("version", "-f", "{{.Client.Version}}").Stdout)
	dir := "api-" + e.api + "-" + info.Driver
	if err := os.MkdirAll(filepath.Dir(transcriptFile(dir, "x")), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, i := range dockerImages {
		at := e.own + "/" + i.image
		if out := e.docker("pull", "-q", "--platform", i.platform, at); out.Stderr != "" {
			t.Logf("the engine refuses %s: %s", at, out.Stderr)
			continue
		}
		tr := transcript{Engine: version.Version, API: e.api, Driver: info.Driver, Client: client, Recorded: time.Now().UTC().Truncate(time.Second), Image: i.image, Platform: i.platform}
		tr.Inspect, tr.History = e.raw("/v"+e.api+"/images/"+at+"/json"), e.raw("/v"+e.api+"/images/"+at+"/history")
		tr.HistoryTable, tr.HistoryNoTrunc = e.docker("history", at).Stdout, e.docker("history", "--no-trunc", at).Stdout
		if e.api == formatAPI {
			for _, f := range dockerFormats {
				tr.Formats = append(tr.Formats, e.docker("image", "inspect", "-f", f, at))
				tr.Formats[len(tr.Formats)-1].Template = f
			}
		}
		e.docker("rmi", "-f", at)
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "\t")
		if err := enc.Encode(tr); err != nil {
			t.Fatal(err)
		}
		kept := strings.NewReplacer(e.own, dockerHost, info.DockerRootDir, "/var/lib/docker").Replace(b.String())
		if err := os.WriteFile(transcriptFile(dir, i.name), []byte(kept), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (e *dockerEngine) raw(path string) json.RawMessage {
	e.t.Helper()
	resp, err := e.http.Get("http://docker" + (&url.URL{Path: path}).EscapedPath())
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		e.t.Fatalf("%s: %s %s %v", path, resp.Status, body, err)
	}
	return body
}

func (e *dockerEngine) get(path string, to any) {
	e.t.Helper()
	if err := json.Unmarshal(e.raw(path), to); err != nil {
		e.t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
}

func (e *dockerEngine) docker(args ...string) formatted {
	cmd := exec.Command("docker", args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+e.socket, "DOCKER_CONFIG="+e.t.TempDir(), "TZ=UTC")
	_ = cmd.Run() // what it says is what is recorded
	return formatted{Stdout: out.String(), Stderr: errs.String()}
}
