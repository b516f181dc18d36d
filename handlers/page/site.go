// Package page has what every page's handler uses: rendering, what stands around a page, who asks, and how requests are
// read.
package page

import (
	"context"
	"log/slog"
	"time"

	"github.com/stowage/stowage/image"
)

// BlobStore has the files of blobs.
type BlobStore interface {
	BlobSize(d image.Digest) (int64, error)
}

// ServingStore knows what is served.
type ServingStore interface {
	Uploaded(ctx context.Context, ref image.Reference) (bool, error)
}

// Health tells what is known against the shelf.
type Health interface {
	Trouble() error
}

// Site is what every page needs: who asks, under which address the server is reached, and what stands around a page.
type Site struct {
	blobs   BlobStore
	serving ServingStore
	health  Health
	jobs    interface{ ActiveCount() int }
	log     *slog.Logger
	options Options
	scales  *scales
}

// Options configure a Site.
type Options struct {
	Blobs       BlobStore
	Serving     ServingStore
	Health      Health
	Jobs        interface{ ActiveCount() int }
	Logger      *slog.Logger
	LocalUser   string           // who is behind a request from this machine
	ExternalURL string           // as ParseExternalURL gives it; empty: each request says where the server is
	Now         func() time.Time // zero: time.Now
	Demo        *Demo            // set when the server shows samples

	InsecureSignIn bool // passwords and tokens are taken over plain HTTP, too
}

// Demo is what `stowage demo` can do beyond the product.
type Demo struct {
	// MoveTag makes a sample tag point at its next image and tells which tag it is.
	MoveTag func(context.Context) (image.Reference, error)
}

// New returns what the pages of a server share.
func New(o Options) *Site {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Site{blobs: o.Blobs, serving: o.Serving, health: o.Health, jobs: o.Jobs, log: o.Logger, options: o,
		scales: newScales()}
}

// Now returns the time that pages go by.
func (h *Site) Now() time.Time { return h.options.Now() }

// IsDemo reports whether the server shows samples.
func (h *Site) IsDemo() bool { return h.options.Demo != nil }

// ActivePulls returns how many pulls are under way.
func (h *Site) ActivePulls() int { return h.jobs.ActiveCount() }
