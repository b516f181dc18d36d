package pulls

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

const (
	refreshSurveyEvery = 2  // seconds; as refreshEvery, for a survey that goes on
	maxChoices         = 48 // platforms to tick; images for Windows have one for every build of it
)

// pullAllForm answers GET /pull?ref=&all=1&match=&platform=: how many tags a repository has and what all of
// them would cost. That is found out in the background; the page asks again until it is known.
func (h *Handlers) pullAllForm(c echo.Context, said address.PullForm) error {
	v, platforms, err := h.readPullAll(c, said)
	if err != nil {
		return h.refusePullAll(c, v, err)
	}
	v.Running = h.Lookup.Running(image.Reference{Repository: v.Repository})
	if !page.MayAsk(c) {
		v.Foreign = true
		return h.renderPullAll(c, http.StatusOK, v)
	}
	s, err := h.Queue.Survey(v.Repository, v.Match, platforms)
	if err != nil {
		return h.refusePullAll(c, v, err)
	}
	v.Survey, v.Free, v.Allowance = &s, h.Lookup.FreeDisk(), h.Lookup.Allowance(v.Repository.Host())
	v.Choices, v.Further = platformChoices(s.Offered, platforms, h.Platform)
	return h.renderPullAll(c, http.StatusOK, v)
}

// readPullAll reads a request for all tags. Also where it cannot be read the view holds what of it can.
func (h *Handlers) readPullAll(c echo.Context, said address.PullForm) (pulls.PullAllView, []image.Platform, error) {
	_, id, _ := strings.Cut(c.Request().Header.Get("HX-Source"), "#") // "i#survey-poll"
	v := pulls.PullAllView{
		Input: said.Input, Match: said.Match, Default: h.Platform.String(), Free: -1, Polled: id == pulls.SurveyPollID,
	}
	repo, err := docker.ParseRepository(said.Input)
	if err != nil {
		return v, nil, err
	}
	v.Repository, v.Input = repo, repo.Familiar()
	platforms, err := said.Wanted()
	v.Asked = platforms
	v.Choices, v.Further = platformChoices(nil, platforms, h.Platform)
	return v, platforms, err
}

// platformChoices lists the platforms to tick, the default one first, and how many there are beyond. What is
// not the name of a platform is not offered: it could not be asked for.
func platformChoices(offered, asked []image.Platform,
	standard image.Platform) (choices []pulls.PlatformBox, further int) {
	all := slices.Clone(offered)
	slices.SortFunc(all, func(a, b image.Platform) int { return strings.Compare(a.String(), b.String()) })
	all = append(append([]image.Platform{standard}, asked...), all...)
	seen := make(map[image.Platform]bool)
	for _, p := range all {
		if read, err := image.ParsePlatform(p.String()); seen[p] || err != nil || read != p {
			continue
		}
		seen[p] = true
		choices = append(choices, pulls.PlatformBox{
			Platform: p.String(), Default: p == standard, Ticked: slices.Contains(asked, p) || len(asked) == 0 && p == standard,
		})
	}
	most := max(maxChoices, len(asked)+1)
	if len(choices) > most {
		choices, further = choices[:most], len(choices)-most
	}
	// What was ticked stays where it is: only what to show is chosen by it.
	slices.SortStableFunc(choices[min(1, len(choices)):],
		func(a, b pulls.PlatformBox) int { return strings.Compare(a.Platform, b.Platform) })
	return choices, further
}

// refusePullAll shows what is wrong in the form, or gives back an error that is not for people to see.
func (h *Handlers) refusePullAll(c echo.Context, v pulls.PullAllView, err error) error {
	problem, status, ok := problemOf(c, err)
	if !ok {
		return err
	}
	v.Problem = &problem
	return h.renderPullAll(c, status, v)
}

func (h *Handlers) renderPullAll(c echo.Context, status int, v pulls.PullAllView) error {
	if page.Partial(c) && v.Repository != "" {
		if !v.Polled {
			c.Response().Header().Set("HX-Replace-Url", v.URL())
		}
		return page.Render(c, status, pulls.PullAllPart(v))
	}
	ctx := c.Request().Context()
	title := text.T(ctx, "pullform.heading")
	if v.Repository != "" {
		title = text.T(ctx, "pullform.all_tags", "Name", v.Repository.Familiar())
	}
	chrome := h.Site.Chrome(c, title, ui.NavPulls)
	chrome.Query = v.Input
	if v.Survey != nil && !v.Survey.Done {
		chrome.Refresh = refreshSurveyEvery
	}
	return page.Render(c, status, pulls.PullAllPage(chrome, v))
}

// startPullAll answers POST /pulls with all=1: ref, match and repeated platform.
func (h *Handlers) startPullAll(c echo.Context, said address.PullForm) error {
	v, platforms, err := h.readPullAll(c, said)
	if err != nil {
		return h.refusePullAll(c, v, err)
	}
	return h.start(c, pull.Request{Reference: image.Reference{Repository: v.Repository}, AllTags: true, Match: v.Match,
		Platforms: platforms, By: h.Site.Requester(c)},
		func(err error) error { return h.refusePullAll(c, v, err) })
}
