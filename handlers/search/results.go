package search

import (
	"context"
	"errors"
	"strings"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	views "github.com/stowage/stowage/views/search"
	"github.com/stowage/stowage/views/ui"
)

// Results that a registry is asked for where the address does not say: alone, and as one of several.
const (
	hitsAlone   = 25 // docker's default
	hitsOfGroup = 8
)

// searchable returns the registries of the list that can be searched. Mirrors are not, by themselves.
func (h *Handlers) searchable() []views.SearchRegistry {
	var all []views.SearchRegistry
	for _, l := range h.Registry.Listed() {
		if l.MirrorOf == "" && l.Search != registry.SearchOff {
			all = append(all, views.SearchRegistry{Host: l.Host, Name: l.Name()})
		}
	}
	return all
}

// asked returns the registries that a state asks.
func (h *Handlers) asked(state address.Search) []views.SearchRegistry {
	if l, ok := h.Registry.Find(state.Registry); ok && state.Registry != "" {
		return []views.SearchRegistry{{Host: l.Host, Name: l.Name()}}
	}
	return h.searchable()
}

// searchResults asks the registries by the deadline. may tells whether they may be asked at all, again how often the
// page has asked by itself. A registry that fails is part of the results.
func (h *Handlers) searchResults(ctx context.Context, state address.Search, may bool,
	again int) (views.SearchResults, error) {
	r := views.SearchResults{State: state, Asked: h.asked(state), Limit: state.Limit, Held: !may && state.Query != "",
		Again: again}
	r.Others = len(r.Asked) == 1 && len(h.searchable()) > 1
	if r.Limit == 0 {
		r.Limit = hitsAlone
		if len(r.Asked) > 1 {
			r.Limit = hitsOfGroup
		}
	}
	if state.Query == "" || r.Held {
		return r, nil
	}
	words, err := h.wordsOf(ctx, state, &r)
	if err != nil || words == "" {
		return r, err
	}
	var hosts []string
	for _, a := range r.Asked {
		hosts = append(hosts, a.Host)
	}
	answers := h.Finder.SearchAll(ctx, hosts, search.Question{
		Text: words, Official: state.Official, Stars: state.Stars, Sort: search.Order(state.Sort), Page: max(1, state.Page),
		Limit: r.Limit,
	}, searchDeadline)
	if err := ctx.Err(); err != nil {
		return r, err
	}
	stored, err := h.Images.StoredRepositories(ctx, repositoriesOf(answers))
	if err != nil {
		return r, err
	}
	for _, a := range answers {
		g := h.searchGroup(ctx, a, stored)
		g.Late = g.Late && again < views.MostAgain // or else it has failed: nobody waits any longer
		r.Groups = append(r.Groups, g)
	}
	return r, nil
}

// wordsOf returns what to search for. What the text stands for beyond words, or what is wrong with it, becomes part of
// the results.
func (h *Handlers) wordsOf(ctx context.Context, state address.Search, r *views.SearchResults) (string, error) {
	m, err := h.understand(ctx, state.Query)
	var known *image.Error
	switch {
	case errors.As(err, &known) && known.Kind != image.Internal:
		problem := ui.NewErrorView(ctx, page.Status(known.Kind), known)
		r.Problem = &problem
		if docker.ReadPaste(state.Query).NoImage || strings.Contains(m.Name, "://") {
			return "", nil // which is no word, and may hold a password
		}
		return state.Query, nil
	case err != nil:
		return "", err
	}
	r.Opens, r.Lead = m.Page, searchLeads[m.Lead]
	return m.Words, nil
}

// searchLeads has the page's word for each lead.
var searchLeads = map[lead]views.SearchLead{leadsToImage: views.LeadsToImage, leadsToPull: views.LeadsToPull,
	leadsToTags: views.LeadsToTags}

func repositoriesOf(answers []search.Reply) []image.Repository {
	var names []image.Repository
	for _, a := range answers {
		for _, hit := range a.Hits.Hits {
			names = append(names, hit.Repository)
		}
	}
	return names
}

// searchGroup words what one registry said.
func (h *Handlers) searchGroup(ctx context.Context, a search.Reply, stored map[image.Repository]int) views.SearchGroup {
	g := views.SearchGroup{
		Registry: views.SearchRegistry{Host: a.Registry.Host, Name: a.Registry.Name()}, Late: a.Late,
		Total: a.Hits.Total, More: a.Hits.More, Window: a.Hits.Window,
		Partial: a.Hits.Partial, Reading: a.Hits.Reading, Read: a.Hits.Read,
	}
	if a.Err != nil {
		problem := h.searchError(ctx, a)
		g.Kind, g.Problem = image.KindOf(a.Err), &problem
		return g
	}
	for _, hit := range a.Hits.Hits {
		g.Hits = append(g.Hits, views.SearchHit{
			Repository: hit.Repository, Description: hit.Description, Official: hit.Official, Verified: hit.Verified,
			Stars: hit.Stars, Pulls: hit.Pulls, Updated: hit.Updated, Stored: stored[hit.Repository],
		})
	}
	return g
}

// searchError words why a registry gave nothing. What is not for people goes to the log alone.
func (h *Handlers) searchError(ctx context.Context, a search.Reply) ui.ErrorView {
	var known *image.Error
	if !errors.As(a.Err, &known) || known.Kind == image.Internal {
		h.Log.Error("search a registry", "registry", a.Registry.Host, "error", a.Err)
		known = &image.Error{Kind: image.Internal}
	}
	return ui.NewErrorView(ctx, page.Status(known.Kind), known)
}
