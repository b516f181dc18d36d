package storage

import (
	"slices"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
)

// listedAs is an image that an index lists for a platform of its own choice; nil: for none.
type listedAs struct {
	sample.Image
	platform *v1.Platform
}

func (l listedAs) Build() (sample.Built, error) {
	b, err := l.Image.Build()
	b.Descriptor.Platform = l.platform
	return b, err
}

func platformOf(t *testing.T, s string) *v1.Platform {
	t.Helper()
	p, err := image.ParsePlatform(s)
	if err != nil {
		t.Fatal(err)
	}
	return &v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}
}

// listing puts an index on the shelf, with all of its images. Each is "NAME config-platform index-platform", where "-" is none;
// equal names are one image.
func (s *testShelf) listing(reference string, entries ...string) sample.Built {
	s.t.Helper()
	var index sample.Index
	for _, e := range entries {
		words := strings.Fields(e)
		img := s.NewImage("amd64", words[0])
		img.Platform = v1.Platform{}
		if words[1] != "-" {
			img.Platform = *platformOf(s.t, words[1])
			if strings.Count(words[1], "/") == 1 {
				img.Platform.Variant = "" // as configs leave it out
			}
		}
		l := listedAs{Image: img}
		if words[2] != "-" {
			l.platform = platformOf(s.t, words[2])
		}
		index.Entries = append(index.Entries, l)
	}
	b, err := index.Build()
	if err != nil {
		s.t.Fatal(err)
	}
	p := shelf.Pulled{Reference: tagRef(s.t, reference), Target: s.document(b), By: image.ActorNamed("mira")}
	for i, m := range b.Children {
		for _, blob := range m.Blobs {
			s.put(blob.Descriptor.Digest, blob.Data)
		}
		doc := s.document(m)
		if slices.ContainsFunc(p.Images, func(i shelf.PulledImage) bool { return i.Document.Digest == doc.Digest }) {
			continue
		}
		config, err := image.ParseConfig(m.Blobs[0].Data, doc.Manifest)
		if err != nil {
			s.t.Fatal(err)
		}
		as := p.Target.Index.Entries[i].Platform
		if !as.Known() {
			as = config.Platform()
		}
		p.Images = append(p.Images, shelf.PulledImage{Document: doc, Config: config, Platform: as})
	}
	if _, err := s.Recorder.Record(s.t.Context(), p); err != nil {
		s.t.Fatal(err)
	}
	return b
}

func words(images []shelf.Image) (all []string) {
	for _, i := range images {
		word := i.Platform.String()
		if i.Misnamed() {
			word += "!" + i.Own.String()
		}
		all = append(all, word)
	}
	return all
}

