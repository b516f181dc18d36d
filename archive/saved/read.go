// Package saved reads an archive that somebody sends: what docker save, podman save, skopeo copy and buildx write.
// Everything of it is hostile: what it says is bounded, and every layer is unpacked and held against its image's
// config.
package saved

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
	"github.com/stowage/stowage/shelf"
)

// Limits on what somebody may send. What docker, podman, skopeo and buildx write stays far below them.
const (
	maxMembers = 20_000    // entries of one archive; an image of 127 layers has some 400 in docker's old layout
	maxName    = 512       // bytes of a member's name, or of where a link leads
	maxHops    = 40        // links that lead to links, as Linux counts them
	maxRest    = 1 << 20   // bytes after the end of the tar; GNU tar pads to 10 KiB
	maxText    = 128 << 20 // bytes of memory for all manifests and configs together, as far as textSize tells
	maxWindow  = 128 << 20

	// An archive that is compressed as a whole may unpack to 1 GiB, or to so many times its own size, as a layer may.
	unpackFloor = 1 << 30
	unpackRatio = 250
)

// member is an entry of an archive: a file, or a link to another member.
type member struct {
	file image.Staged
	link string // the name that it leads to; empty for a file
}

// Archive is what an archive holds, by name. Names are keys and nothing else: no file is ever called so.
type Archive struct {
	stage    shelf.Stage
	byName   map[string]member
	byDigest map[image.Digest]image.Staged
	text     int64                   // textSize of documents that were read or made
	open     bool                    // no end was written: where something is missing, the archive was cut off
	types    map[image.Digest]string // media types of layers that were looked at
	maxBytes int64

	mu        sync.Mutex
	inspected map[image.Digest]layer.Result // layers that were unpacked
	plain     map[image.Digest]image.Staged // by layers that are compressed as docker takes them and a registry does not
}

// Read stages every file of an archive, plain or compressed by gzip, zstd, xz or bzip2, and refuses what an archive of
// images has no use for: names that lead out of it, devices, sparse files, two files of one name. maxBytes bounds the
// archive as it is sent and unpacked; 0 is no bound. Errors: Invalid where it is no such archive, Corrupt where it is
// damaged, TooLarge, DiskFull; an error of body is returned as it is.
func Read(ctx context.Context, body io.Reader, stage shelf.Stage, maxBytes int64) (*Archive, error) {
	m := &Archive{stage: stage, byName: map[string]member{}, byDigest: map[image.Digest]image.Staged{}, maxBytes: maxBytes,
		types: map[image.Digest]string{}, inspected: map[image.Digest]layer.Result{}, plain: map[image.Digest]image.Staged{}}
	src := &source{r: body, limit: maxBytes}
	err := m.readAll(ctx, src)
	if src.err != nil {
		return nil, src.err // whatever was made of it further up: the sender failed first
	}
	if err != nil {
		return nil, err
	}
	return m, m.checkLinks()
}

func (m *Archive) readAll(ctx context.Context, src *source) error {
	plain, kind, closePlain, err := layer.Decompress(src, maxWindow)
	defer closePlain()
	if err != nil {
		return unpackError(err)
	}
	in := &unpacked{r: plain, src: src, compressed: kind != layer.Uncompressed, limit: m.maxBytes}
	err = m.readTar(ctx, in)
	m.open = in.ended
	if err == nil {
		err = in.rest()
	}
	if in.err != nil {
		return in.err
	}
	return err
}

func (m *Archive) readTar(ctx context.Context, in *unpacked) error {
	tr := tar.NewReader(in)
	for n := 0; ; n++ {
		h, err := tr.Next()
		switch {
		case errors.Is(err, io.EOF) && in.n == 0:
			return image.Errorf(image.Invalid, "nothing was sent").
				Suggest("Send the archive that docker save, podman save or skopeo copy has written.")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, tar.ErrInsecurePath):
			return tarError(err, n, in.start)
		case n >= maxMembers:
			return image.Errorf(image.TooLarge, "the archive has more than %d entries", maxMembers).
				Suggest("Save fewer images at once.")
		}
		if err := m.add(ctx, h, tr); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrHeader) {
				return tarError(err, n+1, in.start)
			}
			return err
		}
	}
}

// add takes one entry.
func (m *Archive) add(ctx context.Context, h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return sparse(name)
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
		if h.Size > image.MaxBlobSize {
			return image.Errorf(image.TooLarge, "%q is larger than %d bytes", name, int64(image.MaxBlobSize))
		}
		return m.addFile(ctx, name, content, h.Size)
	case tar.TypeSymlink:
		to := path.Join(path.Dir(name), h.Linkname) //nolint:gosec // G305: a key of the table of names, no path on the disk
		return m.addLink(name, to, h.Linkname)
	case tar.TypeLink:
		return m.addLink(name, path.Clean(h.Linkname), h.Linkname)
	case tar.TypeGNUSparse:
		return sparse(name)
	}
	return writeAnew(image.Errorf(image.Invalid,
		"%q is a device, a pipe or something else that an archive of images does not hold", name))
}

