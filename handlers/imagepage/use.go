package imagepage

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/imagepage"
)

// useSection shows how engines and registry tools pull the image from this server.
func (h *Handlers) useSection(c echo.Context, s *subject) error {
	v := imagepage.UseView{Server: h.Site.Outside(c), Tag: s.Ref.Tag, Repository: s.Ref.Repository,
		Digest: s.target.Digest, Shown: s.shown.Platform}
	if s.ID != "" { // no client pulls by an ID: the manifest stands for it, where a repository leads there
		v.Digest = s.shown.Manifest
		if len(s.names.Digests) > 0 {
			v.Repository = s.names.Digests[0].Repository
		}
	} else {
		v.Platforms = len(s.choices)
		v.Asked = s.addressed()
		for _, p := range s.choices {
			if p.stored && p.image.Broken.Empty() && p.platform != (image.Platform{}) {
				v.Stored = append(v.Stored, p.platform)
			}
		}
	}
	v.Fetches = h.Mirror.Covers(v.Repository)
	v.Broken = !s.shown.Broken.Empty()
	return h.renderImage(c, http.StatusOK, s, imagepage.UseSection(v))
}
