package archive_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
)

// item is a line of manifest.json about an image whose blobs are in a layout.
func item(b sample.Built, names ...string) savedItem {
	i := savedItem{Config: "blobs/sha256/" + b.Blobs[0].Descriptor.Digest.Encoded(), RepoTags: names}
	for _, l := range b.Layers() {
		i.Layers = append(i.Layers, "blobs/sha256/"+l.Descriptor.Digest.Encoded())
	}
	return i
}

// saying is a layout with other directories: what is nil is left out, index.json where it is not a []v1.Descriptor as
// it is.
func saying(t *testing.T, images []sample.Built, index any, items []savedItem,
	repositories map[string]map[string]string) []entry {
	t.Helper()
	var all []named
	for _, b := range images {
		all = append(all, named{b, nil})
	}
	entries := without(layout(t, nil, all...), "index.json")
	switch index := index.(type) {
	case nil:
	case []v1.Descriptor:
		list := v1.Index{MediaType: v1.MediaTypeImageIndex, Manifests: index}
		list.SchemaVersion = 2
		entries = append(entries, jsonFile(t, "index.json", list))
	default:
		entries = append(entries, jsonFile(t, "index.json", index))
	}
	if items != nil {
		entries = append(entries, jsonFile(t, "manifest.json", items))
	}
	if repositories != nil {
		entries = append(entries, jsonFile(t, "repositories", repositories))
	}
	return entries
}

// called is an entry of index.json under a name.
func called(b sample.Built, annotations ...string) v1.Descriptor {
	d := b.Descriptor
	d.Annotations = map[string]string{}
	for i := 0; i < len(annotations); i += 2 {
		d.Annotations[annotations[i]] = annotations[i+1]
	}
	return d
}

// by is small by another author: another config over the same layers.
func by(author string) sample.Image {
	s := small()
	s.Author = author
	return s
}

