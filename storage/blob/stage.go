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

	"github.com/docker/go-units"

	"github.com/stowage/stowage/image"
)

const (
	stagePrefix = "upload-" // begins the names of stages within ingest

	// stageReserve stays free on the volume, for the database and index.json: an upload must not fill the disk.
	stageReserve = 64 << 20
	// stageStep is after how many bytes the free space is looked at again.
	stageStep = 16 << 20
)

// Staged is a file of a Stage: what its bytes are.
type Staged struct {
	Number int // its name
	Digest image.Digest
	Size   int64
}

// Stage keeps what somebody sends apart from the blobs until it is proved: a folder under ingest whose files are
// numbered, so that nothing that was sent becomes part of a path. Open removes the stages that a crash has left.
// Its methods may be called concurrently.
type Stage struct {
	store *Store
	dir   string

	mu    sync.Mutex
	count int
}

// NewStage makes an empty stage. The caller discards it.
func (s *Store) NewStage() (*Stage, error) {
	dir, err := os.MkdirTemp(s.ingest, stagePrefix+"*")
	if err != nil {
		return nil, failure("make a folder for an upload", err)
	}
	return &Stage{store: s, dir: dir}, nil
}

func (g *Stage) path(number int) string { return filepath.Join(g.dir, strconv.Itoa(number)) }

// Add writes what r gives, size bytes at most as far as anybody knows, into a file of its own and hashes it. An error of r
// is returned as it is; DiskFull where the volume has no room for it. After an error nothing of it is left.
func (g *Stage) Add(ctx context.Context, r io.Reader, size int64) (staged Staged, err error) {
	g.mu.Lock()
	staged.Number = g.count
	g.count++
	g.mu.Unlock()
	if err := g.store.CheckRoom(size); err != nil {
		return Staged{}, err
	}
	path := g.path(staged.Number)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|noFollow, partialMode)
	if err != nil {
		return Staged{}, failure("write an upload", err)
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
		return Staged{}, err
	}
	staged.Digest = image.Digest("sha256:" + hex.EncodeToString(hash.Sum(nil)))
	return staged, nil
}

// stageWriter writes a staged file and keeps the volume from filling up.
type stageWriter struct {
	ctx     context.Context
	stage   *Stage
	file    *os.File
	written int64
	checked int64 // bytes that were written when the free space was last looked at
	flush   writeback
}

func (w *stageWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, context.Cause(w.ctx)
	}
	if w.written-w.checked >= stageStep {
		w.checked = w.written
		if err := w.stage.store.CheckRoom(0); err != nil {
			return 0, err
		}
	}
	n, err := w.stage.store.sys.write(w.file, p)
	w.written += int64(n)
	if err != nil {
		return n, failure("write an upload", err)
	}
	w.flush.wrote(w.file, w.written)
	return n, nil
}

// CheckRoom refuses (DiskFull) size more bytes of an upload where the volume has no room for them beside what stays
// free. Nothing is reserved: others may take the room meanwhile.
func (s *Store) CheckRoom(size int64) error {
	free, _, err := s.Free()
	if err != nil {
		return err
	}
	if free < stageReserve || size > 0 && uint64(size) > free-stageReserve {
		return image.Errorf(image.DiskFull, "there is no room for the upload: %s are free on the server's disk, of which %s stay free",
			units.HumanSize(float64(free)), units.HumanSize(stageReserve)).
			Suggest("Delete images that nobody needs, or free space on the volume of the data folder.")
	}
	return nil
}

// Open opens a staged file for reading. The caller closes it.
func (g *Stage) Open(f Staged) (io.ReadCloser, error) {
	file, err := os.OpenFile(g.path(f.Number), os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, failure("read an upload", err)
	}
	return file, nil
}

// Commit makes a staged file a blob, durably, under the digest that Add gave it. It is not on the stage any more. Where
// the blob is stored already nothing changes.
func (g *Stage) Commit(f Staged) error {
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
	if err := g.store.settle(file); err != nil {
		return failure(operation, err)
	}
	if err := g.store.publish(g.path(f.Number), name); err != nil {
		return failure(operation, err)
	}
	return nil
}

// Discard removes the stage with everything that was not committed.
func (g *Stage) Discard() error {
	if err := os.RemoveAll(g.dir); err != nil {
		return failure("remove an upload", err)
	}
	return nil
}

// sweepStages removes the stages of a process that is no more.
func (s *Store) sweepStages() error {
	var stages []string
	err := eachEntry(context.Background(), s.ingest, func(e fs.DirEntry) error {
		if e.IsDir() && strings.HasPrefix(e.Name(), stagePrefix) {
			stages = append(stages, filepath.Join(s.ingest, e.Name()))
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
