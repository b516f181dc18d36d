package resolve

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
)

// What an index lists about an image comes with the image: what it is made of, where it comes from. It is small, and
// nobody runs it, so it never fails a pull: what the registry does not have, or what is not as it should be, is passed
// over, and the pull says so. Only what is not stored yet is asked for, also where the image itself is up to date.
//
// The form that a pull is chosen on says that they come and does not read them: a registry's allowance counts each
// manifest, and most platforms that somebody looks at are never pulled. A survey reads those that the pull will.

// readAll reads the manifests of chosen entries and, meanwhile, what the index lists about them.
func (k *documents) readAll(ctx context.Context, repo image.Repository, all, chosen []leaf,
	retry Retrier) ([]image.Document, []image.Attested, error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	about := make([]image.Attested, len(chosen))
	var g errgroup.Group
	g.SetLimit(manifestsAtOnce)
	done := make(chan error, 1)
	go func() {
		for i, of := range chosen {
			if of.Digest == "" || !slices.ContainsFunc(all, func(l leaf) bool { return l.describes(of) }) {
				continue
			}
			g.Go(func() error {
				return guard.Do(func() error {
					about[i] = k.attestations(reading, repo, all, of)
					return nil
				})
			})
		}
		done <- g.Wait()
	}()
	manifests, err := k.manifests(ctx, repo, chosen, retry)
	if err != nil {
		stop()
	}
	broke := <-done
	switch {
	case err != nil:
		return nil, nil, err
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	}
	return manifests, about, broke
}

// describes reports whether an entry is an attestation of another one.
func (l leaf) describes(of leaf) bool {
	return l.Kind == image.EntryAttestation && l.Describes == of.Digest
}

// attestations reads the manifests of what an index lists about one image.
func (k *documents) attestations(ctx context.Context, repo image.Repository, all []leaf, of leaf) image.Attested {
	var listed []image.Descriptor
	for _, l := range all {
		if l.describes(of) {
			listed = append(listed, l.Descriptor)
		}
	}
	return image.ReadAttestations(of.Platform, listed, func(d image.Descriptor) (image.Attestation, error) {
		return k.attestation(ctx, repo, d)
	})
}

// attestation reads one manifest: from the shelf or else from the registry, after which the shelf keeps it. A rate
// limit is not waited for.
func (k *documents) attestation(ctx context.Context, repo image.Repository, d image.Descriptor) (
	a image.Attestation, err error) {
	if k.blobs.HasBlob(d) {
		// else it went meanwhile, or is damaged
		if raw, err := k.blobs.ReadBlob(d.Digest, image.MaxAttestationManifest); err == nil {
			return image.ParseAttestation(d.MediaType, raw)
		}
	}
	if a, err = k.images.KeptAttestation(ctx, d.Digest); err == nil {
		return a, nil
	}
	err = k.brief(ctx, func(ctx context.Context) error {
		if a, err = k.source.Attestation(ctx, image.Reference{Repository: repo, Digest: d.Digest}); err != nil {
			return err
		}
		if a.Digest != d.Digest || image.DigestOf(a.Raw) != d.Digest {
			return image.Errorf(image.Corrupt, "%s answered with other bytes than those of %s", repo.Host(), d.Digest)
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	if err := k.images.KeepAttestation(ctx, a); err != nil {
		k.log.Warn("manifest not kept", "digest", string(d.Digest), "error", err)
	}
	return a, nil
}
