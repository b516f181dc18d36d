package pull

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/docker"
)

const (
	tagsAhead = 4               // tags that are resolved while another is being fetched
	freshFor  = time.Minute     // a tag that was resolved longer ago is resolved anew before it is fetched
	saveEvery = 5 * time.Second // how often the lines of the tags are saved, at most
)

// maxTagLines is how many tags have lines of their own in the outcome. More are left to the lines of the tags: nobody
// reads them, and each watcher and the record would carry them.
const maxTagLines = 200

// batch is a pull of all tags at work. One tag is fetched at a time, its layers side by side, so that tags
// become whole one after the other; the next few are resolved meanwhile. Each is recorded as soon as it is
// whole, and so stays whatever comes after.
type batch struct {
	*worker
	all     AllTags // as asked for
	tags    []string
	brought map[string]image.Digest // what the same job has brought before the server stopped
	failed  map[image.Digest]error  // why what other tags point to could not be fetched
	silent  int                     // tags in a row that the registry did not answer for
	saved   time.Time
	lines   tagLines
}

// pullAll lists the tags, then brings and records one after the other. Where a Survey has told what they take, the disk
// has room for all of them before the first is fetched; else each has to find room. Tags that fail do not hold up the
// rest, unless what they failed for hits each tag: then the error is that, and the rest stays waiting.
func (w *worker) pullAll(ctx context.Context, all AllTags) error {
	repo := all.Ref.Repository
	tags, err := w.q.resolver.Tags(ctx, repo, all.Match, w.retry)
	if err != nil {
		return err
	}
	b := &batch{worker: w, all: all, tags: tags, failed: make(map[image.Digest]error), saved: w.q.now(),
		lines: tagLines{run: w.job, at: -1}}
	b.brought = b.lines.list(tags)
	expected := w.q.surveys.expected(surveyKey(repo, all.Match, all.Platforms))
	w.q.jobs.Advance(w.job, func(j *job.Job) {
		j.State = job.Pulling
		if all.Expected == 0 { // else it goes on after a restart
			now, _ := j.Detail.(AllTags)
			now.Expected = expected
			j.Detail = now
		}
	})
	if w.room, err = w.q.space.Reserve(expected); err != nil {
		return err
	}
	defer w.room.Release()
	w.job.Refresh(b.lines.count)
	defer w.job.Refresh(nil)
	ahead, cancel := context.WithCancel(ctx)
	next, wait := b.resolveAhead(ahead)
	defer func() {
		cancel()
		wait()
	}()
	for i := range tags {
		b.lines.begin(i)
		var p *resolve.Plan
		var change shelf.Change
		err := guard.Do(func() (err error) {
			p, change, err = b.pullTag(ctx, next)
			return err
		})
		if ctx.Err() != nil && err != nil {
			b.lines.leave()
			w.q.jobs.Save(w.job) // a queue that closes does not
			return context.Cause(ctx)
		}
		if err := b.settle(tags[i], p, change, err); err != nil {
			return err
		}
		if now := w.q.now(); now.Sub(b.saved) >= saveEvery {
			b.saved = now
			w.q.jobs.Save(w.job)
		}
	}
	return b.outcome()
}

// resolved is a tag that is being resolved, or was.
type resolved struct {
	tag  string
	done chan struct{} // closed when the rest is set
	plan *resolve.Plan
	err  error
	at   time.Time
}

func (b *batch) want(tag string) resolve.Want {
	return resolve.Want{Reference: b.all.Ref.WithTag(tag), Platforms: b.all.Platforms, Partly: true}
}

// resolveAhead resolves the tags in their order, a few ahead of whoever receives them, until ctx ends; wait
// returns when it has come to rest.
func (b *batch) resolveAhead(ctx context.Context) (next <-chan *resolved, wait func()) {
	ch := make(chan *resolved, tagsAhead-1) // one more is in the hands of the receiver
	var all sync.WaitGroup
	all.Go(func() {
		for _, tag := range b.tags {
			t := &resolved{tag: tag, done: make(chan struct{})}
			select {
			case ch <- t:
			case <-ctx.Done():
				return
			}
			all.Go(func() {
				defer close(t.done)
				t.err = guard.Do(func() (err error) {
					t.plan, err = b.q.resolver.Plan(ctx, b.want(tag), b.retry, nil)
					return err
				})
				t.at = b.q.now()
			})
		}
	})
	return ch, all.Wait
}

