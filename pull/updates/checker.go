// Package updates asks registries whether stored tags have moved, and keeps what they answer. Nothing is pulled for
// that.
package updates

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/share"
	"github.com/stowage/stowage/shelf"
)

const (
	// tags that one run asks for at a time, and one of each registry that would find no place
	atOnce       = 6
	ofHost       = 3                // of them, of one registry
	savedAtOnce  = 60               // tags whose answers are kept in one transaction
	sweepTimeout = 20 * time.Second // for one tag of a run
	oneTimeout   = 10 * time.Second // for a tag whose page waits
	pauseUnknown = time.Minute      // for which a registry is left alone that says "too many" and not until when
	// answers that do not come, one after the other, after which a registry is left alone
	silentAfter    = 5
	firstSweepRest = time.Minute // between the start of the server and its first scheduled run

	// MinInterval is the shortest time between two scheduled runs: registries are other people's.
	MinInterval = 10 * time.Minute
)

// Source asks registries.
type Source interface {
	// Check asks which digest a tag points to, by HEAD where that is answered; see registry.Client.
	Check(ctx context.Context, ref image.Reference) (d image.Digest, gone bool, err error)
}

// Shelf keeps answers.
type Shelf interface {
	// TagsToCheck returns stored tags in a fixed order after one, those that nobody asked about since a time: of one
	// repository, or of all where it is empty. CountToCheck counts them.
	TagsToCheck(ctx context.Context, of image.Repository, since time.Time, after image.Reference, limit int) (
		[]image.Reference, error)
	CountToCheck(ctx context.Context, of image.Repository, since time.Time) (int, error)
	// SaveChecks keeps answers about tags that are still stored, and returns the state that follows for each of them.
	SaveChecks(ctx context.Context, by image.Actor, all []shelf.Checked) ([]shelf.UpdateState, error)
}

// Sweep is one pass over many tags, as it stands.
type Sweep struct {
	Of        image.Repository // empty: all
	By        image.Actor      // image.Server: the schedule
	Started   time.Time
	Ended     time.Time // zero while it runs
	Total     int       // tags to ask about
	Current   int
	Available int
	Gone      int
	Unknown   int
	Skipped   int // not asked about: their registry does not answer, or said that there were too many requests
	Cancelled bool
	Failed    bool // it ended early by a failure of this server, which is in the log
}

// Done counts the tags that were asked about.
func (r Sweep) Done() int { return r.Current + r.Available + r.Gone + r.Unknown + r.Skipped }

// Options are what a Checker works with. Source and Shelf are required.
type Options struct {
	Source   Source
	Shelf    Shelf
	Interval time.Duration // between scheduled runs; 0: none
	Logger   *slog.Logger
	Now      func() time.Time
	After    func(time.Duration) <-chan time.Time // for tests; zero: time.After
}

// Checker asks registries whether stored tags have moved: one tag at a time, or many in the background, by HEAD
// where that is answered. Safe for concurrent use.
type Checker struct {
	o    Options
	base context.Context
	end  context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex
	run    *Sweep // under way
	stop   context.CancelFunc
	over   chan struct{} // closed when run has ended
	last   *Sweep
	next   time.Time            // of the schedule; zero where there is none
	pauses map[string]hostPause // registries that are left alone
	silent map[string]int       // answers that did not come from a registry, one after the other
}

type hostPause struct {
	until   time.Time
	problem image.Text
}

// New makes a Checker; Start begins its schedule.
func New(o Options) *Checker {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	base, end := context.WithCancel(context.Background())
	return &Checker{o: o, base: base, end: end, pauses: map[string]hostPause{}, silent: map[string]int{}}
}

// Start begins the schedule, where there is one.
func (c *Checker) Start() {
	if c.o.Interval > 0 {
		c.wg.Go(c.schedule)
	}
}

// Close ends what is under way; what was answered is kept.
func (c *Checker) Close() {
	c.mu.Lock() // no run begins after this
	c.end()
	c.mu.Unlock()
	c.wg.Wait()
}

// schedule runs over all tags every interval, give or take a tenth, so that several servers do not ask together. Tags
// that were asked about in the last half of an interval are left out.
func (c *Checker) schedule() {
	rest := firstSweepRest
	for {
		rest += time.Duration(rand.Int64N(int64(rest)/5+1)) - rest/10
		c.mu.Lock()
		c.next = c.o.Now().Add(rest)
		c.mu.Unlock()
		select {
		case <-c.base.Done():
			return
		case <-c.o.After(rest):
		}
		c.mu.Lock()
		c.next = time.Time{}
		c.mu.Unlock()
		for joined := true; joined && c.base.Err() == nil; { // another run goes first
			var done <-chan struct{}
			if _, done, joined = c.begin("", image.Server, c.o.Now().Add(-c.o.Interval/2)); done != nil {
				<-done
			}
		}
		rest = c.o.Interval
	}
}

