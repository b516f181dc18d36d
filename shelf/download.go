package shelf

import (
	"time"

	"github.com/stowage/stowage/image"
)

// Download is how often clients were given something, and when last.
type Download struct {
	Count int64
	Last  time.Time // zero: never
}

// Downloads is what was handed out of a reference.
type Downloads struct {
	Download                           // by the tag, or by the digest that it points to; of a digest, by it and by any tag
	Since    time.Time                 // it is counted since then
	Images   map[image.Digest]Download // of the manifests that were asked about, by themselves
}
