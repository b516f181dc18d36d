package outbound

import (
	"context"
	"net/http"
	"sync/atomic"
)

// Origin is a host that requests are made for: to it, and to where it leads, such as its token server.
type Origin struct {
	client *Client
	host   string
	found  place
}

// From returns the origin host[:port]. Keep it for the requests that it leads to: it remembers where the host was
// found.
func (c *Client) From(hostport string) *Origin { return &Origin{client: c, host: hostport} }

// Do sends one request and follows no redirect. The request is the origin's own, or what it led to; one that follows a
// redirect has that in its Response, as net/http sets it. What a host that is not inside leads to may not be inside
// either, unless the operator lists it: it has connections of its own too.
func (o *Origin) Do(req *http.Request) (*http.Response, error) {
	c, routes, at := o.client, o.client.routes, &place{}
	if !o.mayLeadInside(req) {
		routes = c.onward
	}
	note := func(inside bool) {
		at.note(inside)
		if req.URL.Host == o.host {
			o.found.note(inside)
		}
	}
	req = req.WithContext(context.WithValue(req.Context(), placeKey{}, at))
	return c.route(routes, req.URL).send(req, note)
}

// mayLeadInside reports whether all who led to a request are inside, or are where it goes.
func (o *Origin) mayLeadInside(req *http.Request) bool {
	if req.URL.Host != o.host && !o.found.inside() {
		return false
	}
	for by := req; by.Response != nil && by.Response.Request != nil; {
		by = by.Response.Request
		at, _ := by.Context().Value(placeKey{}).(*place)
		if by.URL.Host != req.URL.Host && (at == nil || !at.inside()) {
			return false
		}
	}
	return true
}

type placeKey struct{}

// place is where a host was found, by the connections to it.
type place struct{ private, elsewhere atomic.Bool }

func (p *place) note(inside bool) {
	if inside {
		p.private.Store(true)
	} else {
		p.elsewhere.Store(true)
	}
}

// inside reports whether all connections were to private addresses, and there was one.
func (p *place) inside() bool { return p.private.Load() && !p.elsewhere.Load() }
