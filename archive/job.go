package archive

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
)

func init() { job.Register[Upload]() }

// Upload is what the job of an archive that somebody sends knows beside its layers.
type Upload struct {
	// what the sender calls it; plain, hostile text; empty where it has no name
	File     string          `json:"file,omitzero"`
	Size     int64           `json:"size"`             // bytes of the archive as announced; -1 where nobody said
	Received int64           `json:"received"`         // bytes that have come
	Whole    bool            `json:"whole,omitzero"`   // all of it has come: what is shown now is how it is proved
	Images   []UploadedImage `json:"images,omitempty"` // what was stored, once it is
	Partly   int             `json:"partly,omitzero"`  // platforms that its indexes list and that it does not bring
}

// UploadedImage is one name that an upload has given to an image or an index.
type UploadedImage struct {
	Reference image.Reference `json:"reference"`
	// of the index or manifest; where Same, the one that the tag points to
	Digest    image.Digest     `json:"digest"`
	Platforms []image.Platform `json:"platforms"`         // that the archive brought
	Previous  image.Digest     `json:"previous,omitzero"` // what the tag pointed to before, if that was something else
	Same      bool             `json:"same,omitzero"`     // it was there already: nothing changed
}

// Newer reports whether the upload changed what its name means.
func (u UploadedImage) Newer() bool { return !u.Same }

// Kind implements job.Detail.
func (Upload) Kind() job.Kind { return job.Upload }

// Subject implements job.Detail: an upload is about no reference until it is stored.
func (Upload) Subject() image.Reference { return image.Reference{} }

// Log implements job.Detail.
func (u Upload) Log() []any { return []any{"upload", u.File} }

// Amount implements job.Detail: what has come of the archive and, once that is whole, what is proved of its layers.
func (u Upload) Amount(j job.Job) (a job.Amount) {
	if !u.Whole {
		return job.Amount{Done: u.Received, Total: max(u.Size, u.Received)}
	}
	a.Done, a.Total = j.Progress.LayerBytes()
	return a
}

// Same implements job.Detail.
func (u Upload) Same(earlier job.Detail) bool {
	e, ok := earlier.(Upload)
	return ok && e.Received == u.Received && e.Whole == u.Whole
}

// upload is the job of an archive at work.
type upload struct {
	run    *job.Run
	runner *job.Runner
	sent   sent
	layers map[image.Digest]*proved // does not change once shown
}

// sent are the bytes that have come of an archive.
type sent struct{ bytes atomic.Int64 }

// Snapshot implements job.Shown.
func (s *sent) Snapshot() job.Layer { return job.Layer{} }

// Moved implements job.Shown: what has come counts for the rate.
func (s *sent) Moved() int64 { return s.bytes.Load() }

// proved is a layer that is proved. Safe for concurrent use.
type proved struct {
	job.Layer
	mu    sync.Mutex
	bytes atomic.Int64
}

// Snapshot implements job.Shown.
func (p *proved) Snapshot() job.Layer {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.Layer
	l.Bytes, l.Platform = p.bytes.Load(), slices.Clone(l.Platform)
	return l
}

// Moved implements job.Shown.
func (p *proved) Moved() int64 { return p.bytes.Load() }

func (p *proved) is(s job.LayerState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.State = s
}

// upload makes a job of an archive that somebody sends, and has it carried out before it returns: the archive comes
// with the request of its sender, so that it cannot wait in the queue. The job is shown and can be cancelled like any
// other. Its error is work's, or what the cause of the end means for a person; Unavailable when the server stops.
func (i *Importer) upload(ctx context.Context, req Request,
	work func(context.Context, *upload) error) (job.Job, error) {
	now := i.jobs.Now()
	j := job.Job{State: job.Pulling, Created: now, Started: now, Detail: Upload{File: req.File, Size: req.Size}}
	if req.By.Name != "" {
		j.By = []string{req.By.Name}
	}
	return i.jobs.Do(ctx, j, func(ctx context.Context, r *job.Run) error {
		u := &upload{run: r, runner: i.jobs}
		r.Hide(&u.sent)
		r.Refresh(func(j *job.Job) {
			j.Progress.Moved = 0
			d, _ := j.Detail.(Upload)
			d.Received = u.sent.bytes.Load()
			j.Detail = d
		})
		return work(ctx, u)
	}, uploadEnd)
}

