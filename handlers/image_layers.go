package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/views"
)

// maxSteps is how many steps of a history one page shows. Steps with a layer are limited by image.MaxLayers;
// those without one cost an attacker three bytes each.
const maxSteps = 2000

// layersSection shows the history joined to the layers.
func (h *Handlers) layersSection(c echo.Context, s *subject) error {
	config, err := h.config(c, s)
	if err != nil {
		return err
	}
	v := layersView(config.Steps(), s.layers)
	v.Command = s.docker("history", "--no-trunc")
	return h.renderImage(c, http.StatusOK, s, views.LayersSection(v))
}

// config reads the image's config from its blob.
func (h *Handlers) config(c echo.Context, s *subject) (*image.Config, error) {
	doc, err := h.store.Document(c.Request().Context(), s.shown.Manifest)
	if err != nil {
		return nil, err
	}
	raw, err := h.store.ReadBlob(s.shown.ID, image.MaxConfigSize)
	if err != nil {
		return nil, err
	}
	return image.ParseConfig(raw, doc.Manifest)
}

func layersView(steps []image.Step, layers []storage.Layer) views.LayersView {
	v := views.LayersView{Layers: len(layers), History: len(steps)}
	for _, step := range steps {
		made := step.Layer >= 0 && step.Layer < len(layers)
		if len(v.Steps) >= maxSteps && !made {
			v.Hidden++
			continue
		}
		sv := views.StepView{Recorded: step.CreatedBy, Author: step.Author, Comment: step.Comment}
		if step.Created != nil {
			sv.Created = *step.Created
		}
		if made {
			l := layers[step.Layer]
			sv.Number = step.Layer + 1
			sv.Layer = views.StepLayer{
				Digest: l.Digest, DiffID: l.DiffID, MediaType: l.MediaType, Size: l.Size, Unpacked: l.Unpacked, Entries: l.Entries, Users: l.Users, Problem: l.Problem,
			}
		}
		v.Steps = append(v.Steps, sv)
	}
	return v
}
