package mirror

import (
	"context"
	"fmt"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/resolve"
)

// Mirrored is an index or a manifest as a mirror hands it out: with the registry's bytes, which are proved.
type Mirrored struct {
	MediaType string
	Digest    image.Digest
	Raw       []byte
	image     image.Digest       // the manifest of the image that it is, or is about; empty for an index
	blobs     []image.Descriptor // that it lists
}

// Document returns an index or a manifest that the shelf does not have under the repository. One that nothing led to is
// asked for at the registry first: that the shelf has the bytes does not mean that this repository does.
func (m *Mirror) Document(ctx context.Context, repo image.Repository, d image.Digest) (Mirrored, error) {
	ref := own(repo.At(d))
	o, known, err := m.origin(ctx, ref)
	if err != nil {
		return Mirrored{}, err
	}
	if o.kind == image.EntryAttestation {
		return m.attestation(ctx, ref, o)
	}
	doc, err := shared(ctx, m, ref, func(ctx context.Context) (image.Document, error) {
		if known {
			return m.queue.Resolver().ReadDocument(ctx, repo, d, resolve.Once)
		}
		t, err := m.queue.Resolver().Follow(ctx, ref, resolve.Once)
		return t.Document, err
	})
	if err != nil {
		return Mirrored{}, err
	}
	if !known {
		o = origin{reference: ref, target: d}
		m.docs.Put(ref, o)
	}
	out := Mirrored{MediaType: doc.MediaType, Digest: doc.Digest, Raw: doc.Raw}
	if doc.Index != nil {
		m.rememberEntries(repo, o, doc.Index)
	} else {
		out.image, out.blobs = d, append([]image.Descriptor{doc.Manifest.Config}, doc.Manifest.Layers...)
	}
	return out, nil
}

// attestation returns the manifest of what describes an image.
func (m *Mirror) attestation(ctx context.Context, ref image.Reference, o origin) (Mirrored, error) {
	a, err := shared(ctx, m, ref, func(ctx context.Context) (image.Attestation, error) {
		return m.queue.Resolver().ReadAttestation(ctx, ref.Repository, o.listed)
	})
	return Mirrored{MediaType: a.MediaType, Digest: a.Digest, Raw: a.Raw, image: o.describes, blobs: a.Blobs()}, err
}

// shared reads something once for all who want it at a time.
func shared[T any](ctx context.Context, m *Mirror, ref image.Reference,
	read func(context.Context) (T, error)) (found T, err error) {
	// The same digest can be asked for as a document and as an attestation.
	answer := m.asking.DoChan(fmt.Sprintf("%T %s", found, ref), func() (any, error) {
		var found T
		err := m.request(ref, func(ctx context.Context) (err error) {
			found, err = read(ctx)
			return err
		})
		return found, err
	})
	select {
	case a := <-answer:
		found, _ = a.Val.(T)
		return found, a.Err
	case <-ctx.Done():
		return found, context.Cause(ctx)
	}
}

// origin finds what led to a document: a client's earlier question, or an index on the shelf.
func (m *Mirror) origin(ctx context.Context, ref image.Reference) (o origin, known bool, err error) {
	if o, known = m.docs.Get(ref); known {
		return o, true, nil
	}
	l, err := m.images.Listed(ctx, ref)
	switch {
	case image.KindOf(err) == image.NotFound:
		return origin{}, false, nil
	case err != nil:
		return origin{}, false, err
	}
	if l.Kind == image.EntryImage && !l.Platform.Known() { // no platform to pull it by
		return origin{reference: ref, target: ref.Digest, kind: l.Kind}, true, nil
	}
	// It is not remembered: the tag can move.
	return origin{reference: l.Reference, target: l.Index, platform: l.Platform, kind: l.Kind,
		listed: bare(l.Descriptor), describes: l.Describes}, true, nil
}

// rememberEntries notes what an index leads to. Of entries for one platform only the first is what a pull of that
// platform brings.
func (m *Mirror) rememberEntries(repo image.Repository, o origin, x *image.Index) {
	seen := make(map[image.Platform]bool)
	for _, e := range x.Entries[:min(len(x.Entries), mostChildren)] {
		if e.Problem != nil {
			continue
		}
		key := repo.At(e.Digest)
		child := origin{reference: o.reference, target: o.target, asked: o.asked, platform: e.Platform, kind: e.Kind,
			listed: bare(e.Descriptor), describes: e.Describes, settled: o.settled}
		if e.Kind == image.EntryImage {
			if !e.Platform.Known() || seen[e.Platform] {
				child = origin{reference: key, target: e.Digest, kind: e.Kind}
			}
			seen[e.Platform] = true
		}
		m.docs.Put(key, child)
	}
}
