package page

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"

	"github.com/stowage/stowage/image"
)

// A page over a document takes many times the document's bytes while it is made: for its texts, and for each of its
// values. Pages over large documents wait for one another, so that many at once take no more memory than a few.
// Ordinary manifests and configs have 2 to 20 kB: pages over those have a room of their own and never wait for large
// ones.
const (
	smallDocuments = 64 << 10 // bytes of the documents of a small page
	smallRoom      = 32 << 20 // bytes of the documents of all small pages at once
	copies         = 4        // of a document that are made for a page
	shortestValue  = 3        // bytes of a value in a document, with what parts it from the next
	valueMemory    = 100      // bytes that a value takes in memory
)

// largeRoom is the memory that all large pages take at once: what the largest image there can be takes.
var largeRoom = memoryFor(image.MaxConfigSize + image.MaxManifestSize)

// memoryFor estimates what a page over documents of n bytes takes, at the most.
func memoryFor(n int64) int64 { return copies*n + valueMemory*min(n/shortestValue, image.MaxValues) }

// Whoever reads an answer slower than this, after a while, is cut off: it holds the others up.
const (
	readingTime = 30 * time.Second
	readingRate = 128 << 10 // bytes of the documents a second
)

// scales weigh the documents of pages that are being made and sent.
type scales struct{ small, large *semaphore.Weighted }

func newScales() *scales {
	return &scales{small: semaphore.NewWeighted(smallRoom), large: semaphore.NewWeighted(largeRoom)}
}

// wait waits until there is room for documents of n bytes, or ctx ends. What it returns gives the room back.
func (s *scales) wait(ctx context.Context, n int64) (done func(), err error) {
	room, n := s.small, max(0, n)
	if n > smallDocuments {
		room, n = s.large, min(memoryFor(n), largeRoom)
	}
	if err := room.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { room.Release(n) }, nil
}

// Weigh waits until an answer over stored documents may be made, and bounds the time to send it. The caller calls done
// when the answer is written. A document that is not there weighs nothing: who reads it says so.
func (h *Site) Weigh(c echo.Context, documents ...image.Digest) (done func(), err error) {
	var n int64
	for _, d := range documents {
		if size, err := h.blobs.BlobSize(d); err == nil {
			n += size
		}
	}
	leave, err := h.scales.wait(c.Request().Context(), n)
	if err != nil || n <= smallDocuments {
		return leave, err
	}
	connection := http.NewResponseController(c.Response())
	if connection.SetWriteDeadline(time.Now().Add(readingTime+time.Duration(n)*time.Second/readingRate)) != nil {
		return leave, nil // a test's recorder: nobody reads slowly there
	}
	return func() {
		leave()
		_ = connection.SetWriteDeadline(time.Time{}) // the next answer on the connection has its own time
	}, nil
}
