package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/outside"
)

// trap listens on a port of this machine, by IPv4 and IPv6, and notes who connects to it.
type trap struct {
	port      string
	listeners []net.Listener
	callers   chan string // in the order of each listener
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	tr := &trap{callers: make(chan string, 1000)}
	v4, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr.listeners = append(tr.listeners, v4)
	_, tr.port, _ = net.SplitHostPort(v4.Addr().String())
	if v6, err := net.Listen("tcp", "[::1]:"+tr.port); err == nil { // not everywhere
		tr.listeners = append(tr.listeners, v6)
	}
	for _, l := range tr.listeners {
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				tr.callers <- conn.RemoteAddr().String()
				_ = conn.Close()
			}
		}()
	}
	return tr
}

// untouched fails the test if anybody connected. Connections are accepted in order, so once one of the test's own
// is, there was none before.
func (tr *trap) untouched(t *testing.T) {
	t.Helper()
	for _, l := range tr.listeners {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for caller := range tr.callers {
			if caller == conn.LocalAddr().String() {
				break
			}
			t.Errorf("%s connected", caller)
		}
		_ = conn.Close()
	}
}

// strict makes a client for a server that listens beyond loopback.
func strict(t *testing.T, opts Options) *Client {
	t.Helper()
	opts.DockerConfig = t.TempDir()
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// lax makes a client for a server that listens on loopback.
func lax(t *testing.T, opts Options) *Client {
	t.Helper()
	opts.AllowPrivate = true
	return strict(t, opts)
}

// local starts a registry on this machine that references name by a name, and lists it.
func local(t *testing.T, h http.HandlerFunc) (*outside.Recorder, Entry) {
	t.Helper()
	outside.Lead(t, "registry.test", "127.0.0.1")
	rec, addr := outside.Server(t, h)
	_, port, _ := net.SplitHostPort(addr)
	return rec, Entry{Host: "registry.test:" + port, TLS: outbound.TLSOff}
}

// refusedName asks for a registry whose name leads to an address, and wants to hear why not, without the
// address.
func refusedName(t *testing.T, c *Client, tr *trap, address, what string) {
	t.Helper()
	outside.Lead(t, "evil.test", address)
	host := "evil.test:" + tr.port
	repo := image.Repository(host + "/app")
	_, err := c.Head(t.Context(), mustRef(t, host+"/app:1"))
	e := outside.WantKind(t, err, image.Forbidden, "this server may not connect to "+host+": it is at "+what)
	if strings.Contains(e.Message+e.Suggestion, address) {
		t.Errorf("the address is told: %q", e.Message+e.Suggestion)
	}
	if e.Err == nil || !strings.Contains(e.Err.Error(), netip.MustParseAddr(address).Unmap().String()) {
		t.Errorf("the log does not learn the address: %v", e.Err)
	}
	_, err = c.Document(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Forbidden, host)
	_, err = c.Tags(t.Context(), repo)
	outside.WantKind(t, err, image.Forbidden, host)
	_, _, err = c.Blob(t.Context(), repo, image.Descriptor{Digest: image.DigestOf(nil), Size: 1}, 0)
	outside.WantKind(t, err, image.Forbidden, host)
	tr.untouched(t)
}

func TestStrictRefusesANameThatLeadsToLoopback(t *testing.T) {
	tr := newTrap(t)
	refusedName(t, strict(t, Options{}), tr, "127.0.0.1", "an address of this machine")
}

func TestStrictRefusesANameThatLeadsToIPv6Loopback(t *testing.T) {
	tr := newTrap(t)
	refusedName(t, strict(t, Options{}), tr, "::1", "an address of this machine")
}

func TestStrictRefusesANameThatLeadsToAPrivateAddress(t *testing.T) {
	tr := newTrap(t)
	refusedName(t, strict(t, Options{}), tr, "10.0.0.1", "a private address")
}

func TestStrictRefusesANameThatLeadsToAnIPv4MappedAddress(t *testing.T) {
	tr := newTrap(t)
	refusedName(t, strict(t, Options{}), tr, "::ffff:10.0.0.1", "a private address")
	refusedName(t, strict(t, Options{}), tr, "::ffff:127.0.0.1", "an address of this machine")
}

func TestStrictRefusesANameThatLeadsToAnAddressWithinAnother(t *testing.T) {
	tr := newTrap(t)
	refusedName(t, strict(t, Options{}), tr, "64:ff9b::a00:1", "a private address")
	refusedName(t, strict(t, Options{}), tr, "2002:7f00:1::", "an address of this machine")
}

func TestBothModesRefuseANameThatLeadsToTheMetadataAddress(t *testing.T) {
	tr := newTrap(t)
	refusedName(t, strict(t, Options{}), tr, "169.254.169.254", "the address of a cloud's metadata service")
	refusedName(t, lax(t, Options{}), tr, "169.254.169.254", "the address of a cloud's metadata service")
	refusedName(t, lax(t, Options{}), tr, "::ffff:169.254.169.254", "the address of a cloud's metadata service")
	refusedName(t, lax(t, Options{}), tr, "0.0.0.0", "an address that stands for none")
}

func TestStrictRefusesAddressesAsTheyAreTyped(t *testing.T) {
	tr := newTrap(t)
	c := strict(t, Options{})
	for _, host := range []string{"127.0.0.1:" + tr.port, "localhost:" + tr.port, "[::1]:" + tr.port, "[::ffff:7f00:1]:" + tr.port, "10.0.0.1"} {
		_, err := c.Head(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Forbidden, "may not connect", "--registry ")
	}
	tr.untouched(t)
}

func TestARefusalSaysHowToAllowIt(t *testing.T) {
	outside.Lead(t, "harbor.test", "10.0.0.1")
	_, err := strict(t, Options{}).Head(t.Context(), mustRef(t, "harbor.test/app:1"))
	outside.WantKind(t, err, image.Forbidden, "this server may not connect to harbor.test: it is at a private address", "start it with --registry harbor.test.")
	outside.Lead(t, "harbor.test", "169.254.1.1")
	_, err = strict(t, Options{}).Head(t.Context(), mustRef(t, "harbor.test/app:1"))
	e := outside.WantKind(t, err, image.Forbidden, "a link-local address", "No setting allows this.")
	if strings.Contains(e.Suggestion, "--registry") {
		t.Errorf("it suggests %q", e.Suggestion)
	}
}

func TestTheAddressThatIsRefusedIsLogged(t *testing.T) {
	outside.Lead(t, "harbor.test", "10.0.0.1")
	var b bytes.Buffer
	c := strict(t, Options{Logger: slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	_, err := c.Head(t.Context(), mustRef(t, "harbor.test/app:1"))
	outside.WantKind(t, err, image.Forbidden)
	if got := b.String(); !strings.Contains(got, "level=DEBUG") || !strings.Contains(got, "host=harbor.test:443 address=10.0.0.1:443") {
		t.Errorf("the log is %s", got)
	}
}

func TestLaxSpeaksToLoopbackWhoeverNamesIt(t *testing.T) {
	_, host := outside.Server(t, oneManifest(t))
	_, port, _ := net.SplitHostPort(host)
	for _, host := range []string{host, "localhost:" + port} {
		if _, err := lax(t, Options{}).Head(t.Context(), mustRef(t, host+"/app:1")); err != nil {
			t.Error(err)
		}
	}
}

func TestStrictSpeaksToListedHostsAtPrivateAddresses(t *testing.T) {
	_, listed := local(t, oneManifest(t))
	_, port, _ := net.SplitHostPort(listed.Host)
	for name, opts := range map[string]Options{
		"host":    {Registries: []Entry{listed}},
		"address": {Registries: []Entry{{Host: "public.test", Address: listed.Host, TLS: outbound.TLSOff}}},
		"literal": {Registries: []Entry{{Host: "public.test", Address: "127.0.0.1:" + port}}},
		"mirror":  {Registries: []Entry{{Host: listed.Host, TLS: outbound.TLSOff, MirrorOf: "public.test"}}},
	} {
		t.Run(name, func(t *testing.T) {
			ref := "public.test/app:1"
			if name == "host" {
				ref = listed.Host + "/app:1"
			}
			if _, err := strict(t, opts).Document(t.Context(), mustRef(t, ref)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAListedHostStandsForItsPortAlone(t *testing.T) {
	tr := newTrap(t)
	outside.Lead(t, "harbor.test", "127.0.0.1")
	for name, opts := range map[string]Options{
		"without a port":    {Registries: []Entry{{Host: "harbor.test"}}},
		"with another port": {Registries: []Entry{{Host: "harbor.test:5000"}}},
		"insecure only":     {InsecureHosts: []string{"harbor.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := strict(t, opts).Head(t.Context(), mustRef(t, "harbor.test:"+tr.port+"/app:1"))
			outside.WantKind(t, err, image.Forbidden, "--registry harbor.test:"+tr.port)
		})
	}
	tr.untouched(t)
}

func TestWhatAnEntryCoversIsItsHostsAndItsSearch(t *testing.T) {
	for want, l := range map[string]Entry{
		"harbor.test:443 harbor.test:80":                              {Host: "Harbor.test"},
		"harbor.test:5000":                                            {Host: "harbor.test:5000"},
		"[fd00::1]:443 [fd00::1]:80":                                  {Host: "[FD00:0::1]"},
		"harbor.test:5000 10.0.0.1:8080 token.test:443 token.test:80": {Host: "harbor.test:5000", Address: "10.0.0.1:8080", Hosts: []string{"token.test"}},
		"harbor.test:5000 search.test:443":                            {Host: "harbor.test:5000", SearchURL: "https://search.test/api"},
		"harbor.test:5000 search.test:80":                             {Host: "harbor.test:5000", SearchURL: "http://search.test"},
		"harbor.test:5000 search.test:8443":                           {Host: "harbor.test:5000", SearchURL: "https://Search.test:8443"},
	} {
		got := l.peer().Dialled()
		wanted := strings.Fields(want)
		slices.Sort(got)
		got = slices.Compact(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%+v covers %v, want %v", l, got, wanted)
		}
	}
}

func TestLinkLocalIsRefusedAlsoWhenListed(t *testing.T) {
	outside.Lead(t, "harbor.test", "169.254.169.254")
	opts := Options{Registries: []Entry{
		{Host: "harbor.test"}, {Host: "literal.test", Address: "169.254.169.254:80", TLS: outbound.TLSOff}, {Host: "[fe80::1]:5000"},
	}}
	for _, c := range []*Client{strict(t, opts), lax(t, opts)} {
		for _, host := range []string{"harbor.test", "literal.test", "[fe80::1]:5000"} {
			_, err := c.Head(t.Context(), mustRef(t, host+"/app:1"))
			outside.WantKind(t, err, image.Forbidden, "may not connect to "+host, "No setting")
		}
	}
}

// elsewhere lists where a registry of this machine may try to lead, and in which modes it is refused.
var elsewhere = []struct {
	name, address string
	lax           bool // refused also when loopback and private addresses are allowed
}{
	{"loopback", "127.0.0.1", false},
	{"IPv6 loopback", "::1", false},
	{"private", "10.0.0.1", false},
	{"IPv4-mapped", "::ffff:10.0.0.1", false},
	{"metadata", "169.254.169.254", true},
	{"metadata, mapped", "::ffff:169.254.169.254", true},
}

// leadsElsewhere tries each such address with a registry that leads to evil.test, by each request.
func leadsElsewhere(t *testing.T, lead func(host string) http.HandlerFunc) {
	t.Helper()
	for _, tt := range elsewhere {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTrap(t)
			outside.Lead(t, "evil.test", tt.address)
			evil := "evil.test:" + tr.port
			_, listed := local(t, lead(evil))
			opts := Options{Registries: []Entry{listed}}
			clients := map[string]*Client{"strict": strict(t, opts)}
			if tt.lax {
				clients["lax"] = lax(t, opts)
			}
			for mode, c := range clients {
				t.Run(mode, func(t *testing.T) {
					told := listed.Host + " leads to " + evil + ", where this server may not connect"
					_, err := c.Head(t.Context(), mustRef(t, listed.Host+"/app:1"))
					outside.WantKind(t, err, image.Forbidden, told)
					_, err = c.Document(t.Context(), mustRef(t, listed.Host+"/app:1"))
					outside.WantKind(t, err, image.Forbidden, told)
					_, err = c.Tags(t.Context(), image.Repository(listed.Host+"/app"))
					outside.WantKind(t, err, image.Forbidden)
					_, _, err = c.Blob(t.Context(), image.Repository(listed.Host+"/app"), image.Descriptor{Digest: image.DigestOf(nil), Size: 1}, 0)
					outside.WantKind(t, err, image.Forbidden, told)
				})
			}
			tr.untouched(t)
		})
	}
}

func TestARedirectToAnAddressThatIsNotAllowedIsRefused(t *testing.T) {
	leadsElsewhere(t, func(host string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, "http://"+host+req.URL.Path, http.StatusTemporaryRedirect)
		}
	})
}

func TestATokenServerAtAnAddressThatIsNotAllowedIsRefused(t *testing.T) {
	leadsElsewhere(t, func(host string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+host+`/token",service="test",scope="repository:app:pull"`)
			outside.ErrorBody(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		}
	})
}

func TestARegistryFromOutsideMayNotLeadToThisMachine(t *testing.T) {
	tr := newTrap(t)
	outside.Lead(t, "registry.test", "203.0.113.7")
	outside.Lead(t, "evil.test", "127.0.0.1")
	for name, h := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, "http://evil.test:"+tr.port+"/", http.StatusTemporaryRedirect)
		},
		"token server": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://evil.test:`+tr.port+`/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, addr := outside.Server(t, h)
			c := lax(t, Options{
				Registries: []Entry{{Host: "registry.test", TLS: outbound.TLSOff}},
				Dial:       outside.DialTo(map[string]string{"registry.test:80": addr, "evil.test:" + tr.port: "127.0.0.1:" + tr.port}),
			})
			_, err := c.Head(t.Context(), mustRef(t, "registry.test/app:1"))
			outside.WantKind(t, err, image.Forbidden, "registry.test", "not allowed")
		})
	}
	tr.untouched(t)
}

