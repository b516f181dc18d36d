package pull

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/share"
)

const (
	maxQueued   = 5000             // jobs that wait
	maxQueuedBy = 1000             // of them, of one requester
	mostJobs    = 16               // pulls that run at once beyond the usual ones, so that no registry and no requester goes without
	maxMatch    = 128              // characters of a Match; a tag has no more
	maxOver     = 4096             // jobs that are remembered to be over
	maxAskers   = 100              // of one pull, that are remembered; a client can go by any name
	saveTimeout = 10 * time.Second // for one write to the shelf's records
	cancelWait  = 2 * time.Second  // how long Cancel waits for the pull to come to rest
)

// Options are what a Queue works with. Source and Shelf are required; the rest have defaults.
type Options struct {
	Source          Source
	Shelf           Shelf
	Concurrency     int            // blobs downloaded at once as long as nobody goes short, see downloadRules; 4
	Jobs            int            // pulls that run at once, in the same way; 3
	DefaultPlatform image.Platform // what is pulled when nobody chooses; the server's own
	Backoff         Backoff
	Logger          *slog.Logger
	Now             func() time.Time
}

// MaxPlatforms is how many platforms one pull can be asked for.
const MaxPlatforms = 32

// Queue runs pulls: those who ask take turns, and of each the oldest goes first. A registry that holds up its pulls holds
// up no other's. Make one with New. Safe for concurrent use.
type Queue struct {
	shelf    Shelf
	resolver *resolver
	fetcher  *fetcher
	broker   *broker
	log      *slog.Logger
	now      func() time.Time
	standard image.Platform
	places   *share.Places // one held by each job that runs
	stats    stats
	failed   atomic.Pointer[func(id int64, kind image.Kind)] // told of each job that fails or is cancelled; nil where nobody wants to know
	surveys  *surveys

	base  context.Context // ends when the queue closes
	close context.CancelCauseFunc
	wg    sync.WaitGroup // running jobs

	entering sync.Mutex // held while a job is created, so that two equal requests make one
	mu       sync.Mutex // guards what follows; no I/O under it
	started  bool
	closing  bool
	live     map[int64]*run
	byWhat   map[string]*run // those that can be joined
	pending  []*run
	running  int
	over     []int64 // IDs of the newest jobs that ended
}

// New makes a Queue that does nothing until Start.
func New(o Options) *Queue {
	if o.Concurrency <= 0 {
		o.Concurrency = 4
	}
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
	o.Backoff = o.Backoff.withDefaults()
	base, cancel := context.WithCancelCause(context.Background())
	return &Queue{
		shelf:    o.Shelf,
		resolver: newResolver(o),
		fetcher:  newFetcher(base, o),
		broker:   newBroker(),
		surveys:  newSurveys(),
		log:      o.Logger, now: o.Now, standard: o.DefaultPlatform,
		places: share.New(share.Rules{Usual: o.Jobs, PerHost: 1, PerRequester: 1, Most: o.Jobs + mostJobs}),
		base:   base, close: cancel,
		live: make(map[int64]*run), byWhat: make(map[string]*run),
	}
}

