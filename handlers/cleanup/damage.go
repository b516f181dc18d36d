package cleanup

import (
	"context"

	"github.com/stowage/stowage/views/cleanup"
)

const (
	shownDamaged     = 50 // blobs that the Storage page names
	shownDamagedUses = 5  // references of each
)

// damaged lists the blobs that are damaged on the disk, for the Storage page.
func (h *Storage) damaged(ctx context.Context) (v cleanup.DamagedView, err error) {
	v.Blobs, v.Total, err = h.Blobs.Damaged(ctx, shownDamaged, shownDamagedUses)
	return v, err
}
