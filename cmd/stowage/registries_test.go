package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/shelf"
)

func TestARegistryOnTheCommandLineIsANameOrANameAndItsAddress(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]registry.Entry{
		"quay.io":                              {Host: "quay.io"},
		"harbor.example.com:8443":              {Host: "harbor.example.com:8443"},
		"reg.example.com=http://10.0.0.5:8080": {Host: "reg.example.com", Address: "10.0.0.5:8080", TLS: outbound.TLSOff},
		"reg.example.com=https://mirror.internal/": {Host: "reg.example.com", Address: "mirror.internal",
			TLS: outbound.TLSVerify},
		"six.example.com=http://[fd00::5]:5000": {Host: "six.example.com", Address: "[fd00::5]:5000", TLS: outbound.TLSOff},
	} {
		want.At = "--registry"
		got, err := flags{Registry: []string{value}}.registries()
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s is read as %+v (%v)", value, got, err)
		}
	}
	for _, value := range []string{
		"", "=http://a", "https://quay.io", "quay.io=", "quay.io=10.0.0.5:8080", "quay.io=ftp://a", "quay.io=http://",
		"quay.io=http://u:p@a", "quay.io=http://a/b", "quay.io=http://a?b",
	} {
		if got, err := (flags{Registry: []string{value}}).registries(); err == nil ||
			!strings.Contains(err.Error(), "--registry") {
			t.Errorf("%q is read as %+v (%v)", value, got, err)
		}
	}
}

func TestTheFileOfRegistriesSetsEveryKey(t *testing.T) {
	t.Parallel()
	file := shelf.RegistriesFile(t, `# Ours.
registries:
  - name: docker.io
    search: "off" # quoted or not
  - name: harbor.example.com:8443
    label: Our Harbor   # a comment
    address: 10.1.2.3:8443
    tls: skip
    ca: ca.pem
    credentials: robot.example.com
    hosts: [auth.example.com, "blobs.example.com:9000"]
    search: harbor
    search-url: https://harbor.example.com:8443
  - name: quay.io
    search: auto
    hosts:
      - cdn.example.com
  - {name: mirror.example.com, mirror-of: docker.io, tls: off, ca: /etc/ca.pem, search: off}
`)
	got, err := flags{Registries: file, Registry: []string{"localhost:5000"}}.registries()
	want := []registry.Entry{
		{Host: "docker.io", Search: registry.SearchOff},
		{
			Host: "harbor.example.com:8443", Label: "Our Harbor", Address: "10.1.2.3:8443", TLS: outbound.TLSSkip,
			CAFile:      filepath.Join(filepath.Dir(file), "ca.pem"),
			Credentials: "robot.example.com", Hosts: []string{"auth.example.com", "blobs.example.com:9000"},
			Search: registry.SearchHarbor, SearchURL: "https://harbor.example.com:8443",
		},
		{Host: "quay.io", Hosts: []string{"cdn.example.com"}},
		{Host: "mirror.example.com", MirrorOf: "docker.io", TLS: outbound.TLSOff, CAFile: "/etc/ca.pem",
			Search: registry.SearchOff},
		{Host: "localhost:5000"},
	}
	for i, line := range []string{":3", ":5", ":14", ":18"} {
		want[i].At = file + line
	}
	want[4].At = "--registry"
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	two := "registries:\n  - name: a.example\n---\nregistries:\n  - name: b.example\n"
	got, err = flags{Registries: shelf.RegistriesFile(t, two)}.registries()
	if err != nil || len(got) != 2 || got[0].Host != "a.example" || got[1].Host != "b.example" ||
		!strings.HasSuffix(got[1].At, ":5") {
		t.Errorf("of two documents there is %+v (%v)", got, err)
	}
	if _, err := (flags{Registries: "/dev/zero"}).registries(); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("a file without end: %v", err)
	}
	for _, empty := range []string{"", "# nothing\n", "registries:\n", "registries: []\n"} {
		if got, err := (flags{Registries: shelf.RegistriesFile(t, empty)}).registries(); err != nil || len(got) > 0 {
			t.Errorf("%q is read as %+v (%v)", empty, got, err)
		}
	}
}

func TestAWrongFileOfRegistriesIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, line, want string }{
		{"unknown key", "registries:\n  - name: a.example\n    host: b\n", "3", `unknown key "host" of a registry`},
		{"unknown key at the top", "registry:\n  - name: a.example\n", "1", `unknown key "registry"`},
		{"a list at the top", "- name: a.example\n", "1", "expected keys: registries"},
		{"no name", "registries:\n  - name: a.example\n  - label: b\n", "3", "a registry without a name"},
		{"a name that is a list", "registries:\n  - name: [a, b]\n", "2", "name: expected a text"},
		{"an entry that is a text", "registries:\n  - a.example\n", "2", "expected keys: name, label"},
		{"registries that are a text", "registries: a.example\n", "1", "registries: expected a list"},
		{"hosts that are a text", "registries:\n  - name: a.example\n    hosts: b\n", "3", "hosts: expected a list"},
		{"TLS", "registries:\n  - name: a.example\n    tls: maybe\n", "3", `tls: "maybe" is none of verify, skip, off`},
		{"search", "registries:\n  - name: a.example\n    search: google\n", "3",
			`search: "google" is none of auto, hub, quay, harbor, v1, catalog, off`},
		{"a key twice", "registries:\n  - name: a.example\n    name: b.example\n", "3", "name"},
		{"no YAML", "registries:\n  - name: 'a.example\n", "", "not YAML"},
		{"the same registry twice", "registries:\n  - name: a.example\n  - name: A.example\n", "",
			"registry A.example is given twice: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := shelf.RegistriesFile(t, c.text)
			_, err := flags{Registries: file}.registries()
			if err == nil || !strings.Contains(err.Error(), c.want) || c.line != "" &&
				!strings.HasPrefix(err.Error(), file+":"+c.line+": ") {
				t.Errorf("error is %v", err)
			}
		})
	}
	if _, err := (flags{Registries: shelf.RegistriesFile(t, "#"+strings.Repeat("x", registriesLimit))}).
		registries(); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("a file that is too large: %v", err)
	}
}

func TestEveryFlagAndEveryKeyOfTheFileIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	fields := reflect.TypeFor[flags]()
	for i := range fields.NumField() {
		name := fields.Field(i).Tag.Get("name")
		if name == "" {
			name = kebab(fields.Field(i).Name)
		}
		if row := "| `--" + name; !strings.Contains(string(page), row+" ") && !strings.Contains(string(page), row+"`") {
			t.Errorf("--%s is not in the table of docs/configuration.md", name)
		}
	}
	for _, key := range entryKeys {
		if !strings.Contains(string(page), "| `"+key+"` |") {
			t.Errorf("%s is not in the table of docs/configuration.md", key)
		}
	}
}

// kebab is a field's name as its flag has it.
func kebab(field string) string {
	var b strings.Builder
	for i, r := range field {
		if r >= 'A' && r <= 'Z' && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
