package pull

import (
	"slices"
	"sync"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull/fetch"
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
