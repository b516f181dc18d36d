package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/sample/fake"
)

// demoRate is how fast the demo's registries send a blob once the shelf is stocked, in bytes a second: slow
// enough for a person to watch.
const demoRate = 256 << 10

// What Docker Hub grants a personal account.
const (
	demoAllowance       = 200
	demoAllowanceWindow = 6 * time.Hour
)

// demoWorld is what the demo has for a network: three registries with the same sample images behind them, each with
// the names that it is known for, and the search services of two. The third is searched by its catalog.
type demoWorld struct {
	registry *fake.Registry
	stocked  atomic.Bool // from then on blobs are slow, and Docker Hub counts
	servers  []*http.Server
}

// registries serves them on loopback and gives the list that leads there.
func (d *demoWorld) registries(ctx context.Context) ([]registry.Entry, error) {
	hub, err := d.hub()
	if err != nil {
		return nil, err
	}
	quay := fake.NewLarge(d.registry, d.registry)
	addFound(quay, fake.QuayFound())
	ghcr := fake.NewLarge(d.registry, d.registry)
	ghcr.Show(slices.DeleteFunc(d.registry.Repositories(),
		func(name string) bool { return !strings.HasPrefix(name, "acme/") })...)
	for _, name := range fake.ManyNames(60) {
		ghcr.AddRepositories("acme/api", "acme/"+strings.ReplaceAll(name, "/", "-"))
	}

	list := []registry.Entry{
		{Host: "docker.io", Label: "Docker Hub", Search: registry.SearchHub},
		{Host: "quay.io", Label: "Quay", Search: registry.SearchQuay},
		{Host: "ghcr.io", Label: "GitHub", Search: registry.SearchCatalog},
	}
	limited := fake.RateLimit(demoAllowance, demoAllowanceWindow)
	handlers := []http.Handler{
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !d.stocked.Load() {
				hub.ServeHTTP(w, r)
				return
			}
			limited(w, r, hub)
		}),
		fake.Beside(quay, fake.Quay{Found: fake.QuayFound(), Tagged: quay}.Handler()),
		ghcr,
	}
	for i, h := range handlers {
		if list[i].Address, err = d.serve(ctx, d.slowly(h)); err != nil {
			return nil, err
		}
		list[i].TLS = outbound.TLSOff
	}
	service, err := d.serve(ctx, fake.Hub{Found: fake.HubFound(), Tagged: hub}.Handler())
	if err != nil {
		return nil, err
	}
	list[0].SearchURL = "http://" + service
	list[1].SearchURL = "http://" + list[1].Address
	return list, nil
}

// hub is Docker Hub: its official images, what the made-up organisations publish, and a repository with almost
// three thousand tags.
func (d *demoWorld) hub() (*fake.Large, error) {
	hub := fake.NewLarge(d.registry, d.registry)
	addFound(hub, fake.HubFound())
	for image, majors := range map[string][]int{"15": {9, 10, 11, 12, 13, 14, 15}, "16": {16}} {
		tags := d.registry.TagsOf("library/postgres")
		i := slices.IndexFunc(tags, func(t fake.TagAt) bool { return t.Tag == image })
		if i < 0 {
			return nil, fmt.Errorf("the sample library has no postgres:%s", image)
		}
		for _, major := range majors {
			// The samples' newest are 15.14 and 16.10.
			minors := map[int]int{15: 15, 16: 11}[major]
			if minors == 0 {
				minors = 23
			}
			hub.AddTags(tags[i], fake.ServerTags(major, minors, major > 12)...)
		}
	}
	return hub, nil
}

// addFound makes a registry serve what its search service finds.
func addFound(l *fake.Large, found []fake.Found) {
	for _, f := range found {
		if f.Like == "" {
			l.Show(f.Repository)
			continue
		}
		l.AddRepositories(f.Like, f.Repository)
	}
}

// slowly sends blobs at demoRate once the shelf is stocked.
func (d *demoWorld) slowly(h http.Handler) http.Handler {
	slow := fake.Slow(demoRate)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.stocked.Load() && fake.Blobs(r) {
			slow(w, r, h)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// serve serves h on loopback and gives host:port.
func (d *demoWorld) serve(ctx context.Context, h http.Handler) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the demo's registries: %w", err)
	}
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: h}
	d.servers = append(d.servers, s)
	go s.Serve(l) //nolint:errcheck // it ends with close; what asks it tells when it fails
	return l.Addr().String(), nil
}

// close ends the servers; the sample registry can be closed then.
func (d *demoWorld) close() error {
	var errs []error
	for _, s := range d.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
