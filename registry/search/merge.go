package search

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/share"
)

// Reply is what one registry of several said.
type Reply struct {
	Registry registry.Entry
	Hits     Hits
	Err      error // an image.Error
	Late     bool  // Err says that it did not answer by the deadline; it may be asked again soon
}

// SearchAll asks several registries side by side and waits for each until the deadline, which does not end
// what was begun: it is kept for the next time somebody asks. The end of ctx does. The answers are in the order
// of hosts.
func (c *Client) SearchAll(ctx context.Context, hosts []string, q Question, deadline time.Duration) []Reply {
	answers := make([]Reply, len(hosts))
	searches := make([]*pendingSearch, len(hosts))
	for i, host := range hosts {
		listed, found := c.registries.Find(host)
		if !found {
			listed = registry.Entry{Host: host}
		}
		answers[i].Registry = listed
		searches[i] = c.begin(ctx, host, q)
	}
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	over := false
	for i, host := range hosts {
		s := searches[i]
		if !over {
			select {
			case <-s.done:
			case <-timer.C:
				over = true
			case <-ctx.Done():
				over = true
			}
		}
		select {
		case <-s.done:
			answers[i].Hits, answers[i].Err = s.hits, s.err
			continue
		default:
		}
		c.leave(s)
		if hits, ok := c.soFar(host, q); ok {
			answers[i].Hits = hits
			continue
		}
		answers[i].Late = true
		answers[i].Err = image.Errorf(image.Unavailable, "%s did not answer within %s", host, deadline).
			Because(context.DeadlineExceeded).
			Suggest("It is still being asked: search again in a moment.")
	}
	return answers
}

// pendingSearch is one registry's part of SearchAll.
type pendingSearch struct {
	host   string
	done   chan struct{}
	hits   Hits
	err    error
	cancel context.CancelFunc
	stop   func() bool // takes the end of the asker's context away from it
}

func (c *Client) begin(ctx context.Context, host string, q Question) *pendingSearch {
	s := &pendingSearch{host: host, done: make(chan struct{})}
	var own context.Context
	own, s.cancel = context.WithTimeout(context.WithoutCancel(ctx), searchLimit)
	s.stop = context.AfterFunc(ctx, s.cancel)
	go func() {
		defer s.cancel()
		defer close(s.done)
		defer func() {
			if p := recover(); p != nil {
				s.err = plain(own, host, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			}
		}()
		s.hits, s.err = c.Search(own, host, q)
	}()
	return s
}

// leave lets a search go on without those who asked, within its time limit, while there are not too many such.
func (c *Client) leave(s *pendingSearch) {
	free, ok := c.late.Try(share.Key{Host: s.host})
	if !ok {
		s.cancel()
		return
	}
	if !s.stop() {
		s.cancel() // those who asked have left before
	}
	go func() {
		<-s.done
		free()
	}()
}

// soFar returns what there is of a catalog that is still being read.
func (c *Client) soFar(host string, q Question) (Hits, bool) {
	q, err := q.checked(host)
	if err != nil {
		return Hits{}, false
	}
	listed, _ := c.registries.Find(host)
	kind := listed.Search
	if kind == registry.SearchAuto {
		kind, _ = c.kinds.Peek(host)
	}
	if kind != registry.SearchCatalog {
		return Hits{}, false
	}
	s := c.catalog(host)
	if !q.filtered() {
		f, ok := s.soFar(q.Text, q.Page, q.Limit)
		return f.plain(), ok
	}
	_, size := s.window()
	f, ok := s.soFar(q.Text, 1, size)
	return q.apply([]found{f}), ok
}
