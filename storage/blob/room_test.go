package blob

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

const megabyte = 1 << 20

// smallDisk is a volume of so many bytes for the store alone, and for whatever others write to it.
type smallDisk struct {
	store  *Store
	total  int64
	others int64
}

// onSmallDisk puts the store on a volume of so many bytes, of which a part stays free.
func onSmallDisk(t *testing.T, total, reserve int64) *smallDisk {
	t.Helper()
	d := &smallDisk{store: open(t, t.TempDir()), total: total}
	d.store.Volume.KeepFree(reserve)
	d.store.Volume.Measure(func(dir string) (free, size uint64, err error) {
		used := d.others
		err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return ignoreMissing(err)
			}
			info, err := e.Info()
			if err == nil {
				used += info.Size()
			}
			return ignoreMissing(err)
		})
		return uint64(max(0, d.total-used)), uint64(d.total), err
	})
	return d
}

// left returns what can still be promised, in megabytes, rounded up: the small files of the layout do not count.
func (d *smallDisk) left(t *testing.T) int64 {
	t.Helper()
	r, err := d.store.Volume.Room()
	if err != nil {
		t.Fatal(err)
	}
	return (r.Left() + megabyte - 1) / megabyte
}

// wanted is a blob of so many megabytes.
func wanted(content byte, size int64) (image.Descriptor, []byte) {
	raw := bytes.Repeat([]byte{content}, int(size*megabyte))
	return image.Descriptor{Digest: image.DigestOf(raw), Size: int64(len(raw))}, raw
}

