package archive

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/docker/go-units"

	"github.com/stowage/stowage/archive/saved"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/share"
	"github.com/stowage/stowage/shelf"
)

// uploads is how many archives are taken in at once: each may take as much of the disk as it has. Whoever sends none
// finds a place beside those who do, however slowly they send.
var uploads = share.Rules{Usual: MaxUploads, PerRequester: 1, Most: 3 * MaxUploads}

// proofs is how many of them are proved at once: each takes a core to unpack.
var proofs = share.Rules{Usual: 2, PerRequester: 1, Most: 4}

// MaxUploads is how many archives one requester sends at once, at most.
const MaxUploads = 2

// ErrBusy is the cause of an error of Begin where too many archives are taken in already.
var ErrBusy = errors.New("too many uploads at once")

// Shelf is what an import needs of the storage. Errors are image.Errors.
type Shelf interface {
	// NewStage makes a place for what is sent, with room for size bytes; negative where nobody said how many will come.
	NewStage(size int64) (shelf.Stage, error)
	// CheckRoom refuses (DiskFull) so many bytes of an upload where the disk has no room for them.
	CheckRoom(size int64) error
	// Import moves the files that are needed from the stage to the blobs and records the rest in one transaction. After an
	// error nothing of it is left. What it gives is in the order of Pulled.
	Import(ctx context.Context, stage shelf.Stage, in shelf.Import) ([]shelf.Imported, error)
}

// Options are what an Importer works with. Shelf and Jobs are required.
type Options struct {
	Shelf    Shelf
	Jobs     *job.Runner
	MaxBytes int64 // of an archive, as it is sent and unpacked; 0 for as much as the disk has room for
	Logger   *slog.Logger
}

// Importer takes archives in. Safe for concurrent use.
type Importer struct {
	shelf    Shelf
	jobs     *job.Runner
	maxBytes int64
	log      *slog.Logger
	places   *share.Places // one held by each upload
	proofs   *share.Places // one held while an archive is proved
}

// NewImporter makes an Importer.
func NewImporter(o Options) *Importer {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Importer{shelf: o.Shelf, jobs: o.Jobs, maxBytes: o.MaxBytes, log: o.Logger, places: share.New(uploads),
		proofs: share.New(proofs)}
}

// MaxBytes returns the most bytes of an archive; 0 where only the disk bounds it.
func (i *Importer) MaxBytes() int64 { return i.maxBytes }

// Begin refuses what need not be read to be refused, and takes one of the places for uploads until done is called. size
// is what was announced, or -1, and by is who sends it. Errors: Invalid for the name, TooLarge, DiskFull, Conflict with
// ErrBusy where there is no place.
func (i *Importer) Begin(size int64, name string, by image.Actor) (done func(), err error) {
	if name != "" {
		if _, err := image.ParseRepositoryReference(name); err != nil {
			return nil, err
		}
	}
	if i.maxBytes > 0 && size > i.maxBytes {
		return nil, image.Errorf(image.TooLarge, "the archive has %s, and %s is the most that this server takes",
			units.HumanSize(float64(size)), units.HumanSize(float64(i.maxBytes))).
			Suggest("Save fewer images at once, or raise --max-upload.")
	}
	if err := i.shelf.CheckRoom(size); err != nil {
		return nil, err
	}
	release, ok := i.places.Try(placeOf(by))
	if !ok {
		return nil, image.Errorf(image.Conflict, "%d archives are being uploaded already", i.places.Held()).Because(ErrBusy).
			Suggest("Try again when one of them is done.")
	}
	return sync.OnceFunc(release), nil
}

// placeOf returns what somebody's places are counted by.
func placeOf(by image.Actor) share.Key { return share.Key{By: share.Requester(by.Name)} }

// Request asks for an archive to be taken in, which somebody sends.
type Request struct {
	Body io.Reader
	File string // what the sender calls the file; may be empty
	Name string // what its image is to be called; empty to take the names in the archive
	Size int64  // bytes as announced; -1 where nobody said
	By   image.Actor

	// Interrupt makes a Read of Body that waits for the sender return. It is called when the job is cancelled. May be nil.
	Interrupt func()
	// After is called when Body has been read, and may change the name: in a form, it may follow the file. May be nil.
	After func(name string) (string, error)
}

// Import takes an archive in, as a job of its own: it is staged on the disk while it comes, understood, every layer of
// it is unpacked and proved, and then all of it is recorded at once. After an error nothing of it is left but the
// record of the job. Begin must have been called. The job is zero where none could be made.
func (i *Importer) Import(ctx context.Context, r Request) (job.Job, error) {
	return i.upload(ctx, r, func(ctx context.Context, u *upload) error { return i.run(ctx, r, u) })
}

// run works on the job of an upload.
func (i *Importer) run(ctx context.Context, up Request, u *upload) (err error) {
	if up.Interrupt != nil {
		over := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(over)
			up.Interrupt()
		})
		defer func() {
			if !stop() {
				<-over // the sender's connection is not ours any more once this returns
			}
		}()
	}
	stage, err := i.shelf.NewStage(up.Size)
	if err != nil {
		return err
	}
	defer func() {
		if err := stage.Discard(); err != nil {
			i.log.Error("remove what was uploaded", "job", u.run.ID(), "error", err)
		}
	}()
	m, err := saved.Read(ctx, u.receive(up.Body), stage, i.maxBytes)
	if err != nil {
		return err
	}
	name := up.Name
	if up.After != nil {
		if name, err = up.After(name); err != nil {
			return err
		}
	}
	all, left, err := m.Images(ctx)
	if err != nil {
		return err
	}
	if err := saved.Name(all, name); err != nil {
		return err
	}
	u.prove(layersOf(all))
	free, err := i.proofs.Take(ctx, placeOf(up.By))
	if err != nil {
		return err
	}
	defer free()
	if err := m.Prove(ctx, all, u.verify, u.verified); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	in := m.Import(all)
	in.JobID, in.By = u.run.ID(), u.run.By()
	done, err := i.shelf.Import(context.WithoutCancel(ctx), stage, in) // from here on a cancel comes too late
	if err != nil {
		return err
	}
	stored := report(all, done)
	stored.Lines = append(append(stored.Lines, tellLeft(i.log, u.run.ID(), left)...),
		tellPassed(i.log, u.run.ID(), all)...)
	u.stored(stored)
	return nil
}
