package archives_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/test/pages"
)

// archived is a downloaded archive, taken apart.
type archived struct {
	files map[string][]byte
	index ocispec.Index
	saved []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
}

// getArchive downloads one and proves that each blob is what its name says.
func getArchive(s *pages.Shelf, address string) archived {
	s.T.Helper()
	got := s.Get(address)
	got.Is(s.T, http.StatusOK)
	return unpackArchive(s.T, []byte(got.Body))
}

func unpackArchive(t *testing.T, raw []byte) archived {
	t.Helper()
	a := archived{files: map[string][]byte{}}
	r := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := a.files[h.Name]; twice {
			t.Errorf("%s is in the archive twice", h.Name)
		}
		if a.files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if hex, ok := strings.CutPrefix(h.Name, "blobs/sha256/"); ok && hex != "" && image.DigestOf(a.files[h.Name]).Encoded() != hex {
			t.Errorf("%s has other bytes than its digest says", h.Name)
		}
	}
	if err := json.Unmarshal(a.files["index.json"], &a.index); err != nil {
		t.Fatal(err)
	}
	if saved, ok := a.files["manifest.json"]; ok {
		if err := json.Unmarshal(saved, &a.saved); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range a.saved {
		for _, name := range append(i.Layers, i.Config) {
			if _, ok := a.files[name]; !ok {
				t.Errorf("manifest.json names %s, which is not there", name)
			}
		}
	}
	return a
}

// names returns what index.json calls its images.
func (a archived) names() []string {
	var names []string
	for _, d := range a.index.Manifests {
		names = append(names, d.Annotations["io.containerd.image.name"])
	}
	return names
}

func (a archived) has(d image.Digest) bool {
	_, ok := a.files["blobs/sha256/"+d.Encoded()]
	return ok
}

