package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
)

// serveFew answers "ok" with so many connections at most, and holds what asks for /wait until the test is over.
func serveFew(t *testing.T, most int) (address string) {
	t.Helper()
	over := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			w.(http.Flusher).Flush() //nolint:forcetypeassert // net/http's own
			select {
			case <-over:
			case <-r.Context().Done():
			}
			return
		}
		_, _ = io.WriteString(w, "ok")
	}))
	ours, theirs := newConnections(most), server.Config.ConnState
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if theirs != nil {
			theirs(conn, state)
		}
		ours.changed(conn, state)
	}
	server.Start()
	t.Cleanup(func() {
		close(over)
		server.Close()
	})
	return server.Listener.Addr().String()
}

func connect(t *testing.T, address, send string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, send); err != nil {
		t.Fatal(err)
	}
	return conn
}

func answers(t *testing.T, address string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	resp, err := client.Get("http://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ok" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestAPageIsAnsweredHoweverManyConnectionsAreHeldOpen(t *testing.T) {
	for name, send := range map[string]string{
		"silent":         "",
		"half a head":    "GET / HTTP/1.1\r\nHost: local",
		"kept after one": "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			address := serveFew(t, 20)
			for range 60 {
				connect(t, address, send)
			}
			answers(t, address)
		})
	}
}

func TestAConnectionThatIsAnsweredIsNotClosedForIdleOnes(t *testing.T) {
	address := serveFew(t, 20)
	watching := connect(t, address, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
	head := make([]byte, 15)
	if _, err := io.ReadFull(watching, head); err != nil || string(head) != "HTTP/1.1 200 OK" {
		t.Fatalf("%q, %v", head, err)
	}
	for range 60 {
		connect(t, address, "")
	}
	answers(t, address)
	if err := watching.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := watching.Read(make([]byte, 512))
		if err == nil {
			continue // the rest of the head
		}
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() { //nolint:errorlint // as the network gives it
			t.Errorf("the answer was cut off: %v", err)
		}
		return
	}
}

// peer is a connection from an address.
type peer struct {
	net.Conn
	from   string
	closed bool
}

func (p *peer) RemoteAddr() net.Addr { return peerAddress(p.from) }

func (p *peer) Close() error {
	p.closed = true
	return nil
}

type peerAddress string

func (a peerAddress) Network() string { return "tcp" }
func (a peerAddress) String() string  { return net.JoinHostPort(string(a), "4711") }

func TestRoomForAConnectionComesFromWhoeverHoldsTheMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnections(10)
		open := func(from string, states ...http.ConnState) *peer {
			p := &peer{from: from}
			for _, state := range append([]http.ConnState{http.StateNew}, states...) {
				c.changed(p, state)
			}
			time.Sleep(time.Second)
			return p
		}
		quiet := open("10.0.0.1")
		var greedy []*peer
		for range 9 {
			greedy = append(greedy, open("10.0.0.9"))
		}
		open("10.0.0.2")
		if quiet.closed || !greedy[0].closed || greedy[1].closed {
			t.Errorf("the longest idle connection of the one with the most is not the one that was closed: %t, %t, %t",
				quiet.closed, greedy[0].closed, greedy[1].closed)
		}
		for _, p := range greedy[1:] { // now all of them are answered
			c.changed(p, http.StateActive)
			time.Sleep(time.Second)
		}
		c.changed(quiet, http.StateActive)
		other := open("10.0.0.2", http.StateActive) // in the place of the idle one of the same address
		if other.closed {
			t.Error("a connection is refused while another one is idle")
		}
		if more := open("10.0.0.9"); !more.closed {
			t.Error("the one with the most finds room among those that are answered")
		}
		if fresh := open("10.0.0.3"); fresh.closed || quiet.closed || !greedy[1].closed {
			t.Error("somebody new finds no room beside the one with the most")
		}
	})
}

func TestConnectionsAreBoundedByTheFilesThatMayBeOpen(t *testing.T) {
	for files, want := range map[uint64]int{0: 2048, 64: 32, 256: 32, 1024: 384, 20_000: 2048, 1 << 63: 2048} {
		if got := connectionsFor(files); got != want {
			t.Errorf("%d connections with %d files, want %d", got, files, want)
		}
	}
}

func TestEachAddressFindsPlacesToFollowAPullIn(t *testing.T) {
	e := echo.New()
	follows := make(chan struct{})
	over := make(chan struct{})
	handler := streams(40)(func(echo.Context) error {
		follows <- struct{}{}
		<-over
		return nil
	})
	open := func(from string) error {
		r := httptest.NewRequest(http.MethodGet, "/pulls/1/events", nil)
		r.RemoteAddr = from + ":4711"
		done := make(chan error, 1)
		go func() { done <- handler(e.NewContext(r, httptest.NewRecorder())) }()
		select {
		case err := <-done:
			return err
		case <-follows:
			return nil
		}
	}
	for i := range 10 {
		if err := open("10.0.0.9"); err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
	}
	if err := open("10.0.0.9"); err == nil || !strings.Contains(fmt.Sprint(err), "503") {
		t.Errorf("one more of the same address: %v", err)
	}
	for i := range streamsOfOne {
		if err := open("10.0.0.1"); err != nil {
			t.Errorf("stream %d of another address: %v", i, err)
		}
	}
	close(over)
}
