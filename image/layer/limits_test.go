package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stowage/stowage/image/layer"
)

func TestDefaultLimitsGrowWithTheBlob(t *testing.T) {
	for size, want := range map[int64]int64{
		0:             1 << 30,
		1 << 20:       1 << 30,
		100 << 20:     100 << 20 * 250,
		math.MaxInt64: math.MaxInt64,
	} {
		got := layer.DefaultLimits(size)
		if got != (layer.Limits{MaxBytes: want, MaxEntries: 1_000_000, MaxWindow: 128 << 20}) {
			t.Errorf("limits for %d bytes: %+v, want %d bytes", size, got, want)
		}
	}
}

func TestLimitsMustBePositive(t *testing.T) {
	for _, limits := range []layer.Limits{{}, {MaxBytes: 1, MaxEntries: 1}, {MaxBytes: 1, MaxWindow: 1},
		{MaxEntries: 1, MaxWindow: 1}} {
		if _, err := layer.Inspect(context.Background(), bytes.NewReader(nil), limits); err == nil || layer.Damaged(err) {
			t.Errorf("%+v: error %v", limits, err)
		}
	}
}

func TestBombsAreRefused(t *testing.T) {
	limits := layer.Limits{MaxBytes: 4 << 20, MaxEntries: 100, MaxWindow: 8 << 20}
	zeros := make([]byte, 16<<20)
	manyFiles := make([]entry, 101)
	manyHeaders := make([]entry, 101)
	for i := range manyFiles {
		manyFiles[i] = file(fmt.Sprint(i), "")
		manyHeaders[i] = entry{tar.Header{Typeflag: tar.TypeXGlobalHeader,
			PAXRecords: map[string]string{"comment": fmt.Sprint(i)}}, ""}
	}
	tests := map[string]struct {
		tar  []byte
		want error
	}{
		"one large file":      {tarOf(t, file("zeros", string(zeros))), layer.ErrTooLarge},
		"padding without end": {join(tarOf(t), zeros), layer.ErrTooLarge},
		"files that add up": {tarOf(t, file("a", string(zeros[:3<<20])), file("b", string(zeros[:3<<20]))),
			layer.ErrTooLarge},
		"holes": {paxSparse("s", 1<<60, "x"), layer.ErrTooLarge},
		"holes that overflow a sum": {join(gnuSparse("a", 3<<20, "x"), paxSparse("b", math.MaxInt64, "x")),
			layer.ErrTooLarge},
		"entries":        {tarOf(t, manyFiles...), layer.ErrTooManyEntries},
		"global headers": {tarOf(t, manyHeaders...), layer.ErrTooManyEntries},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, encoding := range encodings {
				r := bytes.NewReader(encoding.encode(t, test.tar))
				if _, err := layer.Inspect(context.Background(), r, limits); !errors.Is(err, test.want) || layer.Damaged(err) {
					t.Errorf("%s: error %v, want %v", encoding.kind, err, test.want)
				}
			}
		})
	}
}

func TestLimitsAreInclusive(t *testing.T) {
	plain := tarOf(t, file("a", "1"), file("b", "2"))
	exact := layer.Limits{MaxBytes: int64(len(plain)), MaxEntries: 2, MaxWindow: 8 << 20}
	for _, encoding := range encodings {
		blob := encoding.encode(t, plain)
		if _, err := layer.Inspect(context.Background(), bytes.NewReader(blob), exact); err != nil {
			t.Errorf("%s at the limits: %v", encoding.kind, err)
		}
		less := exact
		less.MaxBytes--
		if _, err := layer.Inspect(context.Background(), bytes.NewReader(blob), less); !errors.Is(err, layer.ErrTooLarge) {
			t.Errorf("%s one byte over: %v", encoding.kind, err)
		}
	}
}

func TestZstdFramesThatAskForMuchMemoryAreRefused(t *testing.T) {
	frames := map[string][]byte{
		"a window of 1 GiB":         {0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 1, 0, 0},
		"a single segment of 1 TiB": {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0},
	}
	for name, frame := range frames {
		var err error
		if peak := peakMemory(func(sample func()) { _, err = inspect(frame); sample() }); peak > 8<<20 {
			t.Errorf("%s: %d bytes of memory", name, peak)
		}
		if !errors.Is(err, layer.ErrTooLarge) || layer.Damaged(err) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// The window bounds a frame's memory, not its content.
func TestZstdContentMayExceedTheWindow(t *testing.T) {
	plain := tarOf(t, file("a", strings.Repeat("content ", 1<<20)))
	limits := layer.Limits{MaxBytes: 64 << 20, MaxEntries: 10, MaxWindow: 8 << 20}
	got, err := layer.Inspect(context.Background(), bytes.NewReader(zstdCompressed(t, join(plain, plain))), limits)
	if err != nil || got.TarSize != int64(2*len(plain)) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// peakMemory runs work and returns by how much the heap in use grew at most, in bytes, at the moments that work
// samples.
func peakMemory(work func(sample func())) uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapInuse, m.HeapInuse
	work(func() {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	})
	return peak - before
}

// repeated serves what part returns for 0, 1, 2 and so on until it returns nil, and samples at every read.
type repeated struct {
	part   func(i int) []byte
	sample func()

	i    int
	rest []byte
}

func (r *repeated) Read(p []byte) (int, error) {
	r.sample()
	n := 0
	for n < len(p) {
		if len(r.rest) == 0 {
			if r.rest = r.part(r.i); r.rest == nil {
				return n, io.EOF
			}
			r.i++
		}
		m := copy(p[n:], r.rest)
		r.rest = r.rest[m:]
		n += m
	}
	return n, nil
}

// times is part, n times.
func times(n int, part []byte) func(int) []byte {
	return func(i int) []byte {
		if i < n {
			return part
		}
		return nil
	}
}

func TestMemoryStaysBounded(t *testing.T) {
	zeros := gzipped(t, make([]byte, 16<<20))
	var records strings.Builder
	for i := 0; records.Len() < 1<<20-100; i++ {
		records.WriteString(paxRecord(fmt.Sprintf("k%d", i), "v"))
	}
	empty := rawEntry(tar.TypeReg, "f", nil, nil)
	header := join(rawEntry(tar.TypeXHeader, "x", []byte(records.String()), nil), empty)
	longName := join(rawEntry(tar.TypeGNULongName, "x", bytes.Repeat([]byte("n"), 1<<20), nil), empty)

	limits := layer.Limits{MaxBytes: 64 << 20, MaxEntries: 1000, MaxWindow: 8 << 20}
	tests := map[string]struct {
		part func(i int) []byte
		want error
		most uint64
	}{
		"64 MiB of zeros from 64 KiB": {times(5, zeros), layer.ErrTooLarge, 4 << 20},
		"10 headers of 1 MiB":         {times(10, header), nil, 64 << 20},
		"20 names of 1 MiB":           {times(20, longName), nil, 24 << 20},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var err error
			peak := peakMemory(func(sample func()) {
				_, err = layer.Inspect(context.Background(), &repeated{part: test.part, sample: sample}, limits)
			})
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			t.Logf("peak %.1f MiB", float64(peak)/(1<<20))
			if peak > test.most {
				t.Errorf("%.1f MiB of memory, want at most %d", float64(peak)/(1<<20), test.most>>20)
			}
		})
	}
}
