package registry

import (
	"net"
	"net/http"
	"reflect"
	"slices"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/logins"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/outside"
)

func TestHowAHostIsSpokenTo(t *testing.T) {
	c := client(t, Options{
		Registries: []Entry{
			{Host: "harbor.test", Address: "10.0.0.1:8080", TLS: outbound.TLSOff, Credentials: "other.test"},
			{Host: "mirror.test", TLS: outbound.TLSSkip, MirrorOf: "docker.io"},
			{Host: "quaymirror.test", MirrorOf: "quay.io", Credentials: "quay.io"},
			{Host: "demo.test", Address: "127.0.0.1:5000"},
		},
	})
	for _, want := range []Host{
		{Name: "ghcr.io", API: "ghcr.io", signIn: "ghcr.io"},
		{Name: "docker.io", API: "mirror.test", peer: outbound.Peer{TLS: outbound.TLSSkip}, signIn: "mirror.test"},
		{Name: "mirror.test", API: "mirror.test", peer: outbound.Peer{TLS: outbound.TLSSkip}, signIn: "mirror.test"},
		{Name: "quay.io", API: "quaymirror.test", signIn: "quay.io"},
		{Name: "harbor.test", API: "10.0.0.1:8080", peer: outbound.Peer{TLS: outbound.TLSOff}, signIn: "other.test"},
		{Name: "demo.test", API: "127.0.0.1:5000", signIn: "demo.test"},
	} {
		got := c.HostOf(want.Name)
		got.peer = outbound.Peer{TLS: got.peer.TLS}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the host is %+v, want %+v", got, want)
		}
	}
	want := Host{Name: "docker.io", API: "registry-1.docker.io", signIn: "docker.io"}
	got := client(t, Options{}).HostOf("docker.io")
	if got.peer = (outbound.Peer{}); !reflect.DeepEqual(got, want) {
		t.Errorf("the host is %+v, want %+v", got, want)
	}
}

func TestReferencesAreFetchedFromTheirMirror(t *testing.T) {
	rec, mirror := realRegistry(t, nil)
	img := newImage(t, []byte("layer"))
	push(t, mirror, "library/ubuntu", "22.04", img)
	before := len(rec.Requests())
	c := client(t, Options{Registries: []Entry{{Host: mirror, MirrorOf: "docker.io"}}})
	doc, err := c.Document(t.Context(), mustRef(t, "ubuntu:22.04"))
	if err != nil || doc.Digest != img.digest() {
		t.Fatalf("got %s, %v", doc.Digest, err)
	}
	body, _, err := c.Blob(t.Context(), "docker.io/library/ubuntu", img.layerDescriptor(), 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	want := []string{"GET /v2/library/ubuntu/manifests/22.04", "GET /v2/library/ubuntu/blobs/" +
		string(image.DigestOf(img.layer))}
	if got := rec.Requests()[before:]; !slices.Equal(got, want) {
		t.Errorf("the mirror got %v", got)
	}
}

func TestAMirrorGetsItsOwnCredentialsAndNotThoseOfWhatItMirrors(t *testing.T) {
	raw := newImage(t, []byte("layer")).raw
	users := make(chan string, 10)
	_, mirror := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		user, _, ok := req.BasicAuth()
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="mirror"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		users <- user
		manifest(w, ocispec.MediaTypeImageManifest, raw)
	})
	conf := map[string]any{"auths": map[string]any{
		logins.HubKey: login("hubuser", "a"), mirror: login("mirroruser", "b"), "team.test": login("teamuser", "c"),
	}}
	for want, credentials := range map[string]string{"mirroruser": "", "hubuser": "docker.io", "teamuser": "team.test"} {
		c := client(t, Options{DockerConfig: dockerConfigDir(t, conf),
			Registries: []Entry{{Host: mirror, MirrorOf: "docker.io", Credentials: credentials}}})
		if _, err := c.Document(t.Context(), mustRef(t, "ubuntu:22.04")); err != nil {
			t.Fatal(err)
		}
		if got := <-users; got != want {
			t.Errorf("with credentials of %q the mirror saw %q, want %q", credentials, got, want)
		}
	}
	_, err := client(t, Options{Registries: []Entry{{Host: mirror, MirrorOf: "docker.io"}}}).
		Document(t.Context(), mustRef(t, "ubuntu:22.04"))
	outside.WantKind(t, err, image.Unauthorized, "docker login "+mirror)
}

func TestAnAuthorityOfAnEntryIsTrustedForItAlone(t *testing.T) {
	ca := outside.NewAuthority(t)
	outside.Lead(t, "harbor.test", "127.0.0.1")
	outside.Lead(t, "other.test", "127.0.0.1")
	_, addr := ca.Server(t, oneManifest(t), outside.InAnHour(), "harbor.test", "other.test")
	_, port, _ := net.SplitHostPort(addr)
	c := client(t, Options{Registries: []Entry{{Host: "harbor.test:" + port, CAFile: ca.File},
		{Host: "other.test:" + port}}})
	if _, err := c.Head(t.Context(), mustRef(t, "harbor.test:"+port+"/app:1")); err != nil {
		t.Error(err)
	}
	_, err := c.Head(t.Context(), mustRef(t, "other.test:"+port+"/app:1"))
	outside.WantKind(t, err, image.Unavailable, "unknown authority")
}

func TestTLSModesOfEntries(t *testing.T) {
	ca := outside.NewAuthority(t)
	outside.Lead(t, "harbor.test", "127.0.0.1")
	_, plain := outside.Server(t, oneManifest(t))
	_, secure := ca.Server(t, oneManifest(t), outside.InAnHour(), "another.test")
	_, plainPort, _ := net.SplitHostPort(plain)
	_, securePort, _ := net.SplitHostPort(secure)
	for name, tt := range map[string]struct {
		entry Entry
		kind  image.Kind // of the error; empty for none
	}{
		"off, plain":              {Entry{Host: "harbor.test:" + plainPort, TLS: outbound.TLSOff}, ""},
		"off, secure":             {Entry{Host: "harbor.test:" + securePort, TLS: outbound.TLSOff}, image.Unavailable},
		"skip, plain":             {Entry{Host: "harbor.test:" + plainPort, TLS: outbound.TLSSkip}, ""},
		"skip, secure":            {Entry{Host: "harbor.test:" + securePort, TLS: outbound.TLSSkip}, ""},
		"skip, at an address":     {Entry{Host: "harbor.test:" + plainPort, Address: secure, TLS: outbound.TLSSkip}, ""},
		"verify, secure":          {Entry{Host: "harbor.test:" + securePort, TLS: outbound.TLSVerify}, image.Unavailable},
		"verify, plain, loopback": {Entry{Host: plain, TLS: outbound.TLSVerify}, image.Unavailable},
		"nothing said, loopback":  {Entry{Host: plain}, ""},
		"nothing said":            {Entry{Host: "harbor.test:" + plainPort}, image.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, Options{Registries: []Entry{tt.entry}}).Head(t.Context(), mustRef(t, tt.entry.Host+"/app:1"))
			if tt.kind != "" {
				outside.WantKind(t, err, tt.kind)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("verify goes before insecure", func(t *testing.T) {
		host := "harbor.test:" + securePort
		_, err := client(t, Options{InsecureHosts: []string{"harbor.test"},
			Registries: []Entry{{Host: host, TLS: outbound.TLSVerify}}}).Head(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Unavailable, "another host")
	})
}
