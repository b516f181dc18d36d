package cleanup

import (
	"context"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// mayRemove returns why who asks may not carry out a plan that was confirmed; nil where they may. Whoever may not touch
// what others have brought takes away what they brought themselves: all names that go are theirs. For that it is
// planned once more, and changed is the plan where it is another one by now.
func mayRemove(
	ctx context.Context, store RemovalStore, force bool, confirmed image.Digest,
	planned func() (shelf.RemovalPlan, error),
) (changed *shelf.RemovalPlan, err error) {
	if force {
		if err := auth.May(ctx, image.ActionForce, ""); err != nil {
			return nil, err
		}
	}
	everything := auth.MayOwned(ctx, image.ActionDelete, "")
	if everything == nil {
		return nil, nil
	}
	plan, err := planned()
	switch {
	case err != nil:
		return nil, err
	case plan.Fingerprint != confirmed:
		return &plan, nil
	case plan.Totals.Untagged == 0 || plan.Totals.Untagged > len(plan.Untagged):
		return nil, everything // nobody can say whose it is
	}
	for _, ref := range plan.Untagged {
		owner, err := store.PulledBy(ctx, ref)
		if err == nil {
			err = auth.MayOwned(ctx, image.ActionDelete, ref.Repository, owner)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// mayUndo returns why who asks may not undo a deletion; nil where they may.
func mayUndo(ctx context.Context, store RemovalStore, id int64) error {
	if auth.MayOwned(ctx, image.ActionDelete, "") == nil {
		return nil
	}
	all, err := store.Removals(ctx)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.ID == id {
			return auth.MayOwned(ctx, image.ActionDelete, "", image.ActorNamed(d.By))
		}
	}
	return image.Errorf(image.NotFound, "there is no deletion %d that can be undone", id).
		Suggest("Its time is over, or somebody has undone it. Pull the images again.")
}
