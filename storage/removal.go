package storage

import (
	"context"
	"database/sql"
	"errors"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/removal"
	"github.com/stowage/stowage/storage/database"
)

// planning works out a plan on one snapshot of the database.
type planning func(ctx context.Context, q database.Querier) (removal.Plan, error)

func (s *Removals) planningRemoval(asked shelf.Removal) planning {
	return func(ctx context.Context, q database.Querier) (removal.Plan, error) {
		return s.planRemoval(ctx, q, asked)
	}
}

func (s *Removals) planningPrune(asked shelf.Prune) planning {
	return func(ctx context.Context, q database.Querier) (removal.Plan, error) { return s.planPrune(ctx, q, asked) }
}

// PlanRemoval works out what deleting would do, without doing it. Things that the rules refuse, or that are not stored,
// come back as items with a Refusal; the error is of kind NotFound where none of them is stored.
func (s *Removals) PlanRemoval(ctx context.Context, asked shelf.Removal) (shelf.RemovalPlan, error) {
	p, _, err := s.plan(ctx, s.planningRemoval(asked))
	return p.Shown, err
}

// PlanPrune works out what a prune would do, without doing it.
func (s *Removals) PlanPrune(ctx context.Context, asked shelf.Prune) (shelf.RemovalPlan, error) {
	if err := s.beforePrune(ctx, asked); err != nil {
		return shelf.RemovalPlan{}, err
	}
	p, _, err := s.plan(ctx, s.planningPrune(asked))
	return p.Shown, err
}

// beforePrune has the database know what was handed out until now, where a prune asks for it.
func (s *Removals) beforePrune(ctx context.Context, asked shelf.Prune) error {
	if asked.Unused.IsZero() {
		return nil
	}
	return s.downloads.WriteDownloads(ctx)
}

// plan works out a plan, and returns the number of the last change that it knows of.
func (s *Removals) plan(ctx context.Context, f planning) (p removal.Plan, change int64, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		if change, err = database.ChangeNumber(ctx, tx); err == nil {
			p, err = f(ctx, tx)
		}
		return err
	})
	return p, change, err
}

// Remove carries out the plan with the given fingerprint. When the shelf has changed so that the plan is
// another now, nothing is done and the error is of kind Conflict; so it is when the rules refuse all of it. The plan
// that holds now is returned in each case. Files go in the background: once nothing can be undone any more, after the
// rows.
func (s *Removals) Remove(
	ctx context.Context, asked shelf.Removal, fingerprint image.Digest, by image.Actor,
) (shelf.Removed, error) {
	return s.remove(ctx, fingerprint, by, s.planningRemoval(asked))
}

// Prune carries out the plan with the given fingerprint, as Remove does. Where nothing is to be pruned, nothing is
// done.
func (s *Removals) Prune(
	ctx context.Context, asked shelf.Prune, fingerprint image.Digest, by image.Actor,
) (shelf.Removed, error) {
	if err := s.beforePrune(ctx, asked); err != nil {
		return shelf.Removed{}, err
	}
	return s.remove(ctx, fingerprint, by, s.planningPrune(asked))
}

// replanned is how often a plan that somebody touched while it was carried out is begun again.
const replanned = 5

// remove plans outside of any transaction that writes, and carries the plan out if it is the one that was confirmed.
func (s *Removals) remove(
	ctx context.Context, fingerprint image.Digest, by image.Actor, f planning,
) (done shelf.Removed, err error) {
	if err := s.begin(ctx); err != nil {
		return shelf.Removed{}, err
	}
	defer s.end()
	for range replanned {
		p, change, err := s.plan(ctx, f)
		if err != nil {
			return shelf.Removed{}, err
		}
		done.Plan = p.Shown
		if err := p.Refused(); err != nil {
			return done, err
		}
		if p.Shown.Fingerprint != fingerprint {
			break
		}
		if p.Shown.Totals.Items == 0 {
			return done, nil
		}
		done.ID, done.Until, err = s.carryOut(ctx, p, change, by)
		if !errors.Is(err, errTouched) {
			s.changed()
			return done, err
		}
	}
	return done, image.Errorf(image.Conflict, "the shelf has changed since this plan was made").
		Suggest("Look at the plan as it is now and confirm it again.")
}
