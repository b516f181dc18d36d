package e2e

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

// trap listens where nobody may connect, and counts who does.
type trap struct {
	address string // host:port
	port    string
	n       atomic.Int64
}

// setTrap listens on a host of this machine. One that the machine does not have gives a trap that nothing can
// fall into: the refusal is to be seen all the same.
func setTrap(t *testing.T, host string) *trap {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Logf("nothing listens on %s: %v", host, err)
		return &trap{address: net.JoinHostPort(host, "5000"), port: "5000"}
	}
	t.Cleanup(func() { _ = l.Close() })
	tr := &trap{address: l.Addr().String()}
	_, tr.port, _ = net.SplitHostPort(tr.address)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tr.n.Add(1)
			_ = c.Close()
		}
	}()
	return tr
}

// empty fails the test if somebody has connected.
func (tr *trap) empty(t *testing.T) {
	t.Helper()
	if n := tr.n.Load(); n != 0 {
		t.Errorf("%d connections to %s", n, tr.address)
	}
}

// startExposed starts a server that the network reaches.
func startExposed(t *testing.T, args ...string) *shelf.Server {
	t.Helper()
	return shelf.Start(t, append([]string{"--listen=0.0.0.0:0", "--auth=none"}, args...)...)
}

// refuses asks for a repository in each way that leads to a registry, and fails the test unless the server refuses
// with these words.
func refuses(s *shelf.Server, repository string, want ...string) {
	s.T.Helper()
	query := "?ref=" + url.QueryEscape(repository)
	s.Page("/pull"+query).Says(http.StatusForbidden, want...)
	var all *shelf.Page
	shelf.Eventually(s.T, "the tags to be asked for", func() bool { // which is done in the background
		all = s.Page("/pull" + query + "&all=1")
		return all.Status != http.StatusOK
	})
	all.Says(http.StatusForbidden, want...)
	s.Page("/search?repo="+url.QueryEscape(repository)).Says(http.StatusOK, want...)
	s.Page("/search?repo="+url.QueryEscape(repository)+"&tag=1").Says(http.StatusOK, want...)
	for _, form := range []url.Values{{"ref": {repository}}, {"ref": {repository}, "all": {"1"}}} {
		p := s.Post("/pulls", form)
		if !strings.HasPrefix(p.URL.Path, "/pulls/") {
			s.T.Fatalf("POST /pulls %v: %d at %s: %s", form, p.Status, p.URL, p.Text())
		}
		s.AwaitState(p.URL.Path, "failed").Says(http.StatusOK, want...)
	}
}

func TestAnExposedServerSpeaksToNoAddressOfItsOwnMachineOrNetwork(t *testing.T) {
	t.Parallel()
	v4, v6 := setTrap(t, "127.0.0.1"), setTrap(t, "::1")
	s := startExposed(t)
	machine, never := "it is at an address of this machine", "it is at the address of a cloud's metadata service"
	for _, c := range []struct {
		name, host string
		want       []string
	}{
		{"IPv4 loopback", "127.0.0.1:" + v4.port, []string{machine, "--registry 127.0.0.1:" + v4.port}},
		{"another IPv4 loopback", "127.9.9.9:" + v4.port, []string{machine}},
		{"IPv6 loopback", "[::1]:" + v6.port, []string{machine, "--registry [::1]:" + v6.port}},
		{"IPv4 mapped into IPv6", "[::ffff:7f00:1]:" + v4.port, []string{machine}},
		{"IPv4 loopback through NAT64", "[64:ff9b::7f00:1]:" + v4.port, []string{machine}},
		{"a name that resolves to loopback", "localhost:" + v4.port, []string{machine, "--registry localhost:" + v4.port}},
		{"a private network", "10.0.0.1", []string{"it is at a private address", "--registry 10.0.0.1"}},
		{"a unique local address", "[fd00::1]:5000", []string{"it is at a private address"}},
		{"metadata", "169.254.169.254", []string{never, "No setting allows this"}},
		{"metadata, mapped", "[::ffff:a9fe:a9fe]:80", []string{never, "No setting allows this"}},
		{"link-local", "169.254.7.7:5000", []string{"it is at a link-local address", "No setting allows this"}},
		{"no address", "0.0.0.0:" + v4.port, []string{"it is at an address that stands for none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := *s // reports to this case
			own.T = t
			refuses(&own, c.host+"/x/y", append(c.want, "this server may not connect to")...)
		})
	}
	// With a dot the mapped form is no reference, and nothing is asked either.
	s.Page("/pull?ref="+url.QueryEscape("[::ffff:127.0.0.1]:"+v4.port+"/x")).Says(http.StatusBadRequest, "is not an image reference")
	v4.empty(t)
	v6.empty(t)
}

