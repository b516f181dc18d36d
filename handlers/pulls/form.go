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
	said := address.ParsePullForm(c.QueryParams())
	if said.Pasted && !page.Partial(c) {
		// A command was pasted. Its address is not one to hand on: there may be passwords in it.
		return c.Redirect(http.StatusFound,
			address.PullForm{Input: said.Input, All: said.All, Platforms: said.Platforms}.String())
	}
	if said.All && strings.TrimSpace(said.Input) != "" {
		return h.pullAllForm(c, said)
	}
	v := pulls.PullFormView{Input: said.Input}
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
	ref, err := docker.ParseReference(v.Input)
	if err != nil {
		return h.refusePullForm(c, v, err)
	}
	v.Repository, v.Running = ref.Repository, h.Lookup.Running(ref)
	if v.Foreign = !page.MayAsk(c); v.Foreign {
		return h.renderPullForm(c, http.StatusOK, v)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), limit)
	defer cancel()
	asked, wrong := said.Wanted()
	want := lookup.OffersWanted{Asked: asked, Chosen: said.Chosen, Find: said.Find, Page: said.Page}
	found, err := h.Resolver.ResolveSome(ctx, ref, want.Rows)
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

// problemOf returns what a form shows of an error, and the status of its page; not ok is an error that is not for
// people to see, or that is asked for as text.
func problemOf(c echo.Context, err error) (problem ui.ErrorView, status int, ok bool) {
	var e *image.Error
	if page.PlainText(c.Request()) || page.JSON(c.Request()) || !errors.As(err, &e) || e.Kind == image.Internal {
		return ui.ErrorView{}, 0, false
	}
	status = page.Status(e.Kind)
	return ui.NewErrorView(c.Request().Context(), status, e), status, true
}

// refusePullForm shows what is wrong in the form, or gives back an error that is not for people to see.
func (h *Handlers) refusePullForm(c echo.Context, v pulls.PullFormView, err error) error {
	problem, status, ok := problemOf(c, err)
	if !ok {
		return err
	}
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
