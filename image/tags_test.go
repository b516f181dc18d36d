package image_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

const commit = "860c190b2f3e4d5a6b7c8d9e0f1a2b3c4d5e6f70"

// tagOrders are tags in the order in which people expect them.
var tagOrders = []struct{ name, tags string }{
	{"latest, then versions by their numbers", "latest 16.1 15.10 15.9 9.6.24"},
	{"a moving tag before those it moved over", "17 16 16.1 16.0 15 15.10 15.9 3 3.21 3.21.5 3.21.4 3.20"},
	{"variants right after their plain version",
		"16-alpine 16.1 16.1-alpine 16.1-alpine3.20 16.1-alpine3.19 16.1-bookworm 16.0 15 15-alpine 15-bookworm 15.10 15.10-bookworm 15.9"},
	{"a leading v does not count", "v2.10.0 v2.9.1 2.9.0 v2.9.0 v1"},
	{"pre-releases after their release, the latest first",
		"1.10.0 1.10.0-alpine 1.10.0-rc.10 1.10.0-rc.9 1.10.0-beta2 1.10.0-beta1 1.10.0-alpha 1.9.0"},
	{"pre-releases of a family after its releases", "17 17.1 17.0 17rc1 17rc1-alpine 17beta3 17beta1 16.9"},
	{"pre-releases as Python writes them", "3.14 3.14.1 3.14.0 3.14.0rc2 3.14.0b1 3.14.0a7 3.14-rc 3.13"},
	{"alpine and dev are variants, not pre-releases", "20-alpine 20-dev 20.1"},
	{"revisions, the highest first", "15.10.0 15.10.0-debian-12-r10 15.10.0-debian-12-r9 15.9.0-debian-12-r30"},
	{"days, the newest first", "20260401 2026-03-31 jammy-20240808 20240807.2 20240807.1 20240807 focal-20240530"},
	{"times of a day", "RELEASE.2024-08-03T04-33-23Z RELEASE.2024-08-03T04-33-23Z-cpuv1 RELEASE.2024-08-03T01-00-00Z RELEASE.2024-07-31T05-46-26Z"},
	{"versions of a calendar are versions", "2024.12.1 2024.2.10 2024.2.9 0.118"},
	{"words by the alphabet", "alpine bookworm edge main nightly stable"},
	{"words with numbers, the highest first", "alpine3.20 alpine3.9 pg17 pg17-trixie pg16 release-1.10.0 release-1.9.0"},
	{"digits of any length", "r" + strings.Repeat("9", 120) + " r1" + strings.Repeat("0", 100) + " r7 r0"},
	{"the groups", "latest latest-alpine 15 15.9 alpine edge alpine3.20 20260401 48213 48212 " +
		commit + " main-860c190 sha-860c190 " + strings.Repeat("b1", 32) + " sha256-" + strings.Repeat("a0", 32) +
		" sha256-" + strings.Repeat("a0", 32) + ".sig"},
}

func TestTagsAreSortedAsPeopleExpect(t *testing.T) {
	for _, tt := range tagOrders {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.Fields(tt.tags)
			got := slices.Clone(want)
			slices.Reverse(got)
			image.SortTags(got)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("position %d\n got %v\nwant %v", i, got, want)
				}
			}
		})
	}
}

func TestTheOrderOfTagsDoesNotDependOnTheOrderTheyCameIn(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tags := manyTags(random, 3000)
	image.SortTags(tags)
	for range 10 {
		shuffled := slices.Clone(tags)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		image.SortTags(shuffled)
		if !slices.Equal(tags, shuffled) {
			t.Fatal("the same tags came out in another order")
		}
	}
}

func TestTheOrderOfTwoTagsIsTheSameAmongOthers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	tags := manyTags(random, 2000)
	image.SortTags(tags)
	for range 5000 {
		i, j := random.IntN(len(tags)), random.IntN(len(tags))
		if tags[i] == tags[j] {
			continue
		}
		pair := []string{tags[j], tags[i]}
		image.SortTags(pair)
		if (pair[0] == tags[i]) != (i < j) {
			t.Fatalf("%s and %s swap places when they are alone", tags[i], tags[j])
		}
	}
}

// FuzzSortTags holds the order to being total and transitive, whatever the names.
func FuzzSortTags(f *testing.F) {
	for _, tt := range tagOrders {
		f.Add(tt.tags)
	}
	f.Add("a\x00b \xff\xfe 1..2 v .- 15.-rc 2024-02-3 99999999")
	f.Fuzz(func(t *testing.T, names string) {
		tags := strings.Split(names, " ")
		if len(tags) > 12 {
			tags = tags[:12]
		}
		sorted := slices.Clone(tags)
		image.SortTags(sorted)
		for i, a := range sorted {
			for _, b := range sorted[i+1:] {
				pair := []string{b, a}
				if image.SortTags(pair); pair[0] != a {
					t.Fatalf("%q stands before %q among %q, and behind it alone", a, b, tags)
				}
			}
		}
		slices.Sort(tags)
		slices.Sort(sorted)
		if !slices.Equal(tags, sorted) {
			t.Fatalf("%q became %q", tags, sorted)
		}
	})
}

func BenchmarkSortTags(b *testing.B) {
	tags := manyTags(rand.New(rand.NewPCG(5, 6)), 5000)
	list := make([]string, len(tags))
	for b.Loop() {
		copy(list, tags)
		image.SortTags(list)
	}
}

// manyTags makes tags of the kinds that repositories have.
func manyTags(random *rand.Rand, n int) []string {
	variants := []string{"", "", "-alpine", "-alpine3.20", "-bookworm", "-rc1", "rc2", "-beta.3", "-slim", "-20240808"}
	words := []string{"latest", "edge", "main", "stable", "jammy", "alpine", "sha256-" + strings.Repeat("c2", 32)}
	var tags []string
	for range n {
		variant := variants[random.IntN(len(variants))]
		switch random.IntN(8) {
		case 0:
			tags = append(tags, words[random.IntN(len(words))]+variant)
		case 1:
			tags = append(tags, fmt.Sprintf("jammy-2024%02d%02d", random.IntN(14), random.IntN(33)))
		case 2:
			tags = append(tags, fmt.Sprintf("%07x", random.IntN(1<<28)))
		case 3:
			tags = append(tags, fmt.Sprintf("v%d.%d%s", random.IntN(20), random.IntN(20), variant))
		default:
			tags = append(tags, fmt.Sprintf("%d.%d.%d%s", random.IntN(20), random.IntN(20), random.IntN(20), variant))
		}
	}
	return tags
}
