package blob

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
)

// crashDir names the data folder to the child process that is going to be killed.
const crashDir = "STOWAGE_TEST_CRASH_DIR"

const crashChunk = 64 << 10 // bytes

// crashBlob is the blob that the child is killed in the middle of: 1000 chunks, no two alike.
func crashBlob() []byte {
	raw := make([]byte, 0, 1000*crashChunk)
	for i := range 1000 {
		raw = append(raw, bytes.Repeat(fmt.Appendf(nil, "%08d", i), crashChunk/8)...)
	}
	return raw
}

// crashLayer is the i-th of the small blobs that the child commits until it is killed.
func crashLayer(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%08d", i), 500) }

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := crash(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1) // it was to be killed before
	}
	os.Exit(m.Run())
}

// crash writes the large blob and commits small ones beside it, telling of each step, until it is killed.
func crash(dir string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	raw := crashBlob()
	w, err := s.Partials.Writer(image.DigestOf(raw), int64(len(raw)))
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if w.Offset() < w.size-crashChunk {
			if _, err := w.Write(raw[w.Offset() : w.Offset()+crashChunk]); err != nil {
				return err
			}
		}
		layer := crashLayer(i)
		var small *Writer
		if small, err = s.Partials.Writer(image.DigestOf(layer), int64(len(layer))); err == nil {
			if _, err = small.Write(layer); err == nil {
				err = small.Commit()
			}
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Println(i); err != nil {
			return err
		}
	}
}

func TestAKilledProcessLeavesWholeBlobsAndPartialsThatContinue(t *testing.T) {
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	child.Stderr = os.Stderr
	told, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	lines := bufio.NewScanner(told)
	for last < 30 && lines.Scan() {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	if err := child.Process.Kill(); err != nil { // SIGKILL, in the middle of whatever it does
		t.Fatal(err)
	}
	for lines.Scan() { // what it told before it died counts
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	_ = child.Wait() // it was killed
	if last < 30 {
		t.Fatalf("the child died by itself after step %d", last)
	}

	s := open(t, dir)
	wantLayout(t, dir)
	for i := range last + 1 {
		layer := crashLayer(i)
		wantBlob(t, s, image.DigestOf(layer), layer)
	}
	if _, err := s.Walk(t.Context(), func(d image.Digest, size int64, _ time.Time) error {
		_, err := s.ReadAll(d, size)
		return err
	}); err != nil {
		t.Fatalf("a wrong file among the blobs: %v", err)
	}
	raw := crashBlob()
	d := image.DigestOf(raw)
	w := writer(t, s, d, int64(len(raw)))
	if got := w.Offset(); got < int64(last+1)*crashChunk || got > int64(last+2)*crashChunk {
		t.Fatalf("the partial has %d bytes after %d chunks", got, last+1)
	}
	if _, err := io.Copy(w, bytes.NewReader(raw[w.Offset():])); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantBlob(t, s, d, raw)
}
