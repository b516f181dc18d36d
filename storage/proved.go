package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/stowage/stowage/image"
)

// bell wakes all who wait for something to happen. The zero value can be used.
type bell struct {
	mu  sync.Mutex
	rng chan struct{}
}

// next returns a channel that is closed at the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rng == nil {
		b.rng = make(chan struct{})
	}
	return b.rng
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rng != nil {
		close(b.rng)
		b.rng = nil
	}
}

// AwaitProved waits until the layers of some images have been unpacked, or one of each was found broken, or until ctx
// ends.
func (u *Unpacker) AwaitProved(ctx context.Context, manifests []image.Digest) error {
	list, err := json.Marshal(manifests)
	if err != nil {
		return fmt.Errorf("write a list of manifests: %w", err)
	}
	for {
		settled := u.layers.settled.next() // before it is looked, so that nothing is missed
		var pending bool
		err := u.layers.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM images WHERE manifest_digest IN (SELECT value
			FROM json_each(?))
			AND unpacked IS NULL AND broken = '')`, string(list)).Scan(&pending)
		if err != nil || !pending {
			return err
		}
		u.wake()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-settled:
		}
	}
}
