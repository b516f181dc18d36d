package distribution

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestNamesAreReadAsDockerReadsThem(t *testing.T) {
	for _, tt := range []struct {
		name, ns string
		want     image.Repository
	}{
		{"ubuntu", "", "docker.io/library/ubuntu"},
		{"library/ubuntu", "", "docker.io/library/ubuntu"},
		{"docker.io/library/ubuntu", "", "docker.io/library/ubuntu"},
		{"docker.io/ubuntu", "", "docker.io/library/ubuntu"},
		{"bitnami/redis", "", "docker.io/bitnami/redis"},
		{"ghcr.io/acme/api/deep", "", "ghcr.io/acme/api/deep"},
		{"registry.example.com", "", "docker.io/library/registry.example.com"}, // without a slash it is no host
		{"manifests/blobs", "", "docker.io/manifests/blobs"},
		{"localhost/app", "", "localhost/app"},
		{"localhost:5000/app", "", "localhost:5000/app"},
		{"localhost_5000/app", "", "localhost:5000/app"},
		{"registry.example.com_5000/team/app", "", "registry.example.com:5000/team/app"},
		{"team_5000/app", "", "docker.io/team_5000/app"},
		{"[::1]:5000/app", "", "[::1]:5000/app"},
		{"0--1.ipv6-literal.net_5000/app", "", "[::1]:5000/app"},
		{"2001-db8--7.ipv6-literal.net/team/app", "", "[2001:db8::7]/team/app"},
		{"2001-db8--0.ipv6-literal.net_443/team/app", "", "[2001:db8::]:443/team/app"},
		{"[0:0::0001]:5000/app", "", "[::1]:5000/app"},

		{"[::ffff:102:304]/app", "", "[::ffff:102:304]/app"},
		{"no-address.ipv6-literal.net/app", "", "no-address.ipv6-literal.net/app"},
		{"app", "[0::1]:5000", "[::1]:5000/app"},
		{"library/ubuntu", "docker.io", "docker.io/library/ubuntu"},
		{"ubuntu", "docker.io", "docker.io/library/ubuntu"},
		{"ubuntu", "index.docker.io", "docker.io/library/ubuntu"},
		{"team/app", "registry.example.com:5000", "registry.example.com:5000/team/app"},
		{"docker.io/library/ubuntu", "ghcr.io", "ghcr.io/docker.io/library/ubuntu"},
	} {
		got, err := readName(tt.name, tt.ns)
		if err != nil || got != tt.want {
			t.Errorf("%s in %q: %q, %v; want %q", tt.name, tt.ns, got, err, tt.want)
		}
		if again, err := readName(tt.want.AsPath(), ""); err != nil || again != tt.want {
			t.Errorf("%s is spelled %s, which is read as %s, %v", tt.want, tt.want.AsPath(), again, err)
		}
	}
}

func TestNamesThatAreNoneAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, ns, code string }{
		{"Ubuntu", "", nameInvalid},
		{"a//b", "", nameInvalid},
		{"../etc", "", nameInvalid},
		{"a/../b", "", nameInvalid},
		{"a/./b", "", nameInvalid},
		{".hidden", "", nameInvalid},
		{"a b", "", nameInvalid},
		{"a\x00b", "", nameInvalid},
		{"ubuntu:22.04", "", nameInvalid},
		{"ubuntu@sha256", "", nameInvalid},
		{"üb", "", nameInvalid},
		{strings.Repeat("a", 256), "", nameInvalid},
		{strings.Repeat("0123456789abcdef", 4), "", nameInvalid}, // an ID
		{"app", "docker.io/library", nameInvalid},
		{"app", "two words", nameInvalid},
		{"app", strings.Repeat("a", 256), nameInvalid},
		{"app", "myregistry", nameUnknown},
	} {
		_, err := readName(tt.name, tt.ns)
		var wire *wireError
		if !errors.As(err, &wire) || wire.Code != tt.code {
			t.Errorf("%.40q in %.40q: %v, want %s", tt.name, tt.ns, err, tt.code)
		}
	}
}

