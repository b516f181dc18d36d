package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// demoPulls are on the demo's shelf from the start.
var demoPulls = []struct {
	ref       string
	platforms []string
}{
	{"ubuntu:22.04", []string{"linux/amd64", "linux/arm64"}},
	{"ubuntu:latest", []string{"linux/amd64"}},
	{sample.MovingRepository + ":" + sample.MovingTag, []string{"linux/amd64"}},
	{"postgres:15", []string{"linux/amd64", "linux/arm64"}},
	{"debian:12", []string{"linux/amd64"}},
	{"nginx:latest", []string{"linux/amd64", "linux/arm64"}},
	{"redis:7", []string{"linux/amd64"}},
	{"ghcr.io/acme/api:v2.14.0", []string{"linux/amd64", "linux/arm64"}},
}

// demo serves sample images from a registry inside the process, on a data folder that goes at the end.
func demo(ctx context.Context, f flags, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "stowage-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's data folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f.Data = dir
	f.Platform = "linux/amd64"
	s, err := f.check(stderr)
	if err != nil {
		return err
	}
	limitMemory(s.memory, s.log)
	reg, err := fake.NewRegistry(ctx)
	if err != nil {
		return err
	}
	world := &demoWorld{registry: reg}
	defer func() { err = errors.Join(err, world.close(), reg.Close()) }()
	list, err := world.registries(ctx)
	if err != nil {
		return err
	}
	s.list = slices.DeleteFunc(s.list, func(l registry.Entry) bool { // the demo's own are nowhere else
		return slices.ContainsFunc(list,
			func(own registry.Entry) bool { return sameHost(own.Host, l.Host) || sameHost(own.Host, l.MirrorOf) })
	})
	a, err := open(ctx, s, parts{registries: list, demo: &page.Demo{MoveTag: tagMover(reg)},
		ready: func(ctx context.Context, jobs *job.Runner, q *pull.Queue) error {
			defer world.stocked.Store(true)
			return stockDemo(ctx, jobs, q)
		}})
	if err != nil {
		return err
	}
	return a.run(ctx)
}

// tagMover makes the sample tag point at its next version, round and round.
func tagMover(reg *fake.Registry) func(context.Context) (image.Reference, error) {
	var version atomic.Int64
	return func(ctx context.Context) (image.Reference, error) {
		ref, err := image.ParseReference(sample.MovingRepository + ":" + sample.MovingTag)
		if err != nil {
			return ref, err
		}
		next := int(version.Add(1))%sample.RollingVersions + 1
		return ref, reg.MoveTag(ctx, next)
	}
}

// stockDemo pulls what the shelf begins with and waits for it.
func stockDemo(ctx context.Context, jobs *job.Runner, q *pull.Queue) error {
	for _, p := range demoPulls {
		ref, err := image.ParseReference(p.ref)
		if err != nil {
			return err
		}
		req := pull.Request{Reference: ref, By: image.ActorNamed("demo")}
		for _, s := range p.platforms {
			platform, err := image.ParsePlatform(s)
			if err != nil {
				return err
			}
			req.Platforms = append(req.Platforms, platform)
		}
		j, _, err := q.Pull(ctx, req)
		if err != nil {
			return fmt.Errorf("stock the demo's shelf with %s: %w", p.ref, err)
		}
		if err := awaitPull(ctx, jobs, j.ID); err != nil {
			return fmt.Errorf("stock the demo's shelf with %s: %w", p.ref, err)
		}
	}
	return nil
}

// awaitPull waits for a pull's final state.
func awaitPull(ctx context.Context, jobs *job.Runner, id int64) error {
	states, cancel := jobs.Subscribe(id)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case j, ok := <-states:
			if !ok {
				return nil
			}
			if j.Problem != nil {
				return &image.Error{Kind: j.Problem.Kind, Message: j.Problem.Message.String(),
					Suggestion: j.Problem.Suggestion.String()}
			}
			if j.State.Final() {
				return nil
			}
		}
	}
}
