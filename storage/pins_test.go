package storage

import (
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

func TestATagPinsTheDigestThatItPointsTo(t *testing.T) {
	s, c := newUndoShelf(t)
	s.pull("ubuntu:22.04=jammy amd64 arm64")
	pin, err := s.Tags.Pin(t.Context(), tagRef(t, "ubuntu:22.04"), "  production\n", image.ActorNamed("mira"))
	if err != nil || pin.Note != "production" || pin.By != "mira" || !pin.At.Equal(c.now()) || s.Word(pin.Reference) != "ubuntu@jammy" {
		t.Fatalf("pin %+v, %v", pin, err)
	}
	s.pull("ubuntu:22.04=jammy-next amd64")
	if now, err := s.Tags.PinOf(t.Context(), tagRef(t, "ubuntu:22.04")); err != nil || now != nil {
		t.Errorf("the tag's new digest is pinned: %+v, %v", now, err)
	}
	if old, err := s.Tags.PinOf(t.Context(), pin.Reference); err != nil || old == nil || *old != pin {
		t.Errorf("the old digest has the pin %+v (%v), want %+v", old, err, pin)
	}
	list, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 10})
	if err != nil || len(list) != 2 {
		t.Fatalf("list %+v, %v", list, err)
	}
	s.pinnedRows("ubuntu@" + string(s.Build("jammy").Digest()))
	for _, architecture := range []string{"amd64", "arm64"} {
		if pins, err := s.Tags.PinsOfImage(t.Context(), s.ID("jammy", architecture)); err != nil || !slices.Equal(pins, []shelf.Pin{pin}) {
			t.Errorf("pins of the image for %s: %+v, %v", architecture, pins, err)
		}
	}
	if pins, err := s.Tags.PinsOfImage(t.Context(), s.ID("jammy-next", "amd64")); err != nil || len(pins) != 0 {
		t.Errorf("pins of the new image: %+v, %v", pins, err)
	}
}

// pinnedRows holds the rows of the list that are marked as pinned against their names.
func (s *testShelf) pinnedRows(want ...string) {
	s.t.Helper()
	if err := s.Unpacker.AwaitUnpacked(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	names, err := database.RowsOf(s.t.Context(), s.folder.db, database.ScanString, `SELECT name FROM listing WHERE pinned ORDER BY name`)
	if err != nil || !slices.Equal(names, want) {
		s.t.Errorf("marked as pinned: %q (%v), want %q", names, err, want)
	}
	s.same("the list", s.dump(dumpListing), s.relisted())
}

func TestPinningAgainReplacesTheNote(t *testing.T) {
	s, c := newUndoShelf(t)
	s.fill([]string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64", "redis:7=redis amd64", "pin ubuntu:22.04 first"})
	c.move(1)
	s.fill([]string{"pin ubuntu:latest second", "pin redis:7 "})
	pins, total, err := s.Tags.Pins(t.Context(), 1)
	if err != nil || total != 2 || len(pins) != 1 {
		t.Errorf("%d of %d pins (%v), want 1 of 2", len(pins), total, err)
	}
	if pins, _, err = s.Tags.Pins(t.Context(), 10); err != nil || len(pins) != 2 {
		t.Fatalf("pins %+v, %v", pins, err)
	}
	if ubuntu := pins[slices.IndexFunc(pins, func(p shelf.Pin) bool { return p.Reference.Repository.Familiar() == "ubuntu" })]; ubuntu.Note != "second" {
		t.Errorf("pin %+v", ubuntu)
	}
	s.pinnedRows("redis:7", "ubuntu:22.04", "ubuntu:latest")
}

func TestUnpinning(t *testing.T) {
	s := newShelf(t)
	s.fill([]string{"redis:7=redis amd64", "pin redis:7 "})
	if err := s.Tags.Unpin(t.Context(), s.Item("redis@redis", "").Reference, image.ActorNamed("mira")); err != nil {
		t.Fatal(err)
	}
	s.pinnedRows()
	for _, name := range []string{"redis:7", "redis:8"} {
		if err := s.Tags.Unpin(t.Context(), tagRef(t, name), image.ActorNamed("mira")); image.KindOf(err) != image.NotFound {
			t.Errorf("unpinning %s: %v, want not found", name, err)
		}
		if pin, err := s.Tags.PinOf(t.Context(), tagRef(t, name)); err != nil || pin != nil {
			t.Errorf("pin of %s: %+v, %v", name, pin, err)
		}
	}
	s.removeTag("redis:7")
	s.check(nil)
}

func TestWhatCannotBePinned(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7=redis amd64")
	long := strings.Repeat("가", shelf.MaxPinNote)
	if pin, err := s.Tags.Pin(t.Context(), tagRef(t, "redis:7"), long, image.ActorNamed("mira")); err != nil || pin.Note != long {
		t.Errorf("a note of %d characters: %v", shelf.MaxPinNote, err)
	}
	for _, tt := range []struct {
		name, note string
		want       image.Kind
	}{
		{"redis:8", "", image.NotFound}, {"redis:7", long + "나", image.Invalid}, {"redis:7", "\xff", image.Invalid},
	} {
		if _, err := s.Tags.Pin(t.Context(), tagRef(t, tt.name), tt.note, image.ActorNamed("mira")); image.KindOf(err) != tt.want {
			t.Errorf("pinning %s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestAPinThatForceTookComesBack(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"redis:7=redis amd64", "pin redis:7 cache"})
	done := s.delete(true, "redis:7")
	if _, total, err := s.Tags.Pins(t.Context(), 1); err != nil || total != 0 {
		t.Errorf("%d pins are left, %v", total, err)
	}
	s.undo(done.ID)
	s.pinnedRows("redis:7")
}