// TestARegistryFromOutsideMayNotLeadInside has one at a public address lead to private ones, by their numbers and by
// names, while private addresses may be spoken to whoever names them.
func TestARegistryFromOutsideMayNotLeadInside(t *testing.T) {
	leads := map[string]func(to string) http.HandlerFunc{
		"redirect": func(to string) http.HandlerFunc {
			return func(w http.ResponseWriter, req *http.Request) {
				http.Redirect(w, req, "http://"+to+req.URL.Path, http.StatusTemporaryRedirect)
			}
		},
		"two redirects": func(to string) http.HandlerFunc {
			return func(w http.ResponseWriter, req *http.Request) {
				if req.Host == "registry.test" {
					to := "http://cdn.test" + req.URL.Path
					http.Redirect(w, req, to, http.StatusTemporaryRedirect)
					return
				}
				http.Redirect(w, req, "http://"+to+req.URL.Path, http.StatusTemporaryRedirect)
			}
		},
		"token server": func(to string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+to+`/token",service="test",scope="repository:app:pull"`)
				outside.ErrorBody(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			}
		},
	}
	outside.Lead(t, "registry.test", "192.0.9.7")
	outside.Lead(t, "cdn.test", "192.0.9.8")
	for name, address := range map[string]string{
		"private": "10.0.0.1", "IPv4-mapped": "::ffff:192.168.1.1", "unique local": "fd00::1", "shared": "100.64.0.1", "metadata": "169.254.169.254",
	} {
		outside.Lead(t, "inside.test", address)
		for kind, lead := range leads {
			for _, to := range []string{"inside.test:8080", net.JoinHostPort(address, "8080")} {
				t.Run(kind+" to "+name+" as "+to, func(t *testing.T) {
					_, addr := outside.Server(t, lead(to))
					c := lax(t, Options{Registries: []Entry{{Host: "registry.test", TLS: outbound.TLSOff}}, Dial: outside.PastTheGuard(map[string]string{
						"registry.test:80": addr, "cdn.test:80": addr,
					})})
					_, err := c.Head(t.Context(), mustRef(t, "registry.test/app:1"))
					outside.WantKind(t, err, image.Forbidden, "registry.test", "llow")
					_, _, err = c.Blob(t.Context(), "registry.test/app", image.Descriptor{Digest: image.DigestOf(nil), Size: 1}, 0)
					outside.WantKind(t, err, image.Forbidden, "registry.test", "llow")
				})
			}
		}
	}
}