func TestAnArchiveHasTheIndexAndEachStoredPlatform(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	target := s.Target("ubuntu:22.04")
	got := s.Get(pages.Ubuntu + ":22.04/archive")
	for name, want := range map[string]string{
		"Content-Type": "application/x-tar", "Content-Disposition": "attachment; filename=ubuntu_22.04.tar", "Content-Length": strconv.Itoa(len(got.Body)),
		"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	a := getArchive(s, pages.Ubuntu+":22.04/archive")
	if len(a.index.Manifests) != 1 || a.index.Manifests[0].Digest != target.Digest || !slices.Equal(a.names(), []string{"docker.io/library/ubuntu:22.04"}) {
		t.Errorf("index.json: %+v", a.index.Manifests)
	}
	if len(target.Images) != 2 || !a.has(target.Digest) {
		t.Fatalf("%d platforms, the index is there: %v", len(target.Images), a.has(target.Digest))
	}
	for _, i := range target.Images {
		layers, err := s.Store.Images.ImageLayers(t.Context(), i.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range layers {
			if !a.has(i.Manifest) || !a.has(i.ID) || !a.has(l.Digest) {
				t.Errorf("of %s something is missing", i.Platform)
			}
		}
	}
	// The one platform that docker's own list can have is the one that this shelf prefers.
	if len(a.saved) != 1 || a.saved[0].Config != "blobs/sha256/"+target.Images[0].ID.Encoded() || !slices.Equal(a.saved[0].RepoTags, []string{"docker.io/library/ubuntu:22.04"}) {
		t.Errorf("manifest.json: %+v", a.saved)
	}
}

func TestOnePlatformAskedForIsItsManifestAlone(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	target := s.Target("ubuntu:22.04")
	arm := target.Images[1]
	got := s.Get(pages.Ubuntu + ":22.04/archive?platform=linux/arm64/v8")
	if name := got.Header.Get("Content-Disposition"); name != "attachment; filename=ubuntu_22.04_linux-arm64.tar" {
		t.Error(name)
	}
	a := unpackArchive(t, []byte(got.Body))
	if d := a.index.Manifests[0]; d.Digest != arm.Manifest || d.Platform == nil || d.Platform.Architecture != "arm64" {
		t.Errorf("index.json: %+v", d)
	}
	if a.has(target.Digest) || a.has(target.Images[0].ID) || !a.has(arm.ID) || a.saved[0].Config != "blobs/sha256/"+arm.ID.Encoded() {
		t.Errorf("it has %q", slices.Sorted(maps.Keys(a.files)))
	}
	// Both by name are the index again, in whatever order they are asked for.
	one, other := s.Get(pages.Ubuntu+":22.04/archive?platform=linux/amd64&platform=linux/arm64"), s.Get(pages.Ubuntu+":22.04/archive?platform=linux/arm64&platform=linux/amd64")
	if b := unpackArchive(t, []byte(one.Body)); b.index.Manifests[0].Digest != target.Digest || one.Body != other.Body || one.Header.Get("ETag") != other.Header.Get("ETag") {
		t.Errorf("two platforms: %+v", b.index.Manifests)
	}
}

func TestAnOCIArchiveHasNoManifestJSON(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64")
	got := s.Get(pages.Ubuntu + ":22.04/archive?format=oci")
	if name := got.Header.Get("Content-Disposition"); name != "attachment; filename=ubuntu_22.04.oci.tar" {
		t.Error(name)
	}
	a := unpackArchive(t, []byte(got.Body))
	if _, ok := a.files["manifest.json"]; ok || a.index.Manifests[0].Digest != s.Target("ubuntu:22.04").Digest {
		t.Errorf("%+v", a.index)
	}
}

func TestADigestAndAnImageIDAreArchivedWithoutAName(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	target := s.Target("ubuntu:22.04")
	arm := target.Images[1]
	for address, want := range map[string]image.Digest{
		pages.Ubuntu + "@" + string(target.Digest) + "/archive":   target.Digest,
		pages.Ubuntu + "@" + string(arm.Manifest) + "/archive":    arm.Manifest, // which only the index lists
		"/images/" + string(arm.ID) + "/archive":                  arm.Manifest,
		"/archive?image=" + string(arm.ID)[:len("sha256:")+12]:    arm.Manifest,
		"/archive?ref=ubuntu@" + string(target.Digest):            target.Digest,
		"/archive?image=ubuntu@" + string(arm.Manifest) + "&ref=": "",
	} {
		if want == "" {
			s.Get(address).Is(t, http.StatusBadRequest)
			continue
		}
		a := getArchive(s, address)
		if d := a.index.Manifests[0]; d.Digest != want || d.Annotations != nil || a.saved[0].RepoTags != nil {
			t.Errorf("%s: %+v, %+v", address, d, a.saved)
		}
	}
}

func TestARepositoryIsArchivedWithAllItsTags(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64")
	s.Pull("ubuntu:latest", "linux/amd64")
	s.Pull("ubuntu:rolling", "linux/amd64")
	want := []string{"docker.io/library/ubuntu:22.04", "docker.io/library/ubuntu:latest", "docker.io/library/ubuntu:rolling"}
	var bodies []string
	for _, address := range []string{"/archive?image=ubuntu", pages.Ubuntu + "/archive", "/images/docker.io/ubuntu/archive"} {
		got := s.Get(address)
		if name := got.Header.Get("Content-Disposition"); name != "attachment; filename=ubuntu.tar" {
			t.Errorf("%s: %s", address, name)
		}
		if names := unpackArchive(t, []byte(got.Body)).names(); !slices.Equal(names, want) {
			t.Errorf("%s has %q", address, names)
		}
		bodies = append(bodies, got.Body)
	}
	if bodies[0] != bodies[1] || bodies[1] != bodies[2] {
		t.Error("the same tags are not the same archive")
	}
	a := unpackArchive(t, []byte(bodies[0]))
	if len(a.saved) != 2 || !slices.Equal(a.saved[0].RepoTags, want[:2]) {
		t.Errorf("two tags on one image: %+v", a.saved)
	}
	to := s.Get("/images/ubuntu:22.04/archive?platform=linux/amd64")
	if at := to.Header.Get("Location"); to.Status != http.StatusFound || at != pages.Ubuntu+":22.04/archive?platform=linux/amd64" {
		t.Errorf("the familiar address: %d to %s", to.Status, at)
	}
	s.Get("/images/docker.io/library/redis/archive", "Accept", "text/html").Is(t, http.StatusNotFound, "docker pull library/redis/archive")
}

func TestARepositoryThatIsCalledArchiveHasItsPage(t *testing.T) {
	s := pages.NewWith(t, "team/archive", map[string]sample.Source{"1": sample.Sized(1, 100, pages.Amd64)})
	s.Pull("team/archive:1")
	s.Get("/images/docker.io/team/archive").Is(t, http.StatusOK, "team/<wbr>archive")
	if names := getArchive(s, "/images/docker.io/team/archive/archive").names(); !slices.Equal(names, []string{"docker.io/team/archive:1"}) {
		t.Errorf("%q", names)
	}
}

func TestSeveralImagesShareTheirLayers(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64")
	s.Pull("ghcr.io/acme/api:v2.14.0", "linux/amd64")
	both := s.Get("/archive?ref=postgres:15&ref=ghcr.io/acme/api:v2.14.0&ref=postgres:15")
	if name := both.Header.Get("Content-Disposition"); name != "attachment; filename=2-images.tar" {
		t.Error(name)
	}
	a := unpackArchive(t, []byte(both.Body)) // which proves that nothing is there twice
	if names := a.names(); !slices.Equal(names, []string{"docker.io/library/postgres:15", "ghcr.io/acme/api:v2.14.0"}) {
		t.Errorf("%q", names)
	}
	shared := 0
	for _, l := range a.saved[1].Layers {
		if slices.Contains(a.saved[0].Layers, l) {
			shared++
		}
	}
	if shared == 0 {
		t.Error("the samples share no layer")
	}
	if other := s.Get("/archive?image=ghcr.io/acme/api:v2.14.0&image=postgres:15"); other.Body != both.Body || other.Header.Get("ETag") != both.Header.Get("ETag") {
		t.Error("in another order it is another archive")
	}
}

func TestAnImageWithoutLayersIsArchived(t *testing.T) {
	s := pages.NewWith(t, "test/empty", map[string]sample.Source{"1": sample.Image{}})
	s.Pull("test/empty:1")
	a := getArchive(s, "/images/docker.io/test/empty:1/archive")
	if len(a.saved) != 1 || a.saved[0].Layers == nil || len(a.saved[0].Layers) != 0 {
		t.Errorf("%s", a.files["manifest.json"])
	}
}

func TestADownloadContinuesWhereItBrokeOff(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	const address = pages.Ubuntu + ":22.04/archive"
	whole := s.Get(address)
	tag := whole.Header.Get("ETag")
	if again := s.Get(address); again.Body != whole.Body || again.Header.Get("ETag") != tag || !strings.HasPrefix(tag, `"sha256:`) {
		t.Fatalf("ETag %s, then %s", tag, again.Header.Get("ETag"))
	}
	for _, from := range []int{0, 1, 511, 512, 5000, 100_003, len(whole.Body) - 1025, len(whole.Body) - 1} {
		part := s.Get(address, "Range", "bytes="+strconv.Itoa(from)+"-", "If-Range", tag)
		if part.Status != http.StatusPartialContent || part.Body != whole.Body[from:] || part.Header.Get("Content-Length") != strconv.Itoa(len(whole.Body)-from) {
			t.Errorf("from %d: %d, %d bytes", from, part.Status, len(part.Body))
		}
	}
	if part := s.Get(address, "Range", "bytes=1000-600000"); part.Status != http.StatusPartialContent || part.Body != whole.Body[1000:600_001] {
		t.Errorf("a part: %d, %d bytes", part.Status, len(part.Body))
	}
	if old := s.Get(address, "Range", "bytes=1000-", "If-Range", `"sha256:old"`); old.Status != http.StatusOK || old.Body != whole.Body {
		t.Errorf("an older archive is continued: %d, %d bytes", old.Status, len(old.Body))
	}
	if many := s.Get(address, "Range", "bytes=0-1,5-6"); many.Status != http.StatusOK || many.Body != whole.Body {
		t.Errorf("several ranges: %d, %d bytes", many.Status, len(many.Body))
	}
	s.Get(address, "Range", "bytes="+strconv.Itoa(len(whole.Body))+"-").Is(t, http.StatusRequestedRangeNotSatisfiable)
	if same := s.Get(address, "If-None-Match", tag); same.Status != http.StatusNotModified || same.Body != "" {
		t.Errorf("what the client has is sent again: %d", same.Status)
	}
	head := s.Do(httptest.NewRequest(http.MethodHead, address, nil))
	if head.Status != http.StatusOK || head.Body != "" || head.Header.Get("Content-Length") != strconv.Itoa(len(whole.Body)) || head.Header.Get("ETag") != tag {
		t.Errorf("HEAD: %d, %v", head.Status, head.Header)
	}
	// A platform more is another archive.
	if one := s.Get(address + "?platform=linux/amd64"); one.Header.Get("ETag") == tag {
		t.Error("one platform has the ETag of both")
	}
}

func TestACompressedArchiveHasNoLength(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64")
	whole := s.Get(pages.Ubuntu + ":22.04/archive")
	for _, c := range []struct {
		compress, mediaType, file string
		unpack                    func(io.Reader) (io.Reader, error)
	}{
		{"gzip", "application/gzip", "ubuntu_22.04.tar.gz", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{"zstd", "application/zstd", "ubuntu_22.04.tar.zst", func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }},
	} {
		got := s.Get(pages.Ubuntu+":22.04/archive?compress="+c.compress, "Range", "bytes=100-")
		h := got.Header
		if got.Status != http.StatusOK || h.Get("Content-Type") != c.mediaType || h.Get("Content-Length") != "" || h.Get("Accept-Ranges") != "none" || h.Get("ETag") != "" {
			t.Errorf("%s: %d %v", c.compress, got.Status, h)
		}
		if !strings.HasSuffix(h.Get("Content-Disposition"), "filename="+c.file) {
			t.Error(h.Get("Content-Disposition"))
		}
		r, err := c.unpack(strings.NewReader(got.Body))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := io.ReadAll(r); err != nil || string(raw) != whole.Body {
			t.Errorf("%s: %d bytes, %v", c.compress, len(raw), err)
		}
		if head := s.Do(httptest.NewRequest(http.MethodHead, pages.Ubuntu+":22.04/archive?compress="+c.compress, nil)); head.Status != http.StatusOK || head.Body != "" {
			t.Errorf("HEAD: %d, %d bytes", head.Status, len(head.Body))
		}
	}
}

func TestWhatCannotBeArchivedIsRefusedInWords(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	s.Pull("postgres:15", "linux/amd64")
	for address, want := range map[string]struct {
		status int
		text   string
	}{
		pages.Ubuntu + ":22.04/archive?platform=linux/arm/v7":              {404, "ubuntu:22.04 is not stored for linux/arm/v7; it is stored for linux/amd64, linux/arm64. Pull that platform first"},
		pages.Ubuntu + ":22.04/archive?platform=linux/amd64&platform=a//b": {400, "is not a platform"},
		pages.Ubuntu + ":24.04/archive":                                    {404, "ubuntu:24.04 is not stored. Pull it first."},
		"/images/sha256:0000000000/archive":                                {404, "no image on the shelf has an ID"},
		"/archive":                                                         {400, "Tick images in the list"},
		"/archive?image=":                                                  {400, "no image reference was given"},
		"/archive?image=sha256:xyz":                                        {400, "is not an image ID"},
		"/archive?image=redis":                                             {404, "no tag of redis is stored"},
		"/archive?image=ubuntu:22.04&image=redis:7":                        {404, "redis:7 is not stored"},
		"/archive?image=ubuntu&image=postgres:15&platform=linux/arm64":     {404, "postgres:15 is not stored for linux/arm64; it is stored for linux/amd64"},
		pages.Ubuntu + ":22.04/archive?format=zip":                         {400, "is no format of archives"},
		pages.Ubuntu + ":22.04/archive?compress=xz":                        {400, "is no compression of archives"},
		"/archive?image=" + strings.Repeat("a&image=", 1000) + "a":         {422, "at most 1000 images"},
	} {
		got := s.Get(address)
		if got.Status != want.status || !strings.Contains(got.Body, want.text) || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%.60s: %d %s", address, got.Status, got.Body)
		}
	}
	// A browser gets a page.
	page := s.Get(pages.Ubuntu+":22.04/archive?platform=linux/arm/v7", "Accept", "text/html,*/*")
	page.Is(t, http.StatusNotFound, "it is stored for linux/amd64, linux/arm64", "</html>")
	if page.Header.Get("Content-Disposition") != "" {
		t.Error("the error is saved as a file")
	}
}

func TestAnArchiveOfAnUnknownRepositoryIsRefusedInOneLine(t *testing.T) {
	s := pages.New(t)
	got := s.Get("/images/docker.io/library/nope/archive", "Accept", "*/*")
	if got.Status != http.StatusNotFound || strings.Count(got.Body, "\n") > 2 || !strings.Contains(got.Body, "nope") || strings.Contains(got.Body, "<") {
		t.Errorf("%d %.300s", got.Status, got.Body)
	}
}

func TestABrokenImageIsNotHandedOut(t *testing.T) {
	s := pages.NewWith(t, "test/wrong", map[string]sample.Source{"latest": sample.WrongDiffID(), "fine": sample.Sized(1, 100, pages.Amd64)})
	s.Pull("test/wrong:latest")
	s.Pull("test/wrong:fine")
	for _, address := range []string{"/images/docker.io/test/wrong:latest/archive", "/archive?image=test/wrong", "/images/docker.io/test/wrong:latest/archive?platform=linux/amd64"} {
		if got := s.Get(address); got.Status != http.StatusConflict || !strings.Contains(got.Body, "test/wrong:latest is broken and is not handed out") {
			t.Errorf("%s: %d %.200s", address, got.Status, got.Body)
		}
	}
	getArchive(s, "/archive?image=test/wrong:fine")
}

// blobFile returns the path of a layer's file.
func blobFile(dir string, d image.Digest) string {
	return filepath.Join(dir, "blobs", "sha256", d.Encoded())
}

func TestABlobThatIsMissingIsToldBeforeAnyByte(t *testing.T) {
	var dir string
	s := pages.New(t, func(o *storage.Options) { dir = o.Dir })
	s.Pull("ubuntu:22.04", "linux/amd64")
	layer := s.Layer("ubuntu:22.04", 0)
	if err := os.Remove(blobFile(dir, layer)); err != nil {
		t.Fatal(err)
	}
	got := s.Get(pages.Ubuntu + ":22.04/archive")
	if got.Status != http.StatusConflict || !strings.Contains(got.Body, string(layer)+" is missing") || got.Header.Get("Content-Disposition") != "" {
		t.Errorf("%d %.200s", got.Status, got.Body)
	}
	s.Get(pages.Ubuntu+":22.04/download").Is(t, http.StatusConflict, "There is no archive of this", "Pull the image that it belongs to again.")
}

// watched is an answer that does something after its first bytes.
type watched struct {
	*httptest.ResponseRecorder
	then func()
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.ResponseRecorder.Write(p)
	if then := w.then; then != nil {
		w.then = nil
		then()
	}
	return n, err
}

// downloading asks for an archive and does something after its first bytes. It tells whether the answer broke off.
func downloading(s *pages.Shelf, address string, then func()) (body []byte, brokeOff bool) {
	s.T.Helper()
	w := &watched{httptest.NewRecorder(), then}
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		body, brokeOff = w.Body.Bytes(), true
	}()
	s.Pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
	if w.Code != http.StatusOK || w.then != nil {
		s.T.Fatalf("status %d, %d bytes", w.Code, w.Body.Len())
	}
	return w.Body.Bytes(), false
}

