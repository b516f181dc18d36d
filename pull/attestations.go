package pull

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

// What an index lists about an image comes with the image: what it is made of, where it comes from. It is small, and
// nobody runs it, so it never fails a pull: what the registry does not have, or what is not as it should be, is passed
// over, and the pull says so. Only what is not stored yet is asked for, also where the image itself is up to date.
//
// The form that a pull is chosen on says that they come and does not read them: a registry's allowance counts each
// manifest, and most platforms that somebody looks at are never pulled. A survey reads those that the pull will.

// read reads the manifests of chosen entries and, meanwhile, what the index lists about them.
func (q *Queue) read(ctx context.Context, repo image.Repository, all, chosen []leaf, ask retrier) ([]image.Document, []image.Attested, error) {
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
					about[i] = q.attestations(reading, repo, all, of)
					return nil
				})
			})
		}
		done <- g.Wait()
	}()
	manifests, err := q.resolver.manifests(ctx, repo, chosen, ask)
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

// describes tells whether an entry is an attestation of another one.
func (l leaf) describes(of leaf) bool {
	return l.Kind == image.EntryAttestation && l.Describes == of.Digest
}

// attestations reads the manifests of what an index lists about one image.
func (q *Queue) attestations(ctx context.Context, repo image.Repository, all []leaf, of leaf) image.Attested {
	var listed []image.Descriptor
	for _, l := range all {
		if l.describes(of) {
			listed = append(listed, l.Descriptor)
		}
	}
	return image.ReadAttestations(of.Platform, listed, func(d image.Descriptor) (image.Attestation, error) { return q.attestation(ctx, repo, d) })
}

// attestation reads one manifest: from the shelf or else from the registry, after which the shelf keeps it. A rate limit
// is not waited for.
func (q *Queue) attestation(ctx context.Context, repo image.Repository, d image.Descriptor) (a image.Attestation, err error) {
	if q.shelf.HasBlob(d) {
		if raw, err := q.shelf.ReadBlob(d.Digest, image.MaxAttestationManifest); err == nil { // else it went meanwhile, or is damaged
			return image.ParseAttestation(d.MediaType, raw)
		}
	}
	if a, err = q.shelf.KeptAttestation(ctx, d.Digest); err == nil {
		return a, nil
	}
	err = q.surveyAsker(ctx, func(ctx context.Context) error {
		if a, err = q.resolver.source.Attestation(ctx, image.Reference{Repository: repo, Digest: d.Digest}); err != nil {
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
	if err := q.shelf.KeepAttestation(ctx, a); err != nil {
		q.log.Warn("manifest not kept", "digest", string(d.Digest), "error", err)
	}
	return a, nil
}

// attest makes what was found about the images part of the plan, as far as it has room for that.
func (p *plan) attest(about []image.Attested) {
	for i := range p.images {
		p.passed = append(p.passed, about[i].Passed...)
		for _, a := range about[i].Found {
			img := &p.images[i]
			img.Attestations = append(img.Attestations, a)
			if len(p.digests()) > maxBlobs {
				img.Attestations = img.Attestations[:len(img.Attestations)-1]
				p.passed = append(p.passed, image.PassedOver{Digest: a.Digest, Platform: img.Platform, Why: image.Errorf(image.TooLarge, "the pull has more than %d different blobs", maxBlobs)})
			}
		}
	}
}

// fetchAttestations brings what describes one image of a plan onto the shelf. What cannot be brought is taken out of
// the plan; the error is one that hits the image, too.
func (w *worker) fetchAttestations(ctx context.Context, p *plan, i int, byDigest map[image.Digest]*layer) error {
	img := &p.images[i]
	var brought []image.Attestation
	for _, a := range img.Attestations {
		err := w.fetchAttestation(ctx, p, a, byDigest)
		switch {
		case err == nil:
			brought = append(brought, a)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case image.KindOf(err) == image.DiskFull:
			return err
		default:
			p.pass(image.PassedOver{Digest: a.Digest, Platform: img.Platform, Why: err})
		}
	}
	img.Attestations = brought
	return nil
}

func (w *worker) fetchAttestation(ctx context.Context, p *plan, a image.Attestation, byDigest map[image.Digest]*layer) error {
	for _, d := range a.Blobs() {
		l := byDigest[d.Digest]
		if l != nil && l.Size != d.Size {
			l = nil // the digest is a layer's, about which this manifest lies
		}
		if err := w.ensure(ctx, p.blob(d), l); err != nil {
			return err
		}
	}
	manifest := p.blob(a.Descriptor())
	manifest.Raw = a.Raw
	return w.ensure(ctx, manifest, nil)
}

// passing guards the list of what plans pass over while their blobs are fetched.
type passing struct {
	mu     sync.Mutex
	passed []image.PassedOver
}

func (p *passing) pass(o image.PassedOver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed = append(p.passed, o)
}

// tellPassed says in the log what a plan went without, and returns the lines for the outcome.
func (w *worker) tellPassed(p *plan) (lines []string) {
	for _, o := range p.passed {
		lines = append(lines, job.TellPassed(w.q.log, w.job.ID(), p.reference.String(), o))
	}
	return lines
}

// dropPassed takes layers off the page that belong to nothing any more.
func (w *worker) dropPassed(p *plan) {
	if len(p.passed) == 0 {
		return
	}
	_, left := p.layers()
	w.job.Keep(func(s job.Shown) bool {
		l, ok := s.(*layer)
		return ok && left[l.Digest] != nil
	})
}
