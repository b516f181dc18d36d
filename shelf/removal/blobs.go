package removal

import (
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// use is a blob of what goes, and how often that uses it.
type use struct {
	digest         image.Digest
	kind           string
	size           int64
	layers, config int  // images that go and have it, once for each time
	document       bool // it is an index or a manifest that goes
	attested       int  // attestations that go and have it
	stays          bool // something else uses it, in whatever part
	unlisted       bool // the plan has not come to it yet
}

func (u *use) blob() shelf.PlanBlob {
	return shelf.PlanBlob{Digest: u.digest, Kind: u.kind, Size: u.size}
}

// uses are the blobs of what goes.
type uses struct {
	q        Questions
	byDigest map[image.Digest]*use
	all      []*use // in the order in which a plan has them
}

func (us *uses) of(d image.Digest, kind string) *use {
	u := us.byDigest[d]
	if u == nil {
		u = &use{digest: d, kind: kind, unlisted: true}
		us.byDigest[d] = u
	}
	return u
}

// list adds a blob to those of the plan, once.
func (us *uses) list(u *use) {
	if u.unlisted {
		u.unlisted = false
		us.all = append(us.all, u)
	}
}

// usesOf finds the blobs of images and indexes that go, and which of them others use.
func usesOf(q Questions, going []*img, indexes []*node) (*uses, error) {
	us := &uses{q: q, byDigest: map[image.Digest]*use{}}
	manifests := make([]image.Digest, len(going))
	for i, img := range going {
		manifests[i] = img.Manifest
	}
	parts, err := us.parts(sorted(manifests))
	if err != nil {
		return nil, err
	}
	for _, i := range going {
		document, config := us.of(i.Manifest, "manifest"), us.of(i.ID, "config")
		document.document = true
		config.config++
		us.list(document)
		us.list(config)
		for _, u := range parts[i.Manifest] {
			us.list(u)
		}
	}
	for _, n := range indexes {
		document := us.of(n.digest, "index")
		document.document = true
		us.list(document)
	}
	return us, us.count()
}

// parts counts the layers of images that go, and the blobs of what describes no image but those. It returns the blobs
// of each image in their order.
func (us *uses) parts(manifests []image.Digest) (map[image.Digest][]*use, error) {
	parts := make(map[image.Digest][]*use, len(manifests))
	links := map[image.Digest]int{}            // by how many images that go an attestation is had
	blobs := map[image.Digest][]image.Digest{} // of an attestation
	var order []image.Digest
	err := us.q.Parts(manifests, func(p Part) {
		if p.Attestation == "" {
			u := us.of(p.Blob, "layer")
			u.layers++
			parts[p.Manifest] = append(parts[p.Manifest], u)
			return
		}
		if p.Position == 0 {
			if links[p.Attestation]++; links[p.Attestation] == 1 {
				order = append(order, p.Attestation)
			}
		}
		if links[p.Attestation] == 1 {
			blobs[p.Attestation] = append(blobs[p.Attestation], p.Blob)
		}
		parts[p.Manifest] = append(parts[p.Manifest], us.of(p.Blob, "attestation"))
	})
	if err != nil {
		return nil, err
	}
	return parts, us.q.Describes(order, func(attestation image.Digest, images int) {
		if images == links[attestation] {
			for _, d := range blobs[attestation] {
				us.of(d, "attestation").attested++
			}
		}
	})
}

// count holds the uses by what goes against all there are.
func (us *uses) count() error {
	digests := make([]image.Digest, len(us.all))
	for i, u := range us.all {
		digests[i] = u.digest
	}
	for some := range slices.Chunk(sorted(digests), chunk) {
		deepest := 0
		for _, d := range some {
			u := us.byDigest[d]
			deepest = max(deepest, u.layers, u.config, u.attested)
		}
		err := us.q.Uses(some, deepest+1, func(all Uses) {
			u := us.byDigest[all.Blob]
			u.size = all.Size
			u.stays = all.Layers > u.layers || all.Configs > u.config || all.Attested > u.attested || all.Document && !u.document
		})
		if err != nil {
			return err
		}
	}
	return nil
}
