package imagepage

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/ui"
)

// inspectSection shows docker's JSON, and answers with nothing but it for Accept: application/json or raw=1. With
// format=TEMPLATE it shows what `docker inspect -f` prints, and answers with nothing but that for Accept: text/plain.
func (h *Handlers) inspectSection(c echo.Context, s *subject) error {
	config, err := h.config(c, s)
	if err != nil {
		return err
	}
	inspected := docker.Inspected{ID: s.shown.ID, Config: config, Tags: s.names.Tags, Digests: s.names.Digests,
		Unpacked: s.shown.Unpacked}
	header, accept := c.Response().Header(), c.Request().Header.Get(echo.HeaderAccept)
	header.Add(echo.HeaderVary, echo.HeaderAccept)
	asked := address.ParseInspect(s.page(address.SectionInspect), c.QueryParams())
	format := asked.Format
	if asked.Asked && page.Wants(accept, echo.MIMETextPlain) {
		return h.formatText(c, s, format, inspected)
	}
	bare := page.Wants(accept, echo.MIMEApplicationJSON) || asked.Raw
	if bare {
		if err := h.awaitSize(c.Request().Context(), s, &inspected); err != nil && image.KindOf(err) == image.Internal {
			return err
		}
	}
	b, err := docker.Inspect(inspected)
	if err != nil {
		return err
	}
	if bare {
		page.BareAnswer(c)
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, b)
	}
	v := imagepage.InspectView{
		JSON: b, SizeUnknown: s.shown.Unpacked < 0, Link: s.digestLink(),
		RawURL: address.Inspect{Of: asked.Of, Raw: true}.String(), Command: s.docker("inspect", ""),
		At: asked.Of, Format: format,
	}
	status := http.StatusOK
	if format != "" {
		v.Command = s.docker("inspect", "-f "+ui.ShellWords([]string{format}))
		v.Curl = ui.ShellWords([]string{"curl", "-H", "Accept: text/plain", h.Site.Origin(c) + v.FormatURL(format)})
		if v.Output, err = docker.Format(c.Request().Context(), format, inspected); err != nil {
			var known *image.Error
			if !errors.As(err, &known) {
				return err
			}
			v.Problem, status = known, formatStatus(known)
		}
	}
	if _, target, _ := strings.Cut(c.Request().Header.Get("HX-Target"), "#"); page.Partial(c) &&
		target == imagepage.FormatOutput {
		return page.Render(c, http.StatusOK, imagepage.FormatPart(v)) // a template in the making is no failed request
	}
	return h.renderImage(c, status, s, imagepage.InspectSection(v))
}

// formatText answers with what docker's client prints, and where it prints an error with that. A template that prints
// the size waits until that is known.
func (h *Handlers) formatText(c echo.Context, s *subject, format string, i docker.Inspected) error {
	page.BareAnswer(c)
	ctx := c.Request().Context()
	out, err := docker.Format(ctx, format, i)
	if image.KindOf(err) == image.Unavailable {
		if waited := h.awaitSize(ctx, s, &i); waited != nil {
			err = waited
		} else {
			out, err = docker.Format(ctx, format, i)
		}
	}
	var known *image.Error
	switch {
	case err == nil:
		return c.String(http.StatusOK, out)
	case errors.As(err, &known) && known.Kind == image.Invalid:
		return c.String(http.StatusBadRequest, known.Message+"\n")
	case errors.As(err, &known) && known.Kind == image.Unavailable:
		c.Response().Header().Set(echo.HeaderRetryAfter, retrySize)
		return page.PlainError(c, formatStatus(known), known)
	}
	return err
}

const (
	sizeWait  = 10 * time.Second // for the layers of an image that is inspected to be unpacked
	retrySize = "5"              // seconds after which the size may be known
)

// formatStatus is the status of a template that gives an error.
func formatStatus(err *image.Error) int {
	if err.Kind == image.Unavailable { // what is missing is this server's
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// awaitSize fills in the unpacked size of the image shown, and waits for it, bounded. Errors: Conflict where it will
// never be known. Where it takes longer, it stays unknown and that is no error.
func (h *Handlers) awaitSize(ctx context.Context, s *subject, i *docker.Inspected) error {
	if i.Unpacked >= 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, sizeWait)
	defer cancel()
	if err := h.Unpacker.AwaitProved(limited, []image.Digest{s.shown.Manifest}); err != nil &&
		!errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	all, err := h.Images.ImagesOf(ctx, s.shown.ID, maxTwins)
	if err != nil {
		return err
	}
	for _, img := range all {
		if img.Manifest != s.shown.Manifest {
			continue
		}
		if !img.Broken.Empty() {
			return image.Errorf(image.Conflict, "the unpacked size of the image is not known: %s", img.Broken).
				Suggest("Ask its author to push it again; delete it here when nobody needs it.")
		}
		i.Unpacked = img.Unpacked
	}
	return nil
}
