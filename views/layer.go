package views

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
)

// LayerView is a layer's page. CreatedBy and Problem are hostile text.
type LayerView struct {
	Digest    image.Digest
	DiffID    image.Digest // empty until it was unpacked
	MediaType string
	Size      int64
	Unpacked  int64 // negative until it was unpacked
	Entries   int64 // negative until it was unpacked
	CreatedBy string
	Problem   image.Text // why it cannot be unpacked; empty when nothing is known against it
	Damaged   bool       // its file is not what was stored
	Users     int        // images that use it
	Uses      []LayerUse
}

// LayerUse is an image that uses the layer.
type LayerUse struct {
	Refs     []image.Reference // a few that lead to the image; empty where only its ID does
	Platform image.Platform
	ImageID  image.Digest
	Position int // of the layer in the image, from 1
	Layers   int // of the image
	Size     int64
	Broken   image.Text
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

func (v LayerView) entriesText(ctx context.Context) string {
	if v.Entries < 0 || !v.Problem.Empty() {
		return "–"
	}
	return text.Grouped(v.Entries)
}

// unpackedNote gives the exact number where it is known.
func (v LayerView) unpackedNote(ctx context.Context) string {
	if v.Unpacked < 0 || !v.Problem.Empty() {
		return ""
	}
	return text.ExactBytes(ctx, v.Unpacked)
}

// url gives the page of a use under one of its references.
func (u LayerUse) url(ref image.Reference) string {
	return address.Of(ref).For(u.Platform).String()
}
