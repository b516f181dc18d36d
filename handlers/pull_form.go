package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

const (
	resolveLimit = 20 * time.Second // for a registry to tell what a reference points to, while somebody waits
	maxReference = 600              // bytes of a reference in a request; no valid one is as long
	maxPaste     = address.MaxPaste // bytes of a text with a reference in it, such as a command line
	maxAsked     = 64               // platforms in one request; the queue takes fewer
)

// PullForm answers GET /pull?ref=&platform=: the reference box and, where there is a reference, what it
// points to and what each platform would cost. What is wrong with a reference stands beside the box. With
// all=1 it is the form for all tags.
func (h *Handlers) PullForm(c echo.Context) error { return h.pullForm(c, resolveLimit) }

func (h *Handlers) pullForm(c echo.Context, limit time.Duration) error {
	input, platforms := cleaned(c.QueryParam("ref"), c.QueryParams()["platform"])
	if len(strings.Fields(c.QueryParam("ref"))) > 1 && len(strings.Fields(input)) == 1 && !Partial(c) {
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
	if hex, ok := pastedID(strings.TrimSpace(v.Input)); ok {
		page, err := h.knownPage(c.Request().Context(), hex)
		if err == nil && page == "" && strings.HasPrefix(strings.TrimSpace(v.Input), "sha256:") {
			err = unknownDigest(hex)
		}
		if err != nil {
			return h.refusePullForm(c, v, err)
		}
		if page != "" {
			return c.Redirect(http.StatusFound, page)
		}
	}
	ref, err := parseReference(v.Input)
	if err != nil {
		return h.refusePullForm(c, v, err)
	}
	v.Repository, v.Running = ref.Repository, h.running(ref)
	if v.Foreign = !mayAsk(c); v.Foreign {
		return h.renderPullForm(c, http.StatusOK, v)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), limit)
	defer cancel()
	asked, wrong := platformValues(platforms)
	want := wantedOffers(c.QueryParams(), asked)
	found, err := h.queue.ResolveSome(ctx, ref, func(r pull.Resolution) []int { return want.view(r).rows })
	if err != nil && found.Target.Digest == "" {
		if errors.Is(err, context.DeadlineExceeded) {
			err = slowRegistry(ref)
		}
		return h.refusePullForm(c, v, err)
	}
	// What the registry was too slow to tell of single platforms is left out: the rest is worth showing.
	f, absent := h.pullFound(c.Request().Context(), found, want)
	v.Found = &f
	switch {
	case wrong != nil:
		return h.refusePullForm(c, v, wrong)
	case len(absent) > 0:
		return h.refusePullForm(c, v, notOffered(ref, absent, f))
	}
	return h.renderPullForm(c, http.StatusOK, v)
}

