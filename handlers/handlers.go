// Package handlers answers the pages' requests: one file per page or action, each of them parse, call,
// render. Errors are returned, never written: web has the one error handler.
package handlers

import (
	"context"
	"log/slog"
	"time"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/storage"
)

// Handlers holds what the pages need. Its methods are echo handlers; web/routes.go has the map.
type Handlers struct {
	store    *storage.Store
	queue    *pull.Queue
	checker  *pull.Checker
	registry *registry.Client
	search   *search.Client
	importer *archive.Importer
	log      *slog.Logger
	options  Options
	closing  <-chan struct{}
	planning chan struct{} // holds one: the plan of a prune of everything takes memory and time
	scales   *scales
}

// Options configure Handlers.
type Options struct {
	Store           *storage.Store
	Queue           *pull.Queue
	Checker         *pull.Checker
	Mirror          *pull.Mirror // nil where nothing is mirrored
	Registry        *registry.Client
	Search          *search.Client
	Importer        *archive.Importer
	Logger          *slog.Logger
	DefaultPlatform image.Platform
	LocalUser       string           // who is behind a request from this machine
	ExternalURL     string           // as ParseExternalURL gives it; empty: each request says where the server is
	Now             func() time.Time // zero: time.Now
	Demo            *Demo            // set when the server shows samples
	Closing         <-chan struct{}  // closed when the server goes down: streams end
}

// Demo is what `stowage demo` can do beyond the product.
type Demo struct {
	// MoveTag makes a sample tag point at its next image and tells which tag it is.
	MoveTag func(context.Context) (image.Reference, error)
}

// New makes the handlers.
func New(o Options) *Handlers {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Handlers{
		store: o.Store, queue: o.Queue, checker: o.Checker, registry: o.Registry, search: o.Search, importer: o.Importer, log: o.Logger, options: o, closing: o.Closing, planning: make(chan struct{}, 1), scales: newScales(),
	}
}
