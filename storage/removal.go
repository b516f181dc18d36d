package storage

import (
	"context"
	"database/sql"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf/removal"
)

// Removed is a deletion that was carried out, or the plan that holds now where it was not.
type Removed struct {
	Plan  image.RemovalPlan
	ID    int64     // to undo it by; 0 where it cannot be undone
	Until time.Time // until when
}

// PlanRemoval works out what deleting would do, without doing it. Things that the rules refuse, or that are not stored,
// come back as items with a Refusal; the error is of kind NotFound where none of them is stored.
func (s *Store) PlanRemoval(ctx context.Context, asked image.Removal) (image.RemovalPlan, error) {
	return s.plan(ctx, func(tx *sql.Tx) (removal.Plan, error) { return s.planRemoval(ctx, tx, asked) })
}

// PlanPrune works out what a prune would do, without doing it.
func (s *Store) PlanPrune(ctx context.Context, asked image.Prune) (image.RemovalPlan, error) {
	if err := s.beforePrune(ctx, asked); err != nil {
		return image.RemovalPlan{}, err
	}
	return s.plan(ctx, func(tx *sql.Tx) (removal.Plan, error) { return s.planPrune(ctx, tx, asked) })
}

// beforePrune has the database know what was handed out until now, where a prune asks for it.
func (s *Store) beforePrune(ctx context.Context, asked image.Prune) error {
	if asked.Unused.IsZero() {
		return nil
	}
	return s.WriteHandedOut(ctx)
}

func (s *Store) plan(ctx context.Context, f func(tx *sql.Tx) (removal.Plan, error)) (plan image.RemovalPlan, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		p, err := f(tx)
		plan = p.Shown
		return err
	})
	return plan, err
}

// Remove carries out the plan with the given fingerprint. When the shelf has changed so that the plan is
// another now, nothing is done and the error is of kind Conflict; so it is when the rules refuse all of it. The plan
// that holds now is returned in each case. Files go in the background: once nothing can be undone any more, after the
// rows.
func (s *Store) Remove(ctx context.Context, asked image.Removal, fingerprint image.Digest, by string) (Removed, error) {
	return s.remove(ctx, fingerprint, by, func(tx *sql.Tx) (removal.Plan, error) { return s.planRemoval(ctx, tx, asked) })
}

// Prune carries out the plan with the given fingerprint, as Remove does. Where nothing is to be pruned, nothing is
// done.
func (s *Store) Prune(ctx context.Context, asked image.Prune, fingerprint image.Digest, by string) (Removed, error) {
	if err := s.beforePrune(ctx, asked); err != nil {
		return Removed{}, err
	}
	return s.remove(ctx, fingerprint, by, func(tx *sql.Tx) (removal.Plan, error) { return s.planPrune(ctx, tx, asked) })
}

func (s *Store) remove(ctx context.Context, fingerprint image.Digest, by string, f func(tx *sql.Tx) (removal.Plan, error)) (Removed, error) {
	done, err := s.removeWithin(ctx, s.window, fingerprint, by, f)
	if s.window > 0 && image.KindOf(err) == image.DiskFull {
		// What is needed to undo it takes space. Deleting has to work on a full disk all the same.
		s.log.Warn("the disk is full: what is deleted cannot be undone", "error", err)
		done, err = s.removeWithin(ctx, 0, fingerprint, by, f)
	}
	if err == nil {
		s.keeper.tagsChanged()
	}
	return done, err
}

func (s *Store) removeWithin(ctx context.Context, window time.Duration, fingerprint image.Digest, by string, f func(tx *sql.Tx) (removal.Plan, error)) (Removed, error) {
	var done Removed
	err := s.updateAnyway(ctx, func(tx *sql.Tx) error {
		p, err := f(tx)
		if err != nil {
			return err
		}
		done.Plan = p.Shown
		if err := p.Refused(); err != nil {
			return err
		}
		if p.Shown.Fingerprint != fingerprint {
			return image.Errorf(image.Conflict, "the shelf has changed since this plan was made").
				Suggest("Look at the plan as it is now and confirm it again.")
		}
		if p.Shown.Totals.Items == 0 {
			return nil
		}
		done.ID, done.Until, err = s.carryOut(ctx, tx, p, by, window)
		return err
	})
	if err != nil {
		done.ID, done.Until = 0, time.Time{}
	}
	return done, err
}