// Start puts the jobs that an earlier process left unfinished back into the queue and begins to work.
//
// Such a job begins again from its reference: what it had fetched is on disk and not fetched again, and a
// tag is resolved anew. A tag that moved meanwhile is pulled as it is now, not as it was: else the tag's
// history would say that it pointed to the old digest at a time when it did not.
func (q *Queue) Start(ctx context.Context) error {
	unfinished, err := q.shelf.UnfinishedJobs(ctx)
	if err != nil {
		return fmt.Errorf("list unfinished pulls: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range unfinished {
		if _, ok := q.live[j.ID]; ok {
			continue // asked for before the start
		}
		if j.Upload != nil {
			if err := q.abandonUpload(ctx, j); image.KindOf(err) == image.DiskFull {
				q.log.Error("the end of an upload is not saved", "job", j.ID, "error", err)
			} else if err != nil {
				return fmt.Errorf("end the upload of pull %d: %w", j.ID, err)
			}
			continue
		}
		r := newRun(Job{
			ID: j.ID, Reference: j.Reference, Platforms: j.Platforms, Requesters: j.Requesters, State: Queued, Created: j.Created,
			AllTags: j.AllTags, Match: j.Match, Tags: j.Tags, Fetched: j.Fetched, Expected: j.Expected,
		})
		q.enqueue(r)
		q.log.Info("pull goes on", "job", j.ID, "reference", j.Reference.String())
	}
	slices.SortStableFunc(q.pending, func(a, b *run) int { return int(a.id - b.id) })
	q.started = true
	q.dispatch()
	return nil
}

// Request asks for a pull.
type Request struct {
	Reference image.Reference  // a tag or a digest; with AllTags neither
	AllTags   bool             // all tags of the repository
	Match     string           // with AllTags: only tags whose names contain this, whatever the case
	Platforms []image.Platform // empty leaves the choice to the queue
	By        string           // who asks

	// Target is what the tag was found to point to, which is then not asked again, and Asked when that was. A pull that
	// is joined, or that goes on after a restart, finds out by itself.
	Target image.Digest
	Asked  time.Time
}

// Pull puts a job into the queue, or joins the one that is there for the same reference, or the same tags, and
// the same platforms; joined tells which. Errors: Invalid, TooLarge when too many wait, Unavailable when the queue
// is closing. Trying a pull again is pulling it again.
func (q *Queue) Pull(ctx context.Context, req Request) (job Job, joined bool, err error) {
	platforms, err := req.check()
	if err != nil {
		return Job{}, false, err
	}
	job = Job{Reference: req.Reference, Platforms: platforms, AllTags: req.AllTags, Match: req.Match, State: Queued, Created: q.now()}
	q.entering.Lock()
	defer q.entering.Unlock()
	if r, changed, err := q.join(identity(job), req.By); err != nil {
		return Job{}, false, err
	} else if r != nil {
		if changed {
			q.save(r)
			q.broker.publish(r.id)
		}
		return r.snapshot(), true, nil
	}
	if req.By != "" {
		job.Requesters = []string{req.By}
	}
	if job.ID, err = q.shelf.CreateJob(ctx, job); err != nil {
		return Job{}, false, fmt.Errorf("create pull of %s: %w", req.Reference, err)
	}
	r := newRun(job)
	r.target, r.asked = req.Target, req.Asked
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing {
		return job, false, nil // it is kept and begins at the next start
	}
	q.enqueue(r)
	q.dispatch()
	return job, false, nil
}

// check gives the platforms as normalised gives them.
func (req Request) check() ([]image.Platform, error) {
	ref := req.Reference
	switch {
	case req.AllTags && (ref.Repository == "" || ref.Tag != "" || ref.Digest != ""):
		return nil, image.Errorf(image.Invalid, "a pull of all tags needs a repository, with neither a tag nor a digest")
	case !req.AllTags && (ref.Repository == "" || (ref.Tag == "") == (ref.Digest == "")):
		return nil, image.Errorf(image.Invalid, "a pull needs a repository and either a tag or a digest")
	case !req.AllTags && req.Match != "":
		return nil, image.Errorf(image.Invalid, "only a pull of all tags can be narrowed down to some of them")
	}
	if err := checkMatch(req.Match); err != nil {
		return nil, err
	}
	return normalised(req.Platforms)
}

// checkMatch refuses what no tag can contain for its length.
func checkMatch(match string) error {
	if len(match) > maxMatch {
		return image.Errorf(image.Invalid, "the part of a tag's name is longer than %d characters", maxMatch)
	}
	return nil
}

// normalised gives platforms that were asked for normalised, each once, in their order.
func normalised(asked []image.Platform) ([]image.Platform, error) {
	if len(asked) > MaxPlatforms {
		return nil, image.Errorf(image.Invalid, "%d platforms were asked for, at most %d can be pulled at once", len(asked), MaxPlatforms)
	}
	var platforms []image.Platform
	for _, p := range asked {
		n := image.PlatformOf(ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion})
		if !n.Known() {
			return nil, image.Errorf(image.Invalid, "%q is not a platform", p.String())
		}
		if !slices.Contains(platforms, n) {
			platforms = append(platforms, n)
		}
	}
	return platforms, nil
}

// identity gives what two jobs for the same thing have in common.
func identity(j Job) string {
	what := platformKey(j.Platforms) + " " + j.Reference.String()
	if j.AllTags { // a tag's part comes last: it may be any text
		what += " all " + j.Match
	}
	return what
}

