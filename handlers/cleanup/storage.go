package cleanup

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/cleanup"
	"github.com/stowage/stowage/views/ui"
)

const (
	// usagePatience is how long the Storage page waits for what it shows to be counted: long enough for a small shelf.
	usagePatience = 250 * time.Millisecond
	// countRefresh is after how many seconds browsers without scripting look for a first count again.
	countRefresh = 2
	shownPins    = 20
	shownParts   = 5 // layers that were fetched in part
)

// Page answers GET /storage: what uses the disk and what could be freed, or for htmx the parts that were being
// counted.
func (h *Storage) Page(c echo.Context) error {
	v, err := h.storageView(c.Request().Context())
	if err != nil {
		return err
	}
	if page.Partial(c) {
		return page.Render(c, http.StatusOK, cleanup.StorageParts(v))
	}
	ctx := c.Request().Context()
	if v.Damaged, err = h.damaged(ctx); err != nil {
		return err
	}
	removals, err := h.Removals.Removals(ctx)
	if err != nil {
		return err
	}
	pins, total, err := h.Tags.Pins(ctx, shownPins)
	if err != nil {
		return err
	}
	chrome := h.Site.Chrome(c, cleanup.StorageTitle(ctx), ui.NavStorage)
	if v.Counted.At.IsZero() && !v.Failed {
		chrome.Refresh = countRefresh
	}
	return page.Render(c, http.StatusOK,
		cleanup.StoragePage(chrome, v, cleanup.RemovalsList(removals, address.StoragePath),
			cleanup.PinsList(pins, total, address.StoragePath)))
}

// Sweep answers POST /storage/sweep: what waits to be swept goes now, and cannot come back.
func (h *Storage) Sweep(c echo.Context) error {
	ctx := c.Request().Context()
	by := h.Site.Requester(c)
	files, bytes, err := h.Sweeper.Sweep(ctx, by)
	if err != nil {
		return err
	}
	h.Log.Info("freed what was waiting to be swept", "files", files, "bytes", bytes, "by", by)
	return page.Redirect(c, address.StoragePath,
		ui.Flash{Kind: ui.KindSuccess, Text: cleanup.SweptText(ctx, files, bytes)})
}

// SweepAddress answers GET /storage/sweep, the address of a refused form that is loaded again.
func (h *Storage) SweepAddress(c echo.Context) error {
	return c.Redirect(http.StatusSeeOther, address.StoragePath)
}

// FreeUnfinished answers POST /storage/unfinished: what pulls have left that did not finish goes now.
func (h *Storage) FreeUnfinished(c echo.Context) error {
	ctx := c.Request().Context()
	freed, err := h.Space.FreeUnfinished(ctx, h.Site.Requester(c))
	if err != nil {
		return err
	}
	return page.Redirect(c, address.StoragePath,
		ui.Flash{Kind: ui.KindSuccess, Text: cleanup.FreedText(ctx, freed.Files, freed.Bytes)})
}

// storageView reads what the page shows. What takes time comes from the last count.
func (h *Storage) storageView(ctx context.Context) (cleanup.StorageView, error) {
	u, current, err := h.Usage.Usage(ctx, usagePatience)
	if ctx.Err() != nil {
		return cleanup.StorageView{}, ctx.Err()
	}
	// the store has logged why
	v := cleanup.StorageView{Current: current, Failed: err != nil, Open: h.Folder.OpenToOthers()}
	if v.Disk, err = h.Usage.DiskUse(ctx, u); err != nil {
		return v, err
	}
	parts, left, err := h.Space.Unfinished(ctx, shownParts)
	if err != nil {
		return v, err
	}
	v.Left = cleanup.LeftOver{Parts: parts, More: left.Files - len(parts), Bytes: left.Bytes}
	if h.Site.ActivePulls() == 0 { // else some of it belongs to pulls that run
		v.Left.Bytes += u.Files.Loose
	}
	if !u.At.IsZero() {
		v.Counted = counted(ctx, u)
		totals := u.Reclaimable.Plan
		totals.Images, totals.Freed = u.Reclaimable.Images, u.Reclaimable.Dangling
		summary := cleanup.SummaryOf(shelf.RemovalPlan{Totals: totals})
		v.Prune.Summary = &summary
	}
	return v, nil
}

// counted turns a count into what the page shows of it.
func counted(ctx context.Context, u shelf.Usage) cleanup.Counted {
	v := cleanup.Counted{
		At: u.At, Blobs: u.Blobs, Copies: u.Copies, Unpacked: u.Unpacked, Pending: u.Layers.Pending, Broken: u.Layers.Broken,
		Dangling: u.Reclaimable.Dangling, Unpinned: u.Reclaimable.Unpinned, Repositories: len(u.Repositories) + u.Others,
		Top: u.Repositories, Largest: u.Largest,
	}
	unfinished := u.Files.Loose + u.Files.Partial
	v.Parts = append(cleanup.RepositoryParts(ctx, v.Top, u.Others, u.OtherBytes, u.Blobs+u.Waiting+unfinished),
		cleanup.CommonParts(ctx, u.Shared, u.Dangling, u.Waiting, unfinished)...)
	return v
}
