package pull_test

import (
	"context"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
)

func TestResolveTellsWhatEachPlatformCosts(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		shared, one, two := b.up.layerBlob(1, 5000), b.up.layerBlob(2, 10), b.up.layerBlob(3, 20_000)
		index := b.up.index(b.up.image("linux/amd64", shared, one), b.up.image("linux/arm64", shared, two, two))
		ref := b.up.tag("app:1", index)
		b.done(ref)

		r, err := b.queue.Resolver().Resolve(b.ctx, ref)
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
			if _, err := b.queue.Resolver().Resolve(b.ctx, ref); err != nil {
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
		r, err := b.queue.Resolver().Resolve(b.ctx, b.up.tag("app:1", d))
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
		r, err := b.queue.Resolver().Resolve(b.ctx, ref)
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
		r, err := b.queue.Resolver().Resolve(context.Background(), ref)
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
		r, err := b.queue.Resolver().Resolve(context.Background(), ref)
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
