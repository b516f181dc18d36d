package pull

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/pull/resolve"
)

// errSurveyEnds ends the work on a survey that has a Problem already.
var errSurveyEnds = errors.New("survey cannot go on")

// run finds out what there is to be known, until the survey's context ends.
func (all *surveys) run(s *survey) {
	err := guard.Do(func() error { return all.readTags(s) })
	if s.ctx.Err() != nil {
		return // nobody asks any more, or the queue closes: it is not done
	}
	var p *guard.Panic
	if errors.As(err, &p) {
		all.log.Error("survey failed", "repository", string(s.repository), "error", err, "stack", string(p.Stack))
		s.fails(err, all.now())
	}
	s.done(all.now())
}

func (all *surveys) readTags(s *survey) error {
	repo, match := s.repository, s.known.Match
	tags, err := all.resolver.Tags(s.ctx, repo, match, all.brief)
	if err != nil {
		s.cannotBegin(err, all.now())
		return nil
	}
	s.mu.Lock()
	s.known.Tags = len(tags)
	s.mu.Unlock()
	g, ctx := errgroup.WithContext(s.ctx)
	g.SetLimit(surveyHeads)
	for _, tag := range tags {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			return guard.Do(func() error { return all.readTag(ctx, s, image.Reference{Repository: repo, Tag: tag}) })
		})
	}
	return g.Wait()
}

// readTag finds out about one tag. The error ends the survey.
func (all *surveys) readTag(ctx context.Context, s *survey, ref image.Reference) error {
	head, err := all.resolver.Head(ctx, ref, all.brief)
	if err == nil {
		if !s.points(head.Digest, all.now()) {
			return nil // another tag's turn finds out
		}
		found, lacking, failed := all.readDigest(ctx, s, head, ref)
		if err = failed; err == nil {
			if s.counts(head.Digest, found, lacking, all.now(), all.resolver.Here) {
				return nil
			}
			s.fails(image.Errorf(image.TooLarge, "the tags have more than %d different layers", surveyLayers), all.now())
			return errSurveyEnds
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if kind := image.KindOf(err); kind == image.Internal {
		all.log.Error("tag not surveyed", "reference", ref.String(), "error", err, "cause", job.Cause(err))
	}
	if s.cannotRead(head.Digest, err, all.now()) || hitsAll(err) {
		s.fails(err, all.now())
		return errSurveyEnds
	}
	return nil
}

// readDigest reads an index and those of its manifests that would be pulled, or one manifest. lacking reports that
// there is none for the platforms.
func (all *surveys) readDigest(ctx context.Context, s *survey, head image.Descriptor, ref image.Reference) (
	f resolve.Finding, lacking bool, err error) {
	f, err = all.resolver.Look(ctx, head, resolve.Want{Reference: ref, Platforms: s.known.Platforms, Partly: true})
	if kind := image.KindOf(err); err != nil && (kind == image.NotImage || kind == image.NoPlatform) {
		return resolve.Finding{Offered: f.Offered}, true, nil
	}
	return f, false, err
}

// points notes that one more tag points to a digest; first tells that nobody reads it yet.
func (s *survey) points(d image.Digest, now time.Time) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := s.digests[d]
	if is == nil {
		s.digests[d] = &surveyed{tags: 1}
		s.known.Digests++
		return true
	}
	is.tags++
	if is.read {
		s.tagsKnown(1, is, now)
	}
	return false
}

// tagsKnown counts tags of which it is known what they point to. s.mu is held.
func (s *survey) tagsKnown(n int, is *surveyed, now time.Time) {
	s.known.Asked += n
	s.known.At = now
	if is.lacking {
		s.known.Lacking += n
	}
	if is.unread {
		s.known.Unread += n
	}
}

// counts adds what a digest turned out to be. It tells whether all layers could be counted.
func (s *survey) counts(d image.Digest, f resolve.Finding, lacking bool, now time.Time,
	here func(image.Descriptor) int64) bool {
	s.mu.Lock()
	var fresh []image.Descriptor
	for _, l := range f.Layers {
		if _, counted := s.layers[l.Digest]; !counted && len(s.layers) < surveyLayers {
			s.layers[l.Digest] = struct{}{}
			fresh = append(fresh, l)
		}
	}
	all := len(s.layers) < surveyLayers
	s.mu.Unlock()
	var size, stored int64
	for _, l := range fresh { // looks at the disk, so not under the lock
		size += l.Size
		stored += here(l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	is := s.digests[d]
	is.read, is.lacking = true, lacking
	s.silent = 0
	s.known.Size += size
	s.known.Here += stored
	s.known.Fetch += size - stored
	for _, p := range f.Offered {
		if !slices.Contains(s.known.Offered, p) && len(s.known.Offered) < image.MaxEntries {
			s.known.Offered = append(s.known.Offered, p)
		}
	}
	s.tagsKnown(is.tags, is, now)
	return all
}

// cannotRead notes that a tag, or all tags of a digest, could not be read. It tells whether the registry does
// not answer any more.
func (s *survey) cannotRead(d image.Digest, err error, now time.Time) (down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known.Problem == nil {
		s.known.Problem = job.ProblemOf(err)
		s.again = now.Add(surveyAgain)
	}
	is := &surveyed{tags: 1}
	if d != "" {
		is = s.digests[d]
	}
	is.read, is.unread = true, true
	s.tagsKnown(is.tags, is, now)
	if image.KindOf(err) == image.Unavailable {
		s.silent++
	}
	return s.silent >= unreachable
}

// fails ends the survey with a problem. Where the registry says when it answers again, that is when it may go
// on, unless that is far away: somebody may sign in before.
func (s *survey) fails(err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Problem, s.again = job.ProblemOf(err), now.Add(surveyAgain)
	if at := image.RetryTime(err); at.After(s.again) {
		s.again = at
	}
	if latest := now.Add(surveyFresh); s.again.After(latest) {
		s.again = latest
	}
}

// cannotBegin notes why there is nothing to be known.
func (s *survey) cannotBegin(err error, now time.Time) {
	s.fails(err, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// done notes that nothing more will change.
func (s *survey) done(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Done, s.known.At = true, now
}

// briefly makes requests twice where that may help. A rate limit is not waited for: somebody looks at what is found
// out, and can ask again.
func briefly(b fetch.Backoff, now func() time.Time) resolve.Retrier {
	b.Tries = min(b.Tries, 2)
	return func(ctx context.Context, request func(context.Context) error) error {
		var limit error
		err := b.Retry(ctx, now, func(ctx context.Context) error {
			err := request(ctx)
			if image.KindOf(err) == image.RateLimited {
				limit = err
				return errSurveyEnds // which is not tried again
			}
			return err
		}, nil)
		if limit != nil {
			return limit
		}
		return err
	}
}
