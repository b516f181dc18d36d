package storage

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/stowage/stowage/image"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	settleDelay = 200 * time.Millisecond // how long index.json waits for more changes
	strayEvery  = 6 * time.Hour
)

// keeper keeps the disk in step with the rows, off the request path: it rewrites index.json after tags
// changed, then removes the files of deleted blobs, and now and then sweeps files that no row needs.
type keeper struct {
	store *Store
	kick  chan struct{}

	mu    sync.Mutex
	dirty bool
	files []image.Digest // whose rows are gone
	idle  *sync.Cond
	busy  bool
}

func newKeeper(s *Store) *keeper {
	k := &keeper{store: s, kick: make(chan struct{}, 1), dirty: true}
	k.idle = sync.NewCond(&k.mu)
	return k
}

func (k *keeper) tagsChanged() { k.removed(nil) }

// removed asks for index.json to be written anew and then for the files to go.
func (k *keeper) removed(files []image.Digest) {
	k.mu.Lock()
	k.dirty = true
	k.files = append(k.files, files...)
	k.mu.Unlock()
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	k.settle(ctx)
	k.sweepStrays(ctx)
	strays := time.NewTicker(strayEvery)
	defer strays.Stop()
	for {
		select {
		case <-ctx.Done():
			k.settle(context.WithoutCancel(ctx)) // so that the folder reads right while Stowage is off
			return
		case <-strays.C:
			k.sweepStrays(ctx)
		case <-k.kick:
			select {
			case <-ctx.Done():
			case <-time.After(settleDelay):
			}
			k.settle(context.WithoutCancel(ctx))
		}
	}
}

// Settle waits until index.json and the blob folder say what the rows say.
func (s *Store) Settle() {
	k := s.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.dirty || k.busy {
		k.idle.Wait()
	}
}

// settle writes index.json before it removes files, so that the layout never names what is gone.
func (k *keeper) settle(ctx context.Context) {
	k.mu.Lock()
	if !k.dirty {
		k.mu.Unlock()
		return
	}
	files := k.files
	k.dirty, k.files, k.busy = false, nil, true
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.busy = false
		k.idle.Broadcast()
		k.mu.Unlock()
	}()

	if err := k.store.blobs.WriteIndex(ctx, k.store.layoutEntries(ctx)); err != nil {
		k.store.log.Error("write index.json", "error", err)
		return // the files wait: the next stray sweep takes them
	}
	var freed int64
	for _, d := range files {
		n, err := k.sweepFile(ctx, d)
		if err != nil {
			k.store.log.Error("remove a blob's file", "digest", d, "error", err)
		}
		freed += n
	}
	if len(files) > 0 {
		k.store.log.Info("swept blobs", "files", len(files), "bytes", freed)
	}
}

// sweepFile removes a blob's file unless a row or a running pull needs it.
func (k *keeper) sweepFile(ctx context.Context, d image.Digest) (freed int64, err error) {
	_, err = k.store.holds.unlessHeld(d, func() error {
		var needed bool
		if err := k.store.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM blobs WHERE digest = ?)`, d).Scan(&needed); err != nil || needed {
			return err
		}
		freed, err = k.store.blobs.Remove(d)
		return err
	})
	return freed, err
}

// sweepStrays removes files older than the grace period that no row needs: what a crash between rows and
// files, or a pull that nobody finished, has left.
func (k *keeper) sweepStrays(ctx context.Context) {
	before := k.store.now().Add(-k.store.grace)
	_, err := k.store.blobs.Walk(ctx, func(d image.Digest, _ int64, modified time.Time) error {
		if modified.After(before) {
			return nil
		}
		freed, err := k.sweepFile(ctx, d)
		if freed > 0 {
			k.store.log.Info("swept a stray blob", "digest", d, "bytes", freed)
		}
		return err
	})
	if err == nil {
		err = k.store.blobs.WalkPartials(ctx, func(d image.Digest, _ int64, modified time.Time) error {
			if modified.After(before) {
				return nil
			}
			_, err := k.store.holds.unlessHeld(d, func() error {
				_, err := k.store.blobs.RemovePartial(d)
				return err
			})
			return err
		})
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		k.store.log.Error("sweep stray blobs", "error", err)
	}
}

// layoutEntries gives index.json's descriptors: one for each tag, named by its full reference as the OCI
// image layout and containerd do, and one for each digest that has no tag.
func (s *Store) layoutEntries(ctx context.Context) iter.Seq2[image.Descriptor, error] {
	return func(yield func(image.Descriptor, error) bool) {
		rows, err := s.read.QueryContext(ctx, `SELECT r.name, coalesce(t.name, ''), d.digest, m.media_type, b.size
			FROM repository_digests d JOIN repositories r ON r.id = d.repository_id JOIN manifests m ON m.digest = d.digest JOIN blobs b ON b.digest = d.digest
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
