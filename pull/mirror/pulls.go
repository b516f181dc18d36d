package mirror

import (
	"context"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/share"
	"github.com/stowage/stowage/shelf"
)

// HandOut notes that a client got a document and will ask for what it lists. The image that it is, or is about, is
// pulled in the name of by; its blobs can be had from then on. Errors are those of Queue.Pull.
func (m *Mirror) HandOut(ctx context.Context, repo image.Repository, doc Mirrored, by image.Actor) error {
	if doc.image == "" {
		return nil
	}
	for _, d := range doc.blobs {
		m.blobs.Put(own(repo.At(d.Digest)), handedBlob{Descriptor: bare(d), manifest: doc.image})
	}
	return m.begin(ctx, repo.At(doc.image), by)
}

// HandOutStored notes that a client got a stored document by its digest. Where a tag led to it that the shelf does not
// have, or has pointing elsewhere, the tag is pulled, which fetches nothing that is here.
func (m *Mirror) HandOutStored(ctx context.Context, repo image.Repository, d image.Digest, by image.Actor) error {
	ref := own(repo.At(d))
	o, known := m.docs.Get(ref)
	if !known || o.settled || o.reference.Tag == "" {
		return nil
	}
	doc, err := m.Document(ctx, repo, d)
	if err != nil {
		return err
	}
	if doc.image == d {
		stored, err := m.queue.Resolver().OnShelf(ctx, o.reference)
		if err != nil {
			return err
		}
		// What was pulled since the client was told of the tag is not pulled again.
		if stored.Digest != o.target || !slices.ContainsFunc(stored.Images,
			func(i shelf.StoredImage) bool { return i.Manifest == d }) {
			if err := m.begin(ctx, ref, by); err != nil {
				return err
			}
		}
	}
	o.settled = true
	m.docs.Put(ref, o)
	return nil
}

// begin begins the pull that a manifest belongs to, or joins it.
func (m *Mirror) begin(ctx context.Context, manifest image.Reference, by image.Actor) error {
	o, known, err := m.origin(ctx, manifest)
	if err != nil {
		return err
	}
	if !known {
		o = origin{reference: manifest, target: manifest.Digest}
	}
	req := pull.Request{Reference: o.reference, By: by}
	if o.reference.Tag != "" {
		req.Target, req.Asked = o.target, o.asked
		if s, known := m.tags.Get(o.reference); known && s.Heard.After(o.asked) && s.Digest != o.target {
			// The tag is known to have moved on since, and is not to be moved back.
			req = pull.Request{Reference: o.reference.Repository.At(o.target), By: by}
		}
	}
	if o.platform.Known() {
		req.Platforms = []image.Platform{o.platform}
	}
	now := begun{reference: req.Reference, at: m.jobs.Now()}
	if o.platform.Known() {
		now.platform = o.platform
	}
	last, known := m.begun.Get(manifest)
	if known && last.reference == now.reference && last.platform == now.platform && m.rests(last.job) {
		return nil // the client has its document; one record says why the image does not come
	}
	j, _, err := m.queue.Pull(ctx, req)
	if err != nil {
		return err
	}
	now.job = j.ID
	m.begun.Put(manifest, now)
	return nil
}

// rests reports whether a pull failed a short while ago, and is not to be begun again for whoever asks.
func (m *Mirror) rests(job int64) bool {
	f, failed := m.failed.Get(job)
	rest := restRefused
	switch f.kind {
	case image.Unavailable, image.RateLimited, image.DiskFull, image.Cancelled, image.Internal:
		rest = restPassing
	}
	return failed && m.jobs.Now().Sub(f.at) < rest
}

// Blob returns the descriptor of a blob that a manifest lists which was handed out under the repository, or that a pull
// of it is bringing; its bytes may be stored by now. A pull that has failed meanwhile is begun again, so that what is
// brought also comes onto the shelf.
func (m *Mirror) Blob(ctx context.Context, repo image.Repository, d image.Digest, by image.Actor) (
	image.Descriptor, bool, error) {
	b, known := m.blobs.Get(repo.At(d))
	if !known { // handed out before a restart, perhaps, after which its pull goes on
		wanted, known := m.queue.Wanted(repo, d)
		return bare(wanted), known, nil
	}
	if !m.stored.HasBlob(b.Descriptor) {
		manifest := repo.At(b.manifest)
		last, _ := m.begun.Get(manifest)
		if _, live := m.jobs.Get(last.job); !live && m.jobs.Now().Sub(last.at) > restEnded {
			if err := m.begin(ctx, manifest, by); err != nil {
				return image.Descriptor{}, false, err
			}
		}
	}
	return b.Descriptor, true, nil
}

// Stream reads a blob that Blob gave while it comes, from the registry or by a pull that is under way: it is fetched
// once, however many want it. by is who asks.
func (m *Mirror) Stream(ctx context.Context, repo image.Repository, d image.Descriptor,
	by image.Actor) (*fetch.Reader, error) {
	m.counts.streamed.Add(1)
	return m.queue.Fetcher().Open(ctx, fetch.Blob{Descriptor: d, Repository: repo, By: share.Requester(by.Name)})
}
