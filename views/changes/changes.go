// Package changes has the page that compares two images of a repository.
package changes

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// ChangesView is what changed between two digests of a repository.
type ChangesView struct {
	Crumbs     []ui.Crumb
	Repository image.Repository
	From, To   ChangesSide
	Back       string // the address of the comparison the other way round
	Platforms  []PlatformChangeView
	Platform   image.Platform // compared in config and layers; zero where no platform is stored on both sides
	Config     []image.ConfigChange
	Layers     []image.LayerChange
	Size       SizeChange // compressed bytes of the layers
	Unpacked   SizeChange
}

// ChangesSide is one of the two digests.
type ChangesSide struct {
	Digest  image.Digest
	URL     string   // its permanent page; empty where it is not stored
	Tags    []string // of the repository, on this digest now
	PullURL string   // where it is not stored: the form that fetches it
}

// PlatformChangeView is what became of one platform.
type PlatformChangeView struct {
	image.PlatformChange
	URL     string // the comparison for this platform; empty where one side of it is not stored
	Current bool
}

// SizeChange is a size before and after; negative where it is unknown.
type SizeChange struct{ From, To int64 }

// difference words how much larger or smaller it became, with its sign.
func (s SizeChange) difference(ctx context.Context) string {
	switch d := s.To - s.From; {
	case s.From < 0 || s.To < 0:
		return text.T(ctx, "changes.size_unknown")
	case d > 0:
		return "+" + text.HumanSize(d)
	case d < 0:
		return "−" + text.HumanSize(-d)
	}
	return text.T(ctx, "changes.size_same")
}

// note words the sizes themselves.
func (s SizeChange) note() string {
	if s.From < 0 || s.To < 0 {
		return ""
	}
	return text.HumanSize(s.From) + " → " + text.HumanSize(s.To)
}

// ChangesTitle is the title of the page.
func ChangesTitle(ctx context.Context, repository image.Repository) string {
	return text.T(ctx, "changes.title", "Name", repository.Familiar())
}

// missing returns the side whose digest is not stored, so that only the other is known.
func (v ChangesView) missing() []ChangesSide {
	var all []ChangesSide
	for _, side := range []ChangesSide{v.From, v.To} {
		if side.URL == "" {
			all = append(all, side)
		}
	}
	return all
}

// count counts the layers of a kind, and their bytes.
func (v ChangesView) count(kind image.ChangeKind) (n int, bytes int64) {
	for _, l := range v.Layers {
		if l.Kind == kind {
			n++
			bytes += l.Size
		}
	}
	return n, bytes
}

// layersNote counts what became of the layers.
func (v ChangesView) layersNote(ctx context.Context) string {
	same, _ := v.count(image.Same)
	added, addedBytes := v.count(image.Added)
	gone, goneBytes := v.count(image.Gone)
	return text.T(ctx, "changes.layers_kept", text.Count, same) + " · " +
		text.T(ctx, "changes.layers_added", text.Count, added, "Size", text.HumanSize(addedBytes)) + " · " +
		text.T(ctx, "changes.layers_gone", text.Count, gone, "Size", text.HumanSize(goneBytes))
}

// changeWords are the badge of each kind of change.
var changeWords = map[image.ChangeKind]struct {
	kind ui.Kind
	sign string
	word text.MessageID
}{
	image.Same:    {ui.KindNeutral, "=", "changes.same"},
	image.Added:   {ui.KindSuccess, "+", "changes.added"},
	image.Gone:    {ui.KindError, "−", "changes.gone"},
	image.Changed: {ui.KindWarning, "~", "changes.changed"},
}

// fieldWords name the parts of a config.
var fieldWords = map[image.ConfigField]text.MessageID{
	image.FieldCreated: "changes.field_created", image.FieldAuthor: "changes.field_author",
	image.FieldPlatform: "changes.field_platform",
	image.FieldUser:     "changes.field_user", image.FieldWorkingDir: "changes.field_working_dir",
	image.FieldEntrypoint: "changes.field_entrypoint",
	image.FieldCmd:        "changes.field_cmd", image.FieldEnv: "changes.field_env", image.FieldPort: "changes.field_port",
	image.FieldVolume: "changes.field_volume",
	image.FieldLabel:  "changes.field_label", image.FieldStopSignal: "changes.field_stop_signal",
	image.FieldHealthcheck: "changes.field_healthcheck",
	image.FieldShell:       "changes.field_shell", image.FieldOnBuild: "changes.field_on_build",
}

// maxConfigChanges bounds what one page shows: a config is hostile, and may have a hundred thousand labels.
const maxConfigChanges = 300
