package storage

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	settleDelay  = 200 * time.Millisecond // how long index.json waits for more changes
	settleAgain  = 10 * time.Second       // how long it waits after it could not be written
	strayEvery   = 6 * time.Hour
	straysAtOnce = 4096 // that are held in memory
)

// Janitor keeps the disk in step with the rows, off the request path: it rewrites index.json after tags
// changed, removes the files of deleted blobs once they have waited their time, and now and then sweeps files that no
// row knows.
type Janitor struct {
	db       *database.DB
	blobs    *Blobs
	space    *Space
	removals *Removals
	log      *slog.Logger
	now      func() time.Time
	grace    time.Duration // age at which a file without a row is swept
	kick     chan struct{}
	work     sync.Mutex // one round at a time

	mu   sync.Mutex
	todo chores
	idle *sync.Cond // nothing is to be done, or could not be

	writeIndex func(ctx context.Context) error // index.json anew from the rows
	persist    func() error                    // makes committed rows survive a power cut
	waits      janitorTimes
}

// chores are what the next round is for.
type chores struct {
	index  bool           // index.json is to be written anew
	strays []image.Digest // whose files no row knows
	asked  bool           // somebody waits for it
	busy   bool           // it is under way
}

// janitorTimes are how long the janitor waits.
type janitorTimes struct {
	delay time.Duration // for more changes, before a round
	again time.Duration // until what failed, or was held by a pull, is tried again
}

// init sets what a Janitor begins with, beside what it is given.
func (k *Janitor) init() {
	k.kick, k.todo.index, k.persist = make(chan struct{}, 1), true, k.db.Persist
	k.waits = janitorTimes{settleDelay, settleAgain}
	k.idle = sync.NewCond(&k.mu)
	k.writeIndex = func(ctx context.Context) error { return k.blobs.files.WriteIndex(ctx, k.layoutEntries(ctx)) }
}

// tagsChanged asks for index.json to be written anew, and then for the files to go whose time has come.
func (k *Janitor) tagsChanged() { k.removeStrays(nil) }

// removeStrays asks for index.json to be written anew and then for the files to go.
func (k *Janitor) removeStrays(files []image.Digest) {
	k.mu.Lock()
	k.todo.index = true
	k.todo.strays = append(k.todo.strays, files...)
	k.mu.Unlock()
	k.wake()
}

func (k *Janitor) wake() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

func (k *Janitor) run(ctx context.Context) {
	k.settle(ctx)
	if !k.pullsGoOn(ctx) {
		k.sweepStrays(ctx)
	}
	strays := time.NewTicker(strayEvery)
	defer strays.Stop()
	due := time.NewTimer(k.nextDue(ctx))
	defer due.Stop()
	var rest time.Duration
	for {
		select {
		case <-ctx.Done():
			k.settle(context.WithoutCancel(ctx)) // so that the folder reads right while Stowage is off
			return
		case <-strays.C:
			k.sweepStrays(ctx)
		case <-due.C:
			k.settle(context.WithoutCancel(ctx))
		case <-k.kick:
			select {
			case <-ctx.Done():
			case <-time.After(max(rest, k.times().delay)):
			}
			began := time.Now()
			k.settle(context.WithoutCancel(ctx))
			// A shelf of 100,000 tags has an index.json of some 40 MB: no more than a fifth of the time is
			// spent on writing it, however often tags change.
			rest = 4 * time.Since(began)
		}
		due.Reset(k.nextDue(ctx))
	}
}

func (k *Janitor) times() janitorTimes {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.waits
}

// Settle waits until index.json and the blob folder say what the rows say: the files of blobs that wait to be swept are
// there until their time has come.
func (k *Janitor) Settle() {
	due, err := k.due(context.Background(), database.Millis(k.now()))
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil && len(due) > 0 {
		k.todo.asked = true
		k.wake()
	}
	for k.todo.index || k.todo.asked || k.todo.busy {
		k.idle.Wait()
	}
}

func (k *Janitor) settle(ctx context.Context) {
	k.work.Lock()
	defer k.work.Unlock()
	if _, _, err := k.round(ctx); err != nil && !errors.Is(err, context.Canceled) { // at the end there is a last round
		k.log.Error("bring the data folder in step with the database", "error", err)
	}
}

