package pull

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/share"
)

const (
	surveysAtOnce  = 2                // that are made at once, as long as no registry goes short; more wait
	surveysMost    = 10               // at once beyond those, one of each registry
	surveysKept    = 64               // under way and done
	surveysOfHost  = 16               // under way, of one registry
	surveyHeads    = 4                // tags that one survey asks for at once
	surveyPatience = 30 * time.Second // how long a survey goes on that nobody asks for
	surveyFresh    = 10 * time.Minute // how long what it found out is given to later askers
	surveyAgain    = time.Minute      // how long it rests after a problem, at least
	surveyLayers   = 100_000          // different layers that it counts
)

// Survey is what pulling all tags of a repository would cost, as far as it is known. Sizes are compressed
// bytes; a layer that several tags share is counted once.
type Survey struct {
	Repository image.Repository
	Match      string           // only tags whose names contain this
	Platforms  []image.Platform // asked for; empty: the default one
	Tags       int              // how many there are; 0 until they are listed
	Asked      int              // how many of them are known already, the lacking and the unread included
	Digests    int              // how many different ones they point to
	Lacking    int              // tags that have none of the platforms, or are no images: a pull skips them
	Unread     int              // tags that could not be read; Problem has the first reason
	Size       int64            // of all layers
	Here       int64            // of those bytes that are here already, half-fetched layers included
	Fetch      int64            // of those to download
	Offered    []image.Platform // every platform that some tag has
	Problem    *job.Problem     // why it ended early, or the first reason why a tag was not read
	Done       bool             // nothing more will change
	At         time.Time        // when the last of it was found out
}

// surveys are those under way and those that are kept. Safe for concurrent use.
type surveys struct {
	resolver *resolve.Resolver
	brief    resolve.Retrier
	log      *slog.Logger
	now      func() time.Time
	places   *share.Places // one held by each that works
	wg       sync.WaitGroup

	mu     sync.Mutex
	closed bool
	byKey  map[string]*survey
}

func newSurveys(resolver *resolve.Resolver, brief resolve.Retrier, log *slog.Logger, now func() time.Time) *surveys {
	return &surveys{
		resolver: resolver, brief: brief, log: log, now: now,
		places: share.New(share.Rules{Usual: surveysAtOnce, PerHost: 1, Most: surveysAtOnce + surveysMost}),
		byKey:  make(map[string]*survey),
	}
}

// find returns a survey, or makes one and lets it work.
func (all *surveys) find(key string, begin func() *survey) (*survey, error) {
	now := all.now()
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.closed {
		return nil, image.Errorf(image.Unavailable, "the server is stopping").Suggest("Try again in a moment.")
	}
	if s := all.byKey[key]; s != nil && s.asked(now) {
		return s, nil
	}
	delete(all.byKey, key)
	s := begin()
	if n := all.underWay(s.repository.Host()); n >= surveysOfHost {
		s.stop()
		return nil, image.Errorf(image.Unavailable, "%d repositories of %s are being looked at already", n,
			s.repository.Host()).Suggest("Try again in a moment.")
	}
	if !all.makeRoom(now) {
		s.stop()
		return nil, image.Errorf(image.Unavailable, "%d repositories are being looked at already", surveysKept).
			Suggest("Try again in a moment.")
	}
	all.byKey[key] = s
	all.wg.Go(func() {
		defer s.stop()
		if free, err := all.places.Take(s.ctx, share.Key{Host: s.repository.Host()}); err == nil {
			defer free()
			all.run(s)
		}
		s.rest()
	})
	return s, nil
}

// underWay counts the surveys of a registry that are not over. all.mu is held.
func (all *surveys) underWay(host string) (n int) {
	for _, s := range all.byKey {
		if over, _, _ := s.age(time.Time{}); !over && s.repository.Host() == host {
			n++
		}
	}
	return n
}

// makeRoom forgets what is out of date and, where that is not enough, the oldest that is over. all.mu is held.
func (all *surveys) makeRoom(now time.Time) bool {
	var oldest string
	var since time.Time
	for key, s := range all.byKey {
		over, at, useful := s.age(now)
		switch {
		case over && !useful:
			delete(all.byKey, key)
		case over && (oldest == "" || at.Before(since)):
			oldest, since = key, at
		}
	}
	if len(all.byKey) >= surveysKept && oldest != "" {
		delete(all.byKey, oldest)
	}
	return len(all.byKey) < surveysKept
}

// forget drops what is known of a repository's costs, but for what is under way.
func (all *surveys) forget(repo image.Repository) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for key, s := range all.byKey {
		if over, _, _ := s.age(time.Time{}); over && s.repository == repo {
			delete(all.byKey, key)
		}
	}
}

// expected returns the bytes that a pull will download; 0 where no survey has told.
func (all *surveys) expected(key string) int64 {
	all.mu.Lock()
	s := all.byKey[key]
	all.mu.Unlock()
	if s == nil {
		return 0
	}
	if known, err := s.state(); err == nil && known.Done && known.Problem == nil {
		return known.Fetch
	}
	return 0
}

// close keeps surveys from being begun. Those under way end with the queue's context.
func (all *surveys) close() {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.closed = true
}

// survey is one that is under way, or kept. Safe for concurrent use.
type survey struct {
	repository image.Repository
	ctx        context.Context
	cancel     context.CancelFunc
	patience   *time.Timer // ends it when nobody asks any more

	mu      sync.Mutex
	known   Survey
	err     error     // why there is nothing to be known
	over    bool      // nobody works on it
	again   time.Time // when one that a problem ended may go on
	silent  int       // tags in a row that the registry did not answer for
	digests map[image.Digest]*surveyed
	layers  map[image.Digest]struct{} // that were counted
}

// surveyed is what tags point to.
type surveyed struct {
	tags          int // that are known to point to it
	read, lacking bool
	unread        bool
}

func newSurvey(base context.Context, begin Survey) *survey {
	s := &survey{repository: begin.Repository, known: begin, digests: make(map[image.Digest]*surveyed),
		layers: make(map[image.Digest]struct{})}
	s.ctx, s.cancel = context.WithCancel(base)
	s.patience = time.AfterFunc(surveyPatience, s.cancel)
	return s
}

// asked notes that somebody asks. It tells whether the survey is still of use.
func (s *survey) asked(now time.Time) bool {
	over, _, useful := s.age(now)
	if !over {
		s.patience.Reset(surveyPatience)
	}
	return useful
}

// age reports whether nobody works on the survey any more, since when, and whether it is still of use.
func (s *survey) age(now time.Time) (over bool, at time.Time, useful bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.over:
		useful = s.ctx.Err() == nil
	case s.err != nil || s.known.Problem != nil:
		useful = now.Before(s.again)
	default:
		useful = s.known.Done && now.Sub(s.known.At) < surveyFresh
	}
	return s.over, s.known.At, useful
}

// stop frees the survey's timer and context.
func (s *survey) stop() {
	s.patience.Stop()
	s.cancel()
}

// rest notes that nobody works on the survey any more, and lets go of what only the work needs.
func (s *survey) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over, s.digests, s.layers = true, nil, nil
}

// state copies what is known.
func (s *survey) state() (Survey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.known
	known.Platforms, known.Offered = slices.Clone(known.Platforms), slices.Clone(known.Offered)
	return known, s.err
}