// rewritten is an image's config and layers under another manifest.
func rewritten(t *testing.T, b sample.Built, change func(*v1.Manifest)) sample.Built {
	t.Helper()
	var m v1.Manifest
	if err := json.Unmarshal(b.Body, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	b.Body = raw
	b.Descriptor.Digest, b.Descriptor.Size = digest.FromBytes(raw), int64(len(raw))
	return b
}

// An archive is all that index.json, manifest.json and repositories say; images are joined by their configs, and names
// come from whichever has them. What is left out is said.
func TestAnArchiveIsEverythingThatItSays(t *testing.T) {
	const containerd, ref = "io.containerd.image.name", v1.AnnotationRefName
	a, b := built(t, by("a")), built(t, by("b"))
	twin := rewritten(t, a, func(m *v1.Manifest) { m.Annotations = map[string]string{"twin": "1"} })
	arm := by("arm")
	arm.Platform = linux("arm64")
	other := built(t, arm)
	multi := built(t, sample.Index{Entries: []sample.Source{by("a"), arm}})
	note := built(t, sample.Document("application/vnd.example.note"))
	both := []sample.Built{a, b}
	top := func(b sample.Built) string { return b.DiffIDs[len(b.DiffIDs)-1].Encoded() }
	hollow := rewritten(t, a, func(m *v1.Manifest) { m.Layers = []v1.Descriptor{} })
	missing := item(b, "form/b:1")
	missing.Config = "gone.json"

	for name, tt := range map[string]struct {
		entries []entry
		given   string
		want    map[string]sample.Built // the images by their names, as familiar ones; "": some digest of form/two
		says    string                  // of what is left out; empty: nothing is
		refused string
	}{
		"index.json names one of two": {
			entries: saying(t, both, []v1.Descriptor{called(a, containerd, "docker.io/form/a:1")},
				[]savedItem{item(a, "form/a:1"), item(b, "form/b:1")}, nil),
			want: map[string]sample.Built{"form/a:1": a, "form/b:1": b},
		},
		"manifest.json names one of two": {
			entries: saying(t, both, []v1.Descriptor{called(a, containerd, "docker.io/form/a:1"),
				called(b, containerd, "docker.io/form/b:1")}, []savedItem{item(a, "form/a:1")}, nil),
			want: map[string]sample.Built{"form/a:1": a, "form/b:1": b},
		},
		"manifests is null": {saying(t, both[:1], map[string]any{"schemaVersion": 2, "manifests": nil},
			[]savedItem{item(a, "form/a:1")}, nil), "", map[string]sample.Built{"form/a:1": a}, "", ""},
		"manifests is not there": {saying(t, both[:1], map[string]any{"schemaVersion": 2},
			[]savedItem{item(a, "form/a:1")}, nil), "", map[string]sample.Built{"form/a:1": a}, "", ""},
		"manifests is empty": {saying(t, both[:1], []v1.Descriptor{}, []savedItem{item(a, "form/a:1")}, nil), "",
			map[string]sample.Built{"form/a:1": a}, "", ""},
		"manifests is null, alone": {saying(t, both[:1], map[string]any{"schemaVersion": 2, "manifests": nil}, nil, nil),
			"form/a:1", nil, "", "holds no image"},
		"no index.json": {saying(t, both[:1], nil, []savedItem{item(a, "form/a:1")}, nil), "",
			map[string]sample.Built{"form/a:1": a}, "", ""},
		"no oci-layout": {without(saying(t, both[:1], []v1.Descriptor{called(a, ref, "form/a:1")}, nil, nil),
			"oci-layout"), "", map[string]sample.Built{"form/a:1": a}, "", ""},
		"no oci-layout, no OCI": {without(saying(t, both[:1], "hello", []savedItem{item(a, "form/a:1")}, nil),
			"oci-layout"), "", map[string]sample.Built{"form/a:1": a}, "index.json left out", ""},
		"two names of one image": {saying(t, both[:1], []v1.Descriptor{called(a, containerd, "docker.io/form/a:1")},
			[]savedItem{item(a, "form/a:2")}, nil), "", map[string]sample.Built{"form/a:1": a, "form/a:2": a}, "", ""},
		"a tag and a whole name": {saying(t, both[:1], []v1.Descriptor{called(a, ref, "1")},
			[]savedItem{item(a, "form/a:1")}, nil), "", map[string]sample.Built{"form/a:1": a}, "", ""},
		"containerd's name is it": {saying(t, both[:1],
			[]v1.Descriptor{called(a, containerd, "docker.io/form/a:1", ref, "2")}, nil, nil), "",
			map[string]sample.Built{"form/a:1": a}, "", ""},
		"a tag alone": {saying(t, both[:1], []v1.Descriptor{called(a, ref, "1")}, []savedItem{item(a)}, nil),
			"", nil, "", "a tag without a repository"},
		"a tag alone and a name": {saying(t, both[:1], []v1.Descriptor{called(a, ref, "1")}, []savedItem{item(a)}, nil),
			"form/a", map[string]sample.Built{"form/a:1": a}, "", ""},
		"no name anywhere": {saying(t, both[:1], []v1.Descriptor{a.Descriptor}, []savedItem{item(a)}, nil), "", nil,
			"", "does not say what its image"},
		"docker's name for none": {saying(t, both[:1], []v1.Descriptor{a.Descriptor},
			[]savedItem{item(a, "<none>:<none>")}, nil), "form/a:1", map[string]sample.Built{"form/a:1": a}, "", ""},
		"two without names": {saying(t, both, []v1.Descriptor{a.Descriptor}, []savedItem{item(a), item(b)}, nil),
			"form/two", map[string]sample.Built{"": b}, "", ""},
		"an index and its platform": {saying(t, []sample.Built{multi},
			[]v1.Descriptor{called(multi, containerd, "docker.io/form/a:1")},
			[]savedItem{item(a, "form/a:1"), item(other, "form/a:1", "form/a:2")}, nil), "",
			map[string]sample.Built{"form/a:1": multi, "form/a:2": multi}, "", ""},

		"one config of two manifests": {
			entries: saying(t, []sample.Built{a, twin},
				[]v1.Descriptor{called(a, containerd, "docker.io/form/a:1"), called(twin, containerd, "docker.io/form/b:1")},
				[]savedItem{item(a, "form/a:1", "form/b:1")}, nil),
			want: map[string]sample.Built{"form/a:1": a, "form/b:1": twin},
		},
		"one config, one name missing": {
			entries: saying(t, []sample.Built{a, twin},
				[]v1.Descriptor{called(a, containerd, "docker.io/form/a:1"), twin.Descriptor},
				[]savedItem{item(a, "form/a:1"), item(a, "form/b:1")}, nil),
			want: map[string]sample.Built{"form/a:1": a, "form/b:1": twin},
		},
		"a name of two images": {saying(t, both, []v1.Descriptor{called(a, containerd, "docker.io/form/a:1")},
			[]savedItem{item(b, "form/a:1")}, nil), "", nil, "", "calls two images form/a:1"},
		"a name of two in index.json": {saying(t, both,
			[]v1.Descriptor{called(a, ref, "form/a:1"), called(b, ref, "form/a:1")}, nil, nil), "", nil, "",
			"calls two images form/a:1"},
		"a manifest that lost its layers": {append(saying(t, both[:1],
			[]v1.Descriptor{called(hollow, containerd, "docker.io/form/a:1")}, []savedItem{item(a, "form/a:2")}, nil),
			file("blobs/sha256/"+hollow.Descriptor.Digest.Encoded(), hollow.Body)), "",
			map[string]sample.Built{"form/a:1": a, "form/a:2": a}, string(hollow.Descriptor.Digest) +
				" of index.json left out, its image is taken as manifest.json has it: layers from the manifest do not match", ""},
		"a manifest that is not there": {without(saying(t, both[:1],
			[]v1.Descriptor{called(a, containerd, "docker.io/form/a:1")}, []savedItem{item(a, "form/a:1")}, nil),
			a.Descriptor.Digest.Encoded()), "", map[string]sample.Built{"form/a:1": a}, "which is not in the archive", ""},
		"a manifest that nothing replaces": {without(saying(t, both,
			[]v1.Descriptor{called(a, containerd, "docker.io/form/a:1")}, []savedItem{item(b, "form/b:1")}, nil),
			a.Descriptor.Digest.Encoded()), "", nil, "", "which is not in the archive"},
		"a config that is not there": {saying(t, both,
			[]v1.Descriptor{called(a, ref, "form/a:1"), called(b, ref, "form/b:1")}, []savedItem{missing}, nil), "",
			map[string]sample.Built{"form/a:1": a, "form/b:1": b}, "gone.json of manifest.json left out", ""},
		"an image that is not there": {saying(t, both[:1], []v1.Descriptor{called(a, ref, "form/a:1")},
			[]savedItem{missing}, nil), "", nil, "", "which is not in the archive"},
		"something that is no image": {saying(t, []sample.Built{a, note},
			[]v1.Descriptor{called(a, ref, "form/a:1"), called(note, ref, "form/n:1")}, nil, nil), "",
			map[string]sample.Built{"form/a:1": a}, string(note.Descriptor.Digest) + " left out", ""},
		"a platform without a layer": {without(saying(t, []sample.Built{multi},
			[]v1.Descriptor{called(multi, ref, "form/a:1")}, []savedItem{item(a, "form/a:1"), item(other, "form/a:1")}, nil),
			other.Blobs[0].Descriptor.Digest.Encoded()), "", map[string]sample.Built{"form/a:1": multi}, "linux/arm64: " +
			string(other.Descriptor.Digest) + " left out", ""},
		"a platform without a manifest": {without(saying(t, []sample.Built{multi},
			[]v1.Descriptor{called(multi, ref, "form/a:1")}, nil, nil), other.Descriptor.Digest.Encoded()), "",
			map[string]sample.Built{"form/a:1": multi}, "linux/arm64: " + string(other.Descriptor.Digest) +
				" left out: the archive does not hold it", ""},

		"a name in repositories": {saying(t, both[:1], []v1.Descriptor{called(a, ref, "form/a:1")}, nil,
			map[string]map[string]string{"form/a": {"1": top(a), "2": top(a)}}), "",
			map[string]sample.Built{"form/a:1": a, "form/a:2": a}, "", ""},
		"a name of a layer that two have": {saying(t, both,
			[]v1.Descriptor{called(a, ref, "form/a:1"), called(b, ref, "form/b:1")}, nil,
			map[string]map[string]string{"form/a": {"1": top(a), "2": top(a)}}), "",
			map[string]sample.Built{"form/a:1": a, "form/b:1": b}, `"form/a:2" of repositories left out: 2 images`, ""},
		"a name in repositories of nothing there": {saying(t, both[:1], []v1.Descriptor{called(a, ref, "form/a:1")}, nil,
			map[string]map[string]string{"form/x": {"1": strings.Repeat("0", 64)}}), "", map[string]sample.Built{"form/a:1": a},
			`"form/x:1" of repositories left out: its image is not in the archive`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bed := newBed(t)
			if tt.refused != "" {
				bed.refused(tarOf(t, tt.entries...), tt.given, image.KindOf(refusal(t, tt.entries, tt.given)), tt.refused)
				return
			}
			job := bed.stores(tt.entries, tt.given)
			left := slices.DeleteFunc(slices.Clone(job.Outcome.Lines),
				func(line string) bool { return strings.HasPrefix(line, "Loaded image: ") })
			if tt.says == "" && len(left) > 0 ||
				tt.says != "" && !slices.ContainsFunc(left, func(line string) bool { return strings.Contains(line, tt.says) }) {
				t.Errorf("the lines %q do not say %q", job.Outcome.Lines, tt.says)
			}
			for name, want := range tt.want {
				if name == "" {
					if len(uploadOf(job).Images) != 2 {
						t.Errorf("%+v", uploadOf(job).Images)
					}
					continue
				}
				target := bed.target(name)
				id := want.Blobs
				if want.Descriptor.MediaType == v1.MediaTypeImageIndex {
					if target.Digest != want.Digest() {
						t.Errorf("%s is %s, not the index %s", name, target.Digest, want.Digest())
					}
				} else if len(target.Images) != 1 || target.Images[0].ID != id[0].Descriptor.Digest {
					t.Errorf("%s is %+v, not %s", name, target.Images, id[0].Descriptor.Digest)
				}
			}
			if len(uploadOf(job).Images) != max(len(tt.want), 1) && tt.want[""].Blobs == nil {
				t.Errorf("%d names are stored, not %d: %+v", len(uploadOf(job).Images), len(tt.want), uploadOf(job).Images)
			}
		})
	}
	t.Run("each keeps its own manifest", func(t *testing.T) {
		bed := newBed(t)
		bed.stores(saying(t, []sample.Built{a, twin},
			[]v1.Descriptor{called(a, ref, "form/a:1"), called(twin, ref, "form/b:1")},
			[]savedItem{item(a, "form/a:1", "form/b:1")}, nil), "")
		if got := bed.target("form/b:1").Digest; got != twin.Descriptor.Digest {
			t.Errorf("form/b:1 is %s", got)
		}
	})
}