// uploadEnd returns what the end of an upload means for whoever sends the archive.
func uploadEnd(err, cause error) error {
	late := errors.Is(cause, context.Canceled) && errors.Is(err, os.ErrDeadlineExceeded)
	if err != nil && cause != nil && !late {
		// but a sender whose time is over has not gone: the server ends the request with the connection's deadline
		err = cause
	}
	var c *job.CancelledBy
	switch {
	case errors.Is(err, job.ErrClosing):
		return image.Errorf(image.Unavailable, "the server is stopping").Suggest("Upload it again in a moment.")
	case errors.As(err, &c):
		return err
	case errors.Is(err, context.Canceled):
		return image.Errorf(image.Cancelled, "the sender went away before everything was stored").Because(err).
			Suggest("Upload it again.")
	}
	return err
}

// Start ends the uploads that an earlier process has left: what was sent is gone.
func (i *Importer) Start(ctx context.Context) error {
	why := image.Errorf(image.Unavailable, "the server stopped while this was uploaded").Suggest("Upload it again.")
	return i.jobs.Abandon(ctx, job.Upload, why)
}

// Refuse keeps the record of an upload that is refused before anything of it is read. It is zero where it cannot be
// kept.
func (i *Importer) Refuse(ctx context.Context, r Request, why error) job.Job {
	j, _ := i.upload(ctx, r, func(context.Context, *upload) error { return why })
	return j
}

// change changes the detail of the job.
func (u *upload) change(f func(d *Upload)) {
	u.run.Change(func(j *job.Job) {
		d, _ := j.Detail.(Upload)
		f(&d)
		j.Detail = d
	})
}

// receive counts the bytes that are read from r as having come.
func (u *upload) receive(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		u.sent.bytes.Add(int64(n))
		return n, err
	})
}

// prove says that all has come, and shows the layers that are proved from now on.
func (u *upload) prove(layers []job.Layer) {
	shown := make([]job.Shown, len(layers))
	u.layers = make(map[image.Digest]*proved, len(layers))
	for i, l := range layers {
		l.State = job.Waiting
		p := &proved{Layer: l}
		u.layers[l.Digest], shown[i] = p, p
	}
	u.run.ShowAnew(shown)
	u.runner.Advance(u.run, func(j *job.Job) {
		d, _ := j.Detail.(Upload)
		d.Whole = true
		j.Detail = d
	})
	u.runner.Save(u.run)
	u.runner.Tell(u.run)
}

// verify counts the bytes that are read from r as those of a layer that is being proved.
func (u *upload) verify(d image.Digest, r io.Reader) io.Reader {
	p := u.layers[d]
	p.is(job.Verifying)
	return readerFunc(func(b []byte) (int, error) {
		n, err := r.Read(b)
		p.bytes.Add(int64(n))
		return n, err
	})
}

// verified says that a layer is proved.
func (u *upload) verified(d image.Digest) { u.layers[d].is(job.Complete) }

// result is what an upload came to.
type result struct {
	Images []UploadedImage
	Partly int      // platforms that its indexes list and that it does not bring
	Lines  []string // what docker would print, and what the upload goes without
	// that are stored for its images; others were proved and belong to images that were there already
	Layers map[image.Digest]bool
}

// stored says what was stored. Of the layers those are shown from now on that are.
func (u *upload) stored(result result) {
	u.run.Keep(func(s job.Shown) bool { return result.Layers[s.Snapshot().Digest] })
	u.change(func(d *Upload) { d.Images, d.Partly = result.Images, result.Partly })
	u.run.Change(func(j *job.Job) {
		o := &j.Outcome
		o.Lines = result.Lines
		for _, i := range result.Images {
			o.Newer = o.Newer || i.Newer()
			for _, p := range i.Platforms {
				if p.Known() && !slices.Contains(o.Pulled, p) {
					o.Pulled = append(o.Pulled, p)
				}
			}
		}
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
