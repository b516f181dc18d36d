package pull_test

import (
	"context"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
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
			choices, err := pull.Choose(ref, tt.entries, want, parse(t, "linux/amd64"))
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
			equal(t, "chosen", chosen, tt.chosen)
		})
	}
}

func TestResolveTellsWhatEachPlatformCosts(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		shared, one, two := b.up.layerBlob(1, 5000), b.up.layerBlob(2, 10), b.up.layerBlob(3, 20_000)
		index := b.up.index(b.up.image("linux/amd64", shared, one), b.up.image("linux/arm64", shared, two, two))
		ref := b.up.tag("app:1", index)
		b.done(ref)

		r, err := b.queue.Resolve(b.ctx, ref)
		if err != nil || len(r.Offers) != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
		amd64, arm64 := r.Offers[0], r.Offers[1]
		if !amd64.Default || !amd64.Stored || amd64.Fetch != 0 || amd64.Size != shared.Size+one.Size || amd64.Here != amd64.Size {
			t.Errorf("amd64: %+v", amd64)
		}
		if arm64.Default || arm64.Stored || arm64.Fetch != two.Size || arm64.Here != shared.Size || arm64.Size != shared.Size+two.Size {
			t.Errorf("arm64: %+v", arm64)
		}
		if r.Stored != index.Digest || r.Target.Digest != index.Digest {
			t.Errorf("%s is stored, %s is there, want %s", r.Stored, r.Target.Digest, index.Digest)
		}
	})
}

func TestResolvedManifestsAreNotReadAgain(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		ref := b.up.tag("app:1", b.up.index(b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.image("linux/arm64", b.up.layerBlob(2, 10))))
		for range 2 {
			if _, err := b.queue.Resolve(b.ctx, ref); err != nil {
				t.Fatal(err)
			}
		}
		b.done(ref, "linux/amd64", "linux/arm64")
		if heads, documents, _ := b.up.requests(); heads != 3 || documents != 3 {
			t.Errorf("%d HEADs and %d documents requested, want 3 and 3", heads, documents)
		}
	})
}

func TestResolveFindsThePlatformOfALoneManifestWithoutStoringIt(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		d := b.up.image("linux/arm64", b.up.layerBlob(1, 10))
		r, err := b.queue.Resolve(b.ctx, b.up.tag("app:1", d))
		if err != nil || len(r.Offers) != 1 || r.Offers[0].Platform != parse(t, "linux/arm64") || !r.Offers[0].Default {
			t.Fatalf("%+v, %v", r, err)
		}
		if b.stored(b.up.documents[d.Digest].Manifest.Config) {
			t.Error("the config was stored")
		}
	})
}

func TestResolveKeepsTheOtherPlatformsWhenOneCannotBeRead(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		lost := b.up.image("linux/arm64", b.up.layerBlob(1, 10))
		ref := b.up.tag("app:1", b.up.index(b.up.image("linux/amd64", b.up.layerBlob(2, 10)), lost))
		delete(b.up.documents, lost.Digest)
		r, err := b.queue.Resolve(b.ctx, ref)
		if err != nil || r.Offers[0].Err != nil || image.KindOf(r.Offers[1].Err) != image.NotFound {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// withSHA512 is an entry by a digest of another algorithm.
func withSHA512(d image.Descriptor, platform string, t *testing.T) image.Descriptor {
	p := parse(t, platform)
	d.Digest = image.Digest("sha512:" + strings.Repeat("ab", 64))
	d.Platform = &ocispec.Platform{OS: p.OS, Architecture: p.Architecture}
	return d
}

func TestAnEntryThatCannotBeUsedIsRefusedAlone(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		good := b.up.image("linux/amd64", b.up.layerBlob(1, 50))
		later := b.up.image("linux/s390x", b.up.layerBlob(2, 50))
		ref := b.up.tag("app:1", b.up.index(withSHA512(good, "linux/arm64", t), withSHA512(good, "linux/s390x", t), good, later))
		r, err := b.queue.Resolve(context.Background(), ref)
		if err != nil || len(r.Offers) != 4 {
			t.Fatalf("%d offers, %v", len(r.Offers), err)
		}
		for i, usable := range []bool{false, false, true, true} {
			if o := r.Offers[i]; (o.Err == nil) != usable || (o.Manifest != nil) != usable {
				t.Errorf("offer %d: %v", i, o.Err)
			}
		}
		p := b.fails(image.NoPlatform, ref, "linux/arm64")
		if !strings.Contains(p.Message.String(), `"sha512" is not supported`) || !strings.Contains(p.Message.String(), "it has linux/amd64") {
			t.Errorf("message %q", p.Message)
		}
		b.done(ref, "linux/amd64", "linux/s390x")
	})
}

func TestEntriesThatDoNotSayTheirPlatformAreToldApartByTheirConfigs(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		var silent []image.Descriptor
		for i, p := range []string{"linux/arm64", "linux/amd64", "linux/s390x"} {
			d := b.up.image(p, b.up.layerBlob(uint64(i), 50))
			d.Platform = nil
			silent = append(silent, d)
		}
		gone := silent[0]
		gone.Digest = image.DigestOf([]byte("gone"))
		ref := b.up.tag("app:1", b.up.index(append([]image.Descriptor{gone}, silent...)...))
		r, err := b.queue.Resolve(context.Background(), ref)
		if err != nil || len(r.Offers) != 4 || !r.Offers[2].Default || r.Offers[1].Default {
			t.Errorf("%+v, %v", r.Offers, err)
		}
		b.fails(image.NoPlatform, ref, "linux/riscv64")
		for _, p := range []string{"linux/s390x", "linux/amd64"} {
			if job := b.done(ref, p); len(job.Outcome.Pulled) != 1 || job.Outcome.Pulled[0].String() != p {
				t.Errorf("%s: pulled %v", p, job.Outcome.Pulled)
			}
		}
	})
}