// pullTag fetches and records the next tag. There is no plan where it could not be resolved.
func (b *batch) pullTag(ctx context.Context, next <-chan *resolved) (p *resolve.Plan, c shelf.Change, err error) {
	var t *resolved
	select {
	case t = <-next:
	case <-ctx.Done():
		return nil, shelf.Change{}, context.Cause(ctx)
	}
	select {
	case <-t.done:
	case <-ctx.Done():
		return nil, shelf.Change{}, context.Cause(ctx)
	}
	p, err = t.plan, t.err
	stale := b.q.now().Sub(t.at) > freshFor
	for range maxMoves {
		if stale {
			p, err = b.q.resolver.Plan(ctx, b.want(t.tag), b.retry, nil)
		}
		if err != nil {
			return nil, shelf.Change{}, err
		}
		b.lines.pointsTo(p.Digest)
		if err := b.failed[p.Digest]; err != nil {
			return p, shelf.Change{}, err
		}
		c, err = b.fetch(ctx, p, b.job.Show)
		if err == nil {
			return p, c, nil
		}
		if !errors.Is(err, shelf.ErrMoved) {
			b.failed[p.Digest] = err
			return p, shelf.Change{}, err
		}
		stale = true
	}
	return p, shelf.Change{}, keptMoving(b.all.Ref.WithTag(t.tag))
}

// settle shows how a tag ended. The error is one that ends the job.
func (b *batch) settle(tag string, p *resolve.Plan, c shelf.Change, err error) error {
	kind := image.KindOf(err)
	if p == nil && kind == image.Unavailable {
		b.silent++
	} else {
		b.silent = 0
	}
	switch {
	case err == nil:
		b.tagDone(tag, p, c)
		return nil
	case kind == image.NoPlatform, kind == image.NotImage:
		b.lines.end(func(l *TagLine) { l.State, l.Problem, l.Bytes, l.Size = TagSkipped, job.ProblemOf(err), 0, 0 })
		return nil
	}
	b.lines.end(func(l *TagLine) { l.State, l.Problem = TagFailed, job.ProblemOf(err) })
	if hitsAll(err) || b.silent >= unreachable {
		return err
	}
	job.LogFailure(b.q.log.With("job", b.job.ID(), "reference", b.all.Ref.WithTag(tag).String()), "tag not pulled", err)
	return nil
}

func (b *batch) tagDone(tag string, p *resolve.Plan, c shelf.Change) {
	b.tellPassed(p) // in the log alone: the lines would be too many
	newer := c.Newer || b.brought[tag] == p.Digest
	b.lines.end(func(l *TagLine) {
		l.State = TagUpToDate
		if newer {
			l.State = TagDone
		}
		if p.Missing != nil {
			l.Problem = job.ProblemOf(p.Missing)
		}
	})
	b.job.Change(func(j *job.Job) {
		j.Outcome.Newer = j.Outcome.Newer || newer
		for _, platform := range p.KnownPlatforms() {
			if !slices.Contains(j.Outcome.Pulled, platform) {
				j.Outcome.Pulled = append(j.Outcome.Pulled, platform)
			}
		}
	})
}

// outcome ends the job after its last tag.
func (b *batch) outcome() error {
	repo, lines := b.all.Ref.Repository, b.lines.now()
	var failed, skipped int
	kind := image.Internal
	for _, l := range lines {
		switch l.State {
		case TagSkipped:
			skipped++
		case TagFailed:
			if failed++; kind == image.Internal {
				kind = l.Problem.Kind
			}
		}
	}
	if failed > 0 {
		if kind == image.Internal { // the log has it; that the others are there is for people to see
			kind = image.Unavailable
		}
		return image.Errorf(kind, "%d of %d tags of %s could not be pulled", failed, len(lines), repo.Familiar()).
			Suggest("Pull them again: what is here already is not fetched again.")
	}
	if skipped == len(lines) {
		want := b.all.Platforms
		if len(want) == 0 {
			want = []image.Platform{b.q.standard}
		}
		return image.Errorf(image.NoPlatform, "none of %d tags of %s has an image for %s", skipped, repo.Familiar(),
			resolve.Named(want)).
			Suggest("Choose one of the platforms that its tags have.")
	}
	var told []image.Reference
	if len(lines) <= maxTagLines {
		for _, l := range lines {
			if l.State == TagDone || l.State == TagUpToDate {
				told = append(told, image.Reference{Repository: repo, Tag: l.Tag, Digest: l.Digest})
			}
		}
	}
	b.job.Change(func(j *job.Job) { j.Outcome.Lines = docker.OutcomeOfAll(repo, told, j.Outcome.Newer) })
	return nil
}
