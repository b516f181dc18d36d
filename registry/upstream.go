package registry

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regclient/regclient"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/logins"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/registry/response"
)

const (
	upstreamLife = time.Hour // after which credentials are asked for anew: ECR's live for 12 hours
)

// upstream is one registry: how it is spoken to, as whom, and regclient set up accordingly. It does not
// change; when anything about it does, the next request makes a new one.
type upstream struct {
	Host
	rc        *regclient.RegClient
	transport *transport
	stamp     fileStamp // of config.json when the credentials were read
	made      time.Time
	worked    atomic.Bool // a request has succeeded
}

// upstreams are the registries that were found out about.
type upstreams struct {
	opts   Options
	list   entries
	out    *outbound.Client
	logins logins.Logins
	rates  allowances

	mu    sync.Mutex
	slots map[string]*slot // by host
}

// slot holds a host's upstream. The lock lets one request at a time find out about the host. It is a channel, so that
// waiting for it can be cancelled.
type slot struct {
	lock chan struct{}
	up   *upstream
}

// get returns the registry of a subject, finding out about it on first use.
func (all *upstreams) get(ctx context.Context, s subject) (*upstream, error) {
	host := s.host()
	if host == "" || s.ref.Repository.Path() == "" && !s.search {
		return nil, image.Errorf(image.Invalid, "%q is not a repository", response.Clean(string(s.ref.Repository)))
	}
	sl := all.slot(host)
	select {
	case sl.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-sl.lock }()
	stamp := stampOf(all.logins.File)
	if sl.up != nil && sl.up.stamp == stamp && time.Since(sl.up.made) < upstreamLife {
		return sl.up, nil
	}
	up, err := all.newUpstream(ctx, host)
	if err != nil {
		return nil, all.host(host).explain(ctx, s, &exchange{}, err)
	}
	up.stamp, up.made = stamp, time.Now()
	sl.up = up
	return up, nil
}

func (all *upstreams) slot(host string) *slot {
	all.mu.Lock()
	defer all.mu.Unlock()
	sl := all.slots[host]
	if sl == nil {
		for other := range all.slots {
			if len(all.slots) < maxHosts {
				break
			}
			delete(all.slots, other)
		}
		sl = &slot{lock: make(chan struct{}, 1)}
		all.slots[host] = sl
	}
	return sl
}

// forget makes the next request find out about the host anew.
func (all *upstreams) forget(ctx context.Context, u *upstream) {
	sl := all.slot(u.Name)
	select {
	case sl.lock <- struct{}{}:
	case <-ctx.Done(): // whoever has the lock finds out anew anyway
		return
	}
	if sl.up == u {
		sl.up = nil
	}
	<-sl.lock
}

// again reports whether a failed request is worth a second try with a new upstream: one that has worked, and
// now refuses us or speaks another scheme. In each such case the upstream is forgotten.
func (all *upstreams) again(ctx context.Context, u *upstream, err error, ex *exchange) bool {
	var status *response.StatusError
	stale := ex.refused(err) || outbound.SchemeMismatch(err) ||
		u.Scheme == "http" && errors.As(err, &status) && status.Code == http.StatusBadRequest
	if stale {
		all.forget(ctx, u)
	}
	return stale && u.worked.Load()
}

// explain makes of whatever went wrong an image.Error in plain words, or gives back the context's error.
func (u *upstream) explain(ctx context.Context, s subject, ex *exchange, err error) error {
	if failure := u.transport.lastTokenFailure(); failure != nil && ex.refused(err) && ex.unanswerable.Empty() {
		err = failure
	}
	return u.Host.explain(ctx, s, ex, err)
}

// fileStamp tells one state of a file from another. The zero value stands for no file.
type fileStamp struct {
	modified time.Time
	size     int64
}

func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info.ModTime(), info.Size()}
}

// ask carries out one bounded request for a document or tags. Where credentials that once worked are
// refused it asks a second time with fresh ones: tokens get revoked, and people run docker login.
func (all *upstreams) ask(ctx context.Context, s subject, kind requestKind,
	do func(context.Context, *upstream) error) (*exchange, error) {
	for first := true; ; first = false {
		u, err := all.get(ctx, s)
		if err != nil {
			return nil, err
		}
		ex := &exchange{kind: kind, subject: s}
		left, err := u.within(ctx, all.opts.DocumentTimeout, ex, do)
		if left {
			ex = &exchange{kind: kind, subject: s} // the other one is still in use
		}
		if err == nil || ex.complete() {
			u.worked.Store(true)
			return ex, nil
		}
		if !all.again(ctx, u, err, ex) || !first {
			return nil, u.explain(ctx, s, ex, err)
		}
	}
}

// within runs do with the exchange in its context and a time limit of its own; see await for left.
func (u *upstream) within(ctx context.Context, limit time.Duration, ex *exchange,
	do func(context.Context, *upstream) error) (left bool, err error) {
	ctx, cancel := context.WithTimeout(withExchange(ctx, ex), limit)
	defer cancel()
	_, left, err = await(ctx, func() (struct{}, error) { return struct{}{}, do(ctx, u) }, func(struct{}) {})
	return left, err
}

// host returns how a host is spoken to, as far as the list says.
func (all *upstreams) host(name string) Host {
	h := all.list.host(name)
	h.withheld = all.opts.WithholdLogins
	return h
}

func (all *upstreams) newUpstream(ctx context.Context, host string) (*upstream, error) {
	u := &upstream{Host: all.host(host)}
	var err error
	if u.Scheme, err = all.out.FindScheme(ctx, u.API, u.peer.TLS); err != nil {
		return nil, err
	}
	if !u.withheld {
		if u.login, u.loginProblem, err = all.logins.Of(ctx, u.signIn); err != nil {
			return nil, err
		}
	}
	u.transport = &transport{
		origin: all.out.From(u.API), host: host, api: u.API, scheme: u.Scheme, secrets: u.Secrets(), rates: &all.rates,
		patience: all.opts.HeaderTimeout,
	}
	u.rc = newRegclient(all.opts, u.Host, u.transport)
	return u, nil
}
