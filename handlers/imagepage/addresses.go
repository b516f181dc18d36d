package imagepage

import (
	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/views/address"
)

// Rooms answer those addresses below /images/ that other packages have.
type Rooms struct {
	Repository, Archive, DeletePlan, Delete, Pin, Unpin, Check func(echo.Context, address.Image) error
	// RepositoryArchive reports whether it was for it to answer.
	RepositoryArchive func(echo.Context, address.Image) (done bool, err error)
}

// Addresses answers the addresses below /images/: each leads to the page or the action that it names.
type Addresses struct {
	Images  ImageStore
	Pages   *Handlers
	Changes *Changes
	Rooms   Rooms
}
