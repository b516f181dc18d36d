package mirror

import (
	"context"
	"time"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/shelf"
)

// Checks keeps what registries said of tags.
type Checks interface {
	// SaveChecks keeps answers about tags that are still stored, and returns the state that follows for each of them.
	SaveChecks(ctx context.Context, by image.Actor, all []shelf.Checked) ([]shelf.UpdateState, error)
}

// Tag returns where a tag points: as its registry says or, when that cannot be asked, as stored does, which is empty
// where nothing is. The registry is asked once for all who want to know at a time, and its answer holds for a while.
func (m *Mirror) Tag(ctx context.Context, ref image.Reference, stored image.Digest) (image.Digest, error) {
	ref = own(ref)
	s, known := m.tags.Get(ref)
	if !known || !m.jobs.Now().Before(s.until) {
		var late <-chan time.Time
		if stored != "" {
			timer := time.NewTimer(waitStored)
			defer timer.Stop()
			late = timer.C
		}
		answer := m.asking.DoChan(ref.String(), func() (any, error) { return m.ask(ref, stored), nil })
		select {
		case a := <-answer:
			s, _ = a.Val.(Standing)
		case <-late:
			s.Err = image.Errorf(image.Unavailable, "%s does not answer", ref.Repository.Host())
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
	switch {
	case s.Err == nil:
		m.docs.Put(ref.Repository.At(s.Digest), origin{reference: ref, target: s.Digest, asked: s.Heard,
			settled: s.Digest == stored})
		return s.Digest, nil
	case stored != "":
		m.counts.stale.Add(1)
		return stored, nil
	}
	return "", s.Err
}

// ask asks the registry about a tag and remembers the answer, unless one has come since the caller looked. Where
// another digest is stored, the answer counts once the registry has handed out what the tag points to: a rate limit
// mostly hits that alone.
func (m *Mirror) ask(ref image.Reference, stored image.Digest) Standing {
	now := m.jobs.Now()
	if s, known := m.tags.Get(ref); known && now.Before(s.until) {
		return s
	}
	m.counts.asked.Add(1)
	var head image.Descriptor
	err := m.request(ref, func(ctx context.Context) (err error) {
		if head, err = m.queue.Resolver().Head(ctx, ref, resolve.Once); err == nil && stored != "" && head.Digest != stored {
			_, err = m.queue.Resolver().ReadDocument(ctx, ref.Repository, head.Digest, resolve.Once)
		}
		return err
	})
	if err == nil {
		if took := m.jobs.Now().Sub(now); took > waitStored && stored != "" {
			m.log.Warn("the registry was slow to tell of a tag: what is stored was served meanwhile, and may be stale",
				"reference", ref.String(), "took", took)
		}
		m.note(ref, stored, shelf.Checked{Reference: ref, Answer: shelf.AnswerDigest, Upstream: head.Digest, At: now})
		return m.heard(ref, head.Digest, now)
	}
	until := m.askAgain(now, err)
	if image.KindOf(err) == image.NotFound {
		m.note(ref, stored, shelf.Checked{Reference: ref, Answer: shelf.AnswerGone, At: now})
	}
	if stored != "" {
		m.log.Warn("the registry could not be asked about a tag: what is stored is served, and may be stale",
			"reference", ref.String(), "error", err, "not_asked_again_before", until)
	}
	return m.tags.Change(ref, func(s Standing) Standing {
		if s.Heard.After(now) { // a pull has asked meanwhile
			return s
		}
		s.Asked, s.Err, s.until = now, err, until
		return s
	})
}

// note keeps what a registry said of a stored tag as a check for updates, so that its page knows what clients are told.
// That it is as stored, or as it was said before, is no news.
func (m *Mirror) note(ref image.Reference, stored image.Digest, c shelf.Checked) {
	before, _ := m.tags.Get(ref)
	if m.checks == nil || stored == "" || c.Upstream == stored && (before.Digest == stored || before.Digest == "") {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.jobs.Base()), noteTimeout)
	defer cancel()
	if _, err := m.checks.SaveChecks(ctx, image.Server, []shelf.Checked{c}); err != nil {
		m.log.Error("a check for updates is not kept", "reference", ref.String(), "error", err)
	}
}

// askAgain says when a registry is asked about a tag again after an error.
func (m *Mirror) askAgain(now time.Time, err error) time.Time {
	switch image.KindOf(err) {
	case image.NotFound:
		return now.Add(restMissing)
	case image.RateLimited:
		if at := image.RetryTime(err); !at.IsZero() {
			return clamp(at, now.Add(time.Second), now.Add(m.queue.Fetcher().Backoff().RateLimit))
		}
		return now.Add(RestLimited)
	}
	return now.Add(restFailed)
}

// heard takes a registry's answer about a tag and returns what is known then: of two answers the one that was asked for
// later.
func (m *Mirror) heard(ref image.Reference, d image.Digest, asked time.Time) Standing {
	return m.tags.Change(own(ref), func(s Standing) Standing {
		if s.Heard.After(asked) {
			return s
		}
		return Standing{Digest: d, Asked: asked, Heard: asked, until: asked.Add(m.fresh)}
	})
}

// request asks a registry for clients, who are not kept waiting for longer than askTimeout.
func (m *Mirror) request(ref image.Reference, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(m.jobs.Base(), askTimeout)
	defer cancel()
	err := guard.Do(func() error { return ask(ctx) })
	switch {
	case err == nil || ctx.Err() == nil || image.KindOf(err) != image.Internal:
		return err
	case m.jobs.Base().Err() != nil:
		return job.Stopping()
	}
	return image.Errorf(image.Unavailable, "%s does not answer", ref.Repository.Host()).Because(err)
}

func clamp(t, least, most time.Time) time.Time {
	if t.Before(least) {
		return least
	}
	if t.After(most) {
		return most
	}
	return t
}

// Standing returns what is known of a tag of a registry that is mirrored.
func (m *Mirror) Standing(ref image.Reference) (Standing, bool) {
	if !m.Covers(ref.Repository) {
		return Standing{}, false
	}
	return m.tags.Get(ref)
}