func TestAnImageThatIsDeletedMeanwhileIsDownloadedToTheEnd(t *testing.T) {
	var dir string
	s := pages.New(t, func(o *storage.Options) { dir, o.UndoWindow = o.Dir, 0 })
	s.Pull("ubuntu:22.04", "linux/amd64")
	whole, layer := s.Get(pages.Ubuntu+":22.04/archive").Body, s.Layer("ubuntu:22.04", 0)
	deleted := func() {
		page := s.Get(pages.Ubuntu + ":22.04/delete")
		s.Post(pages.Ubuntu+":22.04/delete", page.Form(t)).WentTo(t, "/images", "Removed ubuntu:22.04") // a download needs its files
		if _, _, err := s.Store.Janitor.Sweep(t.Context(), image.ActorNamed("mira")); err != nil {
			t.Error(err)
		}
	}
	got, brokeOff := downloading(s, pages.Ubuntu+":22.04/archive", deleted)
	if brokeOff || string(got) != whole {
		t.Errorf("%d of %d bytes, it broke off: %v", len(got), len(whole), brokeOff)
	}
	s.Get(pages.Ubuntu+":22.04/archive").Is(t, http.StatusNotFound)
	if _, _, err := s.Store.Janitor.Sweep(t.Context(), image.ActorNamed("mira")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(blobFile(dir, layer)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the download the layer is still held: %v", err)
	}
}

// losing has a shelf with an archive of several layers, and what loses the last of them.
func losing(t *testing.T) (s *pages.Shelf, address string, lose func()) {
	t.Helper()
	var dir string
	s = pages.New(t, func(o *storage.Options) { dir = o.Dir })
	s.Pull("postgres:15", "linux/amd64")
	layers, err := s.Store.Images.ImageLayers(t.Context(), s.Target("postgres:15").Images[0].Manifest)
	if err != nil {
		t.Fatal(err)
	}
	return s, "/images/docker.io/library/postgres:15/archive", func() {
		if err := os.Remove(blobFile(dir, layers[len(layers)-1].Digest)); err != nil {
			t.Error(err)
		}
	}
}

func TestADownloadWhoseBlobIsLostBreaksOff(t *testing.T) {
	for _, query := range []string{"", "?compress=gzip", "?compress=zstd"} {
		s, address, lose := losing(t)
		whole := s.Get(address + query).Body
		got, brokeOff := downloading(s, address+query, lose)
		if !brokeOff || len(got) >= len(whole) {
			t.Errorf("%q: %d of %d bytes, it broke off: %v", query, len(got), len(whole), brokeOff)
		}
	}
}

// interrupted is a connection to a client on which something happens after the first bytes.
type interrupted struct {
	http.ResponseWriter
	then func()
}

func (w *interrupted) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if then := w.then; then != nil {
		w.then = nil
		then()
	}
	return n, err
}

