package registry

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
	"github.com/stowage/stowage/test/outside"
)

// encoded writes bytes in an encoding.
func encoded(t *testing.T, coding string, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	}
	if err == nil {
		_, err = w.Write(raw)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAManifestWhoseBytesHashRightIsRightWhateverTheEncodingSays(t *testing.T) {
	img := newImage(t, []byte("layer"))
	for _, label := range []string{"gzip", "x-gzip", "GZIP", "deflate", "br", "zstd", "identity", "utf-8", "aws-chunked",
		"identity, gzip"} {
		for _, way := range []string{"as sent", "encoded"} {
			for _, announced := range []bool{true, false} {
				body := img.raw
				switch coding := response.Coding(http.Header{"Content-Encoding": {label}}); {
				case way == "encoded" && coding == "":
					continue
				case way == "encoded":
					body = encoded(t, coding, img.raw)
				}
				_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
					w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
					w.Header().Set("Content-Encoding", label)
					if announced {
						w.Header().Set("Docker-Content-Digest", img.digest().String())
					}
					w.Header().Set("Content-Length", strconv.Itoa(len(body)))
					if req.Method != http.MethodHead {
						_, _ = w.Write(body)
					}
				})
				for _, ref := range []string{host + "/app:1", host + "/app@" + img.digest().String()} {
					doc, err := client(t, Options{}).Document(t.Context(), mustRef(t, ref))
					if err != nil || !bytes.Equal(doc.Raw, img.raw) {
						t.Errorf("%s, %s, announced %v, %s: %v", label, way, announced, ref, err)
					}
				}
			}
		}
	}
}

func TestABlobWhoseBytesHashRightIsRightWhateverTheEncodingSays(t *testing.T) {
	raw := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	file := encoded(t, "gzip", raw)
	for name, tt := range map[string]struct {
		label string
		media string
		blob  []byte // what the digest is of
		sent  []byte
	}{
		"a gzip file that is labelled": {"gzip", ocispec.MediaTypeImageLayerGzip, file, file},
		"the same by an older name":    {"x-gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip", file, file},
		"a zstd file that is labelled": {"zstd", ocispec.MediaTypeImageLayerZstd, encoded(t, "zstd", raw),
			encoded(t, "zstd", raw)},
		"a gzip file that is labelled as br":    {"br", ocispec.MediaTypeImageLayerGzip, file, file},
		"plain bytes that are labelled":         {"gzip", ocispec.MediaTypeImageLayer, raw, raw},
		"plain bytes in gzip":                   {"gzip", ocispec.MediaTypeImageLayer, raw, file},
		"a config in gzip":                      {"gzip", ocispec.MediaTypeImageConfig, raw, file},
		"a config in brotli":                    {"br", ocispec.MediaTypeImageConfig, raw, encoded(t, "br", raw)},
		"a gzip file in gzip":                   {"gzip", ocispec.MediaTypeImageLayerGzip, file, encoded(t, "gzip", file)},
		"an encoding that says nothing of that": {"aws-chunked", ocispec.MediaTypeImageLayerGzip, file, file},
	} {
		for _, sized := range []bool{true, false} {
			_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", tt.label)
				if sized {
					w.Header().Set("Content-Length", strconv.Itoa(len(tt.sent)))
				} else {
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = w.Write(tt.sent)
			})
			d := image.Descriptor{MediaType: tt.media, Digest: image.DigestOf(tt.blob), Size: int64(len(tt.blob))}
			got, _, err := readBlob(t, client(t, Options{}), host+"/app", d, 0)
			if err != nil || !bytes.Equal(got, tt.blob) {
				t.Errorf("%s, sized %v: %d bytes of %d, %v", name, sized, len(got), len(tt.blob), err)
			}
		}
	}
}

func TestAPartInAnEncodingIsAskedForFromTheBeginning(t *testing.T) {
	raw := bytes.Repeat([]byte("{}"), 5000)
	sent := encoded(t, "gzip", raw)
	rec, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		if req.Header.Get("Range") == "" {
			_, _ = w.Write(sent)
			return
		}
		w.Header().Set("Content-Range", "bytes 5-9999/10000")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(sent[5:])
	})
	d := image.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: image.DigestOf(raw), Size: int64(len(raw))}
	got, at, err := readBlob(t, client(t, Options{}), host+"/app", d, 5)
	if err != nil || at != 0 || !bytes.Equal(got, raw) || len(rec.Requests()) != 2 {
		t.Errorf("%d bytes from %d by %v, %v", len(got), at, rec.Requests(), err)
	}
}

func TestAnEncodedBlobIsNeverMoreThanItsSize(t *testing.T) {
	bomb := encoded(t, "gzip", make([]byte, 10<<20))
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb)
	})
	d := image.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: image.DigestOf([]byte("x")), Size: 1000}
	got, _, err := readBlob(t, client(t, Options{}), host+"/app", d, 0)
	outside.WantKind(t, err, image.Corrupt, "more than the 1000 bytes")
	if len(got) > 1000 {
		t.Errorf("%d bytes were handed out", len(got))
	}
	_, err = client(t, Options{}).Document(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.Corrupt, "manifest")
}

func TestTagsInAnEncodingAreRead(t *testing.T) {
	raw, err := json.Marshal(map[string]any{"tags": []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(encoded(t, "gzip", raw))
	})
	if tags, err := client(t, Options{}).Tags(t.Context(), image.Repository(host+"/app")); err != nil || len(tags) != 2 {
		t.Errorf("%v, %v", tags, err)
	}
}
