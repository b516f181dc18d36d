package pull

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/stowage/stowage/image"
)

// What an index lists about an image comes with the image: what it is made of, where it comes from. It is small, and
// nobody runs it, so it never fails a pull: what the registry does not have, or what is not as it should be, is passed
// over, and the pull says so. Only what is not stored yet is asked for, also where the image itself is up to date.
//
// The form that a pull is chosen on says that they come and does not read them: a registry's allowance counts each
// manifest, and most platforms that somebody looks at are never pulled. A survey reads those that the pull will.

// PassedOver is an attestation that a pull, or an upload, goes without.
type PassedOver struct {
	Digest   image.Digest
	Platform image.Platform // of the image that it describes
	Why      error
}

// Tell says it in the log, and gives the line for the outcome. reference is what is pulled or uploaded.
func (o PassedOver) Tell(log *slog.Logger, job int64, reference string) string {
	level := slog.LevelWarn
	if image.KindOf(o.Why) == image.NotFound { // many copies lack them
		level = slog.LevelInfo
	}
	log.Log(context.Background(), level, "attestation passed over", "job", job, "reference", reference, "attestation", o.Digest,
		"platform", o.Platform.String(), "error", o.Why, "cause", cause(o.Why))
	about := "attestation " + string(o.Digest)
	if o.Platform.Known() {
		about = o.Platform.String() + ": " + about
	}
	return fmt.Sprintf("%s passed over: %s", about, problemOf(o.Why).Message)
}

// Attested is what was found about one image.
type Attested struct {
	Found  []image.Attestation
	Passed []PassedOver
}

// ReadAttestations reads what an index lists about one image, one after the other and within the limits of package image.
// What read fails for, or what is too much, is passed over.
func ReadAttestations(platform image.Platform, listed []image.Descriptor, read func(image.Descriptor) (image.Attestation, error)) (a Attested) {
	var size int64
	seen := make(map[image.Digest]bool)
	for _, d := range listed {
		if seen[d.Digest] {
			continue
		}
		if len(seen) == image.MaxAttestations {
			a.Passed = append(a.Passed, PassedOver{d.Digest, platform, image.Errorf(image.TooLarge, "the index lists more than %d attestations of one image", image.MaxAttestations)})
			break // which stands for the others: there can be thousands
		}
		seen[d.Digest] = true
		var found image.Attestation
		err := attestationSize(d)
		if err == nil {
			found, err = read(d)
		}
		if err == nil {
			err = sized(found, d)
		}
		if err == nil && size+found.Size() > image.MaxAttestationSize {
			err = image.Errorf(image.TooLarge, "the attestations of one image have more than %d bytes", int64(image.MaxAttestationSize))
		}
		if err != nil {
			a.Passed = append(a.Passed, PassedOver{d.Digest, platform, err})
			continue
		}
		size += found.Size()
		a.Found = append(a.Found, found)
	}
	return a
}

func attestationSize(d image.Descriptor) error {
	if d.Size > image.MaxAttestationManifest {
		return image.Errorf(image.TooLarge, "the attestation's manifest is larger than %d bytes", image.MaxAttestationManifest)
	}
	return nil
}

// sized holds a manifest against the size that the index says.
func sized(a image.Attestation, d image.Descriptor) error {
	if int64(len(a.Raw)) != d.Size {
		return image.Errorf(image.Corrupt, "manifest %s has %d bytes instead of the %d announced", image.ShortDigest(d.Digest), len(a.Raw), d.Size)
	}
	return nil
}

// read reads the manifests of chosen entries and, meanwhile, what the index lists about them.
func (q *Queue) read(ctx context.Context, repo image.Repository, all, chosen []leaf, ask asker) ([]image.Document, []Attested, error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	about := make([]Attested, len(chosen))
	var g errgroup.Group
	g.SetLimit(manifestsAtOnce)
	done := make(chan error, 1)
	go func() {
		for i, of := range chosen {
			if of.Digest == "" || !slices.ContainsFunc(all, func(l leaf) bool { return l.describes(of) }) {
				continue
			}
			g.Go(func() error {
				return guard(func() error {
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
func (q *Queue) attestations(ctx context.Context, repo image.Repository, all []leaf, of leaf) Attested {
	var listed []image.Descriptor
	for _, l := range all {
		if l.describes(of) {
			listed = append(listed, l.Descriptor)
		}
	}
	return ReadAttestations(of.Platform, listed, func(d image.Descriptor) (image.Attestation, error) { return q.attestation(ctx, repo, d) })
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
func (p *plan) attest(about []Attested) {
	for i := range p.images {
		p.passed = append(p.passed, about[i].Passed...)
		for _, a := range about[i].Found {
			img := &p.images[i]
			img.Attestations = append(img.Attestations, a)
			if len(p.digests()) > maxBlobs {
				img.Attestations = img.Attestations[:len(img.Attestations)-1]
				p.passed = append(p.passed, PassedOver{a.Digest, img.Platform, image.Errorf(image.TooLarge, "the pull has more than %d different blobs", maxBlobs)})
			}
		}
	}
}

// fetchAttestations brings what describes one image of a plan onto the shelf. What cannot be brought is taken out of
// the plan; the error is one that hits the image, too.
func (q *Queue) fetchAttestations(ctx context.Context, p *plan, i int, byDigest map[image.Digest]*layer) error {
	img := &p.images[i]
	var brought []image.Attestation
	for _, a := range img.Attestations {
		err := q.fetchAttestation(ctx, p, a, byDigest)
		switch {
		case err == nil:
			brought = append(brought, a)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case image.KindOf(err) == image.DiskFull:
			return err
		default:
			p.pass(PassedOver{a.Digest, img.Platform, err})
		}
	}
	img.Attestations = brought
	return nil
}

func (q *Queue) fetchAttestation(ctx context.Context, p *plan, a image.Attestation, byDigest map[image.Digest]*layer) error {
	for _, d := range a.Blobs() {
		l := byDigest[d.Digest]
		if l != nil && l.Size != d.Size {
			l = nil // the digest is a layer's, about which this manifest lies
		}
		if err := q.ensure(ctx, p.blob(d), l); err != nil {
			return err
		}
	}
	manifest := p.blob(a.Descriptor())
	manifest.raw = a.Raw
	return q.ensure(ctx, manifest, nil)
}

// passing guards the list of what plans pass over while their blobs are fetched.
type passing struct {
	mu     sync.Mutex
	passed []PassedOver
}

func (p *passing) pass(o PassedOver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed = append(p.passed, o)
}

// tellPassed says in the log what a plan went without, and gives the lines for the outcome.
func (q *Queue) tellPassed(r *run, p *plan) (lines []string) {
	for _, o := range p.passed {
		lines = append(lines, o.Tell(q.log, r.id, p.reference.String()))
	}
	return lines
}

// dropPassed takes layers off the page that belong to nothing any more.
func (r *run) dropPassed(p *plan) {
	if len(p.passed) == 0 {
		return
	}
	_, left := p.layers()
	r.keepLayers(func(l *layer) bool { return left[l.Digest] != nil })
}

// keepLayers takes layers off the page but for those to keep.
func (r *run) keepLayers(keep func(*layer) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.layers = slices.DeleteFunc(r.layers, func(l *layer) bool { return !keep(l) })
}
