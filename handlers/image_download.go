package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/archives"
)

// downloadSection offers the image as an archive, with the query of the archive's own address. chosen=1 says that the
// platforms come from the form, which sends none where none is ticked.
func (h *Handlers) downloadSection(c echo.Context, s *subject) error {
	asked, err := archiveOptions(c)
	if err != nil {
		return err
	}
	asked.things, asked.compression = []address.Image{s.Base()}, archive.None
	formed := c.QueryParams().Has("chosen")
	v := archives.DownloadView{
		Path: s.Base().At(address.SectionDownload).String(), Choices: downloadChoices(s, asked.platforms, formed), OCI: asked.format == archive.OCI, Ref: s.Ref,
	}
	switch left := slices.ContainsFunc(v.Choices, func(c archives.DownloadChoice) bool { return !c.Ticked && !c.Broken && c.Platform != "" }); {
	case formed && len(asked.platforms) == 0 && left:
		v.None = true
		return h.renderImage(c, http.StatusOK, s, archives.DownloadSection(v))
	case formed && !left:
		asked.platforms = nil
	}
	packed, err := h.pack(c.Request().Context(), asked)
	if err == nil {
		err = h.wholeBlobs(packed.archive)
	}
	if err != nil {
		if !errors.As(err, &v.Problem) || v.Problem.Kind == image.Internal {
			return err
		}
		return h.renderImage(c, Status(v.Problem.Kind), s, archives.DownloadSection(v))
	}
	e := packed.exports[0]
	v.URL = address.Archive{Of: s.Base(), OCI: v.OCI, Platforms: asked.platforms}.String()
	v.Address = h.outside(c) + v.URL
	v.File, v.Bytes, v.Digest, v.Index, v.Several = packed.file, packed.archive.Size(), e.Target.Digest, len(e.Indexes) > 0, len(e.Images) > 1
	for _, choice := range s.choices {
		if choice.stored && choice.image.Manifest == e.Images[0].Manifest.Digest {
			v.Platform = choice.platform
		}
	}
	for _, i := range e.Images {
		v.Zstd = v.Zstd || slices.ContainsFunc(i.Layers, func(l image.Descriptor) bool { return strings.HasSuffix(l.MediaType, "zstd") })
	}
	return h.renderImage(c, http.StatusOK, s, archives.DownloadSection(v))
}

// downloadChoices gives the stored platforms of an index. Without a word all of them are ticked that are whole.
func downloadChoices(s *subject, asked []image.Platform, formed bool) []archives.DownloadChoice {
	if len(s.target.Entries) == 0 {
		return nil
	}
	all := len(asked) == 0 && !formed
	var choices []archives.DownloadChoice
	for _, c := range s.choices {
		if !c.stored {
			continue
		}
		choice := archives.DownloadChoice{Size: c.image.Size, Broken: !c.image.Broken.Empty()}
		if c.platform.Known() {
			choice.Platform = c.platform.String()
		}
		named := slices.ContainsFunc(asked, func(p image.Platform) bool { return c.answers(p) > 0 })
		choice.Ticked = !choice.Broken && (all || named)
		choices = append(choices, choice)
	}
	return choices
}
