// Package imagepage answers the addresses below /images/: an image with its sections, and what else is at its address.
package imagepage

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers/lookup"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/mirror"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/archives"
)

// ImageStore finds what is stored.
type ImageStore interface {
	Attestation(ctx context.Context, d image.Digest) (image.Attestation, error)
	Attestations(ctx context.Context, manifests ...image.Digest) ([]shelf.StoredAttestation, error)
	Document(ctx context.Context, d image.Digest) (image.Document, error)
	ImageByID(ctx context.Context, prefix string) (shelf.Image, error)
	ImageLayers(ctx context.Context, manifest image.Digest) ([]shelf.Layer, error)
	ImagesOf(ctx context.Context, id image.Digest, limit int) ([]shelf.Image, error)
	Layer(ctx context.Context, d image.Digest, limit int) (l shelf.Layer, users []shelf.LayerUser, err error)
	Named(ctx context.Context, name string) (shelf.Named, error)
	NamesOf(ctx context.Context, id image.Digest, limit int) (shelf.Names, error)
	Preferred(images []shelf.Image) shelf.Image
	RepositoryExists(ctx context.Context, name image.Repository) (exists bool, err error)
	Target(ctx context.Context, ref image.Reference) (shelf.Target, error)
	Within(ctx context.Context, ref image.Reference) (index image.Reference, img shelf.Image, err error)
}

// TagStore has pins, checks and histories.
type TagStore interface {
	DigestHistoryBefore(ctx context.Context, ref image.Reference, id int64) ([]shelf.TagEvent, error)
	PinOf(ctx context.Context, ref image.Reference) (*shelf.Pin, error)
	PinsOfImage(ctx context.Context, id image.Digest) ([]shelf.Pin, error)
	TagCheck(ctx context.Context, ref image.Reference) (shelf.TagCheck, error)
	TagHistory(ctx context.Context, repo image.Repository, tag string) ([]shelf.TagEvent, error)
	TagHistoryBefore(ctx context.Context, repo image.Repository, tag string, id int64) ([]shelf.TagEvent, error)
}

// BlobStore has the files of blobs.
type BlobStore interface {
	IsDamaged(d image.Digest) bool
	ReadBlob(d image.Digest, limit int64) ([]byte, error)
}

// DownloadStore counts what clients are given.
type DownloadStore interface {
	DownloadsOf(ctx context.Context, ref image.Reference, manifests []image.Digest) (out shelf.Downloads, err error)
	DownloadsOfManifest(ctx context.Context, d image.Digest) (h shelf.Download, err error)
}

// Unpacker unpacks what is stored.
type Unpacker interface {
	AwaitProved(ctx context.Context, manifests []image.Digest) error
}

// Handlers has the page of an image with its sections, and the page of a layer.
type Handlers struct {
	Site      *page.Site
	Images    ImageStore
	Tags      TagStore
	Blobs     BlobStore
	Downloads DownloadStore
	Unpacker  Unpacker
	Lookup    *lookup.Desk
	Mirror    *mirror.Mirror // nil where nothing is mirrored
	// Download describes the archive of an image; stored are the platforms to choose from, where choice says that there is
	// one.
	Download func(c echo.Context, of address.Image, choice bool, stored []shelf.Image) (v archives.DownloadView,
		status int, err error)
}
