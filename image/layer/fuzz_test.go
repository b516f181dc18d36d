package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stowage/stowage/image/layer"
)

func FuzzInspect(f *testing.F) {
	plain := tarOf(f, special(tar.TypeDir, "d/", ""), file("d/a", "content"), special(tar.TypeSymlink, "l", "d/a"),
		special(tar.TypeLink, "h", "d/a"), file(".wh.gone", ""), file(strings.Repeat("n", 150), "x"))
	for _, encoding := range encodings {
		f.Add(encoding.encode(f, plain))
	}
	f.Add(join(gzipped(f, plain[:700]), gzipped(f, plain[700:])))
	f.Add(join(paxSparse("s", 5000, "x"), gnuSparse("g", 6000, "x"), endMarker()))
	f.Add([]byte("not a layer"))
	f.Add([]byte{})

	limits := layer.Limits{MaxBytes: 1 << 20, MaxEntries: 100, MaxWindow: 1 << 20}
	f.Fuzz(func(t *testing.T, blob []byte) {
		got, err := layer.Inspect(context.Background(), bytes.NewReader(blob), limits)
		if err != nil {
			refused := errors.Is(err, layer.ErrUnsupported) || errors.Is(err, layer.ErrTooLarge) ||
				errors.Is(err, layer.ErrTooManyEntries)
			if layer.Damaged(err) == refused || errors.Is(err, layer.ErrSource) {
				t.Fatalf("error of no or of two kinds: %v", err)
			}
			if got != (layer.Result{}) {
				t.Fatalf("result %+v beside error %v", got, err)
			}
			return
		}
		if got.TarSize > limits.MaxBytes || got.UnpackedSize > limits.MaxBytes || got.UnpackedSize < 0 ||
			got.Entries > limits.MaxEntries {
			t.Fatalf("%+v is over the limits", got)
		}
		if got.Compression == layer.Uncompressed && (got.DiffID != sha256Of(blob) || got.TarSize != int64(len(blob))) {
			t.Fatalf("%+v for %d uncompressed bytes", got, len(blob))
		}
		again, err := layer.Inspect(context.Background(), iotest.OneByteReader(bytes.NewReader(blob)), limits)
		if err != nil || again != got {
			t.Fatalf("%+v, %v when read byte by byte, %+v before", again, err, got)
		}
	})
}
