package images

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// RepositoryView is a repository's page: its tags, and its digests without one.
type RepositoryView struct {
	Repository image.Repository
	Crumbs     []ui.Crumb
	Tags       int
	Untagged   int // digests that no tag of the repository points to
	List       ImageList
}

func (v RepositoryView) subtitle(ctx context.Context) string {
	s := text.T(ctx, "repository.tags", text.Count, v.Tags)
	if v.Untagged > 0 {
		s += " · " + text.T(ctx, "repository.untagged", text.Count, v.Untagged)
	}
	return s
}

// pullURL returns the pull form for another tag.
func (v RepositoryView) pullURL() string {
	return address.PullFormOf(image.Reference{Repository: v.Repository}).String()
}
