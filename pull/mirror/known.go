package mirror

import (
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

// origin says how a client came to a document: what is to be pulled when it wants the image.
type origin struct {
	reference image.Reference // a tag or a digest
	target    image.Digest    // what that points to
	asked     time.Time       // when the registry said so
	platform  image.Platform  // of the document; unknown where it is the target itself, or an index
	kind      image.EntryKind // how the index lists it; empty for the target itself
	listed    image.Descriptor
	describes image.Digest // of an attestation: the manifest that it is about
	settled   bool         // the shelf has the reference pointing to the target: nothing is to be pulled for that
}

// handedBlob is a blob of a manifest that was handed out.
type handedBlob struct {
	image.Descriptor
	manifest image.Digest
}

// begun is a pull that was begun for a manifest.
type begun struct {
	job       int64
	reference image.Reference
	platform  image.Platform // zero where any will do
	at        time.Time
}

// failure is how a pull failed.
type failure struct {
	kind image.Kind
	at   time.Time
}

// Standing is what a Mirror knows of a tag.
type Standing struct {
	Digest image.Digest // where the registry said that it points; empty if it never did
	Asked  time.Time    // when it was asked last
	Heard  time.Time    // when it answered last; zero if never
	Err    error        // why it could not be asked last time; what is stored is served meanwhile
	until  time.Time    // it is not asked again before
}

// Problem is Err as people are shown it; nil where the registry answered.
func (s Standing) Problem() *job.Problem {
	if s.Err == nil {
		return nil
	}
	return job.ProblemOf(s.Err)
}
