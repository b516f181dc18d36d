package registry

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/outside"
)

func hostsOf(list []Entry) []string {
	var all []string
	for _, l := range list {
		all = append(all, l.Host)
	}
	return all
}

func TestDockerHubIsAlwaysOnTheList(t *testing.T) {
	for name, tt := range map[string]struct {
		given []Entry
		hosts []string
	}{
		"alone":      {nil, []string{"docker.io"}},
		"first":      {[]Entry{{Host: "quay.io"}}, []string{"docker.io", "quay.io"}},
		"put last":   {[]Entry{{Host: "quay.io"}, {Host: "docker.io"}}, []string{"quay.io", "docker.io"}},
		"other name": {[]Entry{{Host: "quay.io"}, {Host: "index.docker.io"}}, []string{"quay.io", "docker.io"}},
		"mirrored": {[]Entry{{Host: "mirror.test", MirrorOf: "docker.io"}, {Host: "quay.io"}},
			[]string{"docker.io", "quay.io"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, Options{Registries: tt.given})
			if got := hostsOf(c.Listed()); !slices.Equal(got, tt.hosts) {
				t.Errorf("listed are %v, want %v", got, tt.hosts)
			}
			hub, found := c.Find("docker.io")
			if !found || hub.Name() != "Docker Hub" || hub.Search != SearchHub {
				t.Errorf("Docker Hub is %+v", hub)
			}
		})
	}
}

func TestWhatTheOperatorSaysOfDockerHubHolds(t *testing.T) {
	c := client(t, Options{Registries: []Entry{{Host: "docker.io", Label: "The Hub", Search: SearchV1,
		SearchURL: "https://search.test:8443/base"}}})
	hub, _ := c.Find("docker.io")
	if hub.Label != "The Hub" || hub.Search != SearchV1 || hub.SearchURL != "https://search.test:8443/base" ||
		len(c.Listed()) != 1 {
		t.Errorf("Docker Hub is %+v", hub)
	}
}

func TestAnEntryIsFoundByItsHostInAnyCase(t *testing.T) {
	c := client(t, Options{Registries: []Entry{{Host: " Harbor.Test:8443 ", Address: "Registry",
		Hosts: []string{"Token.Test", "[fd00::1]", "10.0.0.1:80"}}, {Host: "mirror.test", MirrorOf: "quay.io"}}})
	l, found := c.Find("harbor.test:8443")
	if !found || l.Host != "harbor.test:8443" || l.Name() != "harbor.test:8443" || l.Address != "registry" ||
		!slices.Equal(l.Hosts, []string{"token.test", "[fd00::1]", "10.0.0.1:80"}) {
		t.Errorf("found %+v, %v", l, found)
	}
	if _, found := c.Find("HARBOR.test:8443"); !found {
		t.Error("not found in upper case")
	}
	for _, host := range []string{"harbor.test", "mirror.test", "quay.io", ""} {
		if l, found := c.Find(host); found {
			t.Errorf("%q is %+v", host, l)
		}
	}
}

func TestTheListCannotBeChangedFromOutside(t *testing.T) {
	given := []Entry{{Host: "harbor.test", Hosts: []string{"a.test"}}}
	c := client(t, Options{Registries: given})
	given[0].Hosts[0] = "b.test"
	c.Listed()[1].Hosts[0] = "c.test"
	l, _ := c.Find("harbor.test")
	l.Hosts[0] = "d.test"
	if l, _ := c.Find("harbor.test"); l.Hosts[0] != "a.test" {
		t.Errorf("its host is %s now", l.Hosts[0])
	}
}

func TestEntriesThatMakeNoSenseAreRefusedByName(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := outside.NewAuthority(t).File
	for name, tt := range map[string]struct {
		list  []Entry
		texts []string
	}{
		"no host":           {[]Entry{{}}, []string{`""`, "not the name of a registry"}},
		"address as host":   {[]Entry{{Host: "https://harbor.test"}}, []string{`"https://harbor.test"`, "host:port"}},
		"path":              {[]Entry{{Host: "harbor.test/proxy"}}, []string{`"harbor.test/proxy"`}},
		"folder of the Hub": {[]Entry{{Host: "harbor"}}, []string{`"harbor"`}},
		"port":              {[]Entry{{Host: "harbor.test:99999"}}, []string{`"harbor.test:99999"`}},
		"user":              {[]Entry{{Host: "anna@harbor.test"}}, []string{`"anna@harbor.test"`}},
		"twice":             {[]Entry{{Host: "a.test"}, {Host: "A.test"}}, []string{`"a.test"`, "twice"}},
		"the Hub twice":     {[]Entry{{Host: "docker.io"}, {Host: "index.docker.io"}}, []string{`"docker.io"`, "twice"}},
		"address": {[]Entry{{Host: "a.test", Address: "http://10.0.0.1"}},
			[]string{`"a.test"`, `"http://10.0.0.1"`, "without https://"}},
		"address's port": {[]Entry{{Host: "a.test", Address: "registry:0"}}, []string{`"a.test"`, `"registry:0"`}},
		"other host": {[]Entry{{Host: "a.test", Hosts: []string{"b.test", "c.test/x"}}},
			[]string{`"a.test"`, `"c.test/x"`}},
		"TLS": {[]Entry{{Host: "a.test", TLS: "maybe"}},
			[]string{`"a.test"`, "verify, skip or off", `"maybe"`}},
		"search":            {[]Entry{{Host: "a.test", Search: "google"}}, []string{`"a.test"`, `"google"`}},
		"search address":    {[]Entry{{Host: "a.test", SearchURL: "ftp://a.test"}}, []string{`"a.test"`, `"ftp://a.test"`}},
		"search user":       {[]Entry{{Host: "a.test", SearchURL: "https://anna:pw@a.test"}}, []string{`"a.test"`}},
		"search query":      {[]Entry{{Host: "a.test", SearchURL: "https://a.test/?q="}}, []string{`"a.test"`}},
		"search host":       {[]Entry{{Host: "a.test", SearchURL: "https:///x"}}, []string{`"a.test"`}},
		"mirror of itself":  {[]Entry{{Host: "a.test", MirrorOf: "A.test"}}, []string{`"a.test"`, "mirror"}},
		"mirror of nothing": {[]Entry{{Host: "a.test", MirrorOf: "hub"}}, []string{`"a.test"`, `"hub"`}},
		"two mirrors": {[]Entry{{Host: "a.test", MirrorOf: "docker.io"}, {Host: "b.test", MirrorOf: "index.docker.io"}},
			[]string{`"b.test"`, "a.test", "docker.io"}},
		"CA not there":   {[]Entry{{Host: "a.test", CAFile: empty + ".missing"}}, []string{`"a.test"`, empty + ".missing"}},
		"CA without any": {[]Entry{{Host: "a.test", CAFile: empty}}, []string{`"a.test"`, "no PEM certificate"}},
		"CA for nothing": {[]Entry{{Host: "a.test", CAFile: ca, TLS: outbound.TLSSkip}}, []string{`"a.test"`, "skip"}},
		"two minds": {[]Entry{{Host: "a.test", CAFile: ca, Hosts: []string{"token.test"}},
			{Host: "token.test", TLS: outbound.TLSSkip}},
			[]string{`"token.test"`, "another entry"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Registries: tt.list})
			outside.WantKind(t, err, image.Invalid, tt.texts...)
		})
	}
}
