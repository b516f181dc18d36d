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
)

// errSurveyEnds ends the work on a survey that has a Problem already.
var errSurveyEnds = errors.New("survey cannot go on")

// survey finds out what there is to be known, until its context ends.
func (q *Queue) survey(s *survey) {
	err := guard.Do(func() error { return q.surveyTags(s) })
	if s.ctx.Err() != nil {
		return // nobody asks any more, or the queue closes: it is not done
	}
	var p *guard.Panic
	if errors.As(err, &p) {
		q.log.Error("survey failed", "repository", string(s.repository), "error", err, "stack", string(p.Stack))
		s.fails(err, q.now())
	}
	s.done(q.now())
}

func (q *Queue) surveyTags(s *survey) error {
	repo, match := s.repository, s.known.Match
	tags, err := q.tags(s.ctx, repo, match, q.surveyAsker)
	if err != nil {
		s.cannotBegin(err, q.now())
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
			return guard.Do(func() error { return q.surveyTag(ctx, s, image.Reference{Repository: repo, Tag: tag}) })
		})
	}
	return g.Wait()
}

// surveyAsker tries twice where that may help. A rate limit is not waited for: somebody looks at the survey,
// and can ask again.
func (q *Queue) surveyAsker(ctx context.Context, request func(context.Context) error) error {
	b := q.fetcher.Backoff()
	b.Tries = min(b.Tries, 2)
	var limit error
	err := b.Retry(ctx, q.now, func(ctx context.Context) error {
		err := request(ctx)
		if image.KindOf(err) == image.RateLimited {
			limit = err
			return errSurveyEnds
		}
		return err
	}, nil)
	if limit != nil {
		return limit
	}
	return err
}

// surveyTag finds out about one tag. The error ends the survey.
func (q *Queue) surveyTag(ctx context.Context, s *survey, ref image.Reference) error {
	head, err := q.resolver.head(ctx, ref, q.surveyAsker)
	if err == nil {
		if !s.points(head.Digest, q.now()) {
			return nil // another tag's turn finds out
		}
		var found finding
		if found, err = q.surveyDigest(ctx, s, head, ref); err == nil {
			if s.counts(head.Digest, found, q.now(), q.resolver.here) {
				return nil
			}
			s.fails(image.Errorf(image.TooLarge, "the tags have more than %d different layers", surveyLayers), q.now())
			return errSurveyEnds
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if kind := image.KindOf(err); kind == image.Internal {
		q.log.Error("tag not surveyed", "reference", ref.String(), "error", err, "cause", job.Cause(err))
	}
	if s.cannotRead(head.Digest, err, q.now()) || hitsAll(err) {
		s.fails(err, q.now())
		return errSurveyEnds
	}
	return nil
}

// finding is what a digest turned out to be.
type finding struct {
	lacking bool
	offered []image.Platform
	layers  []image.Descriptor // and what describes the images
}

// surveyDigest reads an index and those of its manifests that would be pulled, or one manifest.
func (q *Queue) surveyDigest(ctx context.Context, s *survey, head image.Descriptor, ref image.Reference) (finding, error) {
	f, err := q.look(ctx, ref.Repository, head, want{Reference: ref, platforms: s.known.Platforms, partly: true})
	if kind := image.KindOf(err); err != nil && (kind == image.NotImage || kind == image.NoPlatform) {
		return finding{lacking: true, offered: f.offered}, nil
	}
	return f, err
}

func (q *Queue) look(ctx context.Context, repo image.Repository, head image.Descriptor, w want) (f finding, err error) {
	doc, err := q.resolver.document(ctx, repo, head, q.surveyAsker)
	if err != nil {
		return f, err
	}
	all, err := q.resolver.leaves(ctx, repo, doc, q.surveyAsker)
	if err != nil {
		return f, err
	}
	entries, choices, missing, err := q.chooseOf(ctx, w, all, q.surveyAsker)
	if err != nil {
		return f, err
	}
	f.offered = present(entries)
	if len(choices) == 0 {
		return f, lacking(w.Reference, missing, entries)
	}
	for _, c := range choices {
		entry := all[c.Entry].Entry
		m, err := q.resolver.manifest(ctx, repo, entry.Descriptor, q.surveyAsker)
		if err != nil {
			return f, err
		}
		if !entry.Platform.Known() {
			config, err := q.resolver.config(ctx, repo, m.Manifest)
			if err != nil {
				return f, err
			}
			if p := config.Platform(); p.Known() && !slices.Contains(f.offered, p) {
				f.offered = append(f.offered, p)
			}
			// As a pull does: an image that is for none of the platforms fails its tag.
			want := w.wants(c)
			if len(want) > 0 && !slices.ContainsFunc(want, func(p image.Platform) bool { return runsOn(config, p) }) {
				return f, noPlatform(w.Reference, want, f.offered)
			}
		}
		f.layers = append(f.layers, m.Manifest.Layers...)
		for _, a := range q.attestations(ctx, repo, all, all[c.Entry]).Found {
			f.layers = append(f.layers, a.Statements...)
		}
	}
	return f, nil
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
func (s *survey) counts(d image.Digest, f finding, now time.Time, here func(image.Descriptor) int64) bool {
	s.mu.Lock()
	var fresh []image.Descriptor
	for _, l := range f.layers {
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
	is.read, is.lacking = true, f.lacking
	s.silent = 0
	s.known.Size += size
	s.known.Here += stored
	s.known.Fetch += size - stored
	for _, p := range f.offered {
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
