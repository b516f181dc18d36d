package marks

import (
	"context"

	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/text"
)

// DownloadTitle words it in full.
func DownloadTitle(ctx context.Context, d shelf.Download) string {
	if d.Last.IsZero() {
		return text.T(ctx, "downloads.never_title")
	}
	return text.T(ctx, "downloads.title", text.Count, d.Count, "Time", text.AbsoluteTime(d.Last))
}
