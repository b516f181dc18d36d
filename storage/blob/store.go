package blob

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
)

// maxLayoutFile bounds what is read of an oci-layout file; a real one has 30 bytes.
const maxLayoutFile = 64 << 10

// Store is the blobs of one data folder, and what lies around them. Its methods and those of its parts may be called
// concurrently. Their errors are image.Errors: Invalid for a digest that is none, DiskFull where the volume or the
// quota is used up, Internal for whatever else the file system answers, and the kinds that each method names.
type Store struct {
	Folder   *Folder
	Volume   *Volume
	Partials *Partials
	Marks    *Marks

	commits *groupSync // of the folder blobs
	index   sync.Mutex // one index.json at a time
	proofs  *proofs

	mu       sync.Mutex
	unsynced map[string]struct{} // digests whose name is not known to survive a power cut yet
}

// Open opens the image layout in dir and makes what is missing of it, the folder included. A folder that
// says it is an image layout of another version is refused (Invalid) and left as it was. What an
// interrupted Put left is removed, so the caller must be the only process that uses the folder.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, failure("open the data folder", err)
	}
	found, err := checkLayout(dir)
	if err != nil {
		return nil, err
	}
	folder := newFolder(dir)
	s := &Store{Folder: folder, Volume: newVolume(folder), Marks: newMarks(folder), unsynced: map[string]struct{}{}}
	s.Partials = &Partials{store: s, writing: map[string]struct{}{}}
	s.proofs = newProofs(s.Marks)
	s.commits = newGroupSync(func() error { return folder.syncDir(folder.blobs) })
	for _, path := range []string{folder.blobs, folder.ingest} {
		if err := folder.makeDir(path); err != nil {
			return nil, failure("make the data folder", err)
		}
	}
	if err := sameVolume(folder.blobs, folder.ingest); err != nil {
		return nil, err
	}
	if err := s.sweepStages(); err != nil {
		return nil, err
	}
	if err := s.Marks.read(); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(dir, ocispec.ImageIndexFile)); errors.Is(err, fs.ErrNotExist) {
		if err := s.WriteIndex(context.Background(), func(func(image.Descriptor, error) bool) {}); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, failure("open index.json", err)
	}
	if !found {
		// Last, because this file is what makes the folder an image layout.
		if err := folder.replaceFile(ocispec.ImageLayoutFile, func(w io.Writer) error {
			return json.NewEncoder(w).Encode(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
		}); err != nil {
			return nil, failure("write oci-layout", err)
		}
	}
	return s, nil
}

// checkLayout reports whether dir holds an oci-layout file, and refuses one that this package cannot keep.
func checkLayout(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, ocispec.ImageLayoutFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, failure("open oci-layout", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxLayoutFile))
	if err != nil {
		return false, failure("read oci-layout", err)
	}
	var layout ocispec.ImageLayout
	if err := json.Unmarshal(raw, &layout); err != nil {
		return false, image.Errorf(image.Invalid, "the file oci-layout in %s is not readable: %w", dir, err).
			Suggest("Name another data folder.")
	}
	if layout.Version != ocispec.ImageLayoutVersion {
		return false, image.Errorf(image.Invalid, "%s is an OCI image layout of version %q; only %s is known",
			dir, layout.Version, ocispec.ImageLayoutVersion).Suggest("Name another data folder.")
	}
	return true, nil
}

// hexOf proves that d is a sha256 digest and returns its hex digits, the only thing of a digest that ever
// becomes part of a file name.
func hexOf(d image.Digest) (string, error) {
	parsed, err := image.ParseDigest(string(d))
	if err != nil {
		return "", err
	}
	return parsed.Encoded(), nil
}

// digestOfName reads a file name of 64 lower-case hex digits and suffix.
func digestOfName(name, suffix string) (image.Digest, bool) {
	hex, found := strings.CutSuffix(name, suffix)
	if !found {
		return "", false
	}
	d, err := image.ParseDigest("sha256:" + hex)
	return d, err == nil
}
