package pulls

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/lookup"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// Form answers GET /pull?ref=&platform=: the reference box and, where there is a reference, what it
// points to and what each platform would cost. What is wrong with a reference stands beside the box. With
// all=1 it is the form for all tags.
func (h *Handlers) Form(c echo.Context) error { return h.pullForm(c, lookup.ResolveLimit) }

func (h *Handlers) pullForm(c echo.Context, limit time.Duration) error {
	input, platforms := cleaned(c.QueryParam("ref"), c.QueryParams()["platform"])
	if len(strings.Fields(c.QueryParam("ref"))) > 1 && len(strings.Fields(input)) == 1 && !page.Partial(c) {
		// A command was pasted. Its address is not one to hand on: there may be passwords in it.
		return c.Redirect(http.StatusFound, address.PullForm{Input: input, All: allTags(c.QueryParam("all"), c.QueryParam("ref")), Platforms: platforms}.String())
	}
	if allTags(c.QueryParam("all"), c.QueryParam("ref")) && strings.TrimSpace(input) != "" {
		return h.pullAllForm(c, input, platforms)
	}
	v := pulls.PullFormView{Input: input}
	if strings.TrimSpace(v.Input) == "" {
		return h.renderPullForm(c, http.StatusOK, v)
	}
	if hex, ok := lookup.PastedID(strings.TrimSpace(v.Input)); ok {
		page, err := h.Lookup.KnownPage(c.Request().Context(), hex)
		if err == nil && page == "" && strings.HasPrefix(strings.TrimSpace(v.Input), "sha256:") {
			err = lookup.UnknownDigest(hex)
		}
		if err != nil {
			return h.refusePullForm(c, v, err)
		}
		if page != "" {
			return c.Redirect(http.StatusFound, page)
		}
	}
	ref, err := lookup.ParseReference(v.Input)
	if err != nil {
		return h.refusePullForm(c, v, err)
	}
	v.Repository, v.Running = ref.Repository, h.Lookup.Running(ref)
	if v.Foreign = !page.MayAsk(c); v.Foreign {
		return h.renderPullForm(c, http.StatusOK, v)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), limit)
	defer cancel()
	asked, wrong := lookup.PlatformValues(platforms)
	want := lookup.WantedOffers(c.QueryParams(), asked)
	found, err := h.Queue.ResolveSome(ctx, ref, func(r pull.Resolution) []int { return want.View(r).Rows })
	if err != nil && found.Target.Digest == "" {
		if errors.Is(err, context.DeadlineExceeded) {
			err = lookup.SlowRegistry(ref)
		}
		return h.refusePullForm(c, v, err)
	}
	// What the registry was too slow to tell of single platforms is left out: the rest is worth showing.
	f, absent := h.Lookup.PullFound(c.Request().Context(), found, want)
	v.Found = &f
	switch {
	case wrong != nil:
		return h.refusePullForm(c, v, wrong)
	case len(absent) > 0:
		return h.refusePullForm(c, v, lookup.NotOffered(ref, absent, f))
	}
	return h.renderPullForm(c, http.StatusOK, v)
}

// cleaned takes what was pasted along off a reference. What the paste says about the platform counts where the
// request asks for none. A reference that came alone stays as it was typed.
func cleaned(text string, platforms []string) (string, []string) {
	if len(text) > lookup.MaxPaste {
		return text, platforms
	}
	p := docker.ReadPaste(text)
	if p.Platform != "" && len(platforms) == 0 {
		platforms = []string{p.Platform}
	}
	if p.Name == strings.TrimSpace(text) {
		return text, platforms
	}
	return p.Name, platforms
}

// refusePullForm shows what is wrong in the form, or gives back an error that is not for people to see.
func (h *Handlers) refusePullForm(c echo.Context, v pulls.PullFormView, err error) error {
	if page.PlainText(c.Request()) || page.JSON(c.Request()) {
		return err
	}
	var e *image.Error
	if !errors.As(err, &e) || e.Kind == image.Internal {
		return err
	}
	status := page.Status(e.Kind)
	problem := ui.NewErrorView(c.Request().Context(), status, e)
	v.Problem = &problem
	return h.renderPullForm(c, status, v)
}

func (h *Handlers) renderPullForm(c echo.Context, status int, v pulls.PullFormView) error {
	ctx := c.Request().Context()
	title := text.T(ctx, "pullform.heading")
	if v.Found != nil {
		title = text.T(ctx, "pullform.title", "Reference", v.Found.Ref.Familiar())
	}
	chrome := h.Site.Chrome(c, title, ui.NavPulls)
	chrome.Query = v.Input
	return page.Render(c, status, pulls.PullFormPage(chrome, v))
}
