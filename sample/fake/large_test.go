package fake_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// pages reads a list to its end and counts the pages.
func pages(t *testing.T, base, path, key string) (names []string, n int) {
	t.Helper()
	for next := path; next != ""; n++ {
		resp, body, err := get(t, base+next)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v %s", next, err, body)
		}
		var page map[string]json.RawMessage
		var part []string
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(page[key], &part); err != nil {
			t.Fatalf("%s has no list %s: %v", next, key, err)
		}
		names = append(names, part...)
		next, _, _ = strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "<"), ">")
	}
	return names, n
}

func TestLargeServesThousandsOfTagsAndNamesFromTheFewThatAreThere(t *testing.T) {
	r := fake.NewEmptyRegistry()
	for _, tag := range []string{"1.0", "2.0", "latest"} {
		source := sample.Source(sample.NoLayers())
		if tag == "2.0" {
			source = sample.NestedIndex()
		}
		if err := r.Push(t.Context(), "team/app", source, tag); err != nil {
			t.Fatal(err)
		}
	}
	l := fake.NewLarge(r, r)
	base := service(t, l)
	two := r.TagsOf("team/app")[1]
	made := fake.ManyTags(5000)
	l.AddTags(two, made...)
	l.Show("team/app")
	l.AddRepositories("team/app", fake.ManyNames(20_000)...)

	catalog, n := pages(t, base, "/v2/_catalog?n=1000", "repositories")
	if len(catalog) != 20_001 || n != 21 || !slices.IsSorted(catalog) || len(slices.Compact(slices.Clone(catalog))) != len(catalog) {
		t.Errorf("the catalog has %d names in %d pages", len(catalog), n)
	}
	tags, n := pages(t, base, "/v2/team/app/tags/list?n=1000", "tags")
	if len(tags) != 5002 || n != 6 || !slices.IsSorted(tags) { // latest is made up too
		t.Errorf("%d tags in %d pages", len(tags), n)
	}
	if all, _ := pages(t, base, "/v2/team/app/tags/list", "tags"); !slices.Equal(all, tags) {
		t.Error("in one page it is another list")
	}
	// A made-up tag leads to its image; one that is there stays what it is.
	if got := tagDigest(t, base, "team/app", made[100].Tag); got != two.Descriptor.Digest.String() {
		t.Errorf("%s is %s, want %s", made[100].Tag, got, two.Descriptor.Digest)
	}
	if got, want := tagDigest(t, base, "team/app", "latest"), r.TagsOf("team/app")[0].Descriptor.Digest.String(); got != want {
		t.Errorf("latest is %s, want %s", got, want)
	}
	// Under a made-up name everything is there too, blobs included.
	alias := fake.ManyNames(20_000)[19_999]
	if got := tagDigest(t, base, alias, made[7].Tag); got != two.Descriptor.Digest.String() {
		t.Errorf("%s:%s is %s", alias, made[7].Tag, got)
	}
	config := mustBuild(t, sample.NoLayers()).Blobs[0].Descriptor.Digest
	if resp, _, err := get(t, base+"/v2/"+alias+"/blobs/"+config.String()); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("a blob of %s: %v %v", alias, resp, err)
	}
	for _, at := range l.TagsOf(alias) {
		if at.Repository != alias || at.Updated.IsZero() {
			t.Fatalf("TagsOf says %+v", at)
		}
	}
	for _, path := range []string{"/v2/no/where/tags/list", "/v2/team/app/manifests/nothing", "/v2/no/where/manifests/latest"} {
		if resp, _, err := get(t, base+path); err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v %v", path, resp, err)
		}
	}
}

func TestManyTagsAndServerTagsAreTagsAndUnique(t *testing.T) {
	for name, tags := range map[string][]fake.Dated{"many": fake.ManyTags(5000), "few": fake.ManyTags(3), "server": slices.Concat(fake.ServerTags(15, 15, true), fake.ServerTags(9, 23, false))} {
		seen := map[string]bool{}
		for _, tag := range tags {
			if seen[tag.Tag] || tag.Tag == "" || len(tag.Tag) > 128 || strings.ContainsAny(tag.Tag, " /:@") || tag.Updated.IsZero() {
				t.Errorf("%s: %+v", name, tag)
			}
			seen[tag.Tag] = true
		}
	}
	if n := len(fake.ManyTags(3)); n != 3 {
		t.Errorf("%d tags, want 3", n)
	}
}
