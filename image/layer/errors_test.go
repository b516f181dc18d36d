package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stowage/stowage/image/layer"
)

func TestBadLayersAreToldApart(t *testing.T) {
	plain := tarOf(t, file("a", strings.Repeat("content ", 500)), file("b", "b"))
	named := join([]byte{0x1f, 0x8b, 8, 0x08, 0, 0, 0, 0, 0, 0xff}, []byte("layer.ta"))
	flip := func(blob []byte, at int) []byte {
		blob = bytes.Clone(blob)
		blob[at] ^= 0x55
		return blob
	}
	gz, zst := gzipped(t, plain), zstdCompressed(t, plain)
	tests := map[string]struct {
		blob    []byte
		want    error
		damaged bool
	}{
		"a short text":       {[]byte("this is not a layer"), layer.ErrNotTar, true},
		"a long text":        {bytes.Repeat([]byte("this is not a layer\n"), 100), layer.ErrNotTar, true},
		"a text, compressed": {gzipped(t, []byte("this is not a layer")), layer.ErrNotTar, true},
		"a tar that turns into noise": {gzipped(t, join(plain[:len(plain)-1024], bytes.Repeat([]byte("noise"), 500))),
			layer.ErrNotTar, true},
		"a negative sparse file": {paxSparse("s", -1, ""), layer.ErrNotTar, true},
		"a header of more than a MiB": {rawEntry(tar.TypeXHeader, "x",
			[]byte(paxRecord("comment", strings.Repeat("x", 1<<20))), nil), layer.ErrNotTar, true},
		"a gzip stream in half":           {gz[:len(gz)/2], layer.ErrTruncated, true},
		"a gzip header in half":           {named, layer.ErrTruncated, true},
		"a zstd stream in half":           {zst[:len(zst)/2], layer.ErrTruncated, true},
		"a tar cut in a file":             {plain[:1000], layer.ErrTruncated, true},
		"a cut tar in a whole gzip":       {gzipped(t, plain[:1000]), layer.ErrTruncated, true},
		"a gzip with a wrong checksum":    {flip(gz, len(gz)-8), layer.ErrCorrupt, true},
		"a gzip with a wrong length":      {flip(gz, len(gz)-1), layer.ErrCorrupt, true},
		"a zstd with a wrong checksum":    {flip(zst, len(zst)-1), layer.ErrCorrupt, true},
		"bytes after the gzip":            {join(gz, []byte("trailing bytes")), layer.ErrCorrupt, true},
		"bytes after the gzip's padding":  {join(gz, make([]byte, 512), []byte("x")), layer.ErrCorrupt, true},
		"a gzip after the gzip's padding": {join(gz, make([]byte, 512), gz), layer.ErrCorrupt, true},
		"a second gzip in half":           {join(gz, gz[:len(gz)/2]), layer.ErrTruncated, true},
		"a second gzip's header in half":  {join(gz, gz[:2]), layer.ErrTruncated, true},
		"bytes after the zstd":            {join(zst, []byte("trailing bytes")), layer.ErrCorrupt, true},
		"a zstd frame in the gzip":        {join(gz, zst), layer.ErrCorrupt, true},
		"xz":                              {[]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46"), layer.ErrUnsupported, false},
		"bzip2":                           {[]byte("BZh91AY&SY\x00\x00\x00\x00"), layer.ErrUnsupported, false},
		"bzip2 of nothing": {[]byte("BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"), layer.ErrUnsupported,
			false},
		"a zstd frame with a dictionary": {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 1, 0x09, 0, 0, 'x'}, layer.ErrUnsupported,
			false},
		"a zstd frame of an unknown kind": {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0x08, 0, 0, 0, 0, 0}, layer.ErrCorrupt, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := inspect(test.blob)
			if !errors.Is(err, test.want) || layer.Damaged(err) != test.damaged {
				t.Errorf("error %v, damaged %v; want %v, damaged %v", err, layer.Damaged(err), test.want, test.damaged)
			}
			if got != (layer.Result{}) {
				t.Errorf("a failed inspection gave %+v", got)
			}
		})
	}
}

// Zero bytes after a gzip stream count for nothing, as for gunzip, pigz and docker with it.
func TestZeroBytesAfterAGzipStreamAreReadOver(t *testing.T) {
	plain := tarOf(t, file("a", strings.Repeat("content ", 4000)), file("b", "b"))
	want := mustInspect(t, gzipped(t, plain))
	for _, n := range []int{0, 1, 9, 17, 512, 1 << 20} {
		for name, blob := range map[string][]byte{
			"one member":  gzipped(t, plain),
			"two members": join(gzipped(t, plain[:5000]), gzipped(t, plain[5000:])),
			"three":       join(gzipped(t, nil), gzipped(t, plain), gzipped(t, nil)),
		} {
			if got, err := inspect(join(blob, make([]byte, n))); err != nil || got != want {
				t.Errorf("%s, %d zero bytes: %+v, %v; want %+v", name, n, got, err, want)
			}
		}
	}
}

