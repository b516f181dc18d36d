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
	"github.com/stowage/stowage/handlers/people"
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

// Shelf is what pages ask of the shelf, by its parts.
type Shelf struct {
	Images interface {
		lookup.ImageStore
		imagepage.ImageStore
		pulls.ImageStore
		searchpages.ImageStore
		cleanup.ImageStore
		archives.ImageStore
		updates.ImageStore
	}
	Lists interface {
		lookup.ListStore
		images.ListStore
		searchpages.ListStore
	}
	Tags interface {
		imagepage.TagStore
		cleanup.TagStore
		updates.TagStore
	}
	Blobs interface {
		page.BlobStore
		imagepage.BlobStore
		cleanup.BlobStore
		archives.BlobStore
	}
	Space interface {
		lookup.SpaceStore
		cleanup.SpaceStore
		archives.SpaceStore
	}
	Downloads interface {
		imagepage.DownloadStore
		archives.DownloadStore
	}
	Usage interface {
		images.UsageStore
		cleanup.UsageStore
	}
	Removals cleanup.RemovalStore
	Records  pulls.JobStore
	Serving  page.ServingStore
	Unpacker imagepage.Unpacker
	Sweeper  cleanup.Sweeper
	Folder   interface {
		page.Health
		cleanup.Folder
	}
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
	People    *people.Handlers // nil where nobody signs in
}

// Options configure Handlers.
type Options struct {
	Shelf           Shelf
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
	People          *people.Options  // nil where nobody signs in
	InsecureSignIn  bool             // passwords and tokens are taken over plain HTTP, too
}

// New makes the handlers.
func New(o Options) *Handlers {
	s := o.Shelf
	site := page.New(page.Options{
		Blobs: s.Blobs, Serving: s.Serving, Health: s.Folder, Jobs: o.Jobs, Logger: o.Logger, LocalUser: o.LocalUser,
		ExternalURL: o.ExternalURL, Now: o.Now,
		Demo: o.Demo, InsecureSignIn: o.InsecureSignIn,
	})
	lookup := &lookup.Desk{
		Site: site, Images: s.Images, Lists: s.Lists, Space: s.Space, Jobs: o.Jobs, Registry: o.Registry, Log: o.Logger,
		Platform: o.DefaultPlatform,
	}
	h := &Handlers{
		Site:   site,
		Images: &images.Handlers{Site: site, Lists: s.Lists, Usage: s.Usage},
		Pulls: &pulls.Handlers{
			Site: site, Images: s.Images, Records: s.Records, Jobs: o.Jobs, Queue: o.Queue, Resolver: o.Queue.Resolver(),
			Lookup: lookup,
			Log:    o.Logger, Platform: o.DefaultPlatform, Closing: o.Closing,
		},
		Search: &searchpages.Handlers{
			Site: site, Images: s.Images, Lists: s.Lists, Resolver: o.Queue.Resolver(), Registry: o.Registry, Finder: o.Search,
			Lookup:   lookup,
			Log:      o.Logger,
			Platform: o.DefaultPlatform,
		},
		Removals: &cleanup.Removals{Site: site, Images: s.Images, Removals: s.Removals, Log: o.Logger},
		Prunes:   &cleanup.Prunes{Site: site, Removals: s.Removals, Log: o.Logger, Planning: make(chan struct{}, 1)},
		Storage: &cleanup.Storage{
			Site: site, Images: s.Images, Tags: s.Tags, Blobs: s.Blobs, Space: s.Space, Removals: s.Removals, Usage: s.Usage,
			Sweeper: s.Sweeper, Folder: s.Folder, Log: o.Logger,
		},
		Archives: &archives.Handlers{
			Site: site, Images: s.Images, Blobs: s.Blobs, Space: s.Space, Downloads: s.Downloads, Importer: o.Importer,
			Log:     o.Logger,
			Closing: o.Closing,
		},
		Updates: &updates.Handlers{Site: site, Images: s.Images, Tags: s.Tags, Checker: o.Checker},
	}
	h.Image = &imagepage.Handlers{
		Site: site, Images: s.Images, Tags: s.Tags, Blobs: s.Blobs, Downloads: s.Downloads, Unpacker: s.Unpacker,
		Lookup: lookup, Mirror: o.Mirror, Download: h.Archives.Section,
	}
	h.Addresses = &imagepage.Addresses{
		Images: s.Images, Pages: h.Image,
		Changes: &imagepage.Changes{Site: site, Images: s.Images, Blobs: s.Blobs, Platform: o.DefaultPlatform},
		Rooms: imagepage.Rooms{
			Repository: h.Images.RepositoryPage,
			Archive:    h.Archives.ImageArchive, RepositoryArchive: h.Archives.RepositoryArchive,
			DeletePlan: h.Removals.Plan, Delete: h.Removals.DeleteImage,
			Pin: h.Storage.PinImage, Unpin: h.Storage.UnpinImage, Check: h.Updates.CheckTag,
		},
	}
	if o.People != nil {
		h.People = &people.Handlers{Options: *o.People, Site: site, Log: o.Logger}
	}
	return h
}
