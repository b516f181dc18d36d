package pull

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stowage/stowage/image"
)

const (
	bufferSize    = 256 << 10 // the chunk that a blob is copied by
	urgentAtOnce  = 16        // downloads that clients wait for, beside those of pulls
	commitsAtOnce = 8         // an fsync mostly waits, and file systems group those that come together
	progressBytes = 64 << 10  // what a failed try must have brought to count as progress
)

// bring downloads, verifies and commits a blob, trying again as the back-off allows.
func (f *fetcher) bring(ctx context.Context, t *fetch) (err error) {
	if f.shelf.HasBlob(t.Descriptor) { // brought since the caller looked
		t.progress.begins(t.Size)
		t.progress.is(AlreadyStored)
		return nil
	}
	w, err := f.shelf.NewBlob(t.Descriptor)
	if err != nil {
		return fmt.Errorf("open blob %s: %w", t.Digest, err)
	}
	defer func() {
		if closed := w.Close(); closed != nil && err == nil {
			err = fmt.Errorf("close blob %s: %w", t.Digest, closed)
		}
	}()
	t.progress.begins(w.Offset())
	try, best := tries{backoff: f.backoff, now: f.now}, w.Offset()
	for {
		failed := f.download(ctx, t, w)
		more := w.Offset() >= best+progressBytes
		best = max(best, w.Offset())
		if failed == nil {
			if failed = f.commit(ctx, t, w); failed == nil {
				t.progress.is(Complete)
				return nil
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if image.KindOf(failed) == image.Corrupt {
			if err := t.restart(w); err != nil {
				return err
			}
			best = 0
		}
		wait, final := try.after(failed, more)
		if final != nil {
			return final
		}
		f.retries.Add(1)
		t.progress.retrying(failed, f.now().Add(wait))
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// commit makes a blob durable, off the download slots so that the network stays busy meanwhile.
func (f *fetcher) commit(ctx context.Context, t *fetch, w BlobWriter) error {
	t.progress.is(Verifying)
	if err := acquire(ctx, f.commits); err != nil {
		return err
	}
	defer release(f.commits)
	return w.Commit()
}

// download brings what is missing of a blob, from where the writer stands. With no error the writer has
// all bytes, right or wrong.
func (f *fetcher) download(ctx context.Context, t *fetch, w BlobWriter) error {
	if w.Offset() > t.Size {
		if err := t.restart(w); err != nil {
			return err
		}
	}
	if w.Offset() == t.Size {
		return nil
	}
	if t.raw != nil {
		n, err := w.Write(t.raw[w.Offset():])
		t.progress.adds(n)
		return err
	}
	t.progress.is(Waiting)
	slot, err := f.slot(ctx, t)
	if err != nil {
		return err
	}
	defer release(slot)
	t.progress.is(Downloading)
	return f.receive(ctx, t, w)
}

// slot takes one of the places to download in: one of those for pulls or, once a client waits for the blob, one of
// those for clients, which a long queue of pulls does not fill.
func (f *fetcher) slot(ctx context.Context, t *fetch) (chan struct{}, error) {
	select {
	case f.slots <- struct{}{}:
		return f.slots, nil
	case <-t.urgent:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case f.slots <- struct{}{}:
		return f.slots, nil
	case f.urgent <- struct{}{}:
		return f.urgent, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// restart begins the blob's file anew.
func (t *fetch) restart(w BlobWriter) error {
	if err := t.progress.anew(w.Restart); err != nil {
		return fmt.Errorf("restart blob %s: %w", t.Digest, err)
	}
	return nil
}

// receive makes one request for a blob and copies the answer.
func (f *fetcher) receive(ctx context.Context, t *fetch, w BlobWriter) error {
	body, at, err := f.source.Blob(ctx, t.repository, t.Descriptor, w.Offset())
	if err != nil {
		return err
	}
	defer body.Close() // only read from: what it says at the end changes nothing
	if at != w.Offset() {
		if at != 0 {
			return image.Errorf(image.Unavailable, "%s answered with the wrong part of layer %s", t.repository.Host(), image.ShortDigest(t.Digest))
		}
		if err := t.restart(w); err != nil {
			return err
		}
	}
	return f.copy(t, w, body)
}

// copy moves bytes from the network to the disk and counts them.
func (f *fetcher) copy(t *fetch, w BlobWriter, body io.Reader) error {
	buffer := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buffer)
	left := t.Size - w.Offset()
	for {
		n, err := body.Read(*buffer)
		if n > 0 {
			f.fetched.Add(int64(n))
			t.progress.moved.Add(int64(n))
			if left -= int64(n); left < 0 {
				return image.Errorf(image.Corrupt, "blob %s is longer than the %d bytes that its manifest says", image.ShortDigest(t.Digest), t.Size)
			}
			if _, err := w.Write((*buffer)[:n]); err != nil {
				return fmt.Errorf("write blob %s: %w", t.Digest, err)
			}
			t.progress.adds(n)
		}
		switch {
		case errors.Is(err, io.EOF) && left == 0:
			return nil
		case errors.Is(err, io.EOF), err != nil && image.KindOf(err) == image.Internal:
			return image.Errorf(image.Unavailable, "the connection to %s broke after %d of %d bytes", t.repository.Host(), t.Size-left, t.Size).Because(err)
		case err != nil:
			return err
		}
	}
}

// acquire takes one of a bounded number of places, unless ctx ends first.
func acquire(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func release(places chan struct{}) { <-places }
