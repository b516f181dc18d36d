package imagepage

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/ui"
)

// historySection shows where a tag pointed. For a digest, and for the digests that lead to an image ID, it
// shows when tags came there and left. ?older=ID leads to what came before an event.
func (h *Handlers) historySection(c echo.Context, s *subject) error {
	asked, err := address.ParseHistory(s.page(address.SectionHistory), c.QueryParams())
	if err != nil {
		return err
	}
	older := cmp.Or(asked.Older, math.MaxInt64)
	events, err := h.tagEvents(c, s, older)
	if err != nil {
		return err
	}
	v := historyView(events, s.Ref.Tag != "")
	if asked.Older > 0 {
		v.NewestURL = s.url(address.SectionHistory)
	}
	if len(events) >= shelf.MaxHistory {
		v.OlderURL = address.History{Of: asked.Of, Older: events[len(events)-1].ID}.String()
	}
	if s.Ref.Tag != "" {
		v.ComparePath = s.Base().At(address.SectionChanges).String()
		v.Points = historyPoints(events)
	}
	return h.renderImage(c, http.StatusOK, s, imagepage.HistorySection(v))
}

func (h *Handlers) tagEvents(c echo.Context, s *subject, older int64) ([]shelf.TagEvent, error) {
	ctx := c.Request().Context()
	switch {
	case s.Ref.Tag != "":
		return h.Tags.TagHistoryBefore(ctx, s.Ref.Repository, s.Ref.Tag, older)
	case s.Ref.Digest != "":
		return h.Tags.DigestHistoryBefore(ctx, s.Ref, older)
	}
	var all []shelf.TagEvent
	seen := map[int64]bool{}
	const most = 20 // digests, each of which may have a full page of events
	for _, digest := range s.names.Digests[:min(len(s.names.Digests), most)] {
		events, err := h.Tags.DigestHistoryBefore(ctx, digest, older)
		if err != nil {
			return nil, err
		}
		for _, e := range events { // a move between two of the digests is one event
			if !seen[e.ID] {
				seen[e.ID] = true
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b shelf.TagEvent) int { return cmp.Compare(b.ID, a.ID) })
	return all[:min(len(all), shelf.MaxHistory)], nil
}

// historyView shows events; ofTag where they are one tag's.
func historyView(events []shelf.TagEvent, ofTag bool) imagepage.HistoryView {
	v := imagepage.HistoryView{OfTag: ofTag}
	for _, e := range events {
		tag := image.Reference{Repository: e.Repository, Tag: e.Tag}
		ev := imagepage.TagEventView{
			Kind: imagepage.TagEventKind(e.Event), Tag: ui.Link{Label: tag.Familiar(), URL: address.Of(tag).String()},
			Old: historyLink(e.Repository, e.Old, e.OldStored), New: historyLink(e.Repository, e.New, e.NewStored), At: e.At,
			By: e.By, PullID: e.PullID, Uploaded: e.Uploaded,
		}
		if e.PullID != 0 {
			ev.PullURL = address.Pull{ID: e.PullID}.String()
		}
		if e.Old != "" && e.New != "" {
			ev.ChangesURL = address.ChangesOf(e.Repository, e.Old, e.New, image.Platform{}).String()
		}
		v.Events = append(v.Events, ev)
	}
	return v
}

// historyPoints returns the digests at which a tag has been, newest first, each once, as far as they are stored.
func historyPoints(events []shelf.TagEvent) []imagepage.HistoryPoint {
	var points []imagepage.HistoryPoint
	add := func(d image.Digest, stored bool, at time.Time) {
		same := func(p imagepage.HistoryPoint) bool { return p.Digest == d }
		if d != "" && stored && !slices.ContainsFunc(points, same) {
			points = append(points, imagepage.HistoryPoint{Digest: d, At: at})
		}
	}
	for _, e := range events {
		add(e.New, e.NewStored, e.At)
	}
	for _, e := range events { // where it was before its history begins
		add(e.Old, e.OldStored, time.Time{})
	}
	return points
}

// historyLink leads to a digest's permanent page while it is stored.
func historyLink(r image.Repository, d image.Digest, stored bool) ui.Link {
	l := ui.Link{Label: string(d)}
	if stored {
		l.URL = address.Of(image.Reference{Repository: r, Digest: d}).String()
	}
	return l
}
