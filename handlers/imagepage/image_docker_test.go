package imagepage_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/pages"
)

// newDockerShelf has every image that docker was asked about, each at the platform that it was asked for.
func newDockerShelf(t *testing.T) *pages.Shelf {
	t.Helper()
	s := pages.NewOn(t, dockerRegistry(t))
	for _, i := range dockerImages {
		s.Pull(dockerHost+"/"+i.image, i.platform)
	}
	return s
}

func dockerPage(image, platform string) string {
	return "/images/" + dockerHost + "/" + image + "/inspect?platform=" + url.QueryEscape(platform)
}

// differs are the keys of docker's inspect that are otherwise here, each with its reason.
var differs = map[string]string{
	"GraphDriver":        "nothing is unpacked to disk, so there are no folders of a storage driver: the key stands, with nothing in it, for templates that read it",
	"Metadata":           "engines note when they made the tag of an image that they pulled first; tagging on the spot does not exist here, so that it is always the zero time",
	"Container":          "of builds on the spot, which engines of API 1.44 and older still print for pulled images; API 1.51 has no such key",
	"ContainerConfig":    "as Container",
	"VirtualSize":        "the same as Size; gone with API 1.44",
	"Config.Hostname":    "empty for every pulled image; gone with API 1.50",
	"Config.Domainname":  "as Config.Hostname",
	"Config.AttachStdin": "as Config.Hostname", "Config.AttachStdout": "as Config.Hostname", "Config.AttachStderr": "as Config.Hostname",
	"Config.Tty": "as Config.Hostname", "Config.OpenStdin": "as Config.Hostname", "Config.StdinOnce": "as Config.Hostname", "Config.Image": "as Config.Hostname",
}

// flat returns an inspect object's keys, those of Config, RootFS and Metadata one by one, with their JSON.
func flat(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	all := map[string]string{}
	for key, value := range object {
		var inner map[string]json.RawMessage
		if key != "Config" && key != "RootFS" || json.Unmarshal(value, &inner) != nil {
			all[key] = canonical(t, value)
			continue
		}
		for k, v := range inner {
			all[key+"."+k] = canonical(t, v)
		}
	}
	return all
}

func canonical(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestInspectIsWhatADockerEngineSaysOfTheSameImageKeyByKey(t *testing.T) {
	s := newDockerShelf(t)
	for _, i := range dockerImages {
		a := s.Get(dockerPage(i.image, i.platform)+"&raw=1", "Accept", "application/json")
		var ours []json.RawMessage
		if err := json.Unmarshal([]byte(a.Body), &ours); err != nil || len(ours) != 1 {
			t.Fatalf("%s: %d %s", i.name, a.Status, a.Body)
		}
		here := flat(t, ours[0])
		for engine, tr := range transcriptsOf(t, i.name) {
			there := flat(t, tr.Inspect)
			for _, key := range slices.Sorted(maps.Keys(there)) {
				if key == "Created" && there[key] == `"0001-01-01T00:00:00Z"` {
					continue // unknown, which engines of API 1.44 and newer leave out
				}
				if differs[key] == "" && here[key] != there[key] {
					t.Errorf("%s, %s: %s is\n%s, docker's\n%s", i.name, engine, key, here[key], there[key])
				}
			}
			for _, key := range slices.Sorted(maps.Keys(here)) {
				if _, known := there[key]; !known && differs[key] == "" {
					t.Errorf("%s, %s: docker has no %s, which is %s", i.name, engine, key, here[key])
				}
			}
		}
	}
}

func TestATemplateGivesWhatDockersClientPrints(t *testing.T) {
	s := newDockerShelf(t)
	for _, i := range dockerImages {
		for _, tr := range transcriptsOf(t, i.name) {
			for _, f := range tr.Formats {
				a := s.Get(dockerPage(i.image, i.platform)+"&format="+url.QueryEscape(f.Template), "Accept", "text/plain")
				status, want := http.StatusOK, f.Stdout
				if f.Stderr != "" { // the line break is all that docker printed before
					status, want = http.StatusBadRequest, f.Stderr
				}
				if why := formatDiffers(f.Template, want); why != "" {
					continue
				}
				if a.Status != status || a.Body != want {
					t.Errorf("%s: %s\n got %d %q\nwant %d %q", i.name, f.Template, a.Status, a.Body, status, want)
				}
			}
		}
	}
}

// formatDiffers returns the reason why a template does not give what docker prints; "" where it does.
func formatDiffers(template, printed string) string {
	switch {
	case template == "json" && strings.Contains(printed, "GraphDriver"), strings.Contains(template, "GraphDriver"):
		return differs["GraphDriver"]
	case strings.Contains(template, "Metadata"):
		return differs["Metadata"]
	case strings.Contains(printed, "{0xc"):
		return "the client prints where in its memory a health check is; ours is written out"
	}
	return ""
}

func TestHistoryIsWhatDockerPrints(t *testing.T) {
	s := newDockerShelf(t)
	for _, i := range dockerImages {
		for engine, tr := range transcriptsOf(t, i.name) {
			if tr.API != formatAPI {
				continue
			}
			for query, want := range map[string]string{"": tr.HistoryTable, "&no-trunc=1": tr.HistoryNoTrunc} {
				address := strings.Replace(dockerPage(i.image, i.platform), "/inspect?", "/layers?", 1) + query
				a := s.Get(address, "Accept", "text/plain")
				if got := sameAges(a.Body); a.Status != http.StatusOK || got != sameAges(want) {
					t.Errorf("%s, %s: %d\n%s\nwant\n%s", i.name, engine, a.Status, got, sameAges(want))
				}
			}
		}
	}
}

// sameAges replaces the CREATED column, which depends on the day, and the room that it takes.
func sameAges(table string) string {
	lines := strings.Split(table, "\n")
	from := strings.Index(lines[0], "CREATED ")
	to := strings.Index(lines[0], "CREATED BY")
	if from < 0 || to < 0 {
		return fmt.Sprintf("no table: %s", table)
	}
	for i, l := range lines {
		if len(l) >= to {
			lines[i] = l[:from] + "…" + l[to:]
		}
	}
	return strings.Join(lines, "\n")
}
