package pull

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/share"
)

const (
	maxQueued   = 5000 // jobs that wait
	maxQueuedBy = 1000 // of them, of one requester
	// pulls that run at once beyond the usual ones, so that no registry and no requester goes without
	mostJobs   = 16
	claimAgain = 5 * time.Second // after which it is tried again to take up a job where that fails
)

// Options are what a Queue works with. Source, what is of the storage, and Runner are required; the rest have defaults.
type Options struct {
	Source          Source
	Blobs           Blobs
	Space           Space
	Images          Images
	Recorder        Recorder
	Runner          *job.Runner    // keeps the jobs
	Concurrency     int            // blobs downloaded at once as long as nobody goes short; 4
	Jobs            int            // pulls that run at once, in the same way; 3
	DefaultPlatform image.Platform // what is pulled when nobody chooses; the server's own
	Backoff         fetch.Backoff
	Logger          *slog.Logger
	Now             func() time.Time
}

// Queue runs pulls: those who ask take turns, and of each the oldest goes first. A registry that holds up its pulls
// holds up no other's. Make one with New. Safe for concurrent use.
type Queue struct {
	jobs     *job.Runner
	blobs    Blobs
	space    Space
	images   Images
	recorder Recorder
	resolver *resolve.Resolver
	fetcher  *fetch.Fetcher
	log      *slog.Logger
	now      func() time.Time
	standard image.Platform
	places   *share.Places // one held by each job that runs
	surveys  *surveys
	kick     chan struct{} // holds one where there may be a job to take up
	claiming sync.WaitGroup
}

