package archives

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/archives"
)

// Section describes the archive of an image for its page, with the query of the archive's own address. stored are the
// platforms to choose from, where choice says that there is one. chosen=1 says that the platforms come from the form,
// which sends none where none is ticked.
func (h *Handlers) Section(c echo.Context, of address.Image, choice bool,
	stored []shelf.Image) (v archives.DownloadView, status int, err error) {
	asked, err := archiveOptions(c)
	if err != nil {
		return v, 0, err
	}
	asked.Things, asked.Compression = []address.Image{of}, archive.None
	formed := c.QueryParams().Has("chosen")
	v = archives.DownloadView{Path: of.At(address.SectionDownload).String(), OCI: asked.Format == archive.OCI, Ref: of.Ref}
	if choice {
		v.Choices = downloadChoices(stored, asked.Platforms, formed)
	}
	switch left := slices.ContainsFunc(v.Choices,
		func(c archives.DownloadChoice) bool { return !c.Ticked && !c.Broken && c.Platform != "" }); {
	case formed && len(asked.Platforms) == 0 && left:
		v.None = true
		return v, http.StatusOK, nil
	case formed && !left:
		asked.Platforms = nil
	}
	packed, err := h.pack(c.Request().Context(), asked)
	if err == nil {
		err = h.wholeBlobs(packed.archive)
	}
	if err != nil {
		if !errors.As(err, &v.Problem) || v.Problem.Kind == image.Internal {
			return v, 0, err
		}
		return v, page.Status(v.Problem.Kind), nil
	}
	e := packed.exports[0]
	v.URL = archiveURL(of, asked)
	v.Address = h.Site.Outside(c) + v.URL
	v.File, v.Bytes, v.Digest, v.Index, v.Several = packed.file, packed.archive.Size(), e.Target.Digest,
		len(e.Indexes) > 0, len(e.Images) > 1
	for _, i := range stored {
		if i.Manifest == e.Images[0].Manifest.Digest {
			v.Platform = i.Platform
		}
	}
	for _, i := range e.Images {
		v.Zstd = v.Zstd || slices.ContainsFunc(i.Layers,
			func(l image.Descriptor) bool { return strings.HasSuffix(l.MediaType, "zstd") })
	}
	return v, http.StatusOK, nil
}

// archiveURL returns the address of an archive of one thing.
func archiveURL(of address.Image, asked request) string {
	a := address.Archive{Of: of, Platforms: asked.Platforms}
	if asked.Format == archive.OCI {
		a.Format = string(archive.OCI)
	}
	return a.String()
}

// downloadChoices returns the stored platforms of an index to choose from. Without a word all of them are ticked that
// are whole.
func downloadChoices(stored []shelf.Image, asked []image.Platform, formed bool) []archives.DownloadChoice {
	all := len(asked) == 0 && !formed
	var choices []archives.DownloadChoice
	for _, i := range stored {
		choice := archives.DownloadChoice{Size: i.Size, Broken: !i.Broken.Empty()}
		if i.Platform.Known() {
			choice.Platform = i.Platform.String()
		}
		named := slices.ContainsFunc(asked, func(p image.Platform) bool { return i.Platform.Answers(p) > 0 })
		choice.Ticked = !choice.Broken && (all || named)
		choices = append(choices, choice)
	}
	return choices
}