// refusal gives the error of an archive that is to be refused.
func refusal(t *testing.T, entries []entry, given string) error {
	t.Helper()
	_, err := newBed(t).send(tarOf(t, entries...), given)
	if err == nil {
		t.Fatal("it was taken")
	}
	return err
}

// docker 1.10 to 24 wrote repositories beside manifest.json: a name that only that has is of the image with its newest
// layer.
func TestANameThatOnlyRepositoriesHasIsOfTheImageWithThatLayer(t *testing.T) {
	img := built(t, small())
	entries := saved(t, named{img, []string{"form/a:1"}})
	folder := strings.TrimSuffix(layerName(reversed(slices.Clone(entries))), "/layer.tar")
	entries = append(without(entries, "repositories"),
		jsonFile(t, "repositories", map[string]map[string]string{"form/a": {"1": folder}, "form/z": {"9": folder}}))
	b := newBed(t)
	b.stores(entries, "")
	if one, other := b.target("form/a:1").Digest, b.target("form/z:9").Digest; one != other {
		t.Errorf("%s and %s", one, other)
	}
}

func TestAFolderThatWasPackedByItsNameIsNamedAsThat(t *testing.T) {
	img := named{built(t, small()), []string{"app:1"}}
	for _, entries := range [][]entry{layout(t, nil, img), saved(t, img)} {
		for _, folder := range []string{"image/", "./my image/", "a/b/"} {
			packed := []entry{special('5', folder, "")}
			for _, e := range entries {
				e.header.Name = folder + e.header.Name
				packed = append(packed, e)
			}
			newBed(t).refused(tarOf(t, packed...), "", image.Invalid, "the folder was packed by its name")
		}
	}
}
