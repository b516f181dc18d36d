package imagepage

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/imagepage"
)

// maxQuiet is how many steps without a layer one page shows. Steps with a layer are limited by image.MaxLayers; those
// without one cost an attacker three bytes each. Their texts share the room of the page.
const maxQuiet = 500

// layersSection shows the history joined to the layers, and as `docker history` prints it; for Accept: text/plain it
// answers with nothing but that, with no-trunc=1 as --no-trunc does.
func (h *Handlers) layersSection(c echo.Context, s *subject) error {
	config, err := h.config(c, s)
	if err != nil {
		return err
	}
	sizes := make([]int64, len(s.layers))
	for i, l := range s.layers {
		sizes[i] = l.Unpacked
	}
	rows := docker.History(s.shown.ID, config, sizes)
	c.Response().Header().Add(echo.HeaderVary, echo.HeaderAccept)
	if page.Wants(c.Request().Header.Get(echo.HeaderAccept), echo.MIMETextPlain) {
		table, err := docker.HistoryTable(rows, c.QueryParam("no-trunc") == "1", h.Site.Now())
		if err != nil {
			return err
		}
		page.BareAnswer(c)
		return c.String(http.StatusOK, table)
	}
	v := layersView(config.Steps(), s.layers)
	if v.Docker, err = docker.HistoryTable(rows[:min(len(rows), image.MaxLayers)], false, h.Site.Now()); err != nil {
		return err
	}
	v.Command = s.docker("history", "--no-trunc")
	return h.renderImage(c, http.StatusOK, s, imagepage.LayersSection(v))
}

// config reads the image's config from its blob.
func (h *Handlers) config(c echo.Context, s *subject) (*image.Config, error) {
	return configOf(c.Request().Context(), h.Images, h.Blobs, s.shown)
}

// configOf reads an image's config.
func configOf(ctx context.Context, images ImageStore, blobs BlobStore, img shelf.Image) (*image.Config, error) {
	doc, err := images.Document(ctx, img.Manifest)
	if err != nil {
		return nil, err
	}
	raw, err := blobs.ReadBlob(img.ID, image.MaxConfigSize)
	if err != nil {
		return nil, err
	}
	return image.ParseStoredConfig(raw, doc.Manifest)
}

func layersView(steps []image.Step, layers []shelf.Layer) imagepage.LayersView {
	v := imagepage.LayersView{Layers: len(layers), History: len(steps)}
	quiet := 0
	for _, step := range steps {
		made := step.Layer >= 0 && step.Layer < len(layers)
		if !made {
			if quiet++; quiet > maxQuiet {
				v.Hidden++
				continue
			}
		}
		sv := imagepage.StepView{Recorded: step.CreatedBy, Author: step.Author, Comment: step.Comment}
		if step.Created != nil {
			sv.Created = *step.Created
		}
		if made {
			l := layers[step.Layer]
			sv.Number = step.Layer + 1
			sv.Layer = imagepage.StepLayer{
				Digest: l.Digest, DiffID: l.DiffID, MediaType: l.MediaType, Size: l.Size, Unpacked: l.Unpacked, Entries: l.Entries,
				Users: l.Users, Problem: l.Problem,
			}
		}
		v.Steps = append(v.Steps, sv)
	}
	return v
}
