package image

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPlatformsAreComparedByTheirManifests(t *testing.T) {
	amd, arm, riscv := Platform{OS: "linux", Architecture: "amd64"}, Platform{OS: "linux", Architecture: "arm64"},
		Platform{OS: "linux", Architecture: "riscv64"}
	from := []PlatformManifest{{amd, "a"}, {arm, "b"}, {riscv, "c"}, {amd, "listed twice"}}
	to := []PlatformManifest{{Platform{OS: "linux", Architecture: "386"}, "d"}, {amd, "e"}, {arm, "b"},
		{arm, "listed twice"}}
	var got []string
	for _, c := range ComparePlatforms(from, to) {
		got = append(got, fmt.Sprintf("%s %s %s→%s", c.Kind, c.Platform.Architecture, c.From, c.To))
	}
	want := []string{"added 386 →d", "changed amd64 a→e", "same arm64 b→b", "gone riscv64 c→"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestConfigsAreComparedPartByPart(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	base := func() *Config {
		return &Config{Created: &at, OS: "linux", Architecture: "amd64", Config: RunConfig{
			Env: []string{"PATH=/bin", "PG_MAJOR=15"}, Cmd: []string{"postgres"}, Entrypoint: []string{"docker-entrypoint.sh"},
			ExposedPorts: map[string]struct{}{"5432/tcp": {}}, Labels: map[string]string{"stage": "ci", "empty": ""},
		}}
	}
	for _, tt := range []struct {
		name   string
		change func(c *Config)
		want   []string
	}{
		{"nothing", func(*Config) {}, nil},
		{"a variable set, another way round", func(c *Config) { c.Config.Env = []string{"PG_MAJOR=15", "PATH=/bin"} }, nil},
		{"variables", func(c *Config) { c.Config.Env = []string{"PATH=/bin:/usr/bin", "LANG=", "LANG=C"} },
			[]string{`added env LANG: "" → "C"`, `changed env PATH: "/bin" → "/bin:/usr/bin"`, `gone env PG_MAJOR: "15" → ""`}},
		{"a command", func(c *Config) { c.Config.Cmd = []string{"postgres", "-c", "fsync=<on>"} },
			[]string{`changed cmd: "[\"postgres\"]" → "[\"postgres\",\"-c\",\"fsync=<on>\"]"`}},
		{"an entrypoint gone", func(c *Config) { c.Config.Entrypoint = nil },
			[]string{`gone entrypoint: "[\"docker-entrypoint.sh\"]" → ""`}},
		{"ports", func(c *Config) { c.Config.ExposedPorts = map[string]struct{}{"80/tcp": {}} },
			[]string{`gone port 5432/tcp: "" → ""`, `added port 80/tcp: "" → ""`}},
		{"labels, an empty one too", func(c *Config) { c.Config.Labels = map[string]string{"stage": "prod"} },
			[]string{`gone label empty: "" → ""`, `changed label stage: "ci" → "prod"`}},
		{"a user and a health check", func(c *Config) {
			c.Config.User, c.Config.Healthcheck = "70", &Healthcheck{Test: []string{"CMD", "true"}}
		}, []string{`added user: "" → "70"`, `added healthcheck: "" → "{\"Test\":[\"CMD\",\"true\"]}"`}},
		{"when", func(c *Config) { later := at.Add(time.Hour); c.Created = &later },
			[]string{`changed created: "2026-01-02T03:04:05Z" → "2026-01-02T04:04:05Z"`}},
	} {
		to := base()
		tt.change(to)
		var got []string
		for _, c := range CompareConfigs(base(), to) {
			got = append(got, c.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func TestLayersAreComparedByDiffIDInOrder(t *testing.T) {
	parts := func(ids string) (all []LayerPart) {
		for _, id := range strings.Fields(ids) {
			all = append(all, LayerPart{DiffID: Digest(id)})
		}
		return all
	}
	for _, tt := range []struct{ from, to, want string }{
		{"", "", ""}, {"a", "a", " a"}, {"", "a b", " +a +b"}, {"a b", "", " -a -b"},
		{"a b c", "a b d", " a b -c +d"},
		{"a b c", "a b c d", " a b c +d"},
		{"a b c d", "a x c d", " a -b +x c d"},
		{"a b", "b a", " -a b +a"},
		{"a a a", "a a", " a a -a"},
		{"base1 app", "base2 app", " -base1 +base2 app"},
	} {
		got := ""
		for _, c := range CompareLayers(parts(tt.from), parts(tt.to)) {
			got += " " + map[ChangeKind]string{Added: "+", Gone: "-"}[c.Kind] + string(c.DiffID)
		}
		if got != tt.want {
			t.Errorf("%q → %q: %q, want %q", tt.from, tt.to, got, tt.want)
		}
	}
}
