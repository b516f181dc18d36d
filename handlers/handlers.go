// Package handlers answers the pages' requests. Each family of pages has a package: one file per page or action, each
// of them parse, call, render. Errors are returned, never written: web has the one error handler.
package handlers

import (
	"log/slog"
	"time"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/handlers/archives"
	"github.com/stowage/stowage/handlers/cleanup"
	"github.com/stowage/stowage/handlers/imagepage"
	"github.com/stowage/stowage/handlers/images"
	"github.com/stowage/stowage/handlers/lookup"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/handlers/pulls"
	searchpages "github.com/stowage/stowage/handlers/search"
	"github.com/stowage/stowage/handlers/updates"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/mirror"
	checks "github.com/stowage/stowage/pull/updates"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/search"
)

// Store is all that pages ask of the shelf.
type Store interface {
	page.Store
	lookup.Store
	images.Store
	imagepage.Names
	imagepage.Store
	imagepage.Records
	imagepage.ChangesStore
	pulls.Store
	searchpages.Store
	cleanup.RemovalStore
	cleanup.PruneStore
	cleanup.StorageStore
	archives.Store
	updates.Store
}

// Handlers are the pages. Their methods are echo handlers; web/routes.go has the map.
type Handlers struct {
	Site      *page.Site
	Images    *images.Handlers
	Addresses *imagepage.Addresses
	Image     *imagepage.Handlers
	Pulls     *pulls.Handlers
	Search    *searchpages.Handlers
	Removals  *cleanup.Removals
	Prunes    *cleanup.Prunes
	Storage   *cleanup.Storage
	Archives  *archives.Handlers
	Updates   *updates.Handlers
}

// Options configure Handlers.
type Options struct {
	Store           Store
	Jobs            *job.Runner
	Queue           *pull.Queue
	Checker         *checks.Checker
	Mirror          *mirror.Mirror // nil where nothing is mirrored
	Registry        *registry.Client
	Search          *search.Client
	Importer        *archive.Importer
	Logger          *slog.Logger
	DefaultPlatform image.Platform
	LocalUser       string           // who is behind a request from this machine
	ExternalURL     string           // as ParseExternalURL gives it; empty: each request says where the server is
	Now             func() time.Time // zero: time.Now
	Demo            *page.Demo       // set when the server shows samples
	Closing         <-chan struct{}  // closed when the server goes down: streams end
}

// New makes the handlers.
func New(o Options) *Handlers {
	site := page.New(page.Options{
		Store: o.Store, Jobs: o.Jobs, Logger: o.Logger, LocalUser: o.LocalUser, ExternalURL: o.ExternalURL, Now: o.Now,
		Demo: o.Demo,
	})
	lookup := &lookup.Desk{
		Site: site, Store: o.Store, Jobs: o.Jobs, Registry: o.Registry, Log: o.Logger, Platform: o.DefaultPlatform,
	}
	h := &Handlers{
		Site:   site,
		Images: &images.Handlers{Site: site, Store: o.Store},
		Pulls: &pulls.Handlers{
			Site: site, Store: o.Store, Jobs: o.Jobs, Queue: o.Queue, Resolver: o.Queue.Resolver(), Lookup: lookup,
			Log: o.Logger, Platform: o.DefaultPlatform, Closing: o.Closing,
		},
		Search: &searchpages.Handlers{
			Site: site, Store: o.Store, Resolver: o.Queue.Resolver(), Registry: o.Registry, Finder: o.Search, Lookup: lookup,
			Log:      o.Logger,
			Platform: o.DefaultPlatform,
		},
		Removals: &cleanup.Removals{Site: site, Store: o.Store, Log: o.Logger},
		Prunes:   &cleanup.Prunes{Site: site, Store: o.Store, Log: o.Logger, Planning: make(chan struct{}, 1)},
		Storage:  &cleanup.Storage{Site: site, Store: o.Store, Log: o.Logger},
		Archives: &archives.Handlers{Site: site, Store: o.Store, Importer: o.Importer, Log: o.Logger, Closing: o.Closing},
		Updates:  &updates.Handlers{Site: site, Store: o.Store, Checker: o.Checker},
	}
	h.Image = &imagepage.Handlers{Site: site, Store: o.Store, Records: o.Store, Lookup: lookup, Mirror: o.Mirror,
		Download: h.Archives.Section}
	h.Addresses = &imagepage.Addresses{
		Store: o.Store, Pages: h.Image, Changes: &imagepage.Changes{Site: site, Store: o.Store, Platform: o.DefaultPlatform},
		Rooms: imagepage.Rooms{
			Repository: h.Images.RepositoryPage,
			Archive:    h.Archives.ImageArchive, RepositoryArchive: h.Archives.RepositoryArchive,
			DeletePlan: h.Removals.Plan, Delete: h.Removals.DeleteImage,
			Pin: h.Storage.PinImage, Unpin: h.Storage.UnpinImage, Check: h.Updates.CheckTag,
		},
	}
	return h
}