// cleaned takes what was pasted along off a reference. What the paste says about the platform counts where the
// request asks for none. A reference that came alone stays as it was typed.
func cleaned(text string, platforms []string) (string, []string) {
	if len(text) > maxPaste {
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

// running lists the pulls of a reference that are under way.
func (h *Handlers) running(ref image.Reference) (ids []int64) {
	for _, job := range h.queue.Active() {
		if job.Reference == ref {
			ids = append(ids, job.ID)
		}
	}
	return ids
}

// parseReference reads a reference from a request.
func parseReference(s string) (image.Reference, error) {
	if err := checkReference(s); err != nil {
		return image.Reference{}, err
	}
	return image.ParseReference(s)
}

// checkReference refuses what is not worth reading as a reference.
func checkReference(s string) error {
	if len(s) > maxReference {
		return image.Errorf(image.Invalid, "the reference has %d characters, more than any reference has", len(s)).
			Suggest("Type a name such as postgres:15 or ghcr.io/org/app:1.2.")
	}
	if p, ok := docker.ReadWebPage(strings.TrimSpace(s)); ok && p.NoImage {
		return webPage(p.Name)
	}
	return nil
}

// platformValues reads repeated platforms from a request; empty ones are left out.
func platformValues(values []string) ([]image.Platform, error) {
	if len(values) > maxAsked {
		return nil, image.Errorf(image.Invalid, "%d platforms were asked for", len(values))
	}
	var platforms []image.Platform
	for _, s := range values {
		if strings.TrimSpace(s) == "" {
			continue
		}
		p, err := image.ParsePlatform(s)
		if err != nil {
			return nil, err
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}

// slowRegistry is the error of a registry that did not answer in time.
func slowRegistry(ref image.Reference) error {
	return image.Errorf(image.Unavailable, "%s did not answer in time", ref.Repository.Host()).Suggest("Try again in a moment.")
}

// refusePullForm shows what is wrong in the form, or gives back an error that is not for people to see.
func (h *Handlers) refusePullForm(c echo.Context, v pulls.PullFormView, err error) error {
	if PlainText(c.Request()) || JSON(c.Request()) {
		return err
	}
	var e *image.Error
	if !errors.As(err, &e) || e.Kind == image.Internal {
		return err
	}
	status := Status(e.Kind)
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
	chrome := h.Chrome(c, title, ui.NavPulls)
	chrome.Query = v.Input
	return Render(c, status, pulls.PullFormPage(chrome, v))
}

// pullFound turns what a reference points to into the form, with the asked platforms ticked, or else the
// default one. absent are those that are not offered.
func (h *Handlers) pullFound(ctx context.Context, r pull.Resolution, want offersWanted) (f offer.Found, absent []image.Platform) {
	shown := want.view(r)
	f = offer.Found{
		Ref: r.Reference, Digest: r.Target.Digest, Index: r.Target.Index != nil, Stored: r.Stored, StoredURL: address.Of(r.Reference).String(),
		Attestations: r.Attestations, Others: r.Others, Default: h.options.DefaultPlatform.String(), Free: h.freeDisk(),
		Allowance: h.allowance(r.Reference.Repository.Host()), All: len(r.Offers), Most: pull.MaxPlatforms,
		Find: want.find, Matches: shown.matches, Page: shown.page, Pages: shown.pages,
	}
	fetch := make(map[image.Digest]int64)
	seen := make(map[image.Platform]bool)
	repeated := make(map[int]bool)
	for i, o := range r.Offers {
		repeated[i] = seen[o.Platform]
		seen[o.Platform] = seen[o.Platform] || o.Entry.Kind == image.EntryImage // others are passed over
		f.HasDefault = f.HasDefault || o.Default
	}
	for _, i := range shown.rows {
		o := r.Offers[i]
		v := h.pullOffer(ctx, r.Reference, o)
		if v.Obstacle == offer.ObstacleNone && repeated[i] {
			v.Obstacle = offer.ObstacleRepeated
		}
		// An image whose platform nobody states is pulled where it is the only one, and no box says so.
		v.Ticked = shown.ticked[i] && (v.Obstacle == offer.ObstacleNone || len(r.Offers) == 1 && v.Obstacle != offer.ObstacleRefused)
		if v.Ticked {
			f.Ticked++
			for _, l := range o.Layers {
				if !l.Stored {
					fetch[l.Digest] = l.Size
				}
			}
		}
		f.Offers = append(f.Offers, v)
	}
	for _, size := range fetch {
		f.Fetch += size
	}
	return f, shown.absent
}

func (h *Handlers) pullOffer(ctx context.Context, ref image.Reference, o pull.Offer) offer.Offer {
	v := offer.Offer{
		Platform: o.Platform.String(), Default: o.Default, Stored: o.Stored,
		Priced: o.Manifest != nil, Size: o.Size, Here: o.Here, Fetch: o.Fetch, Blobs: missingBlobs(o.Layers),
	}
	switch read, err := image.ParsePlatform(v.Platform); {
	case !o.Platform.Known():
		v.Obstacle = offer.ObstacleUnnamed
	case err != nil || read != o.Platform:
		v.Obstacle = offer.ObstacleInvalid
	default:
		v.Value = v.Platform
	}
	if o.Stored {
		v.URL = address.Of(ref).For(o.Platform).String()
	}
	var e *image.Error
	switch {
	case o.Err == nil:
	case errors.As(o.Err, &e) && e.Kind != image.Internal:
		v.Problem = text.ErrorText(ctx, e.Text())
		if v.Obstacle == offer.ObstacleNone && e.Kind != image.Unavailable && e.Kind != image.RateLimited {
			v.Obstacle = offer.ObstacleRefused // a pull would fail by the same
		}
	case !errors.Is(o.Err, context.DeadlineExceeded) && !errors.Is(o.Err, context.Canceled):
		h.log.Warn("platform not priced", "reference", ref.String(), "platform", v.Platform, "error", o.Err)
	}
	return v
}

// missingBlobs writes what is to be fetched as static/app.js adds it up.
func missingBlobs(layers []pull.OfferedLayer) string {
	var b strings.Builder
	for _, l := range layers {
		if l.Stored {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(image.ShortDigest(l.Digest))
		b.WriteByte(':')
		b.WriteString(decimal(l.Size))
	}
	return b.String()
}

// freeDisk gives the bytes that there is room for on the data folder's volume; -1 where that cannot be told.
func (h *Handlers) freeDisk() int64 {
	room, err := h.store.Room()
	if err != nil {
		h.log.Warn("free disk not known", "error", err)
		return -1
	}
	return max(0, room.Left())
}