func TestWhereAHostIsIsToldByTheConnectionToItAndNotByAnotherLookUp(t *testing.T) {
	outside.Lead(t, "registry.test", "192.0.9.7")
	outside.Lead(t, "inside.test", "10.0.0.1")
	_, addr := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		outside.Lead(t, "registry.test", "10.0.0.2") // as whoever looks it up again is told
		http.Redirect(w, req, "http://inside.test:8080"+req.URL.Path, http.StatusTemporaryRedirect)
	})
	c := lax(t, Options{
		Registries: []Entry{{Host: "registry.test", TLS: outbound.TLSOff}},
		Dial:       outside.PastTheGuard(map[string]string{"registry.test:80": addr}),
	})
	_, err := c.Head(t.Context(), mustRef(t, "registry.test/app:1"))
	outside.WantKind(t, err, image.Forbidden, "registry.test leads to inside.test:8080, where this server may not connect")
}

// TestAConnectionInsideIsNotLentToARegistryFromOutside has somebody speak to a registry inside, as they may, before one
// from outside leads there.
func TestAConnectionInsideIsNotLentToARegistryFromOutside(t *testing.T) {
	raw := newImage(t, []byte("layer")).raw
	rec, inside := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { manifest(w, ocispec.MediaTypeImageManifest, raw) })
	_, port, _ := net.SplitHostPort(inside)
	outside.Lead(t, "registry.test", "192.0.9.7")
	outside.Lead(t, "inside.test", "10.0.0.1")
	_, public := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "http://inside.test:"+port+req.URL.Path, http.StatusTemporaryRedirect)
	})
	opts := Options{
		Registries: []Entry{{Host: "registry.test", TLS: outbound.TLSOff}}, InsecureHosts: []string{"inside.test"},
		Dial: func(next outbound.DialFunc) outbound.DialFunc {
			reach := outside.PastTheGuard(map[string]string{"registry.test:80": public})(next)
			return func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := reach(ctx, network, address)
				if err != nil && image.KindOf(err) != image.Forbidden { // the guard lets it through, and nothing is at 10.0.0.1
					return new(net.Dialer).DialContext(ctx, "tcp", inside)
				}
				return conn, err
			}
		},
		ConnectTimeout: 200 * time.Millisecond,
	}
	c := lax(t, opts)
	if _, err := c.Document(t.Context(), mustRef(t, "inside.test:"+port+"/app:1")); err != nil {
		t.Fatal(err)
	}
	before := len(rec.Requests())
	_, err := c.Document(t.Context(), mustRef(t, "registry.test/app:1"))
	outside.WantKind(t, err, image.Forbidden, "registry.test leads to inside.test")
	if after := len(rec.Requests()); after != before {
		t.Errorf("%d requests came from outside", after-before)
	}
	// The operator says that it may.
	opts.Registries = append(opts.Registries, Entry{Host: "inside.test:" + port, TLS: outbound.TLSOff})
	if _, err := lax(t, opts).Document(t.Context(), mustRef(t, "registry.test/app:1")); err != nil {
		t.Error(err)
	}
}

