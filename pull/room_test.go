package pull_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
)

const megabyte = 1 << 20

// smallDisk is a volume of so many bytes, of which one megabyte stays free. The database is not on it.
type smallDisk struct {
	bytes  int64
	others atomic.Int64 // what somebody else has written to it
}

func (d *smallDisk) volume(dir string) (free, total uint64, err error) {
	used := d.others.Load()
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), "stowage.db") {
			return nil // gone meanwhile
		}
		if info, err := e.Info(); err == nil {
			used += info.Size()
		}
		return nil
	})
	return uint64(max(0, d.bytes-used)), uint64(d.bytes), err
}

// files returns the bytes of blobs, whole and half-fetched.
func (b *bench) files() (bytes int64) {
	for _, folder := range []string{"blobs/sha256", "ingest"} {
		entries, err := os.ReadDir(filepath.Join(b.dir, folder))
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				bytes += info.Size()
			}
		}
	}
	return bytes
}

func TestAPullThatDoesNotFitIsRefusedBeforeAByteIsFetched(t *testing.T) {
	inBubbleOn(t, &smallDisk{bytes: 10 * megabyte}, pull.Options{}, func(b *bench) {
		one, two := b.up.layerBlob(1, 6*megabyte), b.up.layerBlob(2, 6*megabyte)
		p := b.fails(image.DiskFull, b.up.tag("app:1", b.up.image("linux/amd64", one, two)))
		if !strings.Contains(p.Message.String(), "are missing") || p.Suggestion.String() == "" {
			t.Errorf("problem %+v", p)
		}
		if _, _, blobs := b.up.requests(); blobs != 0 || b.files() != 0 {
			t.Errorf("%d blobs were asked for, %d bytes are on the disk", blobs, b.files())
		}
		b.done(b.up.tag("app:2", b.up.image("linux/amd64", one)))
		b.fails(image.DiskFull, b.up.tag("app:3", b.up.image("linux/amd64", one, two)))
		if b.files() < 6*megabyte {
			t.Error("a layer of an image that is stored was given up")
		}
	})
}

