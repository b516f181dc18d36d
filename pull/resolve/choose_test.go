package resolve

import (
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestChoose(t *testing.T) {
	ref := image.Reference{Repository: "docker.io/library/app", Tag: "1"}
	entry := func(platform string) image.Entry {
		e := image.Entry{Kind: image.EntryImage, Descriptor: image.Descriptor{Digest: image.DigestOf([]byte(platform))}}
		if platform != "" {
			e.Platform = parse(t, platform)
		}
		return e
	}
	attestation := image.Entry{Kind: image.EntryAttestation, Descriptor: image.Descriptor{Digest: image.DigestOf([]byte("attestation"))}}
	usual := []image.Entry{attestation, entry("linux/amd64"), entry("linux/arm/v6"), entry("linux/arm/v7"), entry("linux/arm64/v8")}
	windows := []image.Entry{entry("windows(10.0.17763)/amd64"), entry("windows(10.0.20348)/amd64")}
	twice := []image.Entry{entry("linux/amd64"), entry("linux/amd64")}
	twice[1].Digest = image.DigestOf([]byte("second"))

	for _, tt := range []struct {
		name    string
		entries []image.Entry
		want    string
		chosen  []int
		missing string // part of the message
	}{
		{"nobody chose", usual, "", []int{1}, ""},
		{"exact", usual, "linux/arm64", []int{4}, ""},
		{"normalised", usual, "linux/aarch64", []int{4}, ""},
		{"variant", usual, "linux/arm/v6", []int{2}, ""},
		{"arm without variant is v7", usual, "linux/arm", []int{3}, ""},
		{"several, in the order asked", usual, "linux/arm64 linux/amd64", []int{4, 1}, ""},
		{"no fall-back to 32 bits", []image.Entry{entry("linux/arm/v7")}, "linux/arm64", nil, "it has linux/arm/v7"},
		{"no fall-back to a lesser variant", usual, "linux/amd64/v2", nil, "no image for linux/amd64/v2; it has linux/amd64,"},
		{"all that miss are named", usual, "linux/s390x linux/amd64 linux/ppc64le", nil, "no image for linux/s390x, linux/ppc64le;"},
		{"default missing", []image.Entry{entry("linux/arm64")}, "", nil, "no image for linux/amd64; it has linux/arm64"},
		{"OS version not asked for", windows, "windows/amd64", []int{0}, ""},
		{"OS version asked for", windows, "windows(10.0.20348)/amd64", []int{1}, ""},
		{"OS version missing", windows, "windows(10.0.1)/amd64", nil, "it has windows(10.0.17763)/amd64, windows(10.0.20348)/amd64"},
		{"first match wins", twice, "linux/amd64", []int{0}, ""},
		{"without a platform when nothing is exact", []image.Entry{entry(""), entry("linux/arm64")}, "linux/amd64", []int{0}, ""},
		{"exact before one without a platform", []image.Entry{entry(""), entry("linux/amd64")}, "linux/amd64", []int{1}, ""},
		{"a manifest alone", []image.Entry{entry("")}, "", []int{0}, ""},
		{"attestations are not images", []image.Entry{attestation}, "", nil, "no image for linux/amd64"},
		{"nothing", nil, "linux/amd64", nil, "no image for linux/amd64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want []image.Platform
			for _, p := range strings.Fields(tt.want) {
				want = append(want, parse(t, p))
			}
			choices, err := Choose(ref, tt.entries, want, parse(t, "linux/amd64"))
			if tt.missing != "" {
				if image.KindOf(err) != image.NoPlatform || !strings.Contains(err.Error(), tt.missing) {
					t.Fatalf("%v, want no platform with %q", err, tt.missing)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var chosen []int
			for _, c := range choices {
				chosen = append(chosen, c.Entry)
			}
			if !slices.Equal(chosen, tt.chosen) {
				t.Errorf("chosen: %v, want %v", chosen, tt.chosen)
			}
		})
	}
}

func parse(t *testing.T, s string) image.Platform {
	t.Helper()
	p, err := image.ParsePlatform(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
