package sample

import (
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Names as long as a registry takes them: a tag of 128 characters, and a repository that leaves room for a host within
// 255.
var (
	LongRepository = "platform-engineering/observability/telemetry-pipelines/kubernetes-operators/release-candidates/internal-preview-builds/" +
		"open-telemetry-collector-contrib-distribution-with-extended-exporters-and-receivers"
	LongTag = "v0.112.0-rc.1_build.20261119.4711-" + strings.Repeat("feature-branch.", 6) + "g4f0"
)

// small is an image for one platform with one small layer.
func small(p v1.Platform, more ...Step) Image {
	l := NewLayer(Gzip, Dir("bin"), Program("bin/true", PlatformString(p), 24_000),
		Text("etc/motd", PlatformString(p)+"\n"))
	return Image{
		Platform: p, Created: Date("2026-08-01T12:00:00Z"),
		Config: Config{ImageConfig: v1.ImageConfig{Env: []string{pathEnv}, Cmd: words("/bin/true")}},
		Steps:  append([]Step{copied("/out/ /", l)}, more...),
	}
}

// single are repositories whose tag points at a manifest, without an index.
func (s *shelf) single() []Entry {
	arm := s.redisImage(machineOf(linuxARM64), Gzip)
	arm.Platform = linuxARM64
	amd := s.redisImage(machineOf(linuxAMD64), Gzip)
	amd.Platform, amd.Docker = linuxAMD64, true
	return []Entry{
		{"test/amd64-only", words("latest"), amd},
		{"test/arm64-only", words("latest"), arm},
	}
}

// unusual are images that are legal and rare, and what is no image.
func (s *shelf) unusual() []Entry {
	return []Entry{
		{"charts/mychart", words("0.1.0"), Chart()},
		{LongRepository, []string{LongTag, "latest"}, Index{Entries: []Source{small(linuxAMD64), small(linuxARM64)}}},
		{"acme/hostile", words("latest"), Hostile()},
		{"test/no-layers", words("latest"), NoLayers()},
		{"test/no-created", words("latest"), NoCreated()},
		{"test/no-history", words("latest"), NoHistory()},
		{"test/nested-index", words("latest"), NestedIndex()},
		{"acme/windows-agent", words("1.4 ltsc2022"), Windows()},
	}
}

// Chart is a Helm chart: a manifest that is no image.
func Chart() Artifact {
	content := NewLayer(Gzip, Text("mychart/Chart.yaml", "apiVersion: v2\nname: mychart\nversion: 0.1.0\n"),
		Text("mychart/values.yaml", "replicas: 1\n"), Text("mychart/templates/service.yaml", "kind: Service\n"))
	l, err := content.Content()
	if err != nil {
		panic("sample: build the chart: " + err.Error()) // fixed files, so it cannot happen
	}
	return Artifact{
		ConfigType: "application/vnd.cncf.helm.config.v1+json",
		Config:     map[string]string{"name": "mychart", "version": "0.1.0", "apiVersion": "v2", "type": "application"},
		Blobs:      []Blob{DataBlob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", l.Blob)},
	}
}

// Hostile is an image whose labels, environment, commands and annotations try to be markup, terminal
// controls, templates and right-to-left text, and are long.
func Hostile() Image {
	im := small(linuxAMD64)
	im.Author = `<img src=x onerror=alert(1)>`
	im.Config = Config{ImageConfig: v1.ImageConfig{
		Env: []string{pathEnv, "X=<svg onload=alert(3)>", "EMPTY=", "=no name", "TEMPLATE={{.Config}}${HOME}",
			"RTL=\u202etxt.exe", "ESC=\x1b[31mred\x1b[0m", "NUL=a\x00b", "LINES=a\r\nSet-Cookie: b=c"},
		Cmd:        []string{"sh", "-c", "echo '</script><script>alert(2)</script>' \"$1\" && `id`"},
		Entrypoint: []string{"/bin/<b>bold</b>"}, WorkingDir: "/<b>", User: "'; DROP TABLE images; --",
		ExposedPorts: ports("<u>80</u>/tcp"), Volumes: ports("javascript:alert(7)"), StopSignal: "<i>",
		Labels: map[string]string{
			"<script>alert(4)</script>": `"><img src=x onerror=alert(5)>`, "url": "javascript:alert(6)",
			"long": strings.Repeat("0123456789abcdef", 256),
			"rtl":  "\u202egnp.exe\u2066 isolated \u2069", "zero-width": "a\u200bb\u200dc\ufeff", "korean": "컨테이너 이미지",
			"combining": strings.Repeat("Z\u0351\u0349", 40), strings.Repeat("k", 300): "long key",
		},
	}}
	im.Annotations = map[string]string{"org.opencontainers.image.title": "<script>alert(8)</script>",
		"org.opencontainers.image.url": "javascript:alert(9)"}
	im.Steps[0].By = `RUN echo "<script>alert(1)</script>" && echo '</td></tr></table>' # ` + "\u202e" + ` reversed`
	im.Steps[0].Comment = `<img src=x onerror=alert(10)>`
	im.Steps = append(im.Steps, Step{By: "RUN " + strings.Repeat("very-long-command-without-a-single-space", 120)},
		Step{By: "ENV A=\x1b]0;title\x07"})
	return im
}

// NoLayers is an image with a config and nothing else.
func NoLayers() Image {
	im := small(linuxAMD64)
	im.Steps = []Step{set("LABEL empty=yes")}
	return im
}

// NoCreated is an image whose config states no creation date, as reproducible builds make them.
func NoCreated() Image {
	im := small(linuxAMD64)
	im.Created = time.Time{}
	return im
}

// NoHistory is an image with more layers than its history mentions.
func NoHistory() Image {
	im := small(linuxAMD64, Step{Layer: NewLayer(Gzip, Text("second", "2\n")), NoHistory: true})
	im.Steps[0].NoHistory = true
	return im
}

// NestedIndex is an index that lists an image and another index, which lists two more.
func NestedIndex() Index {
	return Index{Entries: []Source{small(linuxAMD64), Index{Entries: []Source{small(linuxARM64), small(linuxARM7)}}}}
}

// Windows is an index of two Windows builds for one platform, told apart by os.version only.
func Windows() Index {
	build := func(version string) Image {
		im := small(v1.Platform{OS: "windows", Architecture: "amd64", OSVersion: version})
		im.Docker = true
		im.Config.Cmd, im.Config.Shell = []string{`c:\agent\agent.exe`}, []string{"powershell", "-Command"}
		im.Steps = []Step{
			{By: "Apply image " + version, Layer: NewLayer(Gzip, Dir("Files"), Dir("Files/Windows"),
				Program("Files/Windows/System32/kernel32.dll", version, 190_000), Dir("Hives"))},
			{By: `cmd /S /C #(nop) COPY dir:9f86d081884c7d65 in c:\agent `,
				Layer: NewLayer(Gzip, Dir("Files"), Program("Files/agent/agent.exe", version, 310_000))},
			{By: `cmd /S /C #(nop)  CMD ["c:\\agent\\agent.exe"]`},
		}
		return im
	}
	return Index{Docker: true, Entries: []Source{build("10.0.17763.5329"), build("10.0.20348.2227")}}
}