func sparse(name string) error {
	return writeAnew(image.Errorf(image.Invalid, "%q is a sparse file, which an archive of images does not hold", name))
}

func (m *Archive) addFile(ctx context.Context, name string, content io.Reader, size int64) error {
	file, err := m.stage.Add(ctx, content, size)
	if err != nil {
		return err
	}
	if hex, ok := strings.CutPrefix(name, "blobs/sha256/"); ok && string(file.Digest) != "sha256:"+hex {
		return damagedArchive(image.Errorf(image.Corrupt, "%q is not what its name says: its bytes have the digest %s", name,
			file.Digest))
	}
	known, taken := m.byName[name]
	// Builders that write a layer twice write the same bytes twice. Of anything else nobody knows which one is meant.
	if taken && (known.link != "" || known.file.Digest != file.Digest || isDirectory(name)) {
		return duplicate(name)
	}
	m.byName[name] = member{file: file}
	m.byDigest[file.Digest] = file
	return nil
}

// isDirectory reports whether a member says what is in the archive.
func isDirectory(name string) bool {
	return name == DockerFile || name == indexFile || name == layoutFile || name == legacyFile
}

func duplicate(name string) error {
	return writeAnew(image.Errorf(image.Invalid, "the archive holds %q twice", name))
}

func (m *Archive) addLink(name, to, said string) error {
	if strings.HasPrefix(said, "/") || to == ".." || strings.HasPrefix(to, "../") || len(said) > maxName ||
		!utf8.ValidString(said) {
		return writeAnew(image.Errorf(image.Invalid, "the link %q leads out of the archive", name))
	}
	if known, taken := m.byName[name]; taken && known.link != to {
		return duplicate(name)
	}
	m.byName[name] = member{link: to}
	return nil
}

// cleanName reads the name of an entry, or of what a document in the archive names. Names never become paths; one that
// leads out of the archive is a sign that somebody tries, and other tools would follow it.
func cleanName(name string) (string, error) {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", image.Errorf(image.Invalid, "%.100q is not a name that an archive of images has", name)
	}
	if strings.HasPrefix(name, "/") {
		return "", outside(name)
	}
	for element := range strings.SplitSeq(name, "/") {
		if element == ".." {
			return "", outside(name)
		}
	}
	return path.Clean(name), nil
}

func outside(name string) error {
	return writeAnew(image.Errorf(image.Invalid, "%.100q leads out of the archive", name))
}

// checkLinks refuses links that lead in a circle, whether or not somebody follows them.
func (m *Archive) checkLinks() error {
	for name, e := range m.byName {
		if e.link == "" {
			continue
		}
		if _, _, err := m.find(name); err != nil {
			return err
		}
	}
	return nil
}

// find follows links to a file; ok is false where there is none.
func (m *Archive) find(name string) (file image.Staged, ok bool, err error) {
	for range maxHops {
		e, ok := m.byName[name]
		if !ok || e.link == "" {
			return e.file, ok, nil
		}
		name = e.link
	}
	return image.Staged{}, false, writeAnew(image.Errorf(image.Invalid, "the link %q leads in a circle", name))
}

// named returns a file that a document of the archive names.
func (m *Archive) named(by, name string) (image.Staged, error) {
	clean, err := cleanName(name)
	if err != nil {
		return image.Staged{}, err
	}
	file, ok, err := m.find(clean)
	if err == nil && !ok {
		err = cutArchive(image.Errorf(image.Corrupt, "%s names %.100q, which is not in the archive", by, name))
	}
	return file, err
}

// document reads a document of at most limit bytes.
func (m *Archive) document(file image.Staged, what string, limit int64) ([]byte, error) {
	if file.Size > limit {
		return nil, image.Errorf(image.TooLarge, "%s has %d bytes, at most %d are read", what, file.Size, limit)
	}
	if m.text+file.Size > maxText { // before it is read
		return nil, tooMuchText()
	}
	r, err := m.stage.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw := make([]byte, file.Size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("read a staged file: %w", err)
	}
	if err := image.CheckJSON(raw); err != nil {
		return nil, image.Errorf(image.KindOf(err), "%s is not read: %w", what, err)
	}
	return raw, m.holdText(raw)
}

// holdText counts a document that stays in memory. Each value in it takes some room beside its text.
func (m *Archive) holdText(raw []byte) error {
	if m.text += int64(len(raw)) + 64*int64(image.CountValues(raw)); m.text > maxText {
		return tooMuchText()
	}
	return nil
}

func tooMuchText() error {
	return image.Errorf(image.TooLarge, "the manifests and configs of the archive take more than %d MiB of memory",
		maxText>>20).Suggest("Save fewer images at once.")
}

// stageBytes stages a document that was made here.
func (m *Archive) stageBytes(ctx context.Context, raw []byte) error {
	file, err := m.stage.Add(ctx, bytes.NewReader(raw), int64(len(raw)))
	if err == nil {
		m.byDigest[file.Digest] = file
	}
	return err
}
