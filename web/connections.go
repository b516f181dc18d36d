package web

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/share"
)

// Bounds of the connections. One takes some 20 kB of memory and a file, and another file while it is answered from one.
const (
	mostConnections  = 2048
	leastConnections = 32
	filesElsewhere   = 256 // for the database, pulls and registries
	streamsOfOne     = 6   // pages of one address that follow a pull, whoever else does
)

// connections bounds the connections of a server: where there are too many, those are closed that nobody needs. Not
// one is refused because others wait: a browser finds the pages however many hold a connection open. Safe for
// concurrent use.
type connections struct {
	most int

	mu  sync.Mutex
	all map[net.Conn]*connection
}

type connection struct {
	from  string // whose it is
	idle  bool   // no request is under way, or its head has not come yet
	since time.Time
}

func newConnections(most int) *connections {
	return &connections{most: most, all: map[net.Conn]*connection{}}
}

// connectionsFor returns how many connections there may be where the process may open so many files; 0 stands for
// unknown.
func connectionsFor(files uint64) int {
	if files == 0 {
		return mostConnections
	}
	left := max(int64(min(files, 1<<30))-filesElsewhere, int64(min(files, 1<<30))/4)
	return int(min(max(left/2, leastConnections), mostConnections))
}

// changed follows the state of a connection, as http.Server.ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if extra := c.follow(conn, state); extra != nil {
		_ = extra.Close() // it is only to be gone
	}
}

// follow returns a connection that is to be closed, if there is one.
func (c *connections) follow(conn net.Conn, state http.ConnState) (extra net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.all[conn] = &connection{from: addressOf(conn), idle: true, since: time.Now()}
		if len(c.all) > c.most {
			extra = c.choose(conn)
			delete(c.all, extra)
		}
	case http.StateActive, http.StateIdle:
		if known := c.all[conn]; known != nil {
			known.idle, known.since = state == http.StateIdle, time.Now()
		}
	case http.StateHijacked, http.StateClosed:
		delete(c.all, conn)
	}
	return extra
}

// choose returns the connection that makes room for a new one: of the address that has the most idle ones, the one that
// is idle for the longest time. Behind a proxy all are of one address, and that is the longest idle of all. Where each
// of them is answered, it is one of the address that has the most: the new one, if it is of that, or else the oldest.
// c.mu is held.
func (c *connections) choose(fresh net.Conn) net.Conn {
	idle, all := map[string]int{}, map[string]int{}
	for conn, k := range c.all {
		all[k.from]++
		if k.idle && conn != fresh {
			idle[k.from]++
		}
	}
	if len(idle) > 0 {
		return c.oldest(mostOf(idle), true, fresh)
	}
	from := mostOf(all)
	if all[c.all[fresh].from] == all[from] {
		return fresh
	}
	return c.oldest(from, false, fresh)
}

func (c *connections) oldest(from string, idle bool, not net.Conn) (found net.Conn) {
	for conn, k := range c.all {
		if conn != not && k.from == from && k.idle == idle && (found == nil || k.since.Before(c.all[found].since)) {
			found = conn
		}
	}
	return found
}

// mostOf returns the address with the most.
func mostOf(counts map[string]int) (from string) {
	for k, n := range counts {
		if n > counts[from] {
			from = k
		}
	}
	return from
}

// addressOf returns whose a connection is.
func addressOf(conn net.Conn) string {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return share.Requester(host)
}

// streams keeps pages that watch pulls from taking all connections: each address finds some, whoever else watches.
func streams(connections int) echo.MiddlewareFunc {
	places := share.New(share.Rules{Usual: connections / 4, PerRequester: streamsOfOne, Most: connections / 2})
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			free, ok := places.Try(share.Key{By: share.Requester(c.RealIP())})
			if !ok {
				return echo.NewHTTPError(http.StatusServiceUnavailable).SetInternal(
					image.Errorf(image.Unavailable, "too many pages follow pulls at once").
						Suggest("Reload the page to see how far this pull is."))
			}
			defer free()
			return next(c)
		}
	}
}
