package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/stowage/stowage/image"
)

// stagePrefix begins the names of stages within ingest.
const stagePrefix = "upload-"

// Staging keeps what somebody sends apart from the blobs until it is proved: a folder under ingest whose files are
// numbered, so that nothing that was sent becomes part of a path. Open removes the stages that a crash has left.
// Its methods may be called concurrently.
type Staging struct {
	store *Store
	dir   string
	room  *Reservation

	mu    sync.Mutex
	count int
}

// NewStage makes an empty Staging with room for size bytes, as far as anybody knows how many will come; negative where
// nobody does. DiskFull where there is no room for them. The caller discards it.
func (s *Store) NewStage(size int64) (*Staging, error) {
	room, err := s.Volume.Reserve(size)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.Folder.ingest, stagePrefix+"*")
	if err != nil {
		room.Release()
		return nil, failure("make a folder for an upload", err)
	}
	return &Staging{store: s, dir: dir, room: room}, nil
}

func (g *Staging) path(number int) string { return filepath.Join(g.dir, strconv.Itoa(number)) }

// Add writes what r gives, size bytes at most as far as anybody knows, into a file of its own and hashes it. An error
// of r is returned as it is; DiskFull where the volume has no room for it. After an error nothing of it is left.
func (g *Staging) Add(ctx context.Context, r io.Reader, size int64) (staged image.Staged, err error) {
	g.mu.Lock()
	staged.Number = g.count
	g.count++
	g.mu.Unlock()
	if err := g.room.Grow(size); err != nil {
		return image.Staged{}, err
	}
	path := g.path(staged.Number)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|noFollow, partialMode)
	if err != nil {
		return image.Staged{}, failure("write an upload", err)
	}
	w := stageWriter{ctx: ctx, stage: g, file: f}
	w.flush.start(0)
	hash := sha256.New()
	staged.Size, err = io.CopyBuffer(io.MultiWriter(&w, hash), onlyReader{r}, make([]byte, rehashBuffer))
	if closeErr := f.Close(); err == nil && closeErr != nil {
		err = failure("write an upload", closeErr)
	}
	if err != nil {
		_ = os.Remove(path) // the first error says more, and Discard takes it away
		return image.Staged{}, err
	}
	staged.Digest = image.Digest("sha256:" + hex.EncodeToString(hash.Sum(nil)))
	return staged, nil
}

// stageWriter writes a staged file and keeps the volume from filling up.
type stageWriter struct {
	ctx     context.Context
	stage   *Staging
	file    *os.File
	written int64
	flush   writeback
}

func (w *stageWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, context.Cause(w.ctx)
	}
	if err := w.stage.room.spend(int64(len(p))); err != nil {
		return 0, err
	}
	n, err := w.stage.store.Folder.sys.write(w.file, p)
	w.written += int64(n)
	if err != nil {
		return n, failure("write an upload", err)
	}
	w.flush.wrote(w.file, w.written)
	return n, nil
}

// Open opens a staged file for reading. The caller closes it.
func (g *Staging) Open(f image.Staged) (io.ReadCloser, error) {
	file, err := os.OpenFile(g.path(f.Number), os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, failure("read an upload", err)
	}
	return file, nil
}

// Commit makes a staged file a blob, durably, under the digest that Add gave it. It is not on the stage any more. Where
// the blob is stored already nothing changes.
func (g *Staging) Commit(f image.Staged) error {
	name, err := hexOf(f.Digest)
	if err != nil {
		return err
	}
	if g.store.Has(f.Digest, f.Size) {
		return nil
	}
	operation := "commit blob " + string(f.Digest)
	file, err := os.OpenFile(g.path(f.Number), os.O_RDWR|noFollow, 0)
	if err != nil {
		return failure(operation, err)
	}
	if err := g.store.Folder.settle(file); err != nil {
		return failure(operation, err)
	}
	if err := g.store.publish(g.path(f.Number), name); err != nil {
		return failure(operation, err)
	}
	return nil
}

// Discard removes the stage with everything that was not committed.
func (g *Staging) Discard() error {
	defer g.room.Release()
	if err := os.RemoveAll(g.dir); err != nil {
		return failure("remove an upload", err)
	}
	return nil
}

// sweepStages removes the stages of a process that is no more.
func (s *Store) sweepStages() error {
	var stages []string
	err := eachEntry(context.Background(), s.Folder.ingest, func(e fs.DirEntry) error {
		if e.IsDir() && strings.HasPrefix(e.Name(), stagePrefix) {
			stages = append(stages, filepath.Join(s.Folder.ingest, e.Name()))
		}
		return nil
	})
	for _, dir := range stages {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return failure("remove unfinished uploads", err)
	}
	return nil
}