func TestTheRegistryThatContainerdNamesIsEchoed(t *testing.T) {
	s := newShelf(t)
	b := s.pull("ghcr.io/acme/api:3", made("amd64", "api"))
	r := s.get("acme/api/manifests/3?ns=ghcr.io")
	r.is(http.StatusOK, b.Body)
	r.says("OCI-Namespace", "ghcr.io")
	s.get("acme/api/blobs/"+string(b.Blobs[0].Descriptor.Digest)+"?ns=ghcr.io").is(http.StatusOK, b.Blobs[0].Data)
	r = s.get("acme/api/manifests/3?ns=docker.io")
	r.refused(http.StatusNotFound, nameUnknown)
	r.says("OCI-Namespace", "docker.io")
	s.get("acme/api/manifests/3").refused(http.StatusNotFound, nameUnknown) // which is Docker Hub's
	s.get("acme/api/tags/list?ns=ghcr.io").is(http.StatusOK, []byte(`{"name":"acme/api","tags":["3"]}`))
}

func TestAddressesThatAreNoneAreRefused(t *testing.T) {
	s := newShelf(t)
	s.pull("app:1", made("amd64", "app"))
	hex := strings.Repeat("a", 64)
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"app/manifests/2":                                 {http.StatusNotFound, manifestUnknown},
		"nothing/manifests/2":                             {http.StatusNotFound, nameUnknown},
		"app/manifests/.hidden":                           {http.StatusNotFound, manifestUnknown},
		"app/manifests/" + strings.Repeat("a", 129):       {http.StatusNotFound, manifestUnknown},
		"app/manifests/sha256:" + hex:                     {http.StatusNotFound, manifestUnknown},
		"app/manifests/sha256:abc":                        {http.StatusBadRequest, digestInvalid},
		"app/manifests/sha512:" + hex + hex:               {http.StatusNotFound, manifestUnknown},
		"app/blobs/sha256:" + hex:                         {http.StatusNotFound, blobUnknown},
		"app/blobs/sha512:" + hex + hex:                   {http.StatusNotFound, blobUnknown},
		"app/blobs/blake3:" + hex:                         {http.StatusNotFound, blobUnknown},
		"app/blobs/sha256:" + strings.ToUpper(hex):        {http.StatusBadRequest, digestInvalid},
		"app/blobs/1":                                     {http.StatusBadRequest, digestInvalid},
		"app/blobs/uploads/":                              {http.StatusNotFound, unsupported},
		"app/blobs/uploads/1234":                          {http.StatusNotFound, unsupported},
		"app/tags":                                        {http.StatusNotFound, unsupported},
		"app/tags/all":                                    {http.StatusNotFound, unsupported},
		"app":                                             {http.StatusNotFound, unsupported},
		"manifests/1":                                     {http.StatusNotFound, unsupported},
		"nothing/tags/list":                               {http.StatusNotFound, nameUnknown},
		"App/manifests/1":                                 {http.StatusBadRequest, nameInvalid},
		"%2e%2e/%2e%2e/manifests/1":                       {http.StatusBadRequest, nameInvalid},
		"app%2f..%2f..%2fetc/blobs/sha256:" + hex:         {http.StatusBadRequest, nameInvalid},
		"app/manifests/" + url.PathEscape("../1"):         {http.StatusNotFound, unsupported},
		"app/manifests/1?ns=" + url.QueryEscape("a\r\nb"): {http.StatusBadRequest, nameInvalid},
		"app/tags/list?n=-1":                              {http.StatusBadRequest, unsupported},
		"app/tags/list?n=many":                            {http.StatusBadRequest, unsupported},
		"_catalog?n=-1":                                   {http.StatusBadRequest, unsupported},
		"_catalog?ns=a/b":                                 {http.StatusBadRequest, nameInvalid},
		"app/referrers/sha256:abc":                        {http.StatusBadRequest, digestInvalid},
	} {
		s.get(path).refused(want.status, want.code)
	}
	s.get("app/manifests/1").is(http.StatusOK, nil)
	if s.log.Len() > 0 {
		t.Errorf("other people's mistakes in the log: %s", s.log)
	}
}
