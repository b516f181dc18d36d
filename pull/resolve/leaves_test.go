package resolve

import (
	"context"
	"fmt"
	"testing"

	"github.com/stowage/stowage/image"
)

// tree makes documents whose digests are their names, which honest bytes could not do in a cycle.
type tree map[string][]image.Entry

func (t tree) doc(name string) image.Document {
	return image.Document{Digest: image.Digest(name), Index: &image.Index{Entries: t[name]}}
}

func (t tree) read(_ context.Context, d image.Descriptor) (image.Document, error) {
	return t.doc(string(d.Digest)), nil
}

func index(name string) image.Entry {
	return image.Entry{Kind: image.EntryIndex, Descriptor: image.Descriptor{Digest: image.Digest(name)}}
}

func img(name string) image.Entry {
	return image.Entry{Kind: image.EntryImage, Descriptor: image.Descriptor{Digest: image.Digest(name)}}
}

func TestLeavesFollowsNestedIndexesInOrder(t *testing.T) {
	all := tree{"top": {img("a"), index("one"), img("d")}, "one": {img("b"), index("two")}, "two": {img("c")}}
	got, err := leaves(t.Context(), all.doc("top"), all.read)
	if err != nil {
		t.Fatal(err)
	}
	var names string
	for _, l := range got {
		names += string(l.Digest)
		for _, p := range l.path {
			names += "<" + string(p.Digest)
		}
		names += " "
	}
	if want := "a b<one c<one<two d "; names != want {
		t.Errorf("leaves %q, want %q", names, want)
	}
}

func TestLeavesRefusesCyclesDepthAndNumbers(t *testing.T) {
	deep, wide, full := tree{}, tree{}, tree{}
	for i := range image.MaxIndexDepth + 1 {
		deep[fmt.Sprint(i)] = []image.Entry{index(fmt.Sprint(i + 1))}
	}
	for i := range maxNested + 1 {
		wide["top"] = append(wide["top"], index(fmt.Sprint(i)))
	}
	for i := range image.MaxEntries {
		full["more"] = append(full["more"], img(fmt.Sprint(i)))
	}
	full["top"] = []image.Entry{img("first"), index("more")}
	for _, tt := range []struct {
		name string
		tree tree
		top  string
		kind image.Kind
	}{
		{"itself", tree{"top": {index("top")}}, "top", image.Corrupt},
		{"each other", tree{"top": {index("one")}, "one": {index("top")}}, "top", image.Corrupt},
		{"too deep", deep, "0", image.TooLarge},
		{"too many indexes", wide, "top", image.TooLarge},
		{"too many entries", full, "top", image.TooLarge},
	} {
		if _, err := leaves(t.Context(), tt.tree.doc(tt.top), tt.tree.read); image.KindOf(err) != tt.kind {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.kind)
		}
	}
}