func TestAListedRegistryMayLeadToItsOwnHosts(t *testing.T) {
	raw := newImage(t, []byte("layer")).raw
	outside.Lead(t, "store.test", "127.0.0.1")
	_, storeAddr := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/token" {
			_, _ = io.WriteString(w, `{"token":"t","expires_in":300}`)
			return
		}
		manifest(w, ocispec.MediaTypeImageManifest, raw)
	})
	_, port, _ := net.SplitHostPort(storeAddr)
	store := "store.test:" + port
	_, listed := local(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer t" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+store+`/token",service="test",scope="repository:app:pull"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, req, "http://"+store+req.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := strict(t, Options{Registries: []Entry{listed}}).Document(t.Context(), mustRef(t, listed.Host+"/app:1"))
	outside.WantKind(t, err, image.Forbidden, store)
	listed.Hosts = []string{store}
	if _, err := strict(t, Options{Registries: []Entry{listed}}).Document(t.Context(), mustRef(t, listed.Host+"/app:1")); err != nil {
		t.Error(err)
	}
}

func TestANameWithSeveralAddressesIsSpokenToAtThoseAllowed(t *testing.T) {
	_, listed := local(t, oneManifest(t))
	outside.Lead(t, "registry.test", "169.254.169.254", "127.0.0.1", "fe80::1")
	opts := Options{Registries: []Entry{listed}}
	if _, err := strict(t, opts).Head(t.Context(), mustRef(t, listed.Host+"/app:1")); err != nil {
		t.Error(err)
	}
	// The address that is refused comes first, and the one that is not leads nowhere: what counts is that one.
	outside.Lead(t, "nowhere.test", "127.0.0.1", "::808:808")
	_, err := strict(t, Options{ConnectTimeout: 200 * time.Millisecond}).Head(t.Context(), mustRef(t, "nowhere.test/app:1"))
	outside.WantKind(t, err, image.Unavailable, "nowhere.test")
}

