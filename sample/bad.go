package sample

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// The images here break a rule each, and are for tests only: none of them is in the library. Registries take them,
// because registries look neither into layers nor at what manifests say about sizes. What a registry itself
// gets wrong is in faults.go.

// fine is content that bad layers are made from.
func fine() (*Layer, LayerContent) {
	l := NewLayer(Gzip, Dir("bin"), Program("bin/tool", "fine", 40_000), Text("etc/motd", "fine\n"))
	c, err := l.Content()
	if err != nil {
		panic("sample: build a fixed layer: " + err.Error()) // fixed files, so it cannot happen
	}
	return l, c
}

// badLayer is an image of a good layer and then one with content as stated.
func badLayer(by string, c Compression, stated LayerContent) Image {
	return small(linuxAMD64, copied(by, RawLayer(c, stated)))
}

// WrongDiffID is an image whose config states another diff ID than its second layer has.
func WrongDiffID() Image {
	_, c := fine()
	return badLayer("wrong diff ID", Gzip, LayerContent{Blob: c.Blob, DiffID: digest.FromString("another tar")})
}

// WrongSize is an image whose manifest states a size for its second layer that is off by some bytes.
func WrongSize(by int64) Image {
	_, c := fine()
	return badLayer("wrong size", Gzip, LayerContent{Blob: c.Blob, DiffID: c.DiffID, Size: c.Size + by})
}

// NotGzip is an image whose second layer is said to be gzip and is plain text.
func NotGzip() Image {
	return badLayer("not gzip", Gzip, LayerContent{Blob: []byte("this is not a gzip stream")})
}

// NotTar is an image whose second layer is gzip, with the right diff ID, but of bytes that are no tar.
func NotTar() Image {
	c, err := pack(Gzip, func(w io.Writer) error {
		_, err := io.CopyN(w, newNoise("not tar"), 4096)
		return err // pack's own writer
	})
	if err != nil {
		panic("sample: compress fixed bytes: " + err.Error()) // memory only, so it cannot happen
	}
	return badLayer("not tar", Gzip, c)
}

// Truncated is an image whose second layer is the first half of a gzip stream, with the digest of that half.
func Truncated() Image {
	_, c := fine()
	return badLayer("truncated", Gzip, LayerContent{Blob: c.Blob[:len(c.Blob)/2], DiffID: c.DiffID})
}

// Trailing is an image whose second layer has bytes that are not gzip after its gzip stream.
func Trailing() Image {
	_, c := fine()
	return badLayer("trailing", Gzip, LayerContent{Blob: append(bytes.Clone(c.Blob), "and more"...), DiffID: c.DiffID})
}

// Bomb is an image whose second layer unpacks to a file of n zero bytes and is about a thousandth of that as a blob.
// Everything it states is true.
func Bomb(n int64) (Image, error) {
	var blob bytes.Buffer
	z, err := gzip.NewWriterLevel(&blob, gzip.DefaultCompression)
	if err != nil {
		return Image{}, fmt.Errorf("compress bomb: %w", err)
	}
	tarSum := digest.SHA256.Digester()
	if err := writeTar(io.MultiWriter(z, tarSum.Hash()), []File{{Name: "zeros", Size: n}}); err != nil {
		return Image{}, err
	}
	if err := z.Close(); err != nil {
		return Image{}, fmt.Errorf("compress bomb: %w", err)
	}
	return badLayer("bomb", Gzip, LayerContent{Blob: blob.Bytes(), DiffID: tarSum.Digest()}), nil
}

// ManyFiles is an image whose second layer has n empty files.
func ManyFiles(n int) Image {
	files := make([]File, n)
	for i := range files {
		files[i] = Text(fmt.Sprintf("many/%08d", i), "")
	}
	return small(linuxAMD64, copied("many files", NewLayer(Gzip, files...)))
}

// MissingDiffID is an image whose config has one diff ID less than its manifest has layers.
func MissingDiffID() (Built, error) {
	return editConfig(func(s string, b Built) string { return strings.Replace(s, `,"`+b.DiffIDs[1].String()+`"`, "", 1) })
}

// BadConfig is an image whose config is not JSON, with a digest that holds.
func BadConfig() (Built, error) {
	return editConfig(func(string, Built) string { return "{not json" })
}

// editConfig is a good image of two layers with another config.
func editConfig(edit func(string, Built) string) (Built, error) {
	l, _ := fine()
	b, err := small(linuxAMD64, copied("second", l)).Build()
	if err != nil {
		return Built{}, err
	}
	old := b.Blobs[0].Descriptor
	b.Blobs[0] = dataBlob(old.MediaType, []byte(edit(string(b.Blobs[0].Data), b)))
	now := b.Blobs[0].Descriptor
	body := strings.Replace(string(b.Body), old.Digest.String(), now.Digest.String(), 1)
	body = strings.Replace(body, fmt.Sprintf(`"size": %d`, old.Size), fmt.Sprintf(`"size": %d`, now.Size), 1)
	platform := b.Descriptor.Platform
	b.Body = []byte(body)
	b.Descriptor = dataBlob(b.Descriptor.MediaType, b.Body).Descriptor
	b.Descriptor.Platform = platform
	return b, nil
}

// MediaTypeSchema1 is docker's image manifest version 2, schema 1, signed; no registry of today takes it, so it is
// served with [Replace].
const MediaTypeSchema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"

