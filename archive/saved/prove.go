package saved

import (
	"context"
	"errors"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
)

// maxProvers is how many layers are unpacked at once. Each takes a core, and a zstd window of 128 MiB at worst.
const maxProvers = 4

// Prove unpacks every layer and holds what comes out against the configs' diff IDs. verify wraps the reading of a
// layer, and verified is told its end.
func (m *Archive) Prove(
	ctx context.Context, all []*Image, verify func(image.Digest, io.Reader) io.Reader, verified func(image.Digest),
) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(maxProvers, runtime.GOMAXPROCS(0)))
	for _, d := range layersOfAll(all) {
		g.Go(func() error {
			_, err := m.inspect(ctx, m.byDigest[d], func(r io.Reader) io.Reader { return verify(d, r) })
			if err == nil {
				verified(d)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, a := range all {
		for _, img := range a.Images {
			for i, d := range img.Document.Manifest.Layers {
				claimed := img.Config.RootFS.DiffIDs[i]
				if got := m.inspected[d.Digest].DiffID; got != claimed {
					return image.Errorf(image.Corrupt, "layer %s unpacks to %s, and the image's config says %s",
						image.ShortDigest(d.Digest), image.ShortDigest(got), image.ShortDigest(claimed)).
						Suggest("The archive was put together wrongly: write it anew.")
				}
			}
		}
	}
	return nil
}

// layersOfAll returns the layers of all images, each once.
func layersOfAll(all []*Image) (layers []image.Digest) {
	seen := map[image.Digest]bool{}
	for _, a := range all {
		for _, img := range a.Images {
			for _, d := range img.Document.Manifest.Layers {
				if !seen[d.Digest] {
					seen[d.Digest] = true
					layers = append(layers, d.Digest)
				}
			}
		}
	}
	return layers
}

// inspect unpacks a layer once; through wraps the reading.
func (m *Archive) inspect(ctx context.Context, file image.Staged,
	through func(io.Reader) io.Reader) (layer.Result, error) {
	m.mu.Lock()
	result, known := m.inspected[file.Digest]
	m.mu.Unlock()
	if known {
		return result, nil
	}
	r, err := m.stage.Open(file)
	if err != nil {
		return layer.Result{}, err
	}
	defer r.Close()
	result, err = layer.Inspect(ctx, through(r), layer.DefaultLimits(file.Size))
	if err != nil {
		if ctx.Err() != nil {
			return layer.Result{}, context.Cause(ctx)
		}
		return layer.Result{}, notUnpacked(file.Digest, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inspected[file.Digest] = result
	return result, nil
}

// notUnpacked words why a layer cannot be unpacked.
func notUnpacked(d image.Digest, err error) error {
	switch {
	case errors.Is(err, layer.ErrSource): // the disk
		return err
	case errors.Is(err, layer.ErrTooLarge), errors.Is(err, layer.ErrTooManyEntries):
		return image.Errorf(image.TooLarge, "layer %s unpacks to more than is allowed, as a decompression bomb does: %s",
			image.ShortDigest(d), layer.Reason(err)).
			Because(err)
	}
	return damagedArchive(image.Errorf(image.Corrupt, "layer %s cannot be unpacked: %s", image.ShortDigest(d),
		layer.Reason(err)).Because(err))
}