func TestAnExposedServerIsLedToNoAddressOfItsOwnMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		set   func(u *shelf.Upstream, trap string)
		blobs bool // only a pull comes to where it is led astray
	}{
		{"by a redirect of manifests", func(u *shelf.Upstream, trap string) { u.On(fake.Manifests, fake.Redirect("http://"+trap)) }, false},
		{"by a redirect of blobs", func(u *shelf.Upstream, trap string) { u.On(fake.Blobs, fake.Redirect("http://"+trap)) }, true},
		{"by a token realm", func(u *shelf.Upstream, trap string) {
			u.On(fake.Any, fake.Challenge(`Bearer realm="http://`+trap+`/token",service="registry"`))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u, tr := shelf.RealUpstream(t), setTrap(t, "127.0.0.1")
			u.Library(t, "library/nginx", "1.27-alpine")
			c.set(u, tr.address)
			// The registry itself is listed. What it leads to is not.
			s := startExposed(t, "--registry=registry.example="+u.URL())
			const ref = "registry.example/library/nginx:1.27-alpine"
			want := []string{"registry.example leads to " + tr.address + ", where this server may not connect: it is at an address of this machine"}
			if !c.blobs {
				s.Page("/pull?ref="+ref).Says(http.StatusForbidden, want...)
			}
			s.AwaitState(s.Pull(ref, "linux/amd64"), "failed").Says(http.StatusOK, want...)
			tr.empty(t)
		})
	}
	t.Run("by a redirect of its search", func(t *testing.T) {
		t.Parallel()
		tr := setTrap(t, "127.0.0.1")
		quay := shelf.StandIn(t, fake.Quay{Found: fake.QuayFound(), Tagged: fake.Pushed{}}.Handler())
		quay.On(fake.Any, fake.Redirect("http://"+tr.address))
		s := startExposed(t, shelf.ListRegistries(t, registry.Entry{Host: "quay.example", Address: quay.Host, TLS: outbound.TLSOff, Search: registry.SearchQuay}))
		s.Page("/search?q=nginx&registry=quay.example").Says(http.StatusOK, "leads to "+tr.address+", where this server may not connect")
		tr.empty(t)
	})
	t.Run("by a redirect to where clouds hand out credentials", func(t *testing.T) {
		t.Parallel()
		u := shelf.RealUpstream(t)
		u.On(fake.Any, fake.Redirect("http://169.254.169.254/latest/meta-data"))
		for _, s := range []*shelf.Server{shelf.Start(t), startExposed(t, "--registry="+u.Host)} {
			s.Page("/pull?ref="+u.Ref("a/b:1")).Says(http.StatusForbidden, "leads to 169.254.169.254, where this server may not connect", "No setting allows this")
		}
	})
}

func TestWhatIsListedMayBeOnThisMachine(t *testing.T) {
	t.Parallel()
	u, other := shelf.RealUpstream(t), setTrap(t, "127.0.0.1")
	u.Library(t, "library/nginx", "1.27-alpine")
	s := startExposed(t, "--registry="+u.Host)
	s.AwaitState(s.Pull(u.Ref("library/nginx:1.27-alpine"), "linux/amd64"), "done")
	s.Page("/search?repo="+u.Ref("library/nginx")).Says(http.StatusOK, "1.27-alpine")
	// Its neighbour on another port is not listed.
	s.Page("/pull?ref="+other.address+"/x/y").Says(http.StatusForbidden, "this server may not connect to "+other.address)
	other.empty(t)
}

func TestAServerForThisMachineAloneSpeaksToItsNetworkButNotLinkLocal(t *testing.T) {
	t.Parallel()
	u, blobs := shelf.RealUpstream(t), shelf.RealUpstream(t)
	u.Library(t, "library/nginx", "1.27-alpine")
	s := shelf.Start(t)
	s.Page("/search?repo="+u.Ref("library/nginx")).Says(http.StatusOK, "1.27-alpine")
	// A redirect on this machine is followed too.
	u.On(fake.Blobs, fake.Redirect(blobs.URL()))
	s.AwaitState(s.Pull(u.Ref("library/nginx:1.27-alpine"), "linux/amd64"), "done")
	if n := blobs.Count(http.MethodGet, "/blobs/"); n == 0 {
		t.Error("no blob came by the redirect")
	}
	for _, host := range []string{"169.254.169.254", "169.254.7.7:5000", "[fe80::1]:5000", "[::ffff:a9fe:a9fe]:80"} {
		refuses(s, host+"/x/y", "this server may not connect to", "No setting allows this")
	}
}
