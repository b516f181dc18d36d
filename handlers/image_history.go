package handlers

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/views"
)

// maxEvents is how many events storage answers with at most, and how many one page shows.
const maxEvents = 500

// historySection shows where a tag pointed. For a digest, and for the digests that lead to an image ID, it
// shows when tags came there and left.
func (h *Handlers) historySection(c echo.Context, s *subject) error {
	events, err := h.tagEvents(c, s)
	if err != nil {
		return err
	}
	return h.renderImage(c, http.StatusOK, s, views.HistorySection(historyView(events, s.ref.Tag != "")))
}

func (h *Handlers) tagEvents(c echo.Context, s *subject) ([]storage.TagEvent, error) {
	ctx := c.Request().Context()
	switch {
	case s.ref.Tag != "":
		return h.store.TagHistory(ctx, s.ref.Repository, s.ref.Tag)
	case s.ref.Digest != "":
		return h.store.DigestHistory(ctx, s.ref)
	}
	var all []storage.TagEvent
	const most = 20 // digests, each of which may have a full page of events
	for _, digest := range s.names.Digests[:min(len(s.names.Digests), most)] {
		events, err := h.store.DigestHistory(ctx, digest)
		if err != nil {
			return nil, err
		}
		for _, e := range events { // a move between two of the digests is one event
			if !slices.Contains(all, e) {
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b storage.TagEvent) int { return b.At.Compare(a.At) })
	return all[:min(len(all), maxEvents)], nil
}

// historyView shows events; ofTag where they are one tag's.
func historyView(events []storage.TagEvent, ofTag bool) views.HistoryView {
	v := views.HistoryView{OfTag: ofTag, Clipped: len(events) >= maxEvents}
	for _, e := range events {
		tag := image.Reference{Repository: e.Repository, Tag: e.Tag}
		ev := views.TagEventView{
			Kind: views.TagEventKind(e.Event), Tag: views.Link{Label: tag.Familiar(), URL: views.ImageURL(tag)},
			Old: historyLink(e.Repository, e.Old, e.OldStored), New: historyLink(e.Repository, e.New, e.NewStored), At: e.At, By: e.By, PullID: e.PullID,
		}
		if e.PullID != 0 {
			ev.PullURL = views.PullURL(e.PullID)
		}
		v.Events = append(v.Events, ev)
	}
	return v
}

// historyLink leads to a digest's permanent page while it is stored.
func historyLink(r image.Repository, d image.Digest, stored bool) views.Link {
	l := views.Link{Label: string(d)}
	if stored {
		l.URL = views.ImageURL(image.Reference{Repository: r, Digest: d})
	}
	return l
}
