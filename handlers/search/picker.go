package search

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/handlers/lookup"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	views "github.com/stowage/stowage/views/search"
	"github.com/stowage/stowage/views/ui"
)

const (
	tagsPerPage = 50

	// How long somebody waits for a registry: for the whole page or the whole picker, after which a part of it loads
	// itself, and for such a part.
	pickerPageLimit = searchDeadline
	pickerPartLimit = lookup.ResolveLimit

	// detailsLimit is how long the tags wait for their sizes and dates, which are worth having, not waiting for.
	detailsLimit = 1500 * time.Millisecond
)

// searchPicker returns the repository that the Search page's address picks: its tags, and what the picked tag
// points to. What a registry is too slow for loads itself. Errors are those that people are not shown; what a
// registry says stands in the view.
func (h *Handlers) searchPicker(c echo.Context, state address.Search) (views.PickerView, error) {
	return h.picker(c, state, pickerPageLimit, true, true)
}

// searchPickerPart answers the request for one part of the picker by htmx: views.SearchTagsID or
// views.SearchOffersID.
func (h *Handlers) searchPickerPart(c echo.Context, state address.Search, part string) error {
	shown, known := currentSearch(c)
	known = known && shown.Repo == state.Repo
	tags := part == views.SearchTagsID
	if known && tags {
		state.Tag = shown.Tag // the list in view may have been written before it was picked
	}
	v, err := h.picker(c, state, pickerPartLimit, tags, !tags)
	switch {
	case err != nil:
		return err
	case !tags:
		if known {
			v.Offers.Before = shown.Tag
		}
		return page.Render(c, http.StatusOK, views.SearchOffersPart(v))
	case v.Onward != "":
		return page.LeadOn(c, v.Onward)
	case known:
		keepTags(c, state, shown)
	}
	return page.Render(c, http.StatusOK, views.SearchTags(v))
}

// keepTags tells htmx the page's address after a request for tags: while somebody types in place of the last
// one, for another page of the list as a step that one can go back from.
func keepTags(c echo.Context, state, shown address.Search) {
	header := c.Response().Header()
	header.Del("HX-Push-Url")
	header.Del("HX-Replace-Url")
	if shown.Match == state.Match && shown.TagPage != state.TagPage {
		header.Set("HX-Push-Url", state.String())
	} else {
		header.Set("HX-Replace-Url", state.String())
	}
}

// tagOf reports whether a text can be a tag of a repository.
func tagOf(repo image.Repository, text string) bool {
	ref, err := image.ParseRepositoryReference(string(repo) + ":" + text)
	return err == nil && ref.Tag == text
}

// digestIn reads a digest that was pasted where a part of a tag's name is expected: sha256:…, or a whole
// reference with a digest.
func digestIn(text string, repo image.Repository) (image.Reference, bool) {
	text = docker.ReadPaste(text).Name
	if d, err := image.ParseDigest(strings.TrimPrefix(text, "@")); err == nil {
		return image.Reference{Repository: repo, Digest: d}, true
	}
	if !strings.Contains(text, "@") {
		return image.Reference{}, false
	}
	ref, err := image.ParseRepositoryReference(text)
	return ref, err == nil && ref.Digest != ""
}

// picker asks for the tags, for what the picked one points to, or for both side by side.
func (h *Handlers) picker(c echo.Context, state address.Search, limit time.Duration, tags,
	offers bool) (views.PickerView, error) {
	v := views.PickerView{State: state, Host: state.Repo.Host()}
	if state.Repo == "" {
		return v, nil
	}
	ctx := c.Request().Context()
	totals, err := h.Lists.RepositoryTotals(ctx, state.Repo)
	if err != nil {
		return v, err
	}
	if totals.Tags+totals.Untagged > 0 {
		v.Shelf = address.Of(image.Reference{Repository: state.Repo}).String()
	}
	if listed, known := h.Registry.Find(state.Repo.Host()); known {
		v.Host = listed.Name()
	}
	if !page.MayAsk(c) {
		v.Foreign = true
		return v, nil
	}
	if ref, ok := digestIn(state.Match, state.Repo); ok {
		v.Onward = address.PullFormOf(ref).String()
		return v, nil
	}
	var g errgroup.Group
	if tags {
		g.Go(func() (err error) {
			if v.Tags, err = h.pickerTags(ctx, state, limit, offers); err != nil {
				var f failure
				f, err = failureOf(ctx, state.Repo, limit, err)
				v.Tags = views.PickerTags{Waiting: f.Waiting, Problem: f.Problem, Kind: f.Kind}
			}
			return err
		})
	}
	if offers && state.Tag != "" {
		g.Go(func() (err error) {
			if v.Offers, err = h.pickerOffers(ctx, state, limit); err != nil {
				var f failure
				f, err = failureOf(ctx, state.Repo, limit, err)
				v.Offers = views.PickerOffers{Waiting: f.Waiting, Problem: f.Problem, Kind: f.Kind}
			}
			return err
		})
	}
	err = g.Wait()
	v.Allowance = h.Lookup.Allowance(state.Repo.Host())
	return v, err
}

