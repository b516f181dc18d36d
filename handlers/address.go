package handlers

import (
	"context"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/views/ui"
)

// address is what an address below /images/ names: an image ID, or a reference (a repository where it has
// neither tag nor digest), and a section of its page.
type address struct {
	ref       image.Reference
	idPrefix  string // hex digits; empty for a reference
	section   ui.Section
	canonical string // the path it should have; a familiar form is redirected there
}

// base gives the address without its section.
func (a address) base() string {
	if a.idPrefix != "" {
		return ui.IDURL(image.Digest("sha256:" + a.idPrefix))
	}
	return ui.ImageURL(a.ref)
}

// imageAddress reads the path below /images/. Errors are of kind Invalid.
func (h *Handlers) imageAddress(c echo.Context) (address, error) {
	// Not echo's parameter, which is still escaped in some addresses and not in others.
	path := strings.Trim(strings.TrimPrefix(c.Request().URL.Path, "/images/"), "/")
	a, err := parseAddress(path)
	if err != nil {
		return a, err
	}
	return h.settled(c.Request().Context(), a, path)
}

// parseAddress reads a path as it stands.
func parseAddress(path string) (address, error) {
	var a address
	name, section := splitSection(path)
	if strings.HasPrefix(name, "sha256:") && !strings.Contains(name, "/") {
		prefix, ok := image.ParseIDPrefix(name)
		if !ok {
			return address{}, storage.NotAnID(name)
		}
		a = address{idPrefix: prefix, section: section}
	} else {
		ref, err := image.ParseRepositoryReference(name)
		if err != nil {
			return address{}, err
		}
		a = address{ref: ref, section: section}
	}
	a.canonical = ui.SectionURL(a.base(), a.section, image.Platform{})
	return a, nil
}

// settled returns what an address stands for on the shelf, where docker would take it in another way than it reads: a tag
// of a repository sha256 comes before the beginning of an ID, and hex digits alone are the beginning of an ID where no
// repository is called so.
func (h *Handlers) settled(ctx context.Context, a address, path string) (address, error) {
	if a.idPrefix != "" {
		if len(a.idPrefix) == 64 {
			return a, nil
		}
		named, err := h.store.Named(ctx, "sha256:"+a.idPrefix)
		if err == nil && named.Reference.Tag != "" {
			a.ref, a.idPrefix = named.Reference, ""
			a.canonical = ui.SectionURL(a.base(), a.section, image.Platform{})
		}
		return a, nil // whatever is wrong with an ID is said where it is looked for
	}
	digits, section, _ := strings.Cut(path, "/")
	_, isID := image.ParseIDPrefix(digits)
	if a.ref.Tag != "" || a.ref.Digest != "" || !isID || !isSection(ui.Section(section)) {
		return a, nil
	}
	known, err := h.store.RepositoryExists(ctx, a.ref.Repository)
	if err != nil || known {
		return a, err
	}
	named, err := h.store.Named(ctx, digits)
	if err != nil {
		return a, nil //nolint:nilerr // it is a name of which nothing is stored
	}
	a = address{ref: named.Reference, section: ui.Section(section)}
	if named.Image.ID != "" {
		a.idPrefix = named.Image.ID.Encoded()
	}
	a.canonical = ui.SectionURL(a.base(), a.section, image.Platform{})
	return a, nil
}

// isSection reports whether an address can end with s; the first section has no name.
func isSection(s ui.Section) bool {
	switch s {
	case "", ui.SectionLayers, ui.SectionConfig, ui.SectionManifest, ui.SectionInspect, ui.SectionHistory, ui.SectionUse, ui.SectionChanges,
		ui.SectionDownload, ui.SectionArchive, ui.SectionDelete, ui.SectionPin, ui.SectionUnpin, ui.SectionCheck:
		return true
	}
	return false
}

// splitSection takes a section off the end of a path. Only a tag, a digest or an ID has sections, so a
// repository may be called "layers" or "history"; a port does not count as a tag where the part before
// it can only be a host.
func splitSection(path string) (name string, s ui.Section) {
	i := strings.LastIndex(path, "/")
	if i < 0 {
		return path, ""
	}
	last, before := ui.Section(path[i+1:]), path[:i]
	if last == "" || !isSection(last) {
		return path, ""
	}
	element := before[strings.LastIndex(before, "/")+1:]
	host, port, tagged := strings.Cut(element, ":")
	if !tagged && !strings.Contains(element, "@") {
		return path, ""
	}
	isHost := element == before && tagged && !strings.Contains(port, "@") && isPort(port) && (host == "localhost" || strings.Contains(host, "."))
	if isHost {
		return path, ""
	}
	return before, last
}

func isPort(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// platformParam reads ?platform=; zero where it is not given.
func platformParam(c echo.Context) (image.Platform, error) {
	s := c.QueryParam("platform")
	if s == "" {
		return image.Platform{}, nil
	}
	return image.ParsePlatform(s)
}