func TestFileNameThatLooksLikeBzip2IsATar(t *testing.T) {
	if got := mustInspect(t, tarOf(t, file("BZh9", "1"))); got.UnpackedSize != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestTruncationAnywhereIsDamage(t *testing.T) {
	plain := tarOf(t, file("a", strings.Repeat("content ", 40)), file("b", strings.Repeat("x", 2000)))
	for _, encoding := range encodings {
		if encoding.kind == layer.Uncompressed {
			continue // may end after any whole entry
		}
		blob := encoding.encode(t, plain)
		for n := 1; n < len(blob); n++ {
			if _, err := inspect(blob[:n]); !layer.Damaged(err) {
				t.Errorf("%s cut at %d of %d: error %v", encoding.kind, n, len(blob), err)
			}
		}
	}
	for n := 1; n <= 4096; n++ {
		_, err := inspect(plain[:n])
		// Both files' contents are whole from byte 832 and 3,536 on. Their padding may be missing, and so may the end marker
		// at 3,584 or its second half: archive/tar, and with it docker, does not ask for them.
		whole := n >= 832 && n <= 1024 || n >= 3536 && n <= 3584 || n == 4096
		if whole && err != nil || !whole && !layer.Damaged(err) {
			t.Errorf("tar cut at %d of %d: error %v", n, len(plain), err)
		}
	}
}

func TestFailingSourceIsNotTheLayersFault(t *testing.T) {
	broken := errors.New("disk on fire")
	plain := tarOf(t, file("a", strings.Repeat("content ", 40)), file("b", strings.Repeat("x", 2000)))
	for _, encoding := range encodings {
		blob := encoding.encode(t, plain)
		for _, cause := range []error{broken, io.ErrUnexpectedEOF} {
			for n := 0; n <= len(blob); n += 7 {
				r := io.MultiReader(bytes.NewReader(blob[:n]), iotest.ErrReader(cause))
				_, err := layer.Inspect(context.Background(), r, layer.DefaultLimits(0))
				if !errors.Is(err, layer.ErrSource) || !errors.Is(err, cause) || layer.Damaged(err) {
					t.Fatalf("%s, source failed after %d bytes with %q: error %v", encoding.kind, n, cause, err)
				}
			}
		}
	}
}

// idle is a reader that never says anything.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestSourceWithoutProgressIsGivenUp(t *testing.T) {
	for _, encoding := range encodings {
		blob := encoding.encode(t, tarOf(t, file("a", "content")))
		r := io.MultiReader(bytes.NewReader(blob[:len(blob)/2]), idle{})
		if _, err := layer.Inspect(context.Background(), r, layer.DefaultLimits(0)); !errors.Is(err, layer.ErrSource) ||
			layer.Damaged(err) {
			t.Errorf("%s: error %v", encoding.kind, err)
		}
	}
}

// cancelling ends a context once n bytes were read, and counts what is read afterwards.
type cancelling struct {
	io.Reader
	n, after int
	cancel   context.CancelFunc
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.n <= 0 {
		c.after += n
	} else if c.n -= n; c.n <= 0 {
		c.cancel()
	}
	return n, err
}

func TestCancellationEndsTheInspection(t *testing.T) {
	random := make([]byte, 4<<20)
	for i, x := 0, uint32(1); i < len(random); i++ {
		x = x*1664525 + 1013904223
		random[i] = byte(x >> 24)
	}
	plain := tarOf(t, file("a", string(random)))
	for _, encoding := range encodings {
		blob := encoding.encode(t, plain)
		for _, n := range []int{1, 1 << 20} {
			ctx, cancel := context.WithCancel(context.Background())
			r := &cancelling{Reader: bytes.NewReader(blob), n: n, cancel: cancel}
			_, err := layer.Inspect(ctx, r, layer.DefaultLimits(int64(len(blob))))
			if !errors.Is(err, context.Canceled) || errors.Is(err, layer.ErrSource) || layer.Damaged(err) {
				t.Errorf("%s, cancelled after %d bytes: error %v", encoding.kind, n, err)
			}
			if r.after > 0 {
				t.Errorf("%s, cancelled after %d bytes: %d more were read", encoding.kind, n, r.after)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := layer.Inspect(ctx, bytes.NewReader(blob), layer.DefaultLimits(0)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled before: error %v", encoding.kind, err)
		}
	}
}
