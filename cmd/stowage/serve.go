package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/user"
	"path/filepath"
	"slices"
	"time"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/distribution"
	"github.com/stowage/stowage/handlers/page"
	peoplepages "github.com/stowage/stowage/handlers/people"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/pull/mirror"
	"github.com/stowage/stowage/pull/updates"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/search"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/storage/people"
	"github.com/stowage/stowage/web"
)

// The times that a graceful end may take: requests first, then pulls, then the database; 10 s in all.
const (
	requestsEnd = 4 * time.Second
	pullsEnd    = 4 * time.Second
	allEnd      = 9500 * time.Millisecond
)

// serve runs the dashboard until ctx ends.
func serve(ctx context.Context, f flags, stderr io.Writer) error {
	s, err := f.check(stderr)
	if err != nil {
		return err
	}
	limitMemory(s.memory, s.log)
	a, err := open(ctx, s, parts{})
	if image.KindOf(err) == image.Damaged {
		return errors.Join(err, sayWhy(ctx, s, err))
	}
	if err != nil {
		return err
	}
	return a.run(ctx)
}

// sayWhy serves why the shelf cannot be used, until ctx ends: a process that ended would be started again and again,
// and nobody who looks at the pages would learn why.
func sayWhy(ctx context.Context, s settings, why error) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := web.NewUnusable(why, web.Options{Logger: s.log, Loopback: s.loopback, ExternalURL: s.external,
		Hosts: s.Host})
	s.log.Error("the shelf cannot be used: every address says why until Stowage is stopped", "listen", s.Listen,
		"error", why)
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestsEnd)
		defer cancel()
		_ = server.Shutdown(end) // which says so in the log
	})
	defer stop()
	return server.Serve(listener)
}

// parts are what the demo puts in place of the ordinary.
type parts struct {
	registries []registry.Entry // they go before the operator's
	demo       *page.Demo
	ready      func(ctx context.Context, jobs *job.Runner, q *pull.Queue) error // called once pulls run
}

// app is a wired server.
type app struct {
	settings settings
	parts    parts
	store    *storage.Store
	client   *registry.Client
	jobs     *job.Runner
	queue    *pull.Queue
	importer *archive.Importer
	checker  *updates.Checker
	mirror   *mirror.Mirror // nil where nothing is mirrored
	server   *web.Server
	listener net.Listener
	closing  chan struct{}

	entrance *auth.Entrance // nil where nobody signs in
	tables   *people.Tables

	stopAccounts func() // nil before they run
}

// open builds the parts and wires them. Nothing is served before run.
func open(ctx context.Context, s settings, p parts) (a *app, err error) {
	a = &app{settings: s, parts: p, closing: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	// The address first, and the list: what is wrong with them should be said before the data folder is touched.
	if a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen); err != nil {
		return a, fmt.Errorf("listen: %w", err)
	}
	a.client, err = registry.New(registry.Options{
		InsecureHosts: s.InsecureRegistry, CAFiles: s.RegistryCA, Registries: slices.Concat(p.registries, s.list),
		AllowPrivate:   s.loopback,
		WithholdLogins: !s.loopback && !s.ShareLogins,
		UserAgent:      "stowage", Logger: s.log, Concurrency: fetch.MostDownloads(s.PullConcurrency),
	})
	if err != nil {
		return a, err
	}
	a.store, err = storage.Open(ctx, storage.Options{
		Dir: s.Data, DefaultPlatform: s.platform, UndoWindow: s.UndoWindow, DiskReserve: s.diskReserve, Logger: s.log,
	})
	if err != nil {
		return a, err
	}
	for _, name := range a.store.OpenToOthers() {
		s.log.Warn("other accounts of this machine can write to a part of the data folder, and so replace what is stored; take that away with chmod go-w", "folder", filepath.Join(s.Data, name))
	}
	a.jobs = job.NewRunner(a.store.Jobs, s.log, time.Now)
	a.queue = pull.New(pull.Options{
		Source: a.client, Blobs: a.store.Blobs, Space: a.store.Space, Images: a.store.Images, Recorder: a.store.Recorder,
		Runner: a.jobs, Concurrency: s.PullConcurrency, DefaultPlatform: s.platform,
		Logger: s.log,
	})
	a.importer = archive.NewImporter(archive.Options{Shelf: a.store.Recorder, Jobs: a.jobs, MaxBytes: s.maxUpload,
		Logger: s.log})
	a.checker = updates.New(updates.Options{Source: a.client, Shelf: a.store.Tags, Interval: s.CheckInterval,
		Logger: s.log})
	if len(s.Mirror) > 0 {
		a.mirror = mirror.New(mirror.Options{Queue: a.queue, Jobs: a.jobs, Blobs: a.store.Blobs, Images: a.store.Images,
			Checks: a.store.Tags, Registries: s.Mirror,
			Fresh: s.MirrorFresh, Logger: s.log})
	}
	var accounts *peoplepages.Options
	if s.Auth == authAccounts {
		accounts = a.openAccounts()
	}
	metrics := newMetrics(a.store, a.jobs, a.queue, a.mirror, s.log)
	api := distribution.New(distribution.Options{
		Serving: a.store.Serving, Blobs: a.store.Blobs, Images: a.store.Images, Downloads: a.store.Downloads,
		Mirror: a.mirror, Logger: s.log,
	})
	a.server = web.New(web.Options{
		Handlers: handlers.New(handlers.Options{
			Shelf: shelfOf(a.store), Jobs: a.jobs, Queue: a.queue, Checker: a.checker, Mirror: a.mirror, Registry: a.client,
			Search: search.New(a.client, a.client.Outbound()), Importer: a.importer, Logger: s.log,
			DefaultPlatform: s.platform, LocalUser: localUser(), Demo: p.demo, ExternalURL: s.external, Closing: a.closing,
			People: accounts, InsecureSignIn: s.InsecureSignIn,
		}),
		Distribution: api, Stored: api.Stored(),
		Logger: s.log, Metrics: metrics, Ready: a.store.Ready, Loopback: s.loopback, ExternalURL: s.external, Hosts: s.Host,
	})
	return a, nil
}

