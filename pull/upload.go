package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/stowage/stowage/image"
)

// Upload is what a job that stores an archive knows beside its layers.
type Upload struct {
	File     string          `json:"file,omitzero"`    // what the sender calls it; plain, hostile text; empty where it has no name
	Size     int64           `json:"size"`             // bytes of the archive as announced; -1 where nobody said
	Received int64           `json:"received"`         // bytes that have come
	Whole    bool            `json:"whole,omitzero"`   // all of it has come: what is shown now is how it is proved
	Images   []UploadedImage `json:"images,omitempty"` // what was stored, once it is
	Partly   int             `json:"partly,omitzero"`  // platforms that its indexes list and that it does not bring
}

// UploadedImage is one name that an upload has given to an image or an index.
type UploadedImage struct {
	Reference image.Reference  `json:"reference"`
	Digest    image.Digest     `json:"digest"`            // of the index or manifest; where Same, the one that the tag points to
	Platforms []image.Platform `json:"platforms"`         // that the archive brought
	Previous  image.Digest     `json:"previous,omitzero"` // what the tag pointed to before, if that was something else
	Same      bool             `json:"same,omitzero"`     // it was there already: nothing changed
}

// Newer tells whether the upload changed what its name means.
func (u UploadedImage) Newer() bool { return !u.Same }

// UploadRequest asks for an upload's job.
type UploadRequest struct {
	File string // what the sender calls the archive; may be empty
	Size int64  // its bytes as announced; -1 where nobody said
	By   string // who sends it
}

// Uploading is what the one who carries an upload out tells its job. Safe for concurrent use.
type Uploading struct {
	run      *run
	queue    *Queue
	verified map[image.Digest]*progress // does not change once shown
}

// Upload makes a job of an archive that somebody sends, and has it carried out before it returns: the archive comes with
// the request of its sender, so that it cannot wait in the queue. The job is shown and can be cancelled like a pull. ctx
// that carryOut gets ends with the caller's, when somebody cancels the job and when the queue closes; its cause tells
// which. The job is final when Upload returns, and its error is carryOut's, or what the cause of the end means for a
// person. Errors beside these: Unavailable when the queue is closing.
func (q *Queue) Upload(ctx context.Context, req UploadRequest, carryOut func(ctx context.Context, u *Uploading) error) (Job, error) {
	now := q.now()
	job := Job{State: Pulling, Created: now, Started: now, Upload: &Upload{File: req.File, Size: req.Size}}
	if req.By != "" {
		job.Requesters = []string{req.By}
	}
	var err error
	if job.ID, err = q.shelf.CreateJob(ctx, job); err != nil {
		return Job{}, fmt.Errorf("create the job of an upload: %w", err)
	}
	r := newRun(job)
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(q.base, func() { cancel(context.Cause(q.base)) })
	defer stop()
	q.mu.Lock()
	closing := q.closing
	if !closing {
		q.wg.Add(1)
		defer q.wg.Done()
	}
	r.cancel = cancel
	q.live[r.id] = r
	q.broker.open(r.id, r.snapshot)
	q.mu.Unlock()

	unwatch := q.watch(r)
	if closing {
		err = errClosing
	} else {
		err = guard(func() error { return carryOut(work, &Uploading{run: r, queue: q}) })
	}
	unwatch()
	cause := context.Cause(work)
	late := errors.Is(cause, context.Canceled) && errors.Is(err, os.ErrDeadlineExceeded)
	if err != nil && cause != nil && !late {
		err = cause // but a sender whose time is over has not gone: the server ends the request with the connection's deadline
	}
	err = uploadEnd(err)
	q.finish(r, err)
	var c *cancelledBy
	if errors.As(err, &c) {
		err = c.shown()
	}
	return r.snapshot(), err
}

// uploadEnd gives the meaning of the end of a context for somebody who sends an archive.
func uploadEnd(err error) error {
	var c *cancelledBy
	switch {
	case errors.Is(err, errClosing):
		return image.Errorf(image.Unavailable, "the server is stopping").Suggest("Upload it again in a moment.")
	case errors.As(err, &c):
		return err
	case errors.Is(err, context.Canceled):
		return image.Errorf(image.Cancelled, "the sender went away before everything was stored").Because(err).Suggest("Upload it again.")
	}
	return err
}

// shown gives a cancel as an error that a person may be shown.
func (c *cancelledBy) shown() error {
	if c.who == "" {
		return image.Errorf(image.Cancelled, "cancelled")
	}
	return image.Errorf(image.Cancelled, "cancelled by %s", c.who)
}

// abandonUpload ends the job of an upload that an earlier process has left: what was sent is gone.
func (q *Queue) abandonUpload(ctx context.Context, j Job) error {
	j.State, j.Finished, j.Rate = Failed, q.now(), 0
	for i := range j.Layers {
		j.Layers[i].settle()
	}
	j.Problem = problemOf(image.Errorf(image.Unavailable, "the server stopped while this was uploaded").Suggest("Upload it again."))
	return q.shelf.SaveJob(ctx, j)
}

// ID gives the job's number.
func (u *Uploading) ID() int64 { return u.run.id }

// By gives who sends the archive.
func (u *Uploading) By() string { return u.run.firstRequester() }

// Receive counts the bytes that are read from r as having come.
func (u *Uploading) Receive(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		u.run.received.Add(int64(n))
		return n, err
	})
}

// Prove says that all has come, and shows the layers that are proved from now on.
func (u *Uploading) Prove(layers []Layer) {
	shown := make([]*layer, len(layers))
	u.verified = make(map[image.Digest]*progress, len(layers))
	for i, l := range layers {
		p := &progress{state: Waiting}
		u.verified[l.Digest] = p
		shown[i] = &layer{Descriptor: image.Descriptor{Digest: l.Digest, Size: l.Size}, platforms: l.Platform, source: p}
	}
	u.run.show(shown)
	u.queue.advance(u.run, Pulling, func(j *Job) {
		up := *j.Upload
		up.Whole = true
		j.Upload = &up
	})
}

// Verify counts the bytes that are read from r as those of a layer that is being proved.
func (u *Uploading) Verify(d image.Digest, r io.Reader) io.Reader {
	p := u.verified[d]
	p.is(Verifying)
	return readerFunc(func(b []byte) (int, error) {
		n, err := r.Read(b)
		p.bytes.Add(int64(n))
		p.moved.Add(int64(n))
		return n, err
	})
}

// Verified says that a layer is proved.
func (u *Uploading) Verified(d image.Digest) { u.verified[d].is(Complete) }

// UploadResult is what an upload came to.
type UploadResult struct {
	Images []UploadedImage
	Partly int                   // platforms that its indexes list and that it does not bring
	Lines  []string              // what docker would print, and what the upload goes without
	Layers map[image.Digest]bool // that are stored for its images; others were proved and belong to images that were there already
}

// Stored says what was stored. Of the layers those are shown from now on that are.
func (u *Uploading) Stored(result UploadResult) {
	u.run.keepLayers(func(l *layer) bool { return result.Layers[l.Digest] })
	u.run.change(func(j *Job) {
		up := *j.Upload
		up.Images, up.Partly = result.Images, result.Partly
		j.Upload, j.Lines = &up, result.Lines
		for _, i := range result.Images {
			j.Newer = j.Newer || i.Newer()
			for _, p := range i.Platforms {
				if p.Known() && !slices.Contains(j.Pulled, p) {
					j.Pulled = append(j.Pulled, p)
				}
			}
		}
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