func TestAClientNeverTakesAPartForTheWhole(t *testing.T) {
	for _, query := range []string{"", "?compress=gzip", "?compress=zstd"} {
		s, address, lose := losing(t)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.Pages.ServeHTTP(&interrupted{w, lose}, r)
		}))
		defer server.Close()
		res, err := server.Client().Get(server.URL + address + query)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			if closing := res.Body.Close(); closing != nil {
				t.Error(closing)
			}
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Errorf("%q: the client was told nothing: %v", query, err)
		}
	}
}

// socket is an answer that sees what is read into it, as the server's own does before it asks the kernel.
type socket struct {
	*httptest.ResponseRecorder
	files []*os.File
}

func (s *socket) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if f, ok := limited.R.(*os.File); ok {
			s.files = append(s.files, f)
		}
	}
	return io.Copy(s.ResponseRecorder, r)
}

func TestALayerReachesTheSocketAsItsFile(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64")
	to := &socket{ResponseRecorder: httptest.NewRecorder()}
	s.Pages.ServeHTTP(to, httptest.NewRequest(http.MethodGet, pages.Ubuntu+":22.04/archive", nil))
	if len(to.files) != 1 || filepath.Base(to.files[0].Name()) != s.Layer("ubuntu:22.04", 0).Encoded() {
		t.Errorf("%d files", len(to.files))
	}
	unpackArchive(t, to.Body.Bytes())
}