// platformKey names a set of platforms.
func platformKey(platforms []image.Platform) string {
	names := make([]string, 0, len(platforms))
	for _, p := range platforms {
		names = append(names, p.String())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// join finds a job to join and adds the requester; r is nil where there is none.
func (q *Queue) join(what, by string) (r *run, changed bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch r := q.byWhat[what]; {
	case q.closing:
		return nil, false, stopping()
	case r != nil:
		return r, r.addRequester(by), nil
	case len(q.pending) >= maxQueued:
		return nil, false, image.Errorf(image.TooLarge, "%d pulls are waiting already", len(q.pending)).Suggest("Wait until some of them are done, or cancel them.")
	case q.pendingOf(by) >= maxQueuedBy:
		return nil, false, image.Errorf(image.TooLarge, "%d pulls of %s are waiting already, the most that one requester may have", maxQueuedBy, share.Requester(by)).
			Suggest("Wait until some of them are done, or cancel them.")
	}
	return nil, false, nil
}

// pendingOf counts the jobs of a requester that wait. q.mu is held.
func (q *Queue) pendingOf(by string) (n int) {
	by = share.Requester(by)
	for _, r := range q.pending {
		if r.key.By == by {
			n++
		}
	}
	return n
}

// enqueue makes a job live. q.mu is held.
func (q *Queue) enqueue(r *run) {
	q.live[r.id] = r
	if _, taken := q.byWhat[r.what]; !taken {
		q.byWhat[r.what] = r
	}
	q.pending = append(q.pending, r)
	q.broker.open(r.id, r.snapshot)
}

// dispatch starts jobs while there are places. q.mu is held.
func (q *Queue) dispatch() {
	for q.started && !q.closing {
		i, free, ok := q.places.Choose(len(q.pending), func(i int) share.Key { return q.pending[i].key })
		if !ok {
			return
		}
		r := q.pending[i]
		q.pending = slices.Delete(q.pending, i, i+1)
		ctx, cancel := context.WithCancelCause(q.base)
		r.cancel = cancel
		q.running++
		q.wg.Go(func() {
			defer cancel(nil)
			q.work(ctx, r, free)
		})
	}
}

// seal keeps a job from being joined. q.mu is held.
func (q *Queue) seal(r *run) {
	if q.byWhat[r.what] == r {
		delete(q.byWhat, r.what)
	}
}

// Cancel ends a job for everybody who asked for it. What it fetched stays. Cancel returns when the job has
// come to rest, or soon after it has been told to. Errors: NotFound, Conflict when the job is over.
func (q *Queue) Cancel(id int64, by string) error {
	q.mu.Lock()
	r := q.live[id]
	if r == nil {
		over := slices.Contains(q.over, id)
		q.mu.Unlock()
		if over {
			return image.Errorf(image.Conflict, "pull %d is over already", id)
		}
		return image.Errorf(image.NotFound, "there is no running pull %d", id)
	}
	q.seal(r)
	queued := slices.Index(q.pending, r)
	if queued >= 0 {
		q.pending = slices.Delete(q.pending, queued, queued+1)
	} else {
		r.cancel(&cancelledBy{by})
	}
	q.mu.Unlock()
	if queued >= 0 {
		q.finish(r, &cancelledBy{by})
		return nil
	}
	select {
	case <-r.over:
		if state := r.snapshot().State; state == Done || state == Failed {
			return image.Errorf(image.Conflict, "pull %d is over already", id)
		}
	case <-time.After(cancelWait):
	}
	return nil
}

// Get gives a live job: one that is queued or running.
func (q *Queue) Get(id int64) (Job, bool) {
	q.mu.Lock()
	r := q.live[id]
	q.mu.Unlock()
	if r == nil {
		return Job{}, false
	}
	return r.snapshot(), true
}

// Active lists the live jobs, oldest first.
func (q *Queue) Active() []Job {
	q.mu.Lock()
	runs := make([]*run, 0, len(q.live))
	for _, r := range q.live {
		runs = append(runs, r)
	}
	q.mu.Unlock()
	slices.SortFunc(runs, func(a, b *run) int { return int(a.id - b.id) })
	jobs := make([]Job, len(runs))
	for i, r := range runs {
		jobs[i] = r.snapshot()
	}
	return jobs
}

// wanted finds a blob among those that live pulls of a repository bring.
func (q *Queue) wanted(repo image.Repository, d image.Digest) (image.Descriptor, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.live {
		if r.reference.Repository != repo {
			continue
		}
		if found, ok := r.brings(d); ok {
			return found, true
		}
	}
	return image.Descriptor{}, false
}

// ActiveCount gives how many jobs are live.
func (q *Queue) ActiveCount() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.live)
}

// Subscribe watches a live job. The channel holds its newest state: the one of now, then changed ones, a few
// a second at most, and at once when the job's own state changes. A reader that is slow skips states. The
// channel is closed when the job is over, after its final state, or when the queue closes; for a job that is
// not live it is closed from the start, and the shelf has the record. cancel frees it, as often as called.
func (q *Queue) Subscribe(id int64) (states <-chan Job, cancel func()) { return q.broker.subscribe(id) }

// Close stops the queue and waits for its workers until ctx ends; the error is then that of ctx. Jobs that
// are not over stay unfinished on the shelf and go on at the next start, with what they have fetched.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	q.closing = true
	waiting := slices.Clone(q.pending)
	q.mu.Unlock()
	q.surveys.close()
	q.close(errClosing)
	for _, r := range waiting {
		q.broker.close(r.id)
	}
	stopped := make(chan struct{})
	go func() {
		q.wg.Wait()
		q.surveys.wg.Wait()
		q.fetcher.close()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close pull queue: %w", ctx.Err())
	}
}
