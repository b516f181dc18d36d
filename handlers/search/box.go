package search

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	views "github.com/stowage/stowage/views/search"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

const (
	fewestAsked = 2                       // characters that the box offers something for; static/app.js has the same
	boxRows     = 6                       // stored images that the box offers
	boxLooks    = 60                      // stored images among which the best matches are looked for
	boxHits     = 5                       // hits that the box offers
	boxDeadline = 1500 * time.Millisecond // for registries to answer, while somebody types
)

// Box answers GET /search/box?q=: what the box in the header offers while somebody types. What the text is
// and what the shelf has comes at once; with registries=1, what registries have. Errors in the text are part of
// the answer: it may not be finished.
func (h *Handlers) Box(c echo.Context) error {
	text := strings.TrimSpace(c.QueryParam("q"))
	if !page.Partial(c) { // somebody has opened the address itself
		return c.Redirect(http.StatusFound, address.Search{Query: text}.String())
	}
	if utf8.RuneCountInString(text) < fewestAsked {
		return page.Render(c, http.StatusOK, views.BoxPart(views.BoxView{}))
	}
	ctx := c.Request().Context()
	m, err := h.understand(ctx, text)
	var known *image.Error
	if err != nil && (!errors.As(err, &known) || known.Kind == image.Internal) {
		return err
	}
	if c.QueryParam("registries") == "1" {
		hits, err := h.boxHits(c, m)
		if err != nil {
			return err
		}
		return page.Render(c, http.StatusOK, views.BoxHitsPart(hits))
	}
	v := views.BoxView{Words: m.Words, Ask: m.Words != "" && page.MayAsk(c) && len(h.searchable()) > 0}
	if known != nil {
		problem := ui.NewErrorView(ctx, page.Status(known.Kind), known)
		v.Problem = strings.TrimSpace(problem.Message + " " + problem.Suggestion)
	}
	if err := h.boxStored(ctx, m, &v); err != nil {
		return err
	}
	return page.Render(c, http.StatusOK, views.BoxPart(v))
}

// boxStored adds what the shelf has, the best match first, and where the text itself leads to, unless that is
// among it.
func (h *Handlers) boxStored(ctx context.Context, m meaning, v *views.BoxView) error {
	v.Filter = m.Name
	if m.Ref.Repository != "" {
		v.Filter = m.Ref.Familiar()
	}
	if len(v.Filter) > docker.MaxFilter {
		v.Filter = ""
	}
	lead := boxLead(ctx, m)
	if v.Filter != "" {
		rows, matches, err := h.Lists.List(ctx,
			shelf.Query{Text: v.Filter, Sort: shelf.SortPulled, Descending: true, Limit: boxLooks})
		if err != nil {
			return err
		}
		v.Matches = matches
		rank := ranking(v.Filter)
		slices.SortStableFunc(rows, func(a, b shelf.Row) int { return rank(a) - rank(b) })
		for _, row := range rows[:min(len(rows), boxRows)] {
			v.Stored = append(v.Stored, views.BoxImage{
				Ref: row.Reference, Untagged: row.Reference.Tag == "", Platforms: row.Platforms, Created: row.Created,
			})
			if address.Of(row.Reference).String() == lead.URL {
				lead = views.BoxLead{}
			}
		}
	}
	if lead.URL == "" && m.Words != "" {
		var err error
		if lead, err = h.boxRepository(ctx, m.Words); err != nil {
			return err
		}
	}
	v.Lead = lead
	return nil
}

// boxLead words where a text leads to by itself.
func boxLead(ctx context.Context, m meaning) views.BoxLead {
	l := views.BoxLead{URL: m.Page, Ref: m.Ref}
	if m.Ref.Repository == "" {
		l.Text = m.Name
	}
	switch m.Lead {
	case leadsToImage:
		l.Icon, l.Note = ui.IconImage, text.T(ctx, "box.open")
		if address.IsLayer(m.Page) {
			l.Icon, l.Note = ui.IconLayers, text.T(ctx, "box.open_layer")
		}
	case leadsToPull:
		l.Icon, l.Note = ui.IconPull, text.T(ctx, "box.pull")
	case leadsToTags:
		l.Icon, l.Note = ui.IconTag, text.T(ctx, "box.pick")
	}
	return l
}

// boxRepository leads to the repository that words are the name of, where the shelf has several tags of it.
func (h *Handlers) boxRepository(ctx context.Context, words string) (views.BoxLead, error) {
	ref, err := image.ParseRepositoryReference(words)
	if err != nil || ref.Tag != "" || ref.Digest != "" {
		return views.BoxLead{}, nil // no name that a repository could have
	}
	totals, err := h.Lists.RepositoryTotals(ctx, ref.Repository)
	if err != nil || totals.Tags < 2 {
		return views.BoxLead{}, err
	}
	note := text.T(ctx, "box.tags", text.Count, totals.Tags)
	return views.BoxLead{URL: address.Of(ref).String(), Icon: ui.IconImage, Ref: ref, Note: note}, nil
}

// ranking returns how well a row matches a typed text, best first: it is what was typed, of the repository that
// was typed, begins so with or without what stands before the last slash, or has it somewhere.
func ranking(text string) func(shelf.Row) int {
	text = strings.ToLower(text)
	repository := strings.TrimPrefix(strings.TrimPrefix(text, "docker.io/"), "library/")
	return func(r shelf.Row) int {
		name := r.Reference.Repository.Familiar()
		whole := name + ":" + r.Reference.Tag
		switch {
		case whole == repository:
			return 0
		case name == repository:
			return 1
		case strings.HasPrefix(whole, repository):
			return 2
		case strings.HasPrefix(whole[strings.LastIndex(name, "/")+1:], repository):
			return 3
		}
		return 4
	}
}

// boxHits asks registries for words. It asks none where the text is no words, or a page of another site asks.
func (h *Handlers) boxHits(c echo.Context, m meaning) (views.BoxHits, error) {
	if m.Words == "" || !page.MayAsk(c) {
		return views.BoxHits{}, nil
	}
	var hosts []string
	for _, r := range h.searchable() {
		hosts = append(hosts, r.Host)
	}
	ctx := c.Request().Context()
	answers := h.Finder.SearchAll(ctx, hosts, search.Question{Text: m.Words, Page: 1, Limit: boxHits}, boxDeadline)
	var v views.BoxHits
	for _, a := range answers {
		if a.Err == nil || image.KindOf(a.Err) == image.NotFound { // it cannot be searched at all
			continue
		}
		v.Silent = append(v.Silent, a.Registry.Name())
	}
	found := alternating(answers, boxHits)
	names := make([]image.Repository, len(found))
	for i, hit := range found {
		names[i] = hit.Repository
	}
	stored, err := h.Images.StoredRepositories(ctx, names)
	if err != nil {
		return v, err
	}
	state := address.Search{Query: m.Words}
	for _, hit := range found {
		v.Hits = append(v.Hits, views.BoxHit{
			Repository: hit.Repository, URL: state.Picking(hit.Repository).String(), Official: hit.Official,
			Stored: stored[hit.Repository], Stars: hit.Stars,
		})
	}
	return v, nil
}

// alternating takes the best hits of each registry in turn, up to limit of them.
func alternating(answers []search.Reply, limit int) (hits []search.Hit) {
	for place, more := 0, true; more && len(hits) < limit; place++ {
		more = false
		for _, a := range answers {
			if place < len(a.Hits.Hits) && len(hits) < limit {
				hits, more = append(hits, a.Hits.Hits[place]), true
			}
		}
	}
	return hits
}
