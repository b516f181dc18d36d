package blob

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/stowage/stowage/image"
)

// All of it is the owner's alone: images hold what nobody else on the machine has to see. Other tools read the layout
// as the same user. It is made so here, whatever the umask.
const (
	dirMode     = 0o700
	indexMode   = 0o600
	partialMode = 0o600
	blobMode    = 0o400
)

// Folder is the data folder as files, of which the blobs are some.
type Folder struct {
	dir    string // absolute
	blobs  string // dir/blobs/sha256
	ingest string // dir/ingest
	sys    system
}

// system is what the store asks of the kernel and what tests make fail.
type system struct {
	write  func(*os.File, []byte) (int, error)
	fsync  func(*os.File) error
	volume func(dir string) (free, total uint64, err error)
}

func newFolder(dir string) *Folder {
	return &Folder{
		dir:    dir,
		blobs:  filepath.Join(dir, ocispec.ImageBlobsDir, "sha256"),
		ingest: filepath.Join(dir, "ingest"),
		sys:    system{write: (*os.File).Write, fsync: (*os.File).Sync, volume: volume},
	}
}

func (f *Folder) blobPath(hex string) string { return filepath.Join(f.blobs, hex) }

func (f *Folder) partialPath(hex string) string { return filepath.Join(f.ingest, hex+partialSuffix) }

// full is the error of a volume that has no room.
func full(format string, args ...any) *image.Error {
	return image.Errorf(image.DiskFull, format, args...).
		Suggest("Delete images that nobody needs, free what waits on the Storage page, or make room on the volume of the data folder.")
}

// failure turns what the file system answered into an image.Error.
func failure(operation string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return full("the server's disk is full").Because(wrap(operation, err))
	}
	if Forbidden(err) {
		return ReadOnly(wrap(operation, err))
	}
	return wrap(operation, err)
}

// Forbidden reports whether the file system says that something may not be written or opened.
func Forbidden(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

// Writable returns why files cannot be made in a folder; nil where they can.
func Writable(folder string) error { return unix.Access(folder, unix.W_OK) }

// ReadOnly says that the data folder cannot be written to, because of err.
func ReadOnly(err error) *image.Error {
	return image.Errorf(image.ReadOnly,
		"the server cannot write to its data folder: it is read-only, or belongs to another user").Because(err).
		Suggest("Make the folder and its files writable for the user that Stowage runs as, or mount its volume writable.")
}

// Unusable says why the data folder cannot be used.
func Unusable(dir, operation string, err error) error {
	switch {
	case Forbidden(err):
		return image.Errorf(image.ReadOnly, "Stowage cannot write to the data folder %s: %w", dir, reason(err)).
			Suggest("Make the folder writable for the user that Stowage runs as, mount its volume writable, or name another folder with --data.")
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return image.Errorf(image.Invalid, "a part of the data folder's path %s is no folder", dir).Because(err).
			Suggest("Name a folder with --data.")
	}
	return fmt.Errorf("%s: %w", operation, err)
}

// reason returns what the system says of a path, without the path.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func wrap(operation string, err error) *image.Error {
	return image.Errorf(image.Internal, "%s: %w", operation, err)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// syncDir makes the names in a folder survive a power cut.
func (f *Folder) syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.sys.fsync(d)
	return errors.Join(err, d.Close())
}

// makeDir makes a folder and what is missing above it, durably.
func (f *Folder) makeDir(path string) error {
	info, err := os.Stat(path)
	if err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if err := f.makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.syncDir(parent)
}

// replaceFile replaces a file at the top of the data folder in one step: readers see the old one or the
// new one, whole, and so does the next start after a crash. When content fails, the old one stays.
func (f *Folder) replaceFile(name string, content func(io.Writer) error) (err error) {
	temp := filepath.Join(f.dir, name+".tmp")
	if err := ignoreMissing(os.Remove(temp)); err != nil { // of an interrupted attempt
		return err
	}
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, indexMode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close() // closed already where that is what failed
			_ = os.Remove(temp)
		}
	}()
	w := bufio.NewWriterSize(writerFunc(func(p []byte) (int, error) { return f.sys.write(file, p) }), 64<<10)
	if err := content(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.sys.fsync(file); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(f.dir, name)); err != nil {
		return err
	}
	return f.syncDir(f.dir)
}

// Replace replaces a file beside the blobs in one step, durably. When content fails, the old one stays.
func (f *Folder) Replace(name string, content func(io.Writer) error) error {
	if err := f.replaceFile(name, content); err != nil {
		return failure("write "+name, err)
	}
	return nil
}

// Sync makes the names of the files beside the blobs survive a power cut.
func (f *Folder) Sync() error {
	if err := f.syncDir(f.dir); err != nil {
		return failure("sync the data folder", err)
	}
	return nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// sameVolume refuses a layout whose blobs lie on another volume than its ingest folder: nothing could be
// renamed from one to the other.
func sameVolume(blobs, ingest string) error {
	var a, b unix.Stat_t
	if err := unix.Stat(blobs, &a); err != nil {
		return failure("open the blob folder", err)
	}
	if err := unix.Stat(ingest, &b); err != nil {
		return failure("open the ingest folder", err)
	}
	if a.Dev != b.Dev {
		return image.Errorf(image.Invalid, "%s and %s are on different volumes", blobs, ingest).
			Suggest("Keep the whole data folder on one volume.")
	}
	return nil
}

// free returns the bytes that the server may still write to the volume of the data folder, and the volume's size.
func (f *Folder) free() (free, total uint64, err error) {
	if free, total, err = f.sys.volume(f.dir); err != nil {
		return 0, 0, failure("ask for the free disk space", err)
	}
	return free, total, nil
}

func volume(dir string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	// Bavail, not Bfree: what is reserved for root is not for us.
	return uint64(st.Bavail) * uint64(st.Bsize), uint64(st.Blocks) * uint64(st.Bsize), nil
}

// Ready returns why the data folder cannot be written to, or its volume not be asked; nil where nothing is known
// against it.
func (f *Folder) Ready() error {
	for _, path := range []string{f.dir, f.blobs, f.ingest} {
		if err := Writable(path); err != nil {
			return failure("look at "+path, err)
		}
	}
	_, _, err := f.free()
	return err
}

// settle makes a file read-only, puts its bytes on the disk and closes it. The mode comes first so that one sync covers
// both.
func (f *Folder) settle(file *os.File) error {
	err := file.Chmod(blobMode)
	if err == nil {
		err = f.sys.fsync(file)
	}
	return errors.Join(err, file.Close())
}

// stampOf returns the stamp of a blob's file; the zero stamp where it is missing.
func (f *Folder) stampOf(hexDigits string) stamp {
	info, err := os.Lstat(f.blobPath(hexDigits))
	if err != nil || !info.Mode().IsRegular() {
		return stamp{}
	}
	return stampOf(info)
}