func TestAnImageIsForThePlatformsThatItsIndexSays(t *testing.T) {
	for name, c := range map[string]struct{ entries, want []string }{
		"the config says another one":         {[]string{"a linux/amd64 linux/amd64", "b linux/amd64 linux/arm64"}, []string{"linux/amd64", "linux/arm64!linux/amd64"}},
		"the index is silent":                 {[]string{"a linux/arm64 -"}, []string{"linux/arm64"}},
		"both are silent":                     {[]string{"a - -"}, []string{""}},
		"the config is silent":                {[]string{"a - linux/arm64"}, []string{"linux/arm64"}},
		"the config leaves the variant out":   {[]string{"a linux/arm linux/arm/v6"}, []string{"linux/arm/v6"}},
		"the config says another variant":     {[]string{"a linux/arm/v7 linux/arm/v6"}, []string{"linux/arm/v6!linux/arm/v7"}},
		"one image for two platforms":         {[]string{"a linux/amd64 linux/amd64", "a linux/amd64 linux/386"}, []string{"linux/amd64", "linux/386!linux/amd64"}},
		"one image twice for one platform":    {[]string{"a linux/amd64 linux/amd64", "a linux/amd64 linux/amd64"}, []string{"linux/amd64"}},
		"one image, once without a platform":  {[]string{"a linux/amd64 -", "a linux/amd64 linux/arm64"}, []string{"linux/amd64", "linux/arm64!linux/amd64"}},
		"versions that are not of one word":   {[]string{"a darwin/arm64 darwin(macOS%2012.6)/arm64", "b darwin/arm64 darwin(macOS%2013.5)/arm64"}, []string{"darwin(macOS%2012.6)/arm64", "darwin(macOS%2013.5)/arm64"}},
		"a version that only the index knows": {[]string{"a windows/amd64 windows(10.0.1)/amd64"}, []string{"windows(10.0.1)/amd64"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.listing("app:1", c.entries...)
			target, err := s.Images.Target(t.Context(), tagRef(t, "app:1"))
			if got := words(target.Images); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			stored, err := s.Images.Resolved(t.Context(), tagRef(t, "app:1"))
			if err != nil || len(stored.Images) != len(c.want) {
				t.Errorf("a pull finds %+v, %v", stored.Images, err)
			}
			for i, p := range stored.Images {
				if !p.Platform.Known() {
					continue
				}
				rows, total, err := s.Lists.List(t.Context(), shelf.Query{Platform: p.Platform, Limit: 10})
				if err != nil || total != 1 || len(rows[0].Platforms) != len(c.want) || rows[0].Platforms[i] != p.Platform {
					t.Errorf("the list for %s has %d rows, %+v", p.Platform, total, rows)
				}
			}
		})
	}
}

func TestTwoIndexesCanCallAnImageDifferently(t *testing.T) {
	s := newShelf(t)
	first := s.listing("app:1", "a linux/amd64 linux/arm64")
	s.listing("app:2", "a linux/amd64 linux/amd64", "b linux/amd64 linux/386")
	manifest := first.Children[0].Digest()
	for tag, want := range map[string]string{"app:1": "linux/arm64", "app:2": "linux/amd64"} {
		target, err := s.Images.Target(t.Context(), tagRef(t, tag))
		if err != nil || target.Images[0].Platform.String() != want || target.Images[0].Manifest != manifest {
			t.Errorf("%s: %q, %v", tag, words(target.Images), err)
		}
	}
	names, err := s.Images.NamesOf(t.Context(), s.imageOf(manifest).ID, 10)
	if err != nil || names.Called[tagRef(t, "app:1")].String() != "linux/arm64" || names.Called[tagRef(t, "app:2")].String() != "linux/amd64" {
		t.Errorf("its names: %+v, %v", names, err)
	}
	s.folder.blobs.Damage(manifest)
	damaged, _, err := s.Blobs.Damaged(t.Context(), 10, 10)
	if err != nil || len(damaged) != 1 || len(damaged[0].Needs) != 2 || damaged[0].Needs[0].Platforms[0].String() != "linux/arm64" || damaged[0].Needs[1].Platforms[0].String() != "linux/amd64" {
		t.Errorf("what needs it: %+v, %v", damaged, err)
	}
}

// imageOf returns a stored image as it is by itself.
func (s *testShelf) imageOf(manifest image.Digest) shelf.Image {
	s.t.Helper()
	images, err := reachableImages(s.t.Context(), s.folder.db, manifest)
	if err != nil || len(images) != 1 {
		s.t.Fatalf("%s: %v, %v", manifest, images, err)
	}
	return images[0]
}

func TestAManifestThatOnlyAnIndexKnowsIsFoundUnderWhatTheIndexCallsIt(t *testing.T) {
	s := newShelf(t)
	b := s.listing("app:1", "a linux/amd64 linux/amd64", "b linux/amd64 linux/arm64")
	index, img, err := s.Images.Within(t.Context(), tagRef(t, "app:1").WithTag("").WithDigest(b.Children[1].Digest()))
	if err != nil || index.Digest != b.Digest() || img.Platform.String() != "linux/arm64" {
		t.Errorf("%s, %+v, %v", index, img, err)
	}
}

