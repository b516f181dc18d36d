package registry

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stowage/stowage/image"
)

func hostsOf(list []Listed) []string {
	var all []string
	for _, l := range list {
		all = append(all, l.Host)
	}
	return all
}

func TestDockerHubIsAlwaysOnTheList(t *testing.T) {
	for name, tt := range map[string]struct {
		given []Listed
		hosts []string
	}{
		"alone":      {nil, []string{"docker.io"}},
		"first":      {[]Listed{{Host: "quay.io"}}, []string{"docker.io", "quay.io"}},
		"put last":   {[]Listed{{Host: "quay.io"}, {Host: "docker.io"}}, []string{"quay.io", "docker.io"}},
		"other name": {[]Listed{{Host: "quay.io"}, {Host: "index.docker.io"}}, []string{"quay.io", "docker.io"}},
		"mirrored":   {[]Listed{{Host: "mirror.test", MirrorOf: "docker.io"}, {Host: "quay.io"}}, []string{"docker.io", "quay.io"}},
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
	c := client(t, Options{Registries: []Listed{{Host: "docker.io", Label: "The Hub", Search: SearchV1, SearchURL: "https://search.test:8443/base"}}})
	hub, _ := c.Find("docker.io")
	if hub.Label != "The Hub" || hub.Search != SearchV1 || hub.SearchURL != "https://search.test:8443/base" || len(c.Listed()) != 1 {
		t.Errorf("Docker Hub is %+v", hub)
	}
}

func TestAnEntryIsFoundByItsHostInAnyCase(t *testing.T) {
	c := client(t, Options{Registries: []Listed{{Host: " Harbor.Test:8443 ", Address: "Registry", Hosts: []string{"Token.Test", "[fd00::1]", "10.0.0.1:80"}}, {Host: "mirror.test", MirrorOf: "quay.io"}}})
	l, found := c.Find("harbor.test:8443")
	if !found || l.Host != "harbor.test:8443" || l.Name() != "harbor.test:8443" || l.Address != "registry" || !slices.Equal(l.Hosts, []string{"token.test", "[fd00::1]", "10.0.0.1:80"}) {
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
	given := []Listed{{Host: "harbor.test", Hosts: []string{"a.test"}}}
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
	ca := newAuthority(t).file
	for name, tt := range map[string]struct {
		list  []Listed
		texts []string
	}{
		"no host":           {[]Listed{{}}, []string{`""`, "not the name of a registry"}},
		"address as host":   {[]Listed{{Host: "https://harbor.test"}}, []string{`"https://harbor.test"`, "host:port"}},
		"path":              {[]Listed{{Host: "harbor.test/proxy"}}, []string{`"harbor.test/proxy"`}},
		"folder of the Hub": {[]Listed{{Host: "harbor"}}, []string{`"harbor"`}},
		"port":              {[]Listed{{Host: "harbor.test:99999"}}, []string{`"harbor.test:99999"`}},
		"user":              {[]Listed{{Host: "anna@harbor.test"}}, []string{`"anna@harbor.test"`}},
		"twice":             {[]Listed{{Host: "a.test"}, {Host: "A.test"}}, []string{`"a.test"`, "twice"}},
		"the Hub twice":     {[]Listed{{Host: "docker.io"}, {Host: "index.docker.io"}}, []string{`"docker.io"`, "twice"}},
		"address":           {[]Listed{{Host: "a.test", Address: "http://10.0.0.1"}}, []string{`"a.test"`, `"http://10.0.0.1"`, "without https://"}},
		"address's port":    {[]Listed{{Host: "a.test", Address: "registry:0"}}, []string{`"a.test"`, `"registry:0"`}},
		"other host":        {[]Listed{{Host: "a.test", Hosts: []string{"b.test", "c.test/x"}}}, []string{`"a.test"`, `"c.test/x"`}},
		"TLS":               {[]Listed{{Host: "a.test", TLS: "maybe"}}, []string{`"a.test"`, "verify, skip or off", `"maybe"`}},
		"search":            {[]Listed{{Host: "a.test", Search: "google"}}, []string{`"a.test"`, `"google"`}},
		"search address":    {[]Listed{{Host: "a.test", SearchURL: "ftp://a.test"}}, []string{`"a.test"`, `"ftp://a.test"`}},
		"search user":       {[]Listed{{Host: "a.test", SearchURL: "https://anna:pw@a.test"}}, []string{`"a.test"`}},
		"search query":      {[]Listed{{Host: "a.test", SearchURL: "https://a.test/?q="}}, []string{`"a.test"`}},
		"search host":       {[]Listed{{Host: "a.test", SearchURL: "https:///x"}}, []string{`"a.test"`}},
		"mirror of itself":  {[]Listed{{Host: "a.test", MirrorOf: "A.test"}}, []string{`"a.test"`, "mirror"}},
		"mirror of nothing": {[]Listed{{Host: "a.test", MirrorOf: "hub"}}, []string{`"a.test"`, `"hub"`}},
		"two mirrors":       {[]Listed{{Host: "a.test", MirrorOf: "docker.io"}, {Host: "b.test", MirrorOf: "index.docker.io"}}, []string{`"b.test"`, "a.test", "docker.io"}},
		"CA not there":      {[]Listed{{Host: "a.test", CAFile: empty + ".missing"}}, []string{`"a.test"`, empty + ".missing"}},
		"CA without any":    {[]Listed{{Host: "a.test", CAFile: empty}}, []string{`"a.test"`, "no PEM certificate"}},
		"CA for nothing":    {[]Listed{{Host: "a.test", CAFile: ca, TLS: TLSSkip}}, []string{`"a.test"`, "skip"}},
		"two minds": {[]Listed{{Host: "a.test", CAFile: ca, Hosts: []string{"token.test"}}, {Host: "token.test", TLS: TLSSkip}},
			[]string{`"token.test"`, "another entry"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Registries: tt.list})
			wantKind(t, err, image.Invalid, tt.texts...)
		})
	}
}
