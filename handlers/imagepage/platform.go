package imagepage

import (
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
)

// platformChoice is one platform of an index, or the only one of a manifest.
type platformChoice struct {
	platform image.Platform
	digest   image.Digest // of its manifest
	image    shelf.Image
	stored   bool
}

// choicesOf returns the platforms of a target in the index's order, nested indexes unfolded, each manifest once for
// each platform that it is listed for.
func choicesOf(t shelf.Target) []platformChoice {
	byManifest := make(map[image.Digest]shelf.Image, len(t.Images))
	for _, i := range t.Images {
		byManifest[i.Manifest] = i
	}
	type listed struct {
		manifest image.Digest
		platform image.Platform
	}
	var choices []platformChoice
	seen := map[listed]bool{}
	for _, e := range t.Entries {
		if e.Kind != image.EntryImage {
			continue
		}
		c := platformChoice{platform: e.Platform, digest: e.Digest}
		if c.image, c.stored = byManifest[e.Digest]; c.stored {
			if !c.platform.Known() {
				c.platform = c.image.Own
			}
			c.image.Platform = c.platform
		}
		if at := (listed{c.digest, c.platform}); !seen[at] {
			seen[at] = true
			choices = append(choices, c)
		}
	}
	if len(t.Entries) == 0 {
		for _, i := range t.Images {
			choices = append(choices, platformChoice{platform: i.Platform, digest: i.Manifest, image: i, stored: true})
		}
	}
	return choices
}

// choose settles which platform the page shows: the one asked for, or else the preferred one.
func (s *subject) choose(want image.Platform, preferred shelf.Image) error {
	best, most := -1, 0
	for i, c := range s.choices {
		n := 0
		if s.asked {
			n = c.platform.Answers(want)
		} else if n = 1; c.stored && c.image.Manifest == preferred.Manifest && c.platform == preferred.Platform {
			n = 3
		}
		if n > 0 && c.stored {
			n++
		}
		if n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		return s.noPlatform(want)
	}
	c := s.choices[best]
	s.shown, s.stored, s.platform = c.image, c.stored, c.platform
	return nil
}

// noPlatform says which platforms there are.
func (s *subject) noPlatform(want image.Platform) error {
	var names []string
	for _, c := range s.choices {
		if c.platform.Known() {
			names = append(names, c.platform.String())
		}
	}
	const most = 24
	if more := len(names) - most; more > 0 {
		names = append(names[:most:most], "…")
	}
	if len(names) == 0 {
		return image.Errorf(image.NoPlatform, "%s has no image for %s", s.label(), want).
			Suggest("It has no image for any platform.")
	}
	return image.Errorf(image.NoPlatform, "%s has no image for %s; it has %s", s.label(), want, strings.Join(names, ", ")).
		Suggest("Choose one of the platforms that it has.")
}

// label names the subject as docker would: a short ID, or the familiar reference.
func (s *subject) label() string {
	if s.ID != "" {
		return image.ShortDigest(s.target.Images[0].ID)
	}
	return s.Ref.Familiar()
}

// page returns the address of a section for the platform shown. Without a choice of platforms, and without one
// asked for, the address names none.
func (s *subject) page(section address.Section) address.Image {
	return s.At(section).For(s.addressed())
}

// url is page as a text.
func (s *subject) url(section address.Section) string { return s.page(section).String() }

// addressed is the platform that links to other sections keep: none where the page would be the same.
func (s *subject) addressed() image.Platform {
	if !s.asked {
		return image.Platform{}
	}
	return s.platform
}