func TestAnArchiveOfAnIndexHasWhatDescribesItsImages(t *testing.T) {
	s := pages.New(t)
	s.Pull("nginx:latest", "linux/amd64", "linux/arm64")
	target := s.Target("nginx:latest")
	for name, c := range map[string]struct {
		query string
		about []int // of which of the images
	}{
		"all":                {"", []int{0, 1}},
		"one, as a manifest": {"?platform=" + target.Images[0].Platform.String(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := getArchive(s, "/images/docker.io/library/nginx:latest/archive"+c.query)
			for n, i := range target.Images {
				about, err := s.Store.Images.Attestations(t.Context(), i.Manifest)
				if err != nil || len(about) == 0 {
					t.Fatalf("attestations: %v, %v", about, err)
				}
				for _, d := range about {
					if a.has(d.Digest) != slices.Contains(c.about, n) {
						t.Errorf("attestation of %s in the archive: %v", i.Platform, a.has(d.Digest))
						continue
					}
					stored, err := s.Store.Images.Attestation(t.Context(), d.Digest)
					if err != nil {
						t.Fatal(err)
					}
					for _, b := range stored.Blobs() {
						if a.has(b.Digest) != slices.Contains(c.about, n) {
							t.Errorf("blob %s of the attestation in the archive: %v", b.Digest, a.has(b.Digest))
						}
					}
				}
			}
		})
	}
}

