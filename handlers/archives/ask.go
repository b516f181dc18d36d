package archives

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
)

// request is what an archive is asked for with.
type request struct {
	Things      []address.Image  // without tag, digest and ID: all tags of a repository
	Platforms   []image.Platform // none: all that are stored
	Format      archive.Format
	Compression archive.Compression
}

// thingName returns what people call a thing by: a short ID, or the familiar reference.
func thingName(t address.Image) string {
	if t.ID != "" {
		return image.ShortDigest(image.Digest("sha256:" + t.ID))
	}
	return t.Ref.Familiar()
}

// archiveOptions reads how an archive is to be. Errors are of kind Invalid.
func archiveOptions(c echo.Context) (r request, err error) {
	said, err := address.ParseArchive(c.QueryParams())
	if err != nil {
		return r, err
	}
	r.Platforms = said.Platforms
	if r.Format, err = archive.ParseFormat(said.Format); err != nil {
		return r, err
	}
	if r.Compression, err = archive.ParseCompression(said.Compress); err != nil {
		return r, err
	}
	return r, nil
}

// packedArchive is an archive with what its file is called.
type packedArchive struct {
	archive   *archive.Archive
	exports   []archive.Export
	downloads []download
	file      string
}

// download is what an archive hands out of one tag or digest.
type download struct {
	ref    image.Reference
	target image.Digest   // that it names
	images []image.Digest // the manifests of the platforms
}

// pack works an archive out. The same things, in any order, give the same archive.
func (h *Handlers) pack(ctx context.Context, r request) (packedArchive, error) {
	things, err := h.unfold(ctx, r.Things)
	if err != nil {
		return packedArchive{}, err
	}
	exports := make([]archive.Export, 0, len(things))
	var downloads []download
	for _, t := range things {
		stored, err := h.archived(ctx, t)
		if err != nil {
			return packedArchive{}, err
		}
		images, err := archivedImages(t, stored.Images, r.Platforms)
		if err != nil {
			return packedArchive{}, err
		}
		if t.ID == "" { // an image ID is of no repository
			downloads = append(downloads, download{t.Ref, stored.Target.Digest, archivedManifests(images)})
		}
		exports = append(exports, h.export(t, stored, images, len(r.Platforms) == 1))
	}
	a, err := archive.New(exports, r.Format)
	if err != nil {
		return packedArchive{}, err
	}
	return packedArchive{archive: a, exports: exports, downloads: downloads, file: fileName(r, exports)}, nil
}

func archivedManifests(images []shelf.ArchivedImage) []image.Digest {
	digests := make([]image.Digest, len(images))
	for n, i := range images {
		digests[n] = i.Manifest
	}
	return digests
}

// unfold puts the tags of a repository in its place, everything once and in an order of its own.
func (h *Handlers) unfold(ctx context.Context, things []address.Image) ([]address.Image, error) {
	var all []address.Image
	for _, t := range things {
		if t.ID != "" && len(t.ID) < 64 {
			if named, err := h.Images.Named(ctx, "sha256:"+t.ID); err == nil && named.Reference.Tag != "" {
				t = address.Of(named.Reference)
			}
		}
		if !t.IsRepository() {
			all = append(all, t)
			continue
		}
		tags, err := h.Images.TagsOf(ctx, t.Ref.Repository, address.MaxArchived+1)
		if err != nil {
			return nil, err
		}
		if len(tags) == 0 {
			digits, isID := image.ParseIDPrefix(t.Ref.Repository.Familiar())
			if _, err := h.Images.ImageByID(ctx, digits); isID && err == nil {
				all = append(all, address.Image{ID: digits})
				continue
			}
			return nil, image.Errorf(image.NotFound, "no tag of %s is stored", thingName(t)).
				Suggest("Pull one first, or name a digest.")
		}
		for _, tag := range tags {
			all = append(all, address.Of(t.Ref.WithTag(tag)))
		}
	}
	slices.SortFunc(all, func(a, b address.Image) int {
		return cmp.Or(cmp.Compare(a.Ref.String(), b.Ref.String()), cmp.Compare(a.ID, b.ID))
	})
	all = slices.Compact(all)
	if len(all) > address.MaxArchived {
		return nil, address.TooManyArchived(len(all))
	}
	return all, nil
}

// archived looks one thing up.
func (h *Handlers) archived(ctx context.Context, t address.Image) (shelf.Archived, error) {
	if t.ID != "" {
		return h.Images.ArchivedID(ctx, t.ID)
	}
	a, err := h.Images.Archived(ctx, t.Ref)
	if image.KindOf(err) == image.NotFound {
		return a, image.Errorf(image.NotFound, "%s is not stored", thingName(t)).Suggest("Pull it first.").Because(err)
	}
	return a, err
}