func TestTheSecondOfTwoPullsThatDoNotFitTogetherIsRefused(t *testing.T) {
	inBubbleOn(t, &smallDisk{bytes: 10 * megabyte}, pull.Options{}, func(b *bench) {
		slow, other := b.up.layerBlob(1, 6*megabyte), b.up.layerBlob(2, 6*megabyte)
		gate := make(chan struct{})
		b.up.blob = func(ctx context.Context, _ image.Repository, d image.Digest, _ int, body io.Reader) (io.Reader, error) {
			if d != slow.Digest {
				return body, nil
			}
			return io.MultiReader(readerFunc(func([]byte) (int, error) {
				select {
				case <-gate:
					return 0, io.EOF
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			}), body), nil
		}
		first := b.pull(b.up.tag("app:1", b.up.image("linux/amd64", slow)))
		b.live(first.ID)
		p := b.fails(image.DiskFull, b.up.tag("app:2", b.up.image("linux/amd64", other)))
		if !strings.Contains(p.Message.String(), "other pulls") {
			t.Errorf("message %q", p.Message)
		}
		shared := b.pull(b.up.tag("app:3", b.up.image("linux/amd64", slow, b.up.layerBlob(3, 100)))) // shares the layer that is coming
		b.live(shared.ID)
		close(gate)
		for _, id := range []int64{first.ID, shared.ID} {
			if j := b.end(id); j.State != job.Done {
				t.Errorf("pull %d is %s: %+v", id, j.State, j.Problem)
			}
		}
	})
}

// Somebody else fills the disk while a pull runs: it ends in words, and what it had fetched leaves the disk.
func TestAFullDiskEndsAPullAndGivesUpWhatItFetched(t *testing.T) {
	disk := &smallDisk{bytes: 100 * megabyte}
	inBubbleOn(t, disk, pull.Options{}, func(b *bench) {
		one, two := b.up.layerBlob(1, 3*megabyte), b.up.layerBlob(2, 6*megabyte)
		b.up.blob = func(_ context.Context, _ image.Repository, d image.Digest, _ int, body io.Reader) (io.Reader, error) {
			if d != two.Digest {
				return body, nil
			}
			return io.MultiReader(readerFunc(func([]byte) (int, error) {
				time.Sleep(time.Second) // the first one is whole by now
				disk.others.Store(disk.bytes)
				return 0, io.EOF
			}), body), nil
		}
		ref := b.up.tag("app:1", b.up.image("linux/amd64", one, two))
		over := b.end(b.pull(ref).ID)
		if over.State != job.Failed || over.Problem == nil || over.Problem.Kind != image.DiskFull {
			t.Errorf("the pull is %s: %+v", over.State, over.Problem)
		}
		if done, _ := over.Bytes(); done != 0 || b.files() != 0 {
			t.Errorf("the pull shows %d bytes, %d are on the disk", done, b.files())
		}
		if err := b.store.Ready(b.ctx); image.KindOf(err) != image.DiskFull {
			t.Errorf("ready: %v", err)
		}
		disk.others.Store(0)
		b.up.blob = nil
		if err := b.store.Ready(b.ctx); err != nil {
			t.Errorf("not ready although there is room: %v", err)
		}
		b.done(ref)
	})
}

// What a pull that a crash has cut off still needs does not fit any more: it is over, and what it had gives room.
func TestARestartDoesNotFillTheDiskAgain(t *testing.T) {
	disk := &smallDisk{bytes: 20 * megabyte}
	inBubbleOn(t, disk, pull.Options{}, func(b *bench) {
		layer := b.up.layerBlob(1, 8*megabyte)
		b.up.blob = func(ctx context.Context, _ image.Repository, _ image.Digest, _ int, body io.Reader) (io.Reader, error) {
			return io.MultiReader(io.LimitReader(body, 4*megabyte), readerFunc(func([]byte) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})), nil
		}
		ref := b.up.tag("app:1", b.up.image("linux/amd64", layer))
		ref2 := b.up.tag("app:2", b.up.image("linux/amd64", b.up.layerBlob(2, 100)))
		j := b.pull(ref)
		b.live(j.ID)
		b.stop() // as a crash leaves it: not over
		disk.others.Store(14 * megabyte)
		b.up.blob = nil
		asked := len(b.up.requested(layer.Digest))
		b.start(pull.Options{}, b.store.Blobs)
		if over := b.end(j.ID); over.State != job.Failed || over.Problem.Kind != image.DiskFull {
			t.Errorf("the pull is %s: %+v", over.State, over.Problem)
		}
		if b.files() != 0 || len(b.up.requested(layer.Digest)) != asked {
			t.Errorf("%d bytes are on the disk, requests %v", b.files(), b.up.requested(layer.Digest))
		}
		b.done(ref2)
	})
}

func TestAllTagsThatDoNotFitAreRefusedBeforeTheFirstIsFetched(t *testing.T) {
	inBubbleOn(t, &smallDisk{bytes: 10 * megabyte}, pull.Options{}, func(b *bench) {
		var ref image.Reference
		for i, tag := range []string{"app:1", "app:2", "app:3"} {
			ref = b.up.tag(tag, b.up.index(b.up.image("linux/amd64", b.up.layerBlob(uint64(i+1), 4*megabyte))))
		}
		if _, err := b.queue.Survey(ref.Repository, "", nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		all := func() job.Job {
			j, _, err := b.queue.Pull(b.ctx, pull.Request{Reference: image.Reference{Repository: ref.Repository}, AllTags: true})
			if err != nil {
				t.Fatal(err)
			}
			return b.end(j.ID)
		}
		j := all()
		if _, _, blobs := b.up.requests(); j.State != job.Failed || j.Problem.Kind != image.DiskFull || blobs != 0 {
			t.Errorf("the pull is %s: %+v; %d blobs were asked for", j.State, j.Problem, blobs)
		}
		// Nobody has counted: the tags that fit are pulled.
		j = all()
		if counts := allTags(j).Counts(); j.State != job.Failed || j.Problem.Kind != image.DiskFull || counts[pull.TagDone] != 2 {
			t.Errorf("the pull is %s: %+v; tags %v", j.State, j.Problem, counts)
		}
		if b.files() > 9*megabyte {
			t.Errorf("%d bytes are on the disk", b.files())
		}
	})
}