func TestABlobIsReservedOnceHoweverManyWantIt(t *testing.T) {
	d := onSmallDisk(t, 20*megabyte, 4*megabyte)
	layer, raw := wanted('a', 10)
	first, err := d.store.ReserveBlobs([]image.Descriptor{layer, layer}, nil)
	if err != nil || d.left(t) != 6 {
		t.Fatalf("%v, %d MB left", err, d.left(t))
	}
	second, err := d.store.ReserveBlobs([]image.Descriptor{layer}, nil)
	if err != nil || d.left(t) != 6 {
		t.Fatalf("%v, %d MB left for the second", err, d.left(t))
	}
	w := writer(t, d.store, layer.Digest, layer.Size)
	for part := range 10 { // what is written is not promised any more
		write(t, w, raw[part*megabyte:(part+1)*megabyte])
		if d.left(t) != 6 {
			t.Fatalf("%d MB left after %d MB", d.left(t), part+1)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	first()
	first()
	second()
	if r, err := d.store.Volume.Room(); err != nil || r.Promised != 0 || d.left(t) != 6 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWhatDoesNotFitBesideWhatIsReservedIsRefusedWithWhatIsMissing(t *testing.T) {
	d := onSmallDisk(t, 20*megabyte, 4*megabyte)
	one, _ := wanted('a', 10)
	other, _ := wanted('b', 10)
	release, err := d.store.ReserveBlobs([]image.Descriptor{one}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.store.ReserveBlobs([]image.Descriptor{other}, nil)
	wantKind(t, err, image.DiskFull)
	if text := err.Error(); !strings.Contains(text, "10.49MB more are needed") || !strings.Contains(text, "beside the 10.49MB") || !strings.Contains(text, "4.194MB are missing") {
		t.Errorf("%v", err)
	}
	_, err = d.store.Partials.Writer(other.Digest, other.Size)
	wantKind(t, err, image.DiskFull)
	wantEmptyIngest(t, d.store)
	release()
	if release, err = d.store.ReserveBlobs([]image.Descriptor{other}, nil); err != nil {
		t.Fatal(err)
	}
	release()
}

func TestOnlyWhatIsMissingOfABlobIsReserved(t *testing.T) {
	d := onSmallDisk(t, 20*megabyte, 4*megabyte)
	layer, raw := wanted('a', 10)
	w := writer(t, d.store, layer.Digest, layer.Size)
	write(t, w, raw[:6*megabyte])
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if d.left(t) != 10 {
		t.Fatalf("%d MB left beside what an attempt has left", d.left(t))
	}
	release, err := d.store.ReserveBlobs([]image.Descriptor{layer}, nil)
	if err != nil || d.left(t) != 6 {
		t.Fatalf("%v, %d MB left", err, d.left(t))
	}
	defer release()
	w = writer(t, d.store, layer.Digest, layer.Size)
	if err := w.Restart(); err != nil || d.left(t) != 6 { // what was there is to be written anew
		t.Errorf("%v, %d MB left", err, d.left(t))
	}
}

func TestAReservationIsUsedUpFirst(t *testing.T) {
	d := onSmallDisk(t, 20*megabyte, 4*megabyte)
	all, err := d.store.Volume.Reserve(12 * megabyte)
	if err != nil || d.left(t) != 4 {
		t.Fatalf("%v, %d MB left", err, d.left(t))
	}
	layer, _ := wanted('a', 10)
	release, err := d.store.ReserveBlobs([]image.Descriptor{layer}, all)
	if err != nil || d.left(t) != 4 {
		t.Fatalf("%v, %d MB left", err, d.left(t))
	}
	all.Release()
	if d.left(t) != 6 {
		t.Errorf("%d MB left without what was not used", d.left(t))
	}
	release()
	if d.left(t) != 16 {
		t.Errorf("%d MB left at the end", d.left(t))
	}
}

// Somebody else may write to the volume, too, whatever was promised.
func TestTheReserveStaysFreeWhileOthersFillTheVolume(t *testing.T) {
	d := onSmallDisk(t, 20*megabyte, 4*megabyte)
	layer, raw := wanted('a', 10)
	w := writer(t, d.store, layer.Digest, layer.Size)
	write(t, w, raw[:2*megabyte])
	d.others = 13 * megabyte
	if _, err := w.Write(raw[2*megabyte : 4*megabyte]); image.KindOf(err) != image.DiskFull || w.Offset() != 2*megabyte {
		t.Fatalf("%v after %d bytes", err, w.Offset())
	}
	d.others = 0
	write(t, w, raw[2*megabyte:])
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestAnUploadReservesWhatWasAnnouncedAndMoreAsItGrows(t *testing.T) {
	d := onSmallDisk(t, 20*megabyte, 4*megabyte)
	_, err := d.store.NewStage(17 * megabyte)
	wantKind(t, err, image.DiskFull)
	wantEmptyIngest(t, d.store)
	g, err := d.store.NewStage(10 * megabyte)
	if err != nil || d.left(t) != 6 {
		t.Fatalf("%v, %d MB left", err, d.left(t))
	}
	_, raw := wanted('a', 12)
	if _, err := g.Add(context.Background(), bytes.NewReader(raw), -1); err != nil || d.left(t) != 4 {
		t.Fatalf("%v, %d MB left", err, d.left(t))
	}
	_, err = g.Add(context.Background(), bytes.NewReader(raw), -1) // as much again, of which nobody knew
	wantKind(t, err, image.DiskFull)
	if d.left(t) < 4 {
		t.Errorf("%d MB left", d.left(t))
	}
	if err := g.Discard(); err != nil || d.left(t) != 16 {
		t.Errorf("%v, %d MB left at the end", err, d.left(t))
	}
}

func TestTheBallastIsAPartOfTheReserve(t *testing.T) {
	d := onSmallDisk(t, 100*megabyte, 32*megabyte)
	before := d.left(t)
	d.store.Volume.LayBallast()
	r, err := d.store.Volume.Room()
	if err != nil || r.Ballast != 8*megabyte || d.left(t) != before {
		t.Fatalf("%+v, %v", r, err)
	}
	info, err := os.Stat(filepath.Join(d.store.Folder.dir, BallastName))
	if err != nil || blocks(info) < r.Ballast {
		t.Fatalf("the file has %d bytes of blocks, %v", blocks(info), err)
	}
	if d.store.Volume.YieldBallast() {
		t.Error("it is given up although there is room")
	}
	d.others = 92 * megabyte // and with the ballast all of it
	if !d.store.Volume.YieldBallast() || d.store.Volume.YieldBallast() {
		t.Error("it is not given up once")
	}
	d.store.Volume.LayBallast()
	if r, err = d.store.Volume.Room(); err != nil || r.Ballast != 0 || !r.Low() {
		t.Errorf("laid on a full volume: %+v, %v", r, err)
	}
	d.others = 0
	d.store.Volume.LayBallast()
	if r, err = d.store.Volume.Room(); err != nil || r.Ballast != 8*megabyte || r.Low() {
		t.Errorf("not laid again: %+v, %v", r, err)
	}
}

func TestTheBallastOfAnEarlierProcessCounts(t *testing.T) {
	d := onSmallDisk(t, 100*megabyte, 32*megabyte)
	d.store.Volume.LayBallast()
	d.others = 64 * megabyte // the ballast makes up for what is missing of the reserve
	before, err := d.store.Volume.Room()
	if err != nil || before.Low() {
		t.Fatalf("%+v, %v", before, err)
	}
	d.store.Volume.ballast = &ballast{path: d.store.Volume.ballast.path} // as after a restart
	d.store.Volume.LayBallast()
	if after, err := d.store.Volume.Room(); err != nil || after != before {
		t.Errorf("%+v, before %+v, %v", after, before, err)
	}
}

func TestTheDefaultReserveSuitsTheVolume(t *testing.T) {
	for total, want := range map[int64]int64{
		64 * megabyte: 16 * megabyte, 300 * megabyte: 32 * megabyte, 10 << 30: 512 * megabyte, 1 << 40: 1 << 30,
	} {
		if got := defaultReserve(total); got != want {
			t.Errorf("of %d MB %d MB stay free, want %d MB", total/megabyte, got/megabyte, want/megabyte)
		}
	}
}
