package storage

import (
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/migrations"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
)

// reasons returns why the images and the layers of a tag are broken.
func (s *testShelf) reasons(tag string) (reasons []image.Text) {
	s.t.Helper()
	target, err := s.Images.Target(s.t.Context(), tagRef(s.t, tag))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, i := range target.Images {
		reasons = append(reasons, i.Broken)
		layers, err := s.Images.ImageLayers(s.t.Context(), i.Manifest)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, l := range layers {
			if !l.Problem.Empty() {
				reasons = append(reasons, l.Problem)
			}
		}
	}
	return reasons
}

func TestWhyAnImageIsBrokenIsKeptAsATextToTranslate(t *testing.T) {
	s := newShelf(t)
	s.Source["cut"], s.Source["wrong"] = sample.Truncated(), sample.WrongDiffID()
	s.pull("cut:1=cut amd64")
	s.pull("wrong:1=wrong amd64")
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	cut, wrong := s.reasons("cut:1"), s.reasons("wrong:1")
	if len(cut) != 2 || cut[0].Format != "layer %s cannot be unpacked: %s" || cut[0].Args[1].String() != cut[1].String() || cut[1].Format == "" {
		t.Errorf("a layer that is cut off: %+v", cut)
	}
	if len(wrong) != 1 || wrong[0].Format == "" || len(wrong[0].Args) != 3 {
		t.Errorf("a wrong diff ID: %+v", wrong)
	}

	// What an older version has kept is shown as it is, and worded anew when the new version has started.
	for _, old := range []string{
		`UPDATE images SET broken = 'a sentence of old {'`, `UPDATE layers SET problem = 'layer is truncated' WHERE state = 'broken'`, `UPDATE listing SET broken = 'a sentence of old {'`,
	} {
		if _, err := (writing{s.folder.db}).ExecContext(t.Context(), old); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.reasons("wrong:1"); len(got) != 1 || got[0].String() != "a sentence of old {" {
		t.Errorf("an old sentence is read as %+v", got)
	}
	again, err := migrations.FS.ReadFile("0012_reasons.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (writing{s.folder.db}).ExecContext(t.Context(), string(again)); err != nil {
		t.Fatal(err)
	}
	s.reopen()
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string][]image.Text{"cut:1": cut, "wrong:1": wrong} {
		got := s.reasons(tag)
		if len(got) != len(want) || got[0].String() != want[0].String() || got[0].Format != want[0].Format {
			t.Errorf("%s after the migration: %+v, want %+v", tag, got, want)
		}
	}
	rows, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 2})
	if err != nil || rows[0].Broken.Format == "" || rows[1].Broken.Format == "" {
		t.Errorf("the list has %+v, %v", rows, err)
	}
}
