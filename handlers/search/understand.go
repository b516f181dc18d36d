package search

import (
	"context"
	"slices"

	"github.com/stowage/stowage/handlers/lookup"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/docker"
	"github.com/stowage/stowage/views/address"
)

// lead says what a text in the search box leads to.
type lead int

// The leads.
const (
	leadsNowhere lead = iota // words to search for
	leadsToImage             // a page of what is stored
	leadsToPull              // the pull form
	leadsToTags              // the tags of a repository on the Search page
)

// meaning is what a text in the search box stands for.
type meaning struct {
	// Page is where it leads to at once: a stored image's page, or the pull form. Empty for words to search for.
	Page string
	// Words is what is searched for.
	Words string
	// Name is the text alone, without the command or the quotes that were pasted along.
	Name string
	// lead says what kind of page Page is.
	Lead lead
	// Ref is the reference that the text was read as, without the default tag; zero for words and IDs.
	Ref image.Reference
}

// understand tells words from references, digests and image IDs. "postgres" and "bitnami/redis" are words, also
// where the shelf has such a repository; "postgres:15", "ghcr.io/org/app", "postgres@sha256:…", "sha256:…",
// the first hex digits of an ID and pasted commands ("docker pull …") are not, and lead to the stored image where there
// is one, or else to the pull form. A name without a tag is then read as docker reads it, with the tag latest; where
// that tag is not stored but others of the repository are, it leads to the repository's page. A page of Docker Hub,
// Quay or GitHub about a repository leads to its tags. Errors are image.Errors of what looks like a reference and is
// none, or like an ID of nothing that is stored. The meaning is worth something even then: Name is set, and Words where
// the text can be both. No registry is asked.
func (h *Handlers) understand(ctx context.Context, text string) (meaning, error) {
	if err := docker.CheckText(text); err != nil {
		return meaning{}, err
	}
	p := docker.ReadPaste(text)
	name := p.Name
	m := meaning{Name: name}
	if p.NoImage {
		return m, docker.NoImage(name)
	}
	if docker.IsWords(name) {
		m.Words = name
		return m, nil
	}
	if hex, ok := image.ParseIDPrefix(name); ok &&
		(hex != name || len(hex) >= lookup.MinPastedID || len(hex) >= lookup.FewestTyped && !p.Along) {
		if done, err := h.understandID(ctx, &m, hex); done || err != nil {
			return m, err
		}
	}
	if p.Repository {
		var err error
		if m.Ref, err = image.ParseRepositoryReference(name); err != nil {
			return m, err
		}
		m.Page, m.Lead = address.Search{}.Picking(m.Ref.Repository).String(), leadsToTags
		return m, nil
	}
	if !p.Along && !docker.LikeReference(name) {
		m.Words = docker.SearchWords(name)
		return m, nil
	}
	err := h.understandReference(ctx, &m, p.Platform, p.AllTags)
	return m, err
}

// understandID finds what hex digits are of. Short of what docker shows of an ID they are words where nothing, or more
// than one thing, begins so, or where the shelf has a repository of that name.
func (h *Handlers) understandID(ctx context.Context, m *meaning, hex string) (done bool, err error) {
	short := hex == m.Name && len(hex) < lookup.MinPastedID
	if short {
		ref, err := image.ParseRepositoryReference(hex)
		if err != nil {
			return false, err
		}
		if known, err := h.Images.RepositoryExists(ctx, ref.Repository); known || err != nil {
			return false, err
		}
	}
	page, err := h.Lookup.KnownPage(ctx, hex)
	switch {
	case short && (image.KindOf(err) == image.Conflict || err == nil && page == ""):
		return false, nil
	case err != nil:
		return false, err
	case page != "":
		m.Page, m.Lead = page, leadsToImage
		return true, nil
	case len(hex) < 64 && hex == m.Name:
		m.Words = hex // it may be the name of something, too
	}
	return false, lookup.UnknownDigest(hex)
}

// understandReference finds the page of a reference: what is stored under it or, for a name without a tag, in its
// repository; else the pull form. platform is the one that was pasted along, or empty; a stored image without it
// is not what is meant. Nor is one where all tags are asked for.
func (h *Handlers) understandReference(ctx context.Context, m *meaning, platform string, allTags bool) error {
	ref, err := image.ParseRepositoryReference(m.Name)
	if err != nil {
		return err
	}
	platforms, err := address.ParsePlatforms([]string{platform})
	if err != nil {
		return err
	}
	m.Ref = ref
	if allTags {
		m.Page, m.Lead = address.PullAllOf(ref.Repository, "", platforms...).String(), leadsToPull
		return nil
	}
	m.Lead = leadsToImage
	if m.Page, err = h.storedPage(ctx, ref, platforms); err != nil || m.Page != "" {
		return err
	}
	m.Page, m.Lead = address.PullFormOf(ref, platforms...).String(), leadsToPull
	return nil
}

// storedPage returns the page of a reference on the shelf; empty where it is not stored, or not for each of the
// platforms. A name alone stands for its tag latest, or else for what the shelf has of the repository.
func (h *Handlers) storedPage(ctx context.Context, ref image.Reference, platforms []image.Platform) (string, error) {
	bare := ref.Tag == "" && ref.Digest == ""
	whole := ref
	if bare {
		whole.Tag = image.DefaultTag
	}
	stored, err := h.Images.Resolved(ctx, whole)
	switch {
	case image.KindOf(err) == image.NotFound && bare && len(platforms) == 0:
		known, err := h.Images.RepositoryExists(ctx, ref.Repository)
		if err != nil || !known {
			return "", err
		}
		return address.Of(ref).String(), nil
	case image.KindOf(err) == image.NotFound:
		return "", nil
	case err != nil:
		return "", err
	case len(platforms) == 0:
		return address.Of(whole).String(), nil
	}
	for _, p := range platforms {
		if !slices.ContainsFunc(stored.Images, func(i shelf.StoredImage) bool { return i.Platform == p }) {
			return "", nil
		}
	}
	return address.Of(whole).For(platforms[0]).String(), nil
}
