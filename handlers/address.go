package handlers

import (
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views"
)

// address is what an address below /images/ names: an image ID, or a reference (a repository where it has
// neither tag nor digest), and a section of its page.
type address struct {
	ref       image.Reference
	idPrefix  string // hex digits; empty for a reference
	section   views.Section
	canonical string // the path it should have; a familiar form is redirected there
}

// base gives the address without its section.
func (a address) base() string {
	if a.idPrefix != "" {
		return views.IDURL(image.Digest("sha256:" + a.idPrefix))
	}
	return views.ImageURL(a.ref)
}

// parseAddress reads the path below /images/. Errors are of kind Invalid.
func parseAddress(c echo.Context) (address, error) {
	// Not echo's parameter, which is still escaped in some addresses and not in others.
	path := strings.Trim(strings.TrimPrefix(c.Request().URL.Path, "/images/"), "/")
	var a address
	name, section := splitSection(path)
	if strings.HasPrefix(name, "sha256:") && !strings.Contains(name, "/") {
		prefix, ok := image.ParseIDPrefix(name)
		if !ok {
			return address{}, image.Errorf(image.Invalid, "%.80q is not an image ID", name).
				Suggest("An image ID is sha256: and 4 to 64 hex digits.")
		}
		a = address{idPrefix: prefix, section: section}
	} else {
		ref, err := image.ParseRepositoryReference(name)
		if err != nil {
			return address{}, err
		}
		a = address{ref: ref, section: section}
	}
	a.canonical = views.SectionURL(a.base(), a.section, image.Platform{})
	return a, nil
}

// splitSection takes a section off the end of a path. Only a tag, a digest or an ID has sections, so a
// repository may be called "layers" or "history"; a port does not count as a tag where the part before
// it can only be a host.
func splitSection(path string) (name string, s views.Section) {
	i := strings.LastIndex(path, "/")
	if i < 0 {
		return path, ""
	}
	last, before := views.Section(path[i+1:]), path[:i]
	switch last {
	case views.SectionLayers, views.SectionConfig, views.SectionManifest, views.SectionInspect, views.SectionHistory, views.SectionUse, views.SectionChanges,
		views.SectionDownload, views.SectionArchive, views.SectionDelete, views.SectionPin, views.SectionUnpin, views.SectionCheck:
	default:
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
