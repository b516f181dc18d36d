package registry

import (
	"context"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
)

const (
	gateSlots   = 3                      // requests to one search service at a time
	gateQueue   = 64                     // those that wait for their turn
	gatePace    = 400 * time.Millisecond // for which a request that was given up still counts: it was sent
	shortPause  = 30 * time.Second       // after a 429 that does not say for how long
	longestStop = 5 * time.Minute        // for which a 429 is believed; then it is asked again
	hubDetour   = time.Minute            // for which the fallback is taken at once
)

// gate is what stands before one search service: few requests at a time, in order, and none while it says that
// there were too many. Somebody who types sends a search with each letter and gives up the one before; those
// wait here, and leave without ever being sent.
type gate struct {
	pace  time.Duration
	slots chan struct{}

	mu      sync.Mutex
	waiting int
	limited error     // the last 429; nil where there was none
	until   time.Time // when limited ends
	detour  time.Time // until when the service is known to be broken
}

// gates are those by host of the service.
type gates struct {
	pace time.Duration

	mu     sync.Mutex
	byHost map[string]*gate
}

func (g *gates) of(host string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.byHost[host]
	if one == nil {
		for other := range g.byHost {
			if len(g.byHost) < maxHosts {
				break
			}
			delete(g.byHost, other)
		}
		one = &gate{pace: g.pace, slots: make(chan struct{}, gateSlots)}
		g.byHost[host] = one
	}
	return one
}

// enter waits for a turn. leave ends it. Errors are the context's, the remembered 429, or that too many wait.
func (g *gate) enter(ctx context.Context, host string) (leave func(), err error) {
	if err := g.closed(); err != nil {
		return nil, err
	}
	if !g.queue() {
		return nil, image.Errorf(image.Unavailable, "too many searches wait for %s", host).Suggest("Try again in a moment.")
	}
	defer g.unqueue()
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	sent := time.Now()
	free := func() { <-g.slots }
	leave = func() {
		if left := g.pace - time.Since(sent); ctx.Err() != nil && left > 0 {
			time.AfterFunc(left, free)
			return
		}
		free()
	}
	if err := ctx.Err(); err != nil { // both were possible
		free()
		return nil, err
	}
	if err := g.closed(); err != nil { // by one that was ahead
		free()
		return nil, err
	}
	return leave, nil
}

func (g *gate) queue() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting >= gateQueue {
		return false
	}
	g.waiting++
	return true
}

func (g *gate) unqueue() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting--
}

func (g *gate) closed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limited != nil && time.Now().Before(g.until) {
		return g.limited
	}
	return nil
}

// shut remembers a 429 until the time it names.
func (g *gate) shut(limited error, until time.Time) {
	now := time.Now()
	if until.IsZero() {
		until = now.Add(shortPause)
	}
	if latest := now.Add(longestStop); until.After(latest) {
		until = latest
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limited, g.until = limited, until
}

// broken tells whether the service is known not to work; setBroken says so, for a while.
func (g *gate) broken() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Before(g.detour)
}

func (g *gate) setBroken() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.detour = time.Now().Add(hubDetour)
}