// run serves until ctx ends, then ends requests, pulls and the database in that order. Pulls that were
// running go on at the next start.
func (a *app) run(ctx context.Context) error {
	for _, start := range []func(context.Context) error{a.importer.Start, a.queue.Start} {
		if err := start(context.WithoutCancel(ctx)); err != nil {
			return errors.Join(err, a.close())
		}
	}
	if a.parts.ready != nil {
		if err := a.parts.ready(ctx, a.jobs, a.queue); err != nil {
			if ctx.Err() != nil {
				err = nil // stopped before it was ready, which is no failure
			}
			return errors.Join(err, a.closeQueue(ctx), a.close())
		}
	}
	if a.entrance != nil {
		a.stopAccounts = a.runAccounts(ctx)
		if err := a.invite(ctx, a.settings.terminal); err != nil {
			return errors.Join(err, a.closeQueue(ctx), a.close())
		}
	}
	a.checker.Start()
	served := make(chan error, 1)
	go func() { served <- a.server.Serve(a.listener) }()
	for _, l := range a.client.Listed() {
		a.settings.log.Info("registry", listed(l)...)
	}
	for _, l := range a.settings.list {
		if l.MirrorOf != "" {
			a.settings.log.Info("mirror", append(listed(l), "of", l.MirrorOf)...)
		}
	}
	if len(a.settings.Mirror) > 0 {
		a.settings.log.Info("fetches for clients of /v2/ what is not stored", "registries", a.settings.Mirror,
			"fresh", a.settings.MirrorFresh)
	}
	if !a.settings.loopback {
		if a.entrance == nil {
			a.settings.log.Warn("everybody who reaches this address may pull, upload and delete images",
				"listen", a.settings.Listen)
		}
		if a.settings.external == "" && len(a.settings.Host) == 0 {
			a.settings.log.Info("requests are answered for IP addresses and localhost; for a name too with --host NAME")
		}
	}
	a.settings.log.Info("Stowage is ready", "address", a.address(), "data", a.settings.Data,
		"platform", a.settings.platform.String())

	var err error
	var since time.Time // the end began
	select {
	case err = <-served:
		since = time.Now()
	case <-ctx.Done():
		since = time.Now()
		a.settings.log.Info("stopping: requests end first, then pulls, which go on at the next start")
		close(a.closing)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestsEnd)
		defer cancel()
		err = a.server.Shutdown(end)
	}
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(a.closeQueue(ctx), a.close()) }()
	select {
	case closeErr := <-ended:
		return errors.Join(err, closeErr)
	case <-time.After(allEnd - time.Since(since)):
		// A disk that hangs. Nothing is lost: the next start finds the folder as after a crash.
		return errors.Join(err, errors.New("gave up waiting for the data folder to be closed"))
	}
}

// address is where a browser on this machine finds the server.
func (a *app) address() string {
	at := a.listener.Addr().String()
	if host, port, err := net.SplitHostPort(at); err == nil {
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			at = net.JoinHostPort("127.0.0.1", port)
		}
	}
	return "http://" + at
}

// listed is what the log says of an entry of the list: what the operator said of it.
func listed(l registry.Entry) []any {
	all := []any{"name", l.Host, "label", l.Name()}
	if l.Address != "" {
		all = append(all, "address", l.Address)
	}
	search := string(l.Search)
	if l.Search == registry.SearchAuto {
		search = "auto"
	}
	return append(all, "search", search)
}

// closeQueue interrupts the pulls and gives them some time to come to rest.
func (a *app) closeQueue(ctx context.Context) error {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), pullsEnd)
	defer cancel()
	return a.queue.Close(end)
}

// close gives up what open made, in reverse. The queue must be closed before.
func (a *app) close() error {
	var errs []error
	if a.checker != nil {
		a.checker.Close()
	}
	if a.listener != nil {
		if err := a.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.stopAccounts != nil {
		a.stopAccounts()
	}
	if a.client != nil {
		errs = append(errs, a.client.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

// localUser names who is behind requests from this machine: whoever started the server.
func localUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// shelfOf returns the parts of the shelf that pages ask.
func shelfOf(s *storage.Store) handlers.Shelf {
	return handlers.Shelf{
		Images: s.Images, Lists: s.Lists, Tags: s.Tags, Blobs: s.Blobs, Space: s.Space, Downloads: s.Downloads,
		Usage: s.Usage, Removals: s.Removals, Records: s.Jobs, Serving: s.Serving, Unpacker: s.Unpacker,
		Sweeper: s.Janitor, Folder: s,
	}
}