// New makes a Queue that does nothing until Start.
func New(o Options) *Queue {
	if o.Jobs <= 0 {
		o.Jobs = 3
	}
	if o.DefaultPlatform == (image.Platform{}) {
		o.DefaultPlatform = image.ServerPlatform()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	q := &Queue{
		jobs: o.Runner, blobs: o.Blobs, space: o.Space, images: o.Images, recorder: o.Recorder,
		fetcher: fetch.New(o.Runner.Base(), fetch.Options{
			Source: o.Source, Shelf: o.Blobs, Concurrency: o.Concurrency, Backoff: o.Backoff, Now: o.Now,
		}),
		log: o.Logger, now: o.Now, standard: o.DefaultPlatform,
		places: share.New(share.Rules{Usual: o.Jobs, PerHost: 1, PerRequester: 1, Most: o.Jobs + mostJobs}),
		kick:   make(chan struct{}, 1),
	}
	brief := briefly(q.fetcher.Backoff(), o.Now)
	q.resolver = resolve.New(resolve.Options{
		Source: o.Source, Blobs: o.Blobs, Images: o.Images, Standard: o.DefaultPlatform, Brief: brief, Logger: o.Logger,
		Now: o.Now,
	})
	q.surveys = newSurveys(q.resolver, brief, o.Logger, o.Now)
	// what is to be fetched has changed
	o.Runner.Ended(func(j job.Job, _ error) { q.surveys.forget(j.Reference().Repository) })
	return q
}

// Start puts the jobs that an earlier process left unfinished back into the queue and begins to work.
//
// Such a job begins again from its reference: what it had fetched is on disk and not fetched again, and a
// tag is resolved anew. A tag that moved meanwhile is pulled as it is now, not as it was: else the tag's
// history would say that it pointed to the old digest at a time when it did not.
func (q *Queue) Start(ctx context.Context) error {
	unfinished, err := q.jobs.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, j := range unfinished {
		again := job.Job{ID: j.ID, By: j.By, State: job.Queued, Created: j.Created}
		switch d := j.Detail.(type) {
		case Single:
			again.Detail = Single{Ref: d.Ref, Platforms: d.Platforms}
		case AllTags:
			d.TagCounts = nil
			again.Detail = d
		default:
			continue // work that is not taken up again
		}
		q.jobs.Resume(again)
		q.log.Info("pull goes on", "job", j.ID, "reference", j.Reference().String())
	}
	q.claiming.Go(q.takeUp)
	q.dispatch()
	return nil
}

// dispatch has jobs taken up, where there are places.
func (q *Queue) dispatch() {
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// takeUp claims jobs while there are places, each time that there may be one.
func (q *Queue) takeUp() {
	for {
		select {
		case <-q.kick:
		case <-q.jobs.Base().Done():
			return
		}
		for q.claim() {
		}
	}
}

// claim begins to work on the job whose turn it is. It reports whether there may be another one.
func (q *Queue) claim() (more bool) {
	free := func() {}
	more, err := q.jobs.Claim(func(waiting []job.Turn) (id int64, ok bool) {
		i, release, ok := q.places.Choose(len(waiting), func(i int) share.Key { return waiting[i].Key })
		if !ok {
			return 0, false
		}
		free = release
		return waiting[i].ID, true
	}, q.run, func() {
		free()
		q.dispatch()
	})
	if !more {
		free()
	}
	if err != nil && q.jobs.Base().Err() == nil {
		q.log.Error("no job is taken up", "error", err, "cause", job.Cause(err))
		time.AfterFunc(claimAgain, q.dispatch)
	}
	return more
}

// Pull puts a job into the queue, or joins the one that is there for the same reference, or the same tags, and
// the same platforms; joined tells which. Errors: Invalid, TooLarge when too many wait, Unavailable when the queue
// is closing. Trying a pull again is pulling it again.
func (q *Queue) Pull(ctx context.Context, req Request) (j job.Job, joined bool, err error) {
	platforms, err := req.check()
	if err != nil {
		return job.Job{}, false, err
	}
	j = job.Job{State: job.Queued, Created: q.now(), Detail: Single{Ref: req.Reference, Platforms: platforms,
		target: req.Target, asked: req.Asked}}
	if req.AllTags {
		j.Detail = AllTags{Ref: req.Reference, Platforms: platforms, Match: req.Match}
	}
	if req.By.Name != "" {
		j.By = []string{req.By.Name}
	}
	j, joined, err = q.jobs.Ask(ctx, job.Ticket{
		Job: j, What: identity(j.Detail), Key: share.Key{Host: req.Reference.Repository.Host(),
			By: share.Requester(req.By.Name)},
		Most: maxQueued, Mine: maxQueuedBy,
	})
	if err != nil {
		return job.Job{}, false, fmt.Errorf("create pull of %s: %w", req.Reference, err)
	}
	q.dispatch()
	return j, joined, nil
}

// Wanted returns a blob among those that live pulls of a repository bring.
func (q *Queue) Wanted(repo image.Repository, d image.Digest) (image.Descriptor, bool) {
	for _, r := range q.jobs.Runs() {
		if r.Subject().Repository != repo {
			continue
		}
		layers, hidden := r.Shown()
		for _, s := range slices.Concat(layers, hidden) {
			if l, ok := s.(*layer); ok && l.Digest == d {
				return l.Descriptor, true
			}
		}
	}
	return image.Descriptor{}, false
}

// Close stops the queue and waits for its workers until ctx ends; the error is then that of ctx. Jobs that are not over
// stay unfinished and go on at the next start, with what they have fetched.
func (q *Queue) Close(ctx context.Context) error {
	q.surveys.close()
	if err := q.jobs.Close(ctx); err != nil {
		return err
	}
	stopped := make(chan struct{})
	go func() {
		q.claiming.Wait()
		q.surveys.wg.Wait()
		q.fetcher.Close()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close pull queue: %w", ctx.Err())
	}
}

// Fetcher returns what brings blobs to the disk.
func (q *Queue) Fetcher() *fetch.Fetcher { return q.fetcher }

// Resolver returns what finds out where references point, and remembers what it read.
func (q *Queue) Resolver() *resolve.Resolver { return q.resolver }

// Traffic counts what was fetched since the queue was made.
func (q *Queue) Traffic() fetch.Traffic { return q.fetcher.Traffic() }

// Survey returns what is known of a repository's tags and what they would cost, and goes on finding out in the
// background while somebody keeps asking: it never waits itself. Everybody who asks for the same shares one.
// One that a problem ended, such as a rate limit, is Done with what it found out by then; who asks a minute
// later, or when the registry answers again, makes it go on, without what was read already being read again.
// Errors are image.Errors: that there are no tags, that they are too many or not to be listed, Invalid, and
// Unavailable while the queue closes or very many surveys are under way.
func (q *Queue) Survey(repo image.Repository, match string, platforms []image.Platform) (Survey, error) {
	if repo == "" {
		return Survey{}, image.Errorf(image.Invalid, "a pull of all tags needs a repository, with neither a tag nor a digest")
	}
	if err := checkMatch(match); err != nil {
		return Survey{}, err
	}
	platforms, err := normalised(platforms)
	if err != nil {
		return Survey{}, err
	}
	s, err := q.surveys.find(surveyKey(repo, match, platforms), func() *survey {
		return newSurvey(q.jobs.Base(), Survey{Repository: repo, Match: match, Platforms: platforms, At: q.now()})
	})
	if err != nil {
		return Survey{}, err
	}
	return s.state()
}
