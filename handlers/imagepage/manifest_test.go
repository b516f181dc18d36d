package imagepage_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
)

func TestTheManifestDownloadIsTheOriginalByteForByte(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64", "linux/arm64")
	source, ok := sample.Lookup(sample.Library(), "library/postgres", "15")
	if !ok {
		t.Fatal("no postgres:15 in the library")
	}
	built, err := source.Build()
	if err != nil {
		t.Fatal(err)
	}
	arm64, _ := built.For("linux/arm64/v8")
	for query, want := range map[string]sample.Built{
		"raw=1&document=index": built, "raw=1&document=manifest&platform=linux/arm64": arm64,
	} {
		got := s.Get(postgresPage + "/manifest?" + query)
		got.Is(t, http.StatusOK)
		if got.Body != string(want.Body) || image.DigestOf([]byte(got.Body)) != want.Digest() {
			t.Errorf("%s: other bytes than those of %s", query, want.Digest())
		}
		for name, value := range map[string]string{
			"Content-Type": want.Descriptor.MediaType, "Docker-Content-Digest": string(want.Digest()), "ETag": strconv.Quote(string(want.Digest())),
			"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment; filename=sha256-" + image.ShortDigest(want.Digest()) + ".json",
			"Cache-Control": "private, no-cache",
		} {
			if got := got.Header.Get(name); got != value {
				t.Errorf("%s: %s %q, want %q", query, name, got, value)
			}
		}
		if again := s.Get(postgresPage+"/manifest?"+query, "If-None-Match", `"other", W/`+got.Header.Get("ETag")); again.Status != http.StatusNotModified || again.Body != "" {
			t.Errorf("%s: asked again it answers %d with %d bytes", query, again.Status, len(again.Body))
		}
	}
}

func TestOnlyBytesThatTheAddressNamesAreKeptForEver(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64")
	at := address.Of(image.Reference{Repository: "docker.io/library/postgres", Digest: s.Target("postgres:15").Digest}).String() + "/manifest?raw=1&document="
	for document, immutable := range map[string]bool{"index": true, "manifest": false} {
		if got := s.Get(at + document).Header.Get("Cache-Control"); strings.Contains(got, "immutable") != immutable {
			t.Errorf("%s: Cache-Control %q", document, got)
		}
	}
}

func TestTheManifestSectionShowsBothDocumentsAndLinksTheirDigests(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64", "linux/arm64")
	target := s.Target("postgres:15")
	amd64 := target.Images[0]
	manifest := s.Get(postgresPage + "/manifest")
	manifest.Is(t, http.StatusOK, string(amd64.Manifest), "docker buildx imagetools inspect --raw postgres@"+string(amd64.Manifest),
		`href="`+postgresPage+`/config">`+string(amd64.ID), `href="`+postgresPage+`/manifest?document=index"`, "Attestation")
	for _, l := range layersOf(s, "postgres:15", "linux/amd64") {
		manifest.Is(t, http.StatusOK, `href="`+address.Layer(l.Digest)+`">`+string(l.Digest))
	}
	index := s.Get(postgresPage + "/manifest?document=index")
	index.Is(t, http.StatusOK, `href="`+postgresPage+`/manifest?platform=linux/arm64">`+string(target.Images[1].Manifest), `href="`+postgresPage+`/manifest?raw=1&amp;document=index"`)
	index.Lacks(t, "Indented for reading")
	s.Get(postgresPage+"/manifest?document=sbom").Is(t, http.StatusBadRequest, "The documents are index and manifest.")
}

func TestADocumentOnOneLineIsIndentedAndSaysSo(t *testing.T) {
	source, ok := sample.Lookup(sample.Library(), "test/amd64-only", "latest")
	if !ok {
		t.Fatal("no test/amd64-only in the library")
	}
	built, err := source.Build()
	if err != nil {
		t.Fatal(err)
	}
	built.Body = []byte(strings.NewReplacer("\n", "", "   ", "").Replace(string(built.Body)))
	built.Descriptor.Digest, built.Descriptor.Size = image.DigestOf(built.Body), int64(len(built.Body))
	s := pages.NewWith(t, "test/line", map[string]sample.Source{"latest": built})
	s.Pull("test/line:latest")
	const page = "/images/docker.io/test/line:latest/manifest"
	s.Get(page).Is(t, http.StatusOK, "Indented for reading; the original has "+text.Grouped(int64(len(built.Body)))+" bytes on one line")
	if got := s.Get(page + "?raw=1"); got.Body != string(built.Body) {
		t.Error("the download is not the original")
	}
}

func TestWhichAcceptHeadersAskForJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"application/json": true, "application/json, text/plain;q=0.5": true, "*/*": false, "": false, "text/html": false,
		"text/html, application/json": false, "application/json;q=0": false, "application/json; charset=utf-8": true, ";;,application/json": true,
	} {
		if got := page.Wants(accept, "application/json"); got != want {
			t.Errorf("%q asks for JSON: %v", accept, got)
		}
	}
}
