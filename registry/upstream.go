package registry

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/scheme/reg"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
)

const (
	maxHosts     = 256       // registries remembered; people can type any number of names
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

// slot holds a host's upstream. The lock, a channel so that waiting can be cancelled, makes that a host is
// found out about once.
type slot struct {
	lock chan struct{}
	up   *upstream
}

// upstream gives the registry of a subject, finding out about it on first use.
func (c *Client) upstream(ctx context.Context, s subject) (*upstream, error) {
	host := s.host()
	if host == "" || s.ref.Repository.Path() == "" && !s.search {
		return nil, image.Errorf(image.Invalid, "%q is not a repository", outbound.Clean(string(s.ref.Repository)))
	}
	sl := c.slot(host)
	select {
	case sl.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-sl.lock }()
	stamp := stampOf(filepath.Join(c.opts.DockerConfig, configFile))
	if sl.up != nil && sl.up.stamp == stamp && time.Since(sl.up.made) < upstreamLife {
		return sl.up, nil
	}
	up, err := c.newUpstream(ctx, host)
	if err != nil {
		return nil, c.Host(host).explain(ctx, s, &exchange{}, err)
	}
	up.stamp, up.made = stamp, time.Now()
	sl.up = up
	return up, nil
}

func (c *Client) slot(host string) *slot {
	c.mu.Lock()
	defer c.mu.Unlock()
	sl := c.slots[host]
	if sl == nil {
		for other := range c.slots {
			if len(c.slots) < maxHosts {
				break
			}
			delete(c.slots, other)
		}
		sl = &slot{lock: make(chan struct{}, 1)}
		c.slots[host] = sl
	}
	return sl
}

// forget makes the next request find out about the host anew.
func (c *Client) forget(ctx context.Context, u *upstream) {
	sl := c.slot(u.Name)
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

// again tells whether a failed request is worth a second try with a new upstream: one that has worked, and
// now refuses us or speaks another scheme. In each such case the upstream is forgotten.
func (c *Client) again(ctx context.Context, u *upstream, err error, ex *exchange) bool {
	var status *outbound.StatusError
	stale := ex.refused(err) || outbound.SchemeMismatch(err) ||
		u.Scheme == "http" && errors.As(err, &status) && status.Code == http.StatusBadRequest
	if stale {
		c.forget(ctx, u)
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

func (c *Client) newUpstream(ctx context.Context, host string) (*upstream, error) {
	u := &upstream{Host: c.Host(host)}
	var err error
	if u.Scheme, err = c.out.Scheme(ctx, u.API, u.peer.TLS); err != nil {
		return nil, err
	}
	if u.login, u.loginProblem, err = c.credentialOf(ctx, u.signIn); err != nil {
		return nil, err
	}
	u.transport = &transport{
		client: c, origin: c.out.From(u.API), host: host, api: u.API, scheme: u.Scheme, secrets: u.Secrets(),
	}
	settings := config.Host{
		Name:          host,
		Hostname:      u.API,
		TLS:           config.TLSEnabled,
		User:          u.login.user,
		Pass:          u.login.password,
		Token:         u.login.token,
		ReqConcurrent: int64(c.opts.Concurrency + spareRequests), // regclient's own default is 3
		RepoAuth:      true,                                      // else a token asks for every repository ever used
	}
	if u.Scheme == "http" {
		settings.TLS = config.TLSDisabled
	}
	u.rc = regclient.New(
		regclient.WithConfigHost(settings),
		regclient.WithUserAgent(c.opts.UserAgent),
		regclient.WithSlog(debugLogger(c.opts.Logger)),
		regclient.WithRegOpts(
			reg.WithHTTPClient(&http.Client{Transport: u.transport}),
			// 1 is the fewest: one try, and one more after a challenge. With the delay next to nothing, a
			// failure does not hold up what others ask of the same host.
			reg.WithRetryLimit(1),
			reg.WithDelay(time.Nanosecond, time.Nanosecond),
		),
	)
	return u, nil
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
