package registry

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/regclient/regclient/types/blob"
	"github.com/regclient/regclient/types/descriptor"

	"github.com/stowage/stowage/image"
)

// Blob opens a blob at an offset. The second value is where the body really begins: offset, or 0 where the
// registry does not do ranges. The bytes are the registry's own, not verified, but never more than d.Size.
// Reading fails with an image.Error of kind Unavailable when the connection breaks or delivers nothing for
// Options.StallTimeout, and with the context's error when that ends. The reader must be closed; it is used
// by one goroutine, but Close may come from another.
func (c *Client) Blob(ctx context.Context, repo image.Repository, d image.Descriptor,
	offset int64) (io.ReadCloser, int64, error) {
	s := subject{ref: image.Reference{Repository: repo}, blob: d}
	if offset < 0 || offset > d.Size {
		return nil, 0, image.Errorf(image.Invalid, "offset %d is not within the %d bytes of %s", offset, d.Size, s.name())
	}
	if offset == d.Size {
		offset = 0 // no range begins at the end
	}
	for first := true; ; first = false {
		u, err := c.upstreams.get(ctx, s)
		if err != nil {
			return nil, 0, err
		}
		ex := blobExchange(s, offset)
		r := &blobReader{parent: ctx, upstream: u, ex: ex, stall: c.opts.StallTimeout}
		r.ctx, r.cancel = context.WithCancelCause(ctx)
		r.timer = time.AfterFunc(c.opts.DocumentTimeout, func() { r.cancel(errStalled) }) // until the body begins
		// The size is the transport's to check; with 0 regclient would answer for the empty blob itself. No
		// URLs: layers that lie elsewhere are asked of the registry, as dockerd on Linux does.
		var left bool
		r.blob, left, err = await(r.ctx, func() (*blob.BReader, error) {
			return u.rc.BlobGet(withExchange(r.ctx, ex), regRef(s.ref), descriptor.Descriptor{Digest: d.Digest, Size: -1})
		}, func(b *blob.BReader) { _ = b.Close() })
		if left {
			ex = blobExchange(s, offset) // the other one is still in use
		}
		r.timer.Stop()
		if err == nil {
			u.worked.Store(true)
			r.body, r.left = r.blob.Response().Body, d.Size-ex.start //nolint:bodyclose // Close of the blob closes it
			return r, ex.start, nil
		}
		if errors.Is(context.Cause(r.ctx), errStalled) {
			err = context.DeadlineExceeded
		}
		r.cancel(nil)
		if !c.upstreams.again(ctx, u, err, ex) || !first {
			return nil, 0, u.explain(ctx, s, ex, err)
		}
	}
}

func blobExchange(s subject, offset int64) *exchange {
	return &exchange{kind: kindBlob, subject: s, offset: offset, size: s.blob.Size}
}

// blobReader reads a blob's body as it comes: regclient's own reader would hash every byte a second time.
// Closing goes through regclient, which counts open blobs against the host's limit.
type blobReader struct {
	parent   context.Context // the caller's
	ctx      context.Context // the request's
	cancel   context.CancelCauseFunc
	upstream *upstream
	ex       *exchange
	blob     *blob.BReader
	body     io.Reader
	stall    time.Duration
	timer    *time.Timer // runs while the registry is waited for: a slow writer is not a stalled registry
	left     int64
	err      error
	close    sync.Once
}

// Read implements io.Reader.
func (r *blobReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > r.left {
		p = p[:r.left+1] // one more tells a blob that is too long
	}
	r.timer.Reset(r.stall)
	n, err := r.body.Read(p)
	r.timer.Stop()
	if int64(n) > r.left {
		n = int(r.left)
		err = image.Errorf(image.Corrupt, "%s sends more than the %d bytes of %s", r.upstream.Name, r.ex.size,
			r.ex.subject.name())
	}
	r.left -= int64(n)
	switch {
	case err == nil || errors.Is(err, io.EOF) && r.left == 0:
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
		fallthrough
	default:
		if errors.Is(context.Cause(r.ctx), errStalled) {
			err = errStalled
		}
		err = r.upstream.explain(r.parent, r.ex.subject, r.ex, err)
	}
	r.err = err
	return n, err
}

// Close implements io.Closer.
func (r *blobReader) Close() error {
	r.close.Do(func() {
		r.cancel(nil)
		_ = r.blob.Close() // an answer given up half-way has nothing to say
		r.timer.Stop()
	})
	return nil
}