// CheckAll begins a run over the tags of a repository, or of all where it is empty, in the background. While a run is
// under way it is joined instead: the answer is that one.
func (c *Checker) CheckAll(of image.Repository, by image.Actor) (run Sweep, joined bool) {
	run, _, joined = c.begin(of, by, c.o.Now().Add(time.Millisecond)) // what was asked about this very moment, too
	return run, joined
}

// begin starts a run over tags that nobody asked about since a time; done is closed when it is over.
func (c *Checker) begin(of image.Repository, by image.Actor, since time.Time) (
	run Sweep, done <-chan struct{}, joined bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run != nil || c.base.Err() != nil {
		if c.run != nil {
			run = *c.run
		}
		return run, c.over, true
	}
	c.run = &Sweep{Of: of, By: by, Started: c.o.Now()}
	ctx, cancel := context.WithCancel(c.base)
	c.stop = cancel
	over := make(chan struct{})
	c.over = over
	c.wg.Go(func() {
		defer close(over)
		defer cancel()
		err := guard.Do(func() error { return c.all(ctx, of, by, since) })
		c.finish(ctx, err)
	})
	return *c.run, over, false
}

// finish notes how a run ended.
func (c *Checker) finish(ctx context.Context, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.run
	r.Ended, r.Cancelled = c.o.Now(), ctx.Err() != nil
	r.Failed = err != nil && !r.Cancelled
	if r.Failed {
		c.o.Logger.Error("check for updates", "error", err)
	}
	c.o.Logger.Info("checked for updates", "tags", r.Done(), "of", r.Total, "current", r.Current, "available", r.Available,
		"gone", r.Gone, "unknown", r.Unknown, "skipped", r.Skipped, "by", r.By,
		"took", r.Ended.Sub(r.Started).Round(time.Millisecond))
	c.last, c.run, c.stop, c.over = r, nil, nil, nil
}

// Cancel ends the run under way, if there is one.
func (c *Checker) Cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
}

// Status says what a Checker does.
type Status struct {
	Running  *Sweep
	Last     *Sweep // of this process
	Interval time.Duration
	Next     time.Time // of the schedule; zero without one
}

// State returns what the checker does now.
func (c *Checker) State() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Interval: c.o.Interval, Next: c.next}
	if c.run != nil {
		r := *c.run
		s.Running = &r
	}
	if c.last != nil {
		r := *c.last
		s.Last = &r
	}
	return s
}