func TestDeletingAPlatformIsDeletingWhatTheIndexCallsSo(t *testing.T) {
	s := newShelf(t)
	b := s.listing("app:1", "a linux/amd64 linux/amd64", "b linux/amd64 linux/arm64", "c linux/amd64 linux/386", "c linux/amd64 linux/s390x")
	arm := image.Platform{OS: "linux", Architecture: "arm64"}
	plan, err := s.remove(t.Context(), shelf.Remove(shelf.RemovalItem{Reference: tagRef(t, "app:1"), Platform: arm}))
	if err != nil || len(plan.Deleted) != 1 || plan.Deleted[0].Manifest != b.Children[1].Digest() || plan.Deleted[0].Platform != arm {
		t.Fatalf("%+v, %v", plan.Deleted, err)
	}
	var stays []string
	for _, p := range plan.Remains[0].Platforms {
		stays = append(stays, p.String())
	}
	want := []string{"linux/386!linux/amd64", "linux/s390x!linux/amd64"}
	if !slices.Equal(stays, []string{"linux/amd64", "linux/386", "linux/s390x"}) {
		t.Errorf("stays %q", stays)
	}
	target, err := s.Images.Target(t.Context(), tagRef(t, "app:1"))
	if got := words(target.Images); err != nil || !slices.Equal(got, append([]string{"linux/amd64"}, want...)) {
		t.Errorf("left are %q, %v", got, err)
	}
	// An image that is listed for two platforms goes for both.
	plan, err = s.remove(t.Context(), shelf.Remove(shelf.RemovalItem{Reference: tagRef(t, "app:1"), Platform: image.Platform{OS: "linux", Architecture: "s390x"}}))
	if err != nil || len(plan.Deleted) != 1 || len(plan.Remains[0].Platforms) != 1 {
		t.Errorf("%+v, %+v, %v", plan.Deleted, plan.Remains, err)
	}
	s.Janitor.Settle()
	if target, err = s.Images.Target(t.Context(), tagRef(t, "app:1")); err != nil || !slices.Equal(words(target.Images), []string{"linux/amd64"}) {
		t.Errorf("left are %q, %v", words(target.Images), err)
	}
}

func TestAFolderOfAnOlderVersionGetsThePlatformsOfItsIndexes(t *testing.T) {
	s := newShelf(t)
	s.listing("bottle:1", "a darwin/arm64 darwin(macOS%2012.6)/arm64", "b darwin/arm64 darwin(macOS%2013.5)/arm64", "c linux/amd64 linux/arm64")
	s.Janitor.Settle()
	for _, statement := range []string{
		`UPDATE index_entries SET platform = 'darwin/arm64' WHERE platform LIKE 'darwin%'`,
		`UPDATE listing SET platforms = 'darwin/arm64 darwin/arm64 linux/amd64'`,
		`INSERT INTO unread_indexes SELECT digest FROM manifests WHERE kind = 'index'`,
	} {
		if _, err := (writing{s.folder.db}).ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.open()
	defer s.Close()
	want := []string{"darwin(macOS%2012.6)/arm64", "darwin(macOS%2013.5)/arm64", "linux/arm64!linux/amd64"}
	target, err := s.Images.Target(t.Context(), tagRef(t, "bottle:1"))
	if got := words(target.Images); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	rows, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 1})
	if err != nil || len(rows[0].Platforms) != 3 || rows[0].Platforms[1].OSVersion != "macOS 13.5" || rows[0].Platforms[2].Architecture != "arm64" {
		t.Errorf("the list has %+v, %v", rows, err)
	}
	var left int
	if err := s.folder.db.QueryRowContext(t.Context(), `SELECT count(*) FROM unread_indexes`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d indexes are unread, %v", left, err)
	}
}