// failure is how a part of the picker shows that a registry gave no answer.
type failure struct {
	Waiting bool // it may still come: the part loads itself
	Problem *ui.ErrorView
	Kind    image.Kind
}

// failureOf returns what to show of an error. It returns one as it is that is not for people to see.
func failureOf(ctx context.Context, repo image.Repository, limit time.Duration, err error) (failure, error) {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		if limit < pickerPartLimit {
			return failure{Waiting: true}, nil
		}
		err = lookup.SlowRegistry(image.Reference{Repository: repo})
	}
	var e *image.Error
	if !errors.As(err, &e) || e.Kind == image.Internal {
		return failure{}, err
	}
	problem := ui.NewErrorView(ctx, page.Status(e.Kind), e)
	return failure{Problem: &problem, Kind: e.Kind}, nil
}

// pickerOffers finds out what the picked tag points to. What the registry was too slow to tell of single
// platforms is left out, once nobody waits for more.
func (h *Handlers) pickerOffers(ctx context.Context, state address.Search,
	limit time.Duration) (views.PickerOffers, error) {
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ref := image.Reference{Repository: state.Repo, Tag: state.Tag}
	want := lookup.OffersWanted{Page: 1}
	found, err := h.Resolver.ResolveSome(wait, ref, want.Rows)
	if err != nil && (found.Target.Digest == "" || limit < pickerPartLimit) {
		return views.PickerOffers{}, err
	}
	f, _ := h.Lookup.PullFound(ctx, found, want)
	return views.PickerOffers{Found: &f, Running: h.Lookup.Running(ref)}, nil
}

// pickerTags lists the tags that the filter chooses, one page of them with what the shelf and the registry's
// search service know. With seek, where the address names no page, it is that of the picked tag.
func (h *Handlers) pickerTags(ctx context.Context, state address.Search, limit time.Duration,
	seek bool) (views.PickerTags, error) {
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	soon, stop := context.WithTimeout(wait, detailsLimit)
	defer stop()
	details := h.tagDetails(soon, state)
	all, err := h.Registry.Tags(wait, state.Repo)
	if err != nil {
		return views.PickerTags{}, err
	}
	matching := image.TagsContaining(all, state.Match) // a copy: the list belongs to all who ask
	image.SortTags(matching)
	t := views.PickerTags{
		All: len(all), Matches: len(matching), Latest: slices.Contains(all, image.DefaultTag),
		Pages: max(1, (len(matching)+tagsPerPage-1)/tagsPerPage),
	}
	if len(matching) == 0 && tagOf(state.Repo, state.Match) {
		t.Typed = state.Match
	}
	if at := slices.Index(matching, state.Tag); state.TagPage == 0 && at >= 0 && seek {
		state.TagPage = at/tagsPerPage + 1
	}
	t.Page = min(max(1, state.TagPage), t.Pages) // tags go, and people keep addresses
	page := matching[(t.Page-1)*tagsPerPage : min(t.Page*tagsPerPage, len(matching))]
	stored, err := h.Images.StoredTags(ctx, state.Repo, page)
	if err != nil {
		return t, err
	}
	var known map[string]search.TagDetail
	select {
	case known = <-details:
	case <-soon.Done():
	}
	for _, name := range page {
		t.Rows = append(t.Rows, h.pickerTag(name, stored[name], known[name]))
	}
	return t, nil
}

// pickerTag is one row; what the service does not say stays unknown.
func (h *Handlers) pickerTag(name string, stored image.Digest, d search.TagDetail) views.PickerTag {
	row := views.PickerTag{Name: name, Stored: stored != "", Moved: stored != "" && d.Digest != "" && d.Digest != stored,
		Updated: d.Updated, Size: -1}
	for i, img := range d.Images {
		if i == 0 || img.Platform == h.Platform {
			row.Size, row.Platform = img.Size, img.Platform.String()
		}
	}
	if len(d.Images) == 0 && d.Size > 0 { // 0 is also what the zero TagDetail says
		row.Size = d.Size
	}
	return row
}

// tagDetails asks for sizes and dates while the tags are on their way.
func (h *Handlers) tagDetails(ctx context.Context, state address.Search) <-chan map[string]search.TagDetail {
	details := make(chan map[string]search.TagDetail, 1)
	go func() {
		found, err := h.Finder.TagDetails(ctx, state.Repo, state.Match)
		if err != nil {
			h.Log.Debug("no details of tags", "repository", string(state.Repo), "error", err)
		}
		details <- found
	}()
	return details
}
