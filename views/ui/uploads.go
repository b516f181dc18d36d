package ui

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
)

type uploadsKey struct{}

// WithUploads returns a context whose pages say "uploaded" beside each name for which is reports it: a tag that an
// archive has set, a digest or a repository with such a tag. Without it they say so of none.
func WithUploads(ctx context.Context, is func(image.Reference) bool) context.Context {
	return context.WithValue(ctx, uploadsKey{}, is)
}

// UploadedWord returns the word beside a name in text, or nothing.
func UploadedWord(ctx context.Context, ref image.Reference) string {
	if !uploaded(ctx, ref) {
		return ""
	}
	return text.T(ctx, "label.uploaded")
}

func uploaded(ctx context.Context, ref image.Reference) bool {
	is, ok := ctx.Value(uploadsKey{}).(func(image.Reference) bool)
	return ok && ref.Repository != "" && is(ref)
}
