package imagepage

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
)

// LayerView is a layer's page. Its CreatedBy and Problem are hostile text.
type LayerView struct {
	shelf.Layer
	Damaged bool // its file is not what was stored
	Uses    []shelf.LayerUser
}

// LayerTitle is the title of a layer's page.
func LayerTitle(ctx context.Context, d image.Digest) string {
	return text.T(ctx, "layer.title", "Digest", image.ShortDigest(d))
}

func (v LayerView) unpackedText(ctx context.Context) string {
	switch {
	case !v.Problem.Empty():
		return text.T(ctx, "layer.not_unpackable")
	case v.Unpacked < 0:
		return text.T(ctx, "layer.not_unpacked")
	}
	return text.HumanSize(v.Unpacked)
}

func (v LayerView) entriesText() string {
	if v.Entries < 0 || !v.Problem.Empty() {
		return "–"
	}
	return text.Grouped(v.Entries)
}

// unpackedNote returns the exact number where it is known.
func (v LayerView) unpackedNote(ctx context.Context) string {
	if v.Unpacked < 0 || !v.Problem.Empty() {
		return ""
	}
	return text.ExactBytes(ctx, v.Unpacked)
}

// useURL returns the page of a use under one of its references.
func useURL(u shelf.LayerUser, ref image.Reference) string {
	return address.Of(ref).For(u.Image.Platform).String()
}
