package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stowage/stowage/image"
)

// packed is the ID of the image in testdata.
const packed = "sha256:8dfd7a874f468d57eea106afe0d1eceafa83dee2fef4bb99ec678a2e44b3df3e"

// testdata/saved.tar.* is what docker save writes, packed by xz 5.4 and bzip2 1.0; in layers.tar.gz the layers are,
// each by one of them. docker load takes all three.
func TestAnArchiveMayBePackedAsDockerLoadTakesIt(t *testing.T) {
	for _, name := range []string{"saved.tar.xz", "saved.tar.bz2", "layers.tar.gz"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		b := newBed(t)
		job, err := b.send(raw, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if target := b.target("packed/app:1"); len(target.Images) != 1 || target.Images[0].ID != packed ||
			target.Images[0].Unpacked != 4 || !job.Outcome.Newer {
			t.Errorf("%s: %+v", name, target)
		}
		newBed(t).refused(raw[:len(raw)*2/3], "", image.Corrupt, "")
	}
}

// A stream that is padded with zero bytes is whole.
func TestZeroBytesAfterAPackedArchiveAreReadOver(t *testing.T) {
	img := named{built(t, small()), []string{"app:1"}}
	b := newBed(t)
	if _, err := b.send(append(gzipped(t, tarOf(t, saved(t, img)...)), make([]byte, 1000)...), ""); err != nil {
		t.Error(err)
	}
	b.target("app:1")
	newBed(t).refused(append(bytes.Clone(gzipped(t, tarOf(t, saved(t, img)...))), "\x00\x00more"...), "", image.Corrupt,
		"damaged")
}
