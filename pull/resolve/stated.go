package resolve

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
)

// chooseOf chooses among the leaves of an index, as the form for it does. Where several entries say nothing of their
// platform, and one of them would be chosen, their configs say it: entries are the leaves with what is known then.
func (s *Resolver) chooseOf(ctx context.Context, w Want, all []leaf, retry Retrier) (
	entries []image.Entry, choices []Choice, missing []image.Platform, err error) {
	entries = entriesOf(all)
	choices, missing = choose(entries, w.Platforms, s.standard)
	if !guessed(entries, choices) {
		return entries, choices, missing, nil
	}
	if err := s.stated(ctx, w.Repository, entries, retry); err != nil {
		return nil, nil, nil, err
	}
	choices, missing = choose(entries, w.Platforms, s.standard)
	return entries, choices, missing, nil
}

// guessed reports whether an entry was chosen for the lack of a platform that others lack too.
func guessed(entries []image.Entry, choices []Choice) bool {
	silent := 0
	for _, e := range entries {
		if e.Kind == image.EntryImage && !e.Platform.Known() {
			silent++
		}
	}
	for _, c := range choices {
		if silent > 1 && !entries[c.Entry].Platform.Known() {
			return true
		}
	}
	return false
}

// stated fills the platforms of entries in that do not say theirs, by the configs of the first MaxOffers of them. One
// that is of no use is none of them any more: what is wrong with one image fails nobody who wants another.
func (s *Resolver) stated(ctx context.Context, repo image.Repository, entries []image.Entry, retry Retrier) error {
	var g errgroup.Group
	g.SetLimit(manifestsAtOnce)
	left := MaxOffers
	for i := range entries {
		e := &entries[i]
		if e.Kind != image.EntryImage || e.Platform.Known() || left == 0 {
			continue
		}
		left--
		g.Go(func() error {
			return guard.Do(func() error {
				p, err := s.statedBy(ctx, repo, e.Descriptor, retry)
				var known *image.Error
				switch kind := image.KindOf(err); {
				case err == nil:
					e.Platform = p
				case kind == image.Unavailable, kind == image.RateLimited, kind == image.Internal, !errors.As(err, &known):
					return err
				default:
					e.Kind, e.Problem = image.EntryOther, known
				}
				return nil
			})
		})
	}
	return g.Wait()
}

// statedBy returns the platform that the config of an entry says.
func (s *Resolver) statedBy(ctx context.Context, repo image.Repository, d image.Descriptor,
	retry Retrier) (image.Platform, error) {
	m, err := s.docs.manifest(ctx, repo, d, retry)
	if err != nil {
		return image.Platform{}, err
	}
	c, err := s.docs.config(ctx, repo, m.Manifest)
	if err != nil {
		return image.Platform{}, err
	}
	return c.Platform(), nil
}
