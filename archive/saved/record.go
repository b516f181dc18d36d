package saved

import (
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
	"github.com/stowage/stowage/shelf"
)

// Import returns what is to be recorded.
func (m *Archive) Import(all []*Image) shelf.Import {
	in := shelf.Import{Files: map[image.Digest]image.Staged{}, Proved: map[image.Digest]image.Unpacked{},
		Made: map[image.Digest]bool{}}
	take := func(d image.Digest) { in.Files[d] = m.byDigest[d] }
	for _, a := range all {
		take(a.target.Digest)
		for _, doc := range a.indexes {
			take(doc.Digest)
		}
		for _, img := range a.Images {
			take(img.Document.Digest)
			take(img.Document.Manifest.Config.Digest)
			for _, l := range img.Document.Manifest.Layers {
				take(l.Digest)
				in.Proved[l.Digest] = m.inspected[l.Digest].Unpacked
				in.Made[img.Document.Digest] = in.Made[img.Document.Digest] || a.made ||
					m.inspected[l.Digest].Compression == layer.Uncompressed
			}
			for _, about := range img.Attestations {
				take(about.Digest)
				for _, d := range about.Blobs() {
					take(d.Digest)
				}
			}
		}
		for _, ref := range a.Names {
			in.Pulled = append(in.Pulled, shelf.Pulled{Reference: ref, Target: a.target, Indexes: a.indexes, Images: a.Images})
		}
	}
	return in
}
