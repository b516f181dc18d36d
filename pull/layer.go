package pull

import (
	"slices"
	"sync"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/fetch"
	"github.com/stowage/stowage/pull/resolve"
)

// layer is one blob of a job as its page shows it.
type layer struct {
	image.Descriptor
	attests bool // it is no layer but describes an image

	mu        sync.Mutex
	platforms []image.Platform
	stored    bool
	gone      bool            // what came of it was given up
	source    *fetch.Progress // nil until a transfer brings it
	base      int64           // bytes that source had moved before this job came
	earlier   int64           // bytes that others moved that it showed before
}

// follow makes the layer show a transfer, one that other jobs may have begun.
func (l *layer) follow(p *fetch.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.source != nil {
		l.earlier += l.source.Moved() - l.base
	}
	l.source, l.base = p, p.Moved()
}

// usedBy says that the image of a platform has the layer.
func (l *layer) usedBy(p image.Platform) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Known() && !slices.Contains(l.platforms, p) {
		l.platforms = append(l.platforms, p)
	}
}

// isStored says that nothing had to be fetched.
func (l *layer) isStored() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored = true
}

// givenUp says that what came of the layer is not there any more.
func (l *layer) givenUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
}

// Moved implements job.Shown: the bytes that came over the network while this job waited for them.
func (l *layer) Moved() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.source == nil {
		return 0
	}
	return l.earlier + l.source.Moved() - l.base
}

// Snapshot implements job.Shown.
func (l *layer) Snapshot() job.Layer {
	l.mu.Lock()
	source, stored, gone, platforms := l.source, l.stored, l.gone, slices.Clone(l.platforms)
	l.mu.Unlock()
	s := job.Layer{Digest: l.Digest, Size: l.Size, State: job.Waiting, Platform: platforms, Attests: l.attests}
	switch {
	case gone:
	case stored:
		s.State, s.Bytes = job.AlreadyStored, l.Size
	case source != nil:
		source.Show(&s)
	}
	return s
}

// layersOf lists the layers of a plan to show, each digest once, in the order of the manifests, and after them what
// describes the images.
func layersOf(p *resolve.Plan) ([]job.Shown, map[image.Digest]*layer) {
	var all []job.Shown
	byDigest := make(map[image.Digest]*layer)
	add := func(d image.Descriptor, used image.Platform, attests bool) {
		l := byDigest[d.Digest]
		if l == nil {
			l = &layer{Descriptor: d, attests: attests}
			byDigest[d.Digest] = l
			all = append(all, l)
		}
		l.usedBy(used)
	}
	for _, i := range p.Images {
		for _, d := range i.Document.Manifest.Layers {
			add(d, i.Platform, false)
		}
	}
	for _, i := range p.Images {
		for _, a := range i.Attestations {
			for _, d := range a.Statements {
				add(d, i.Platform, true)
			}
		}
	}
	return all, byDigest
}
