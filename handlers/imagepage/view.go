package imagepage

import (
	"context"
	"strings"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// maxLinks is how many references the head of a page names.
const maxLinks = 12

// imageView fills in the head of the page.
func (h *Handlers) imageView(ctx context.Context, s *subject) imagepage.ImageView {
	v := imagepage.ImageView{
		Title: s.title(ctx), Tabs: s.tabs(ctx), Of: imagepage.Named{Ref: s.Ref, Digest: s.target.Digest},
		Ways:      imagepage.Ways{Deletions: s.deletions(ctx)},
		Platforms: s.platformLinks(), PlatformsURL: s.Base().At(s.Section).String(), Shown: s.figures(ctx),
		Flaws:  imagepage.Flaws{Broken: s.shown.Broken, Damaged: s.damaged(h)},
		Beside: imagepage.Beside{URL: s.url(address.SectionManifest)},
	}
	for _, e := range s.target.Entries {
		switch e.Kind {
		case image.EntryAttestation:
			v.Beside.Attestations++
		case image.EntryOther:
			v.Beside.Others++
		}
	}
	if s.stored {
		v.Beside.Attested = s.attested()
		v.Ways.DownloadURL = s.url(address.SectionDownload)
		if s.shown.Misnamed() {
			v.Flaws.Listed, v.Flaws.Config = s.shown.Platform, s.shown.Own
		}
	}
	if s.ID != "" {
		s.describeID(ctx, &v)
	} else {
		s.describeReference(ctx, &v)
	}
	if !s.stored {
		v.Missing = &imagepage.MissingPlatform{Name: s.platform.String(), PullURL: s.pullURL(), Command: s.docker("pull", "")}
	}
	return v
}

// describeReference fills in what only a tag or a digest has.
func (s *subject) describeReference(ctx context.Context, v *imagepage.ImageView) {
	v.Crumbs = page.CrumbsOf(ctx, s.Ref.Repository, address.Of(image.Reference{Repository: s.Ref.Repository}).String())
	if s.stored {
		v.Ways.PullURL = address.PullFormOf(s.Ref, s.storedPlatforms()...).String()
	}
	v.Of.Reason = s.target.Reason
	if s.Ref.Tag != "" {
		digest := s.Ref.WithTag("").WithDigest(s.target.Digest)
		v.Of.Permanent = address.Of(digest).At(s.Section).For(s.addressed()).String()
		return
	}
	for _, t := range s.target.Tags {
		ref := image.Reference{Repository: s.Ref.Repository, Tag: t}
		v.Of.Names = append(v.Of.Names, ui.Link{
			Label: t, URL: address.Of(s.Ref.WithTag(t)).At(s.Section).For(s.addressed()).String(),
			Note: ui.UploadedWord(ctx, ref),
		})
	}
	v.Of.Names, v.Of.MoreNames = first(v.Of.Names)
}

// describeID fills in what only an image ID has.
func (s *subject) describeID(ctx context.Context, v *imagepage.ImageView) {
	v.Of.Digest = s.shown.ID
	v.Crumbs = []ui.Crumb{{Label: text.T(ctx, "nav.images"), URL: address.ImagesPath},
		{Label: image.ShortDigest(s.shown.ID)}}
	for _, r := range append(append([]image.Reference{}, s.names.Tags...), s.names.Lone...) {
		label := r.Familiar()
		if r.Digest != "" {
			label = r.Repository.Familiar() + "@" + image.ShortDigest(r.Digest)
		}
		v.Of.Names = append(v.Of.Names,
			ui.Link{Label: label, URL: address.Of(r).At(s.Section).For(s.names.Called[r]).String(),
				Note: ui.UploadedWord(ctx, r)})
	}
	v.Of.Names, v.Of.MoreNames = first(v.Of.Names)
	if len(s.names.Tags) > 0 {
		v.Ways.PullURL = address.PullFormOf(s.names.Tags[0], s.names.Called[s.names.Tags[0]]).String()
	}
	for _, t := range s.twins {
		l := ui.Link{Label: image.ShortDigest(t.Manifest), Note: t.Platform.String()}
		if len(s.names.Digests) > 0 {
			l.URL = address.Of(s.names.Digests[0].WithDigest(t.Manifest)).String()
		}
		v.Of.Twins = append(v.Of.Twins, l)
	}
}

// first keeps a list of links short.
func first(links []ui.Link) (shown []ui.Link, more int) {
	if len(links) <= maxLinks {
		return links, 0
	}
	return links[:maxLinks], len(links) - maxLinks
}

// title is the window's: what the page is of, and its section unless it is the first.
func (s *subject) title(ctx context.Context) string {
	title := s.label()
	if s.Ref.Digest != "" {
		title = s.Ref.Repository.Familiar() + "@" + image.ShortDigest(s.Ref.Digest)
	}
	for _, section := range sections {
		if section.name == s.Section && s.Section != address.SectionLayers && s.stored {
			return title + " · " + text.T(ctx, section.label)
		}
	}
	return title
}

// sections are the tabs of the page.
var sections = []struct {
	name  address.Section
	label text.MessageID
}{
	{address.SectionLayers, "image.tab_layers"},
	{address.SectionConfig, "image.tab_config"},
	{address.SectionManifest, "image.tab_manifest"},
	{address.SectionInspect, "image.tab_inspect"},
	{address.SectionHistory, "image.tab_history"},
	{address.SectionUse, "use.tab"},
	{address.SectionDownload, "download.tab"},
}

func (s *subject) tabs(ctx context.Context) []ui.Tab {
	tabs := make([]ui.Tab, 0, len(sections))
	for _, section := range sections {
		tabs = append(tabs, ui.Tab{
			Label: text.T(ctx, section.label), URL: s.url(section.name),
			Active: section.name == s.Section || s.Section == "" && section.name == address.SectionLayers,
		})
	}
	return tabs
}

// platformLinks returns the platform switch: to the same section where a platform is stored, to the pull form
// where it is not.
func (s *subject) platformLinks() []imagepage.PlatformChoice {
	links := make([]imagepage.PlatformChoice, 0, len(s.choices))
	for _, c := range s.choices {
		l := imagepage.PlatformChoice{Name: c.platform.String(), Stored: c.stored, Unpacked: -1}
		if c.stored {
			l.Current = s.stored && c.image.Manifest == s.shown.Manifest && c.platform == s.platform
			l.Broken, l.Size, l.Unpacked = !c.image.Broken.Empty(), c.image.Size, c.image.Unpacked
			l.URL = s.Base().At(s.Section).For(c.platform).String()
		} else {
			l.Current = !s.stored && c.platform == s.platform
			l.URL = s.pullFormURL(c.platform)
		}
		links = append(links, l)
	}
	return links
}

// storedPlatforms returns what pulling again is about.
func (s *subject) storedPlatforms() []image.Platform {
	var platforms []image.Platform
	for _, c := range s.choices {
		if c.stored && c.platform.Known() {
			platforms = append(platforms, c.platform)
		}
	}
	return platforms
}

// pullURL returns the pull form with the platform of the page ticked.
func (s *subject) pullURL() string { return s.pullFormURL(s.platform) }

func (s *subject) pullFormURL(p image.Platform) string {
	if !p.Known() {
		return address.PullFormOf(s.Ref).String()
	}
	return address.PullFormOf(s.Ref, p).String()
}

// figures returns the key figures of the platform shown.
func (s *subject) figures(ctx context.Context) imagepage.ImageFigures {
	f := imagepage.ImageFigures{
		ID: s.shown.ID, Size: s.shown.Size, Unpacked: s.shown.Unpacked, Layers: s.shown.Layers, Created: s.shown.Created,
		Pulled: s.shown.Stored,
	}
	for _, l := range s.layers {
		if l.Users > 1 {
			f.SharedLayers++
		}
	}
	if s.ID == "" {
		f.Pulled, f.By, f.From = s.target.Pulled, s.target.By, s.Ref.Repository.Host()
		f.Uploaded = ui.UploadedWord(ctx, s.Ref) != ""
	}
	return f
}

// deletions returns what can be deleted from here. Each leads to the plan, which says what will happen.
func (s *subject) deletions(ctx context.Context) []ui.Link {
	whole := ui.Link{Label: text.T(ctx, "image.delete"), URL: s.Base().At(address.SectionDelete).String()}
	if s.ID != "" || !s.stored || len(s.target.Images) < 2 {
		return []ui.Link{whole}
	}
	if whole.Label = text.T(ctx, "image.delete_digest"); s.Ref.Tag != "" {
		whole.Label = text.T(ctx, "image.delete_tag", "Tag", s.Ref.Tag)
	}
	one := ui.Link{Label: text.T(ctx, "image.delete_platform", "Platform", s.platform.String()),
		URL: s.Base().At(address.SectionDelete).For(s.platform).String()}
	return []ui.Link{one, whole}
}

// docker returns a docker command about the image, for its platform where that is not a matter of course.
func (s *subject) docker(command, options string) string {
	words := []string{"docker", command}
	if len(s.choices) > 1 && s.platform.Known() {
		if command == "inspect" { // only the image command knows --platform
			words = []string{"docker", "image", "inspect"}
		}
		words = append(words, "--platform", ui.ShellWords([]string{s.platform.String()}))
	}
	if options != "" {
		words = append(words, options)
	}
	return strings.Join(append(words, s.label()), " ")
}
