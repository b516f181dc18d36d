package registry

import (
	"net/http"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/outside"
)

func TestALayerThatIsKeptElsewhereIsNoLostOne(t *testing.T) {
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		outside.ErrorBody(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown")
	})
	for media, urls := range map[string][]string{
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip":    {"https://mcr.test/layer", "https://other.test"},
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": {"https://mcr.test/layer"},
		ocispec.MediaTypeImageLayerGzip:                                {"https://mcr.test/layer"},
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": nil,
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip ":   nil,
	} {
		d := image.Descriptor{MediaType: media, Digest: image.DigestOf([]byte("x")), Size: 1, URLs: urls}
		_, _, err := client(t, Options{}).Blob(t.Context(), image.Repository(host+"/app"), d, 0)
		texts := []string{"is a foreign one, which its registry does not keep", "push that layer along"}
		if urls != nil {
			texts = append(texts, urls[0])
		}
		outside.WantKind(t, err, image.NotFound, texts...)
	}
	_, _, err := client(t, Options{}).
		Blob(t.Context(), image.Repository(host+"/app"),
			image.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: image.DigestOf([]byte("x")), Size: 1}, 0)
	outside.WantKind(t, err, image.NotFound, "lost part of the image")
}