func TestTheOperatorsProxyIsNoWayRoundTheGuard(t *testing.T) {
	raw := newImage(t, []byte("layer")).raw
	rec := &outside.Recorder{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		manifest(w, ocispec.MediaTypeImageManifest, raw)
	})}
	proxy := httptest.NewServer(rec)
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{
		Proxy:      func(*http.Request) (*url.URL, error) { return at, nil },
		Registries: []Entry{{Host: "public.test", TLS: outbound.TLSOff}, {Host: "10.0.0.9:5000", TLS: outbound.TLSOff}, {Host: "169.254.0.9:5000", TLS: outbound.TLSOff}},
	}
	for _, host := range []string{
		"10.0.0.1", "10.0.0.1:5000", "localhost:5000", "a.localhost", at.Host, "127.1:80", "2130706433:80", "0x7f000001:80",
		"[::1]:5000", "[64:ff9b::a00:1]", "metadata.google.internal", "169.254.169.254", "169.254.0.9:5000",
	} {
		_, err := strict(t, opts).Head(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, image.Forbidden, "may not connect to "+host)
	}
	// Where a registry leads, names need not be those of references: net/http makes these what they look like.
	for _, to := range []string{"https://１６９.２５４.１６９.２５４/", "https://ｌocalhost/", "https://metadata。google。internal/", "https://169.254.169.254%25eth0/"} {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		_, err = strict(t, opts).Outbound().From(u.Host).Do(&http.Request{Method: http.MethodGet, URL: u, Host: u.Host})
		outside.WantKind(t, err, image.Forbidden, "not written as one")
	}
	if got := len(rec.Requests()); got != 0 {
		t.Errorf("the proxy got %d requests", got)
	}
	for _, host := range []string{"public.test", "10.0.0.9:5000"} {
		if _, err := strict(t, opts).Head(t.Context(), mustRef(t, host+"/app:1")); err != nil {
			t.Error(err)
		}
	}
}

func TestARefusalIsFoundThroughWhateverWrapsIt(t *testing.T) {
	out, err := outbound.New(outbound.Options{})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest(http.MethodGet, "http://10.0.0.1/v2/", nil)
	_, err = out.From("10.0.0.1").Do(req)
	err = fmt.Errorf("do: %w", &url.Error{Op: "Get", URL: "https://registry-1.docker.io/v2/", Err: &net.OpError{Op: "dial", Err: err}})
	told := Host{Name: "10.0.0.1", API: "10.0.0.1"}.explain(t.Context(), subject{ref: mustRef(t, "ubuntu")}, &exchange{}, err)
	outside.WantKind(t, told, image.Forbidden, "this server may not connect to 10.0.0.1: it is at a private address", "--registry 10.0.0.1")
}
