package imagepage

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
)

// Names is what tells names from IDs.
type Names interface {
	Named(ctx context.Context, name string) (shelf.Named, error)
	RepositoryExists(ctx context.Context, name image.Repository) (exists bool, err error)
}

// Rooms answer those addresses below /images/ that other packages have.
type Rooms struct {
	Repository, Archive, DeletePlan, Delete, Pin, Unpin, Check func(echo.Context, address.Image) error
	// RepositoryArchive reports whether it was for it to answer.
	RepositoryArchive func(echo.Context, address.Image) (done bool, err error)
}

// Addresses answers the addresses below /images/: each leads to the page or the action that it names.
type Addresses struct {
	Store   Names
	Pages   *Handlers
	Changes *Changes
	Rooms   Rooms
}