// archivedImages chooses the platforms asked for, or all that are stored and not broken.
func archivedImages(t address.Image, stored []shelf.ArchivedImage,
	platforms []image.Platform) ([]shelf.ArchivedImage, error) {
	var usable []shelf.ArchivedImage
	for _, i := range stored {
		if i.Broken.Empty() {
			usable = append(usable, i)
		}
	}
	if len(platforms) == 0 {
		switch {
		case len(usable) > 0:
			var once []shelf.ArchivedImage
			for _, i := range usable {
				if position(once, i) < 0 {
					once = append(once, i)
				}
			}
			return once, nil
		case len(stored) > 0:
			return nil, brokenImage(t, stored[0])
		}
		return nil, image.Errorf(image.NotFound, "no platform of %s is stored", thingName(t)).Suggest("Pull one first.")
	}
	var chosen []shelf.ArchivedImage
	for _, want := range platforms {
		i, ok := imageFor(usable, want)
		if !ok {
			if b, isBroken := imageFor(stored, want); isBroken {
				return nil, brokenImage(t, b)
			}
			return nil, notArchived(t, want, usable)
		}
		if position(chosen, i) < 0 {
			chosen = append(chosen, i)
		}
	}
	// In the index's order, whatever order they were asked for in.
	slices.SortFunc(chosen, func(a, b shelf.ArchivedImage) int {
		return cmp.Compare(position(usable, a), position(usable, b))
	})
	return chosen, nil
}

func position(images []shelf.ArchivedImage, i shelf.ArchivedImage) int {
	return slices.IndexFunc(images, func(o shelf.ArchivedImage) bool { return o.Manifest == i.Manifest })
}

// imageFor finds a platform's image: the first that is exactly for it, or else one for which only the OS version was
// left open.
func imageFor(images []shelf.ArchivedImage, want image.Platform) (found shelf.ArchivedImage, ok bool) {
	best := 0
	for _, i := range images {
		if n := i.Platform.Answers(want); n > best {
			best, found = n, i
		}
	}
	return found, best > 0
}

func brokenImage(t address.Image, i shelf.ArchivedImage) error {
	return image.Errorf(image.Conflict, "%s is broken and is not handed out: %s", thingName(t), i.Broken).
		Suggest("Ask its author to push it again; delete it here when nobody needs it.")
}

// notArchived says which platforms there are instead.
func notArchived(t address.Image, want image.Platform, usable []shelf.ArchivedImage) error {
	var names []string
	for _, i := range usable {
		if i.Platform.Known() {
			names = append(names, i.Platform.String())
		}
	}
	if len(names) == 0 {
		return image.Errorf(image.NoPlatform, "%s is not stored for %s", thingName(t), want).
			Suggest("Pull that platform first.")
	}
	return image.Errorf(image.NoPlatform, "%s is not stored for %s; it is stored for %s", thingName(t), want,
		strings.Join(names, ", ")).
		Suggest("Pull that platform first, or choose one of those that are stored.")
}

// export makes a thing an archive's. Where one platform was asked for, the archive has that manifest and no index:
// every client takes it, whatever it runs on. Else it has the index as it came, so that the digest stays that of the
// registry.
func (h *Handlers) export(t address.Image, a shelf.Archived, images []shelf.ArchivedImage, one bool) archive.Export {
	e := archive.Export{Target: a.Target, Indexes: a.Indexes}
	if t.ID == "" && t.Ref.Tag != "" {
		e.Name = t.Ref
	}
	stored := make([]shelf.Image, len(images))
	for n, i := range images {
		stored[n] = i.Image
	}
	preferred := h.Images.Preferred(stored)
	for _, i := range images {
		if !one { // only the index knows of them
			e.Others = append(e.Others, i.About...)
		}
		packed := archive.Image{Manifest: i.ManifestBlob, Config: i.Config, Layers: i.Layers}
		if i.Manifest == preferred.Manifest {
			e.Images = slices.Insert(e.Images, 0, packed)
		} else {
			e.Images = append(e.Images, packed)
		}
	}
	if one {
		e.Target, e.Indexes = images[0].ManifestBlob, nil
	}
	if len(e.Indexes) == 0 {
		e.Target.Platform = specPlatform(images[0].Platform)
	}
	return e
}

func specPlatform(p image.Platform) *ocispec.Platform {
	if !p.Known() {
		return nil
	}
	return &ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}
}

// mostName bounds what an archive's file is called, in bytes, without its extension.
const mostName = 180

// fileName names the file of an archive: ubuntu_22.04_linux-amd64.tar.
func fileName(r request, exports []archive.Export) string {
	name := fmt.Sprintf("%d-images", len(exports))
	if len(r.Things) == 1 {
		t := r.Things[0]
		switch {
		case t.ID != "":
			name = "image_" + thingName(t)
		case t.Ref.Digest != "":
			name = t.Ref.Repository.Familiar() + "_sha256-" + image.ShortDigest(t.Ref.Digest)
		default:
			name = t.Ref.Familiar()
		}
	}
	if len(r.Platforms) <= 3 {
		for _, p := range r.Platforms {
			name += "_" + strings.ReplaceAll(p.String(), "/", "-")
		}
	}
	name = strings.Trim(strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
			return c
		}
		return '_'
	}, name), "._-")
	name = name[:min(len(name), mostName)]
	if r.Format == archive.OCI {
		name += ".oci"
	}
	return name + r.Compression.Extension()
}