// Schema1 is a manifest of schema 1.
func Schema1(name, tag string) []byte {
	return fmt.Appendf(nil, `{
   "schemaVersion": 1,
   "name": %q,
   "tag": %q,
   "architecture": "amd64",
   "fsLayers": [{"blobSum": "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"}],
   "history": [{"v1Compatibility": "{\"architecture\":\"amd64\",\"os\":\"linux\",\"id\":\"0000000000000000000000000000000000000000000000000000000000000001\"}"}],
   "signatures": [{"header": {"alg": "ES256"}, "signature": "AAAA", "protected": "AAAA"}]
}`, name, tag)
}

// DeepIndex is a chain of indexes, each of which lists only the next, with an image after depth of them.
func DeepIndex(depth int) Source {
	var s Source = small(linuxAMD64)
	for range depth {
		s = Index{Entries: []Source{s}}
	}
	return s
}

// WideIndex is an index of n images, which differ in os.version only.
func WideIndex(n int) Index {
	l := NewLayer(Gzip, Text("one", "1\n"))
	var ix Index
	for i := range n {
		ix.Entries = append(ix.Entries, Image{
			Platform: v1.Platform{OS: "windows", Architecture: "amd64", OSVersion: fmt.Sprintf("10.0.%d", i)}, Created: Epoch,
			Steps: []Step{copied("one", l)},
		})
	}
	return ix
}

// Document is an artifact that is no image, of the given artifact type, as a text with OCI's empty config.
func Document(artifactType string) Artifact {
	return Artifact{Type: artifactType, Blobs: []Blob{DataBlob("text/markdown", []byte("# a document\n"))}}
}

// DuplicatePaths is an image with a layer that has one path twice: the last one counts.
func DuplicatePaths() Image {
	return small(linuxAMD64, copied("duplicates",
		NewLayer(Gzip, Text("twice", "first\n"), Text("twice", "second, counts\n"),
			Text("file-then-dir", "file\n"), Dir("file-then-dir"), Text("file-then-dir/in", "in\n"))))
}

// WeirdNames is an image with all that a layer may legally hold and few do. Nothing in it has to be refused.
func WeirdNames() Image {
	one := []File{
		{Type: tar.TypeXGlobalHeader, PAX: map[string]string{"comment": "global header"}},
		Text("names/한글 파일.txt", "x"), Text("names/emoji-😀", "x"), Text("names/new\nline", "x"), Text("names/tab\there", "x"),
		Text("names/back\\slash", "x"),
		Text("names/quote\"'`", "x"), Text("names/ leading", "x"), Text("names/trailing ", "x"), Text("names/..dots", "x"),
		Text("names/...", "x"), Text("names/-rf", "x"),
		Text("names/%2e%2e", "x"), Text("names/<script>alert(1)</script>", "x"), Text("names/bad-utf8-\xff\xfe", "x"),
		Text("names/caf\u00e9", "NFC"), Text("names/cafe\u0301", "NFD"),
		Text("names/\u202egnp.exe", "x"), Text("names/\x1b[31mred", "x"), Text("names/"+strings.Repeat("n", 255), "x"),
		Text("names/"+strings.Repeat("deep/", 60)+"leaf", "x"),
		Text("./dot-slash", "x"), Text("/absolute", "x"), Text("empty", ""), {Name: "zeros", Size: 200_000},
		{Name: "setuid", Mode: 0o4755, Body: "x"}, {Name: "sticky/", Mode: 0o1777},
		{Name: "dev/null", Type: tar.TypeChar, Mode: 0o666, Dev: [2]int64{1, 3}},
		{Name: "dev/loop0", Type: tar.TypeBlock, Dev: [2]int64{7, 0}}, {Name: "fifo", Type: tar.TypeFifo},
		{Name: "big-ids", UID: 3_000_000, GID: 3_000_001, Body: "x"},
		{Name: "xattr", Body: "x", PAX: map[string]string{"SCHILY.xattr.user.comment": "yes"}},
		{Name: "old", Body: "x", ModTime: time.Unix(1, 0)},
		{Name: "future", Body: "x", ModTime: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)},
		Hardlink("hard", "./dot-slash"), Symlink("loop-a", "loop-b"), Symlink("loop-b", "loop-a"), Symlink("self", "."),
		Symlink("dangling", "/nowhere"),
		Text("gone", "x"), Text("dir/hidden", "x"), Text("dir/deeper/hidden", "x"),
	}
	two := []File{Whiteout("gone"), Whiteout("never-there"), Dir("dir"), Opaque("dir"), Text("dir/new", "x")}
	return small(linuxAMD64, copied("names", NewLayer(Gzip, one...)), copied("whiteouts", NewLayer(Gzip, two...)),
		copied("nothing", NewLayer(Gzip)))
}

// Traversal is an image with a layer whose names and links try to leave the root.
func Traversal() Image {
	return small(linuxAMD64, copied("traversal",
		NewLayer(Gzip, Text("ok", "ok\n"), Text("../../../../../../tmp/stowage-dotdot", "x"),
			Text("/tmp/stowage-absolute", "x"),
			Text("a/../../b", "x"), Symlink("out", "/tmp"), Text("out/stowage-through-symlink", "x"),
			Hardlink("hard-out", "../../../../etc/hostname"), Text("..", "x"), Whiteout("../../gone"))))
}

// Sized is an index of one image for each platform, of a number of layers whose blobs are about size bytes each and do
// not compress: for measuring, and for watching a download.
func Sized(layers int, size int64, platforms ...v1.Platform) Index {
	return Index{Entries: images(func(m machine) Image {
		im := Image{Created: Epoch, Config: Config{ImageConfig: v1.ImageConfig{Env: []string{pathEnv}}}}
		for i := range layers {
			im.Steps = append(im.Steps, copied(fmt.Sprintf("part-%03d /", i),
				sizedLayer(fmt.Sprintf("%d/%s", i, PlatformString(m.platform)), size)))
		}
		return im
	}, platforms...)}
}