// round writes index.json before it removes files, so that the layout never names what is gone. What fails
// is tried again a little later. k.work is held.
func (k *Janitor) round(ctx context.Context) (files int, freed int64, err error) {
	if err := k.db.Trouble(); err != nil {
		k.giveUp()
		return 0, 0, err
	}
	k.mu.Lock()
	dirty, strays, writeIndex, persist := k.todo.index, k.todo.strays, k.writeIndex, k.persist
	k.todo = chores{busy: true}
	k.mu.Unlock()

	// Looked up before index.json is written: what goes after this may still stand in it.
	now := database.Millis(k.now())
	due, err := k.due(ctx, now)
	sweep := func() (err error) {
		if len(strays) > 0 {
			if err = persist(); err != nil {
				return err
			}
			k.sweepFiles(ctx, strays)
			strays = nil
		}
		n, bytes, err := k.sweepDue(ctx, due, now, persist)
		files, freed, due = files+n, freed+bytes, nil
		return err
	}
	if err == nil && (dirty || len(due) > 0) {
		err = writeIndex(ctx)
		if image.KindOf(err) == image.DiskFull && len(due)+len(strays) > 0 {
			// Deleting has to work on a full disk, so here the files go first: they take the space that is missing.
			if err = sweep(); err == nil {
				err = writeIndex(ctx)
			}
		}
	}
	if err == nil {
		err = sweep()
	}

	k.blobs.files.Volume.LayBallast()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.todo.index, k.todo.strays = true, append(strays, k.todo.strays...)
		time.AfterFunc(k.waits.again, k.wake)
	}
	k.todo.busy = false
	k.idle.Broadcast()
	return files, freed, err
}

// giveUp leaves the folder as it is: rows that cannot be trusted must not decide what is removed. The next start begins
// with a round.
func (k *Janitor) giveUp() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.todo = chores{busy: k.todo.busy}
	k.idle.Broadcast()
}

// sweepFiles removes files that no row needs.
func (k *Janitor) sweepFiles(ctx context.Context, files []image.Digest) {
	var freed int64
	for _, d := range files {
		_, n, err := k.space.sweepFile(ctx, d)
		if err != nil {
			k.log.Error("remove a blob's file", "digest", d, "error", err)
		}
		freed += n
	}
	k.log.Info("swept stray blobs", "files", len(files), "bytes", freed)
}

// pullsGoOn reports whether pulls that an earlier process left are about to go on: what they have fetched is
// theirs, however long the server was down, and nobody holds it yet.
func (k *Janitor) pullsGoOn(ctx context.Context) (unfinished bool) {
	err := k.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pulls
		WHERE state NOT IN ('done', 'failed', 'cancelled'))`).Scan(&unfinished)
	if err != nil && ctx.Err() == nil {
		k.log.Error("look for unfinished pulls", "error", err)
	}
	return unfinished || err != nil
}

// sweepStrays removes files older than the grace period that no row needs: what a crash between rows and
// files, or a pull that nobody finished, has left. They go by way of settle: a row that went only now may
// still stand in index.json.
func (k *Janitor) sweepStrays(ctx context.Context) {
	if k.db.Trouble() != nil {
		return
	}
	before := k.now().Add(-k.grace)
	var strays []image.Digest
	handOver := func() {
		if len(strays) > 0 {
			k.removeStrays(strays)
			k.settle(context.WithoutCancel(ctx))
			strays = nil
		}
	}
	_, err := k.blobs.files.Walk(ctx, func(d image.Digest, _ int64, modified time.Time) error {
		if modified.After(before) {
			return nil
		}
		needed, err := k.space.needed(ctx, d)
		if err != nil || needed {
			return err
		}
		if strays = append(strays, d); len(strays) == straysAtOnce {
			handOver()
		}
		return nil
	})
	handOver()
	if err == nil {
		err = k.blobs.files.Partials.Walk(ctx, func(d image.Digest, _ int64, modified time.Time) error {
			if modified.After(before) {
				return nil
			}
			_, err := k.blobs.holds.unlessHeld(d, func() error {
				_, err := k.blobs.files.Partials.Remove(d)
				return err
			})
			return err
		})
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		k.log.Error("sweep stray blobs", "error", err)
	}
}

// layoutEntries returns index.json's descriptors: one for each tag, named by its full reference as the OCI
// image layout and containerd do, and one for each digest that has no tag.
func (k *Janitor) layoutEntries(ctx context.Context) iter.Seq2[image.Descriptor, error] {
	return func(yield func(image.Descriptor, error) bool) {
		rows, err := k.db.QueryContext(ctx, `SELECT r.name, coalesce(t.name, ''), d.digest, m.media_type, b.size
			FROM repository_digests d JOIN repositories r ON r.id = d.repository_id JOIN manifests m ON m.digest = d.digest
			JOIN blobs b ON b.digest = d.digest
			LEFT JOIN tags t ON t.repository_id = d.repository_id AND t.digest = d.digest ORDER BY r.name, t.name, d.digest`)
		if err != nil {
			yield(image.Descriptor{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var ref image.Reference
			var d image.Descriptor
			if err := rows.Scan(&ref.Repository, &ref.Tag, &d.Digest, &d.MediaType, &d.Size); err != nil {
				yield(image.Descriptor{}, err)
				return
			}
			if ref.Tag == "" {
				ref.Digest = d.Digest
			}
			d.Annotations = map[string]string{ocispec.AnnotationRefName: ref.String(), "io.containerd.image.name": ref.String()}
			if !yield(d, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(image.Descriptor{}, err)
		}
	}
}