// all asks about tags, some at a time, and keeps the answers before it goes on.
func (c *Checker) all(ctx context.Context, of image.Repository, by image.Actor, since time.Time) error {
	total, err := c.o.Shelf.CountToCheck(ctx, of, since)
	if err != nil {
		return fmt.Errorf("count the tags to check: %w", err)
	}
	c.count(func(r *Sweep) { r.Total = total })
	var after image.Reference
	for ctx.Err() == nil {
		tags, err := c.o.Shelf.TagsToCheck(ctx, of, since, after, savedAtOnce)
		if err != nil {
			return fmt.Errorf("list the tags to check: %w", err)
		}
		if len(tags) == 0 {
			return nil
		}
		after = tags[len(tags)-1]
		if err := c.save(ctx, by, c.some(ctx, tags)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// some asks about a few tags at a time, each registry by itself. Those whose registry is left alone, and those whose
// answer an end of the run prevented, are left out: what is known of them stays.
func (c *Checker) some(ctx context.Context, tags []image.Reference) []shelf.Checked {
	answers := make([]shelf.Checked, len(tags))
	hosts := map[string][]int{}
	for i, t := range tags {
		hosts[t.Repository.Host()] = append(hosts[t.Repository.Host()], i)
	}
	var all sync.WaitGroup
	places := share.New(share.Rules{Usual: atOnce, PerHost: 1, Most: atOnce + savedAtOnce})
	for host, of := range hosts {
		all.Go(func() {
			var g errgroup.Group
			g.SetLimit(ofHost)
			for _, i := range of {
				g.Go(func() error {
					return guard.Do(func() error {
						free, err := places.Take(ctx, share.Key{Host: host})
						if err != nil {
							return nil //nolint:nilerr // the run is over
						}
						defer free()
						if _, paused := c.paused(host); paused {
							c.count(func(r *Sweep) { r.Skipped++ })
							return nil
						}
						answers[i] = c.ask(ctx, tags[i], sweepTimeout)
						return nil
					})
				})
			}
			if err := g.Wait(); err != nil {
				c.o.Logger.Error("check a tag", "registry", host, "error", err)
			}
		})
	}
	all.Wait()
	kept := answers[:0]
	for _, a := range answers {
		if a.Answer != "" {
			kept = append(kept, a)
		}
	}
	return kept
}

// save keeps answers and counts them.
func (c *Checker) save(ctx context.Context, by image.Actor, answers []shelf.Checked) error {
	if len(answers) == 0 {
		return nil
	}
	states, err := c.o.Shelf.SaveChecks(context.WithoutCancel(ctx), by, answers)
	if err != nil {
		return fmt.Errorf("keep what registries answered: %w", err)
	}
	c.count(func(r *Sweep) {
		for _, s := range states {
			switch s {
			case shelf.UpdateCurrent:
				r.Current++
			case shelf.UpdateAvailable:
				r.Available++
			case shelf.UpdateGone:
				r.Gone++
			case shelf.UpdateUnknown:
				r.Unknown++
			}
		}
	})
	return nil
}

func (c *Checker) count(f func(*Sweep)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.run)
}

// CheckOne asks about one tag now, for ten seconds at most, and keeps the answer.
func (c *Checker) CheckOne(ctx context.Context, ref image.Reference, by image.Actor) (shelf.UpdateState, error) {
	ctx, cancel := context.WithTimeout(ctx, oneTimeout+time.Second) // ask has the shorter limit, and says what it means
	defer cancel()
	if p, paused := c.paused(ref.Repository.Host()); paused { // what is known of the tag stays
		return "", image.Errorf(image.Unavailable, "%s is left alone for a while: %s", ref.Repository.Host(), p.problem).
			Suggest("Try again in a few minutes.")
	}
	answer := c.ask(ctx, ref, oneTimeout)
	if answer.Answer == "" {
		return "", ctx.Err()
	}
	states, err := c.o.Shelf.SaveChecks(context.WithoutCancel(ctx), by, []shelf.Checked{answer})
	if err != nil {
		return "", err
	}
	if states[0] == shelf.UpdateUnchecked {
		return "", image.Errorf(image.NotFound, "%s is not stored", ref.Familiar())
	}
	return states[0], nil
}

// ask asks about one tag. A registry that said "too many" is left alone until it said it may be asked again. The
// answer is empty where ctx ended before there was one.
func (c *Checker) ask(ctx context.Context, ref image.Reference, limit time.Duration) shelf.Checked {
	out := shelf.Checked{Reference: ref, At: c.o.Now()}
	host := ref.Repository.Host()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d, gone, err := c.o.Source.Check(limited, ref)
	c.heard(host, err)
	switch {
	case err == nil && gone:
		out.Answer = shelf.AnswerGone
		return out
	case err == nil:
		out.Answer, out.Upstream = shelf.AnswerDigest, d
		return out
	case ctx.Err() != nil:
		return shelf.Checked{}
	}
	out.Answer = shelf.AnswerUnknown
	var e *image.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &e):
		out.Problem = image.Textf("%s did not answer within %s", host, limit)
	case errors.As(err, &e) && e.Kind != image.Internal:
		out.Problem, out.Advice = e.Text(), e.Advice()
	default:
		c.o.Logger.Error("check for an update", "reference", ref.String(), "error", err)
		out.Problem = image.Textf("%s could not be asked", host)
	}
	if image.KindOf(err) == image.RateLimited || c.isSilent(host) {
		c.pause(host, err, out)
	}
	return out
}

// heard notes whether a registry answers at all.
func (c *Checker) heard(host string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if image.KindOf(err) == image.Unavailable || errors.Is(err, context.DeadlineExceeded) {
		c.silent[host]++
	} else {
		delete(c.silent, host)
	}
}

func (c *Checker) isSilent(host string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.silent[host] >= silentAfter
}

func (c *Checker) paused(host string) (hostPause, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, known := c.pauses[host]
	if known && !c.o.Now().Before(p.until) {
		delete(c.pauses, host)
		known = false
	}
	return p, known
}

// pause leaves a registry alone for a while.
func (c *Checker) pause(host string, err error, said shelf.Checked) {
	until := c.o.Now().Add(pauseUnknown)
	if at := image.RetryTime(err); at.After(until) {
		until = at
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pauses[host] = hostPause{until: until, problem: said.Problem}
}
