package imagepage

import (
	"context"
	"time"

	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// label names a platform, also where the index does not.
func (p PlatformChoice) label(ctx context.Context) string { return ui.PlatformLabel(ctx, p.Name) }

func (m MissingPlatform) label(ctx context.Context) string { return ui.PlatformLabel(ctx, m.Name) }

// size is the figure beside a platform: unpacked as docker counts it, or compressed until that is known.
func (p PlatformChoice) size() string {
	if p.Unpacked >= 0 {
		return text.HumanSize(p.Unpacked)
	}
	return text.HumanSize(p.Size)
}

// sizes words both sizes of a platform.
func (p PlatformChoice) sizes(ctx context.Context) string {
	if p.Unpacked < 0 {
		return text.T(ctx, "image.size_compressed", "Size", text.HumanSize(p.Size))
	}
	return text.T(ctx, "image.size_both", "Unpacked", text.HumanSize(p.Unpacked), "Size", text.HumanSize(p.Size))
}

func (f ImageFigures) unpackedNote(ctx context.Context) string {
	if f.Unpacked < 0 {
		return text.T(ctx, "image.unpacked_unknown")
	}
	return text.T(ctx, "image.unpacked", "Size", text.HumanSize(f.Unpacked))
}

func (f ImageFigures) sharedNote(ctx context.Context) string {
	if f.SharedLayers == 0 {
		return text.T(ctx, "image.none_shared")
	}
	return text.T(ctx, "image.shared_layers", text.Count, f.SharedLayers)
}

func (f ImageFigures) createdNote(ctx context.Context) string {
	if f.Created.IsZero() {
		return text.T(ctx, "image.created_unknown")
	}
	return text.HumanAge(ctx, f.Created)
}

func (f ImageFigures) pulledNote(ctx context.Context) string {
	if f.By == "" {
		return text.T(ctx, "image.pulled_from", "Host", f.From)
	}
	return text.T(ctx, "image.pulled_by", "By", text.Visible(f.By), "Host", f.From)
}

func (f ImageFigures) uploadedNote(ctx context.Context) string {
	if f.By == "" {
		return ""
	}
	return text.T(ctx, "image.uploaded_by", "By", text.Visible(f.By))
}

// isoTime is for datetime attributes.
func isoTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stepUnpacked words the unpacked size of a step's layer.
func stepUnpacked(ctx context.Context, l StepLayer) string {
	if l.Unpacked < 0 {
		return text.T(ctx, "layers.unpacked_unknown")
	}
	return text.T(ctx, "image.unpacked", "Size", text.HumanSize(l.Unpacked))
}
