package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/share"
	"github.com/stowage/stowage/shelf"
)

// fetch downloads, verifies and commits a blob, trying again as the back-off allows, and elsewhere where it can be had
// elsewhere.
func (f *Fetcher) fetch(ctx context.Context, t *transfer) (err error) {
	if f.shelf.HasBlob(t.Descriptor) { // brought since the caller looked
		t.progress.begins(t.Size)
		t.progress.is(job.AlreadyStored)
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
	for {
		from, turn := f.supply(ctx, t)
		err := f.fetchFrom(turn, t, from, w)
		switch {
		case err == nil:
			t.progress.is(job.Complete)
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errElsewhere):
		case !f.goesOn(t, from, err):
			return err
		}
	}
}

// fetchFrom is fetch from one place.
func (f *Fetcher) fetchFrom(ctx context.Context, t *transfer, from supply, w shelf.BlobWriter) error {
	try, best := tries{backoff: f.backoff, now: f.now}, w.Offset()
	for {
		failed := f.download(ctx, t, from, w)
		more := w.Offset() >= best+progressBytes
		best = max(best, w.Offset())
		if failed == nil {
			if failed = f.commit(ctx, t, w); failed == nil {
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
			if image.KindOf(final) == image.DiskFull {
				_ = t.restart(w) // what it has would keep the disk full; the first error says more
			}
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
func (f *Fetcher) commit(ctx context.Context, t *transfer, w shelf.BlobWriter) error {
	t.progress.is(job.Verifying)
	if err := f.places.commits.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer f.places.commits.Release(1)
	return w.Commit()
}

// download brings what is missing of a blob, from where the writer stands. With no error the writer has
// all bytes, right or wrong.
func (f *Fetcher) download(ctx context.Context, t *transfer, from supply, w shelf.BlobWriter) error {
	if w.Offset() > t.Size {
		if err := t.restart(w); err != nil {
			return err
		}
	}
	if w.Offset() == t.Size {
		return nil
	}
	if t.Raw != nil {
		n, err := w.Write(t.Raw[w.Offset():])
		t.progress.adds(n)
		return err
	}
	t.progress.is(job.Waiting)
	free, err := f.places.take(ctx, t.urgent, share.Key{Host: from.repository.Host(), By: from.by})
	if err != nil {
		return err
	}
	defer free()
	if f.abandoned(t) {
		return context.Canceled
	}
	t.progress.is(job.Downloading)
	return f.receive(ctx, t, from, w)
}

// receive makes one request for a blob and copies the answer.
func (f *Fetcher) receive(ctx context.Context, t *transfer, from supply, w shelf.BlobWriter) error {
	body, at, err := f.source.Blob(ctx, from.repository, t.Descriptor, w.Offset())
	if err != nil {
		return err
	}
	defer body.Close() // only read from: what it says at the end changes nothing
	if at != w.Offset() {
		if at != 0 {
			return image.Errorf(image.Unavailable, "%s answered with the wrong part of layer %s", from.repository.Host(),
				image.ShortDigest(t.Digest))
		}
		if err := t.restart(w); err != nil {
			return err
		}
	}
	return f.copy(t, from.repository.Host(), w, body)
}

// copy moves bytes from the network to the disk and counts them.
func (f *Fetcher) copy(t *transfer, host string, w shelf.BlobWriter, body io.Reader) error {
	buffer := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buffer)
	left := t.Size - w.Offset()
	var pace pace
	for {
		asked := time.Now()
		n, err := body.Read(*buffer)
		pace.counts(n, time.Since(asked))
		if n > 0 {
			f.fetched.Add(int64(n))
			t.progress.moved.Add(int64(n))
			if left -= int64(n); left < 0 {
				return image.Errorf(image.Corrupt, "blob %s is longer than the %d bytes that its manifest says",
					image.ShortDigest(t.Digest), t.Size)
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
			return image.Errorf(image.Unavailable, "the connection to %s broke after %d of %d bytes", host, t.Size-left,
				t.Size).Because(err)
		case err != nil:
			return err
		case pace.drips():
			return image.Errorf(image.Unavailable, "%s sends too slowly: less than %d bytes in %d seconds", host, leastBytes,
				int(leastTime.Seconds()))
		}
	}
}