func TestAnArchiveThatIsTakenToItsEndCountsAsHandedOut(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64", "linux/arm64")
	address, ref := pages.Ubuntu+":22.04/archive", image.Reference{Repository: "docker.io/library/ubuntu", Tag: "22.04"}
	counted := func() int64 {
		t.Helper()
		if err := s.Store.Downloads.WriteDownloads(t.Context()); err != nil {
			t.Fatal(err)
		}
		of, err := s.Store.Downloads.DownloadsOf(t.Context(), ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		return of.Count
	}
	whole := s.Get(address)
	if n := counted(); n != 1 {
		t.Errorf("a download counts %d times", n)
	}
	s.Do(httptest.NewRequest(http.MethodHead, address, nil))
	s.Get(address, "Range", "bytes=0-99")
	s.Get(address, "If-None-Match", whole.Header.Get("ETag"))
	if n := counted(); n != 1 {
		t.Errorf("asking for its length, a part and whether it changed count: %d", n)
	}
	s.Get(address, "Range", "bytes=100-")
	s.Get(address + "?compress=gzip")
	if n := counted(); n != 3 {
		t.Errorf("one that was continued to its end, and a compressed one, count %d times in all, want 3", n)
	}
	s.Get("/images/sha256:" + s.Target("ubuntu:22.04").Images[0].ID.Encoded() + "/archive")
	if n := counted(); n != 3 {
		t.Errorf("an image ID, which is of no repository, counts: %d", n)
	}
}
