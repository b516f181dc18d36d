package registry

import (
	"net"
	"net/http"
	"reflect"
	"slices"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

func TestHowAHostIsSpokenTo(t *testing.T) {
	c := client(t, Options{
		Registries: []Listed{
			{Host: "harbor.test", Address: "10.0.0.1:8080", TLS: TLSOff, Credentials: "other.test"},
			{Host: "mirror.test", TLS: TLSSkip, MirrorOf: "docker.io"},
			{Host: "quaymirror.test", MirrorOf: "quay.io", Credentials: "quay.io"},
			{Host: "demo.test", Address: "127.0.0.1:5000"},
		},
	})
	for _, want := range []way{
		{host: "ghcr.io", api: "ghcr.io", signIn: "ghcr.io"},
		{host: "docker.io", api: "mirror.test", tls: TLSSkip, signIn: "mirror.test"},
		{host: "mirror.test", api: "mirror.test", tls: TLSSkip, signIn: "mirror.test"},
		{host: "quay.io", api: "quaymirror.test", signIn: "quay.io"},
		{host: "harbor.test", api: "10.0.0.1:8080", tls: TLSOff, signIn: "other.test"},
		{host: "demo.test", api: "127.0.0.1:5000", signIn: "demo.test"},
	} {
		got := c.wayTo(want.host)
		got.checked = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the way is %+v, want %+v", got, want)
		}
	}
	want := way{host: "docker.io", api: "registry-1.docker.io", signIn: "docker.io"}
	if got := client(t, Options{}).wayTo("docker.io"); !reflect.DeepEqual(got, want) {
		t.Errorf("the way is %+v, want %+v", got, want)
	}
}

func TestReferencesAreFetchedFromTheirMirror(t *testing.T) {
	rec, mirror := realRegistry(t, nil)
	img := newImage(t, []byte("layer"))
	push(t, mirror, "library/ubuntu", "22.04", img)
	before := len(rec.requests())
	c := client(t, Options{Registries: []Listed{{Host: mirror, MirrorOf: "docker.io"}}})
	doc, err := c.Document(t.Context(), mustRef(t, "ubuntu:22.04"))
	if err != nil || doc.Digest != img.digest() {
		t.Fatalf("got %s, %v", doc.Digest, err)
	}
	body, _, err := c.Blob(t.Context(), "docker.io/library/ubuntu", img.layerDescriptor(), 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	want := []string{"GET /v2/library/ubuntu/manifests/22.04", "GET /v2/library/ubuntu/blobs/" + string(image.DigestOf(img.layer))}
	if got := rec.requests()[before:]; !slices.Equal(got, want) {
		t.Errorf("the mirror got %v", got)
	}
}

func TestAMirrorGetsItsOwnCredentialsAndNotThoseOfWhatItMirrors(t *testing.T) {
	raw := newImage(t, []byte("layer")).raw
	users := make(chan string, 10)
	_, mirror := server(t, func(w http.ResponseWriter, req *http.Request) {
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
		hubAuthKey: login("hubuser", "a"), mirror: login("mirroruser", "b"), "team.test": login("teamuser", "c"),
	}}
	for want, credentials := range map[string]string{"mirroruser": "", "hubuser": "docker.io", "teamuser": "team.test"} {
		c := client(t, Options{DockerConfig: dockerConfigDir(t, conf), Registries: []Listed{{Host: mirror, MirrorOf: "docker.io", Credentials: credentials}}})
		if _, err := c.Document(t.Context(), mustRef(t, "ubuntu:22.04")); err != nil {
			t.Fatal(err)
		}
		if got := <-users; got != want {
			t.Errorf("with credentials of %q the mirror saw %q, want %q", credentials, got, want)
		}
	}
	_, err := client(t, Options{Registries: []Listed{{Host: mirror, MirrorOf: "docker.io"}}}).Document(t.Context(), mustRef(t, "ubuntu:22.04"))
	wantKind(t, err, image.Unauthorized, "docker login "+mirror)
}

func TestAnAuthorityOfAnEntryIsTrustedForItAlone(t *testing.T) {
	ca := newAuthority(t)
	names.lead(t, "harbor.test", "127.0.0.1")
	names.lead(t, "other.test", "127.0.0.1")
	_, addr := ca.tlsServer(t, oneManifest(t), inAnHour(), "harbor.test", "other.test")
	_, port, _ := net.SplitHostPort(addr)
	c := client(t, Options{Registries: []Listed{{Host: "harbor.test:" + port, CAFile: ca.file}, {Host: "other.test:" + port}}})
	if _, err := c.Head(t.Context(), mustRef(t, "harbor.test:"+port+"/app:1")); err != nil {
		t.Error(err)
	}
	_, err := c.Head(t.Context(), mustRef(t, "other.test:"+port+"/app:1"))
	wantKind(t, err, image.Unavailable, "unknown authority")
}

func TestTLSModesOfEntries(t *testing.T) {
	ca := newAuthority(t)
	names.lead(t, "harbor.test", "127.0.0.1")
	_, plain := server(t, oneManifest(t))
	_, secure := ca.tlsServer(t, oneManifest(t), inAnHour(), "another.test")
	_, plainPort, _ := net.SplitHostPort(plain)
	_, securePort, _ := net.SplitHostPort(secure)
	for name, tt := range map[string]struct {
		entry Listed
		kind  image.Kind // of the error; empty for none
	}{
		"off, plain":              {Listed{Host: "harbor.test:" + plainPort, TLS: TLSOff}, ""},
		"off, secure":             {Listed{Host: "harbor.test:" + securePort, TLS: TLSOff}, image.Unavailable},
		"skip, plain":             {Listed{Host: "harbor.test:" + plainPort, TLS: TLSSkip}, ""},
		"skip, secure":            {Listed{Host: "harbor.test:" + securePort, TLS: TLSSkip}, ""},
		"skip, at an address":     {Listed{Host: "harbor.test:" + plainPort, Address: secure, TLS: TLSSkip}, ""},
		"verify, secure":          {Listed{Host: "harbor.test:" + securePort, TLS: TLSVerify}, image.Unavailable},
		"verify, plain, loopback": {Listed{Host: plain, TLS: TLSVerify}, image.Unavailable},
		"nothing said, loopback":  {Listed{Host: plain}, ""},
		"nothing said":            {Listed{Host: "harbor.test:" + plainPort}, image.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, Options{Registries: []Listed{tt.entry}}).Head(t.Context(), mustRef(t, tt.entry.Host+"/app:1"))
			if tt.kind != "" {
				wantKind(t, err, tt.kind)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("verify goes before insecure", func(t *testing.T) {
		host := "harbor.test:" + securePort
		_, err := client(t, Options{InsecureHosts: []string{"harbor.test"}, Registries: []Listed{{Host: host, TLS: TLSVerify}}}).Head(t.Context(), mustRef(t, host+"/app:1"))
		wantKind(t, err, image.Unavailable, "another host")
	})
}
