package fetch

import (
	"context"
	"fmt"
	"sync"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// transfer is one blob on its way.
type transfer struct {
	Blob     // as it was wanted first
	progress Progress
	supplies []supply                // where it can be had, one of each registry; guarded by the fetcher
	at       int                     // the one that is tried, guarded by the fetcher
	turn     context.CancelCauseFunc // ends what is tried, guarded by the fetcher
	cancel   context.CancelFunc
	hurry    sync.Once     // closes urgent
	urgent   chan struct{} // closed when a client waits for the blob
	// Of the jobs and clients that wait for it, guarded by the fetcher; with the last one it is given up.
	waiting []context.Context
	done    chan struct{} // closed at the end, when err is set
	err     error
}

func newTransfer(ctx context.Context, b Blob, cancel context.CancelFunc) *transfer {
	return &transfer{
		Blob: b, supplies: []supply{{repository: b.Repository, by: b.By}}, cancel: cancel, turn: func(error) {},
		waiting: []context.Context{ctx}, urgent: make(chan struct{}), done: make(chan struct{}),
	}
}

// restart begins the blob's file anew.
func (t *transfer) restart(w shelf.BlobWriter) error {
	if err := t.progress.anew(w.Restart); err != nil {
		return fmt.Errorf("restart blob %s: %w", t.Digest, err)
	}
	return nil
}

// supply is where a blob can be had.
type supply struct {
	repository image.Repository
	by         string // in whose name; see blob
	tried      bool
	rate       int64 // bytes in the last patience that it had
	err        error // why it could not be had there
}

// Blob is something to bring onto the shelf.
type Blob struct {
	image.Descriptor
	Repository image.Repository // where from
	By         string           // whose share of the downloads it counts in; see share.Requester
	Raw        []byte           // its bytes, where they are known: an index or a manifest
}
