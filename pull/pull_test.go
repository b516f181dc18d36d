package pull_test

import (
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
)

func TestPullBringsTheDefaultPlatformAndSaysWhatDockerSays(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		base, top := b.up.layerBlob(1, 3000), b.up.layerBlob(2, 200_000)
		other := b.up.layerBlob(3, 10)
		amd64 := b.up.image("linux/amd64", base, top)
		index := b.up.index(b.up.image("linux/arm64", base, other), amd64)
		ref := b.up.tag("ubuntu:22.04", index)

		j := b.done(ref)

		equal(t, "lines", j.Outcome.Lines, []string{
			"22.04: Pulling from library/ubuntu",
			"Digest: " + string(index.Digest),
			"Status: Downloaded newer image for ubuntu:22.04",
			"docker.io/library/ubuntu:22.04",
		})
		equal(t, "platforms", j.Outcome.Pulled, []image.Platform{parse(t, "linux/amd64")})
		for i, d := range []image.Descriptor{base, top} {
			l := j.Progress.Layers[i]
			if l.Digest != d.Digest || l.State != job.Complete || l.Bytes != d.Size || l.Size != d.Size {
				t.Errorf("layer %d: %+v", i, l)
			}
		}
		if b.stored(other) {
			t.Error("a layer of a platform that was not chosen was fetched")
		}
		if !b.stored(index) || !b.stored(amd64) {
			t.Error("the index and the manifest are not among the blobs")
		}
		stored, err := b.store.Images.Resolved(b.ctx, ref)
		if err != nil || stored.Digest != index.Digest || len(stored.Images) != 1 || stored.Images[0].Manifest != amd64.Digest {
			t.Errorf("the shelf holds %+v, %v", stored, err)
		}
		if heads, documents, blobs := b.up.requests(); heads != 1 || documents != 2 || blobs != 3 {
			t.Errorf("%d HEADs, %d documents, %d blobs requested; want 1, 2, 3", heads, documents, blobs)
		}
	})
}

func TestSecondPullIsUpToDateByOneHead(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		index := b.up.index(b.up.image("linux/amd64", b.up.layerBlob(1, 100)), b.up.image("linux/arm64", b.up.layerBlob(2, 100)))
		ref := b.up.tag("ubuntu:22.04", index)
		b.done(ref)
		b.stop() // a new queue remembers nothing
		b.start(pull.Options{}, b.store.Blobs)
		b.up.heads, b.up.reads, b.up.offsets = 0, 0, map[image.Digest][]int64{}

		j := b.done(ref)

		equal(t, "lines", j.Outcome.Lines[1:], []string{
			"Digest: " + string(index.Digest), "Status: Image is up to date for ubuntu:22.04", "docker.io/library/ubuntu:22.04",
		})
		if heads, documents, blobs := b.up.requests(); heads != 1 || documents+blobs != 0 {
			t.Errorf("%d HEADs, %d documents, %d blobs requested; want one HEAD", heads, documents, blobs)
		}
	})
}

func TestStoredDigestNeedsNoRequest(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		index := b.up.index(b.up.image("linux/amd64", b.up.layerBlob(1, 100)))
		ref := b.up.tag("postgres:15", index).WithDigest(index.Digest)
		j := b.done(ref)
		if want := ref.String() + ": Pulling from library/postgres"; j.Outcome.Lines[0] != want {
			t.Errorf("first line %q, want %q", j.Outcome.Lines[0], want)
		}
		b.up.heads, b.up.reads, b.up.offsets = 0, 0, map[image.Digest][]int64{}
		j = b.done(ref)
		if got, want := j.Outcome.Lines[2], "Status: Image is up to date for postgres@"+string(index.Digest); got != want {
			t.Errorf("status line %q, want %q", got, want)
		}
		if heads, documents, blobs := b.up.requests(); heads+documents+blobs != 0 {
			t.Errorf("%d HEADs, %d documents, %d blobs requested; want none", heads, documents, blobs)
		}
	})
}

func TestDigestOfAnotherRepositoryIsAskedFor(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		index := b.up.index(b.up.image("linux/amd64", b.up.layerBlob(1, 100)))
		mine := b.up.tag("postgres:15", index).WithDigest(index.Digest)
		b.done(mine)
		b.up.head = func(ref image.Reference) error { return image.Errorf(image.NotFound, "no %s here", ref) }
		b.fails(image.NotFound, image.Reference{Repository: "example.com/other", Digest: index.Digest})
	})
}

func TestTwoPlatformsInOneJobShareLayers(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		shared, one, two := b.up.layerBlob(1, 5000), b.up.layerBlob(2, 10), b.up.layerBlob(3, 10)
		amd64, arm64 := b.up.image("linux/amd64", shared, one), b.up.image("linux/arm64/v8", shared, two)
		ref := b.up.tag("app:1", b.up.index(amd64, arm64))

		j := b.done(ref, "linux/arm64", "linux/amd64")

		equal(t, "requests for the shared layer", b.up.requested(shared.Digest), []int64{0})
		if len(j.Progress.Layers) != 3 {
			t.Fatalf("%d layers are shown, want 3", len(j.Progress.Layers))
		}
		equal(t, "platforms of the shared layer", j.Progress.Layers[0].Platform, []image.Platform{parse(t, "linux/arm64"), parse(t, "linux/amd64")})
		equal(t, "lines of the platforms", j.Outcome.Lines[1:3], []string{"linux/arm64: " + string(arm64.Digest), "linux/amd64: " + string(amd64.Digest)})
		stored, err := b.store.Images.Resolved(b.ctx, ref)
		if err != nil || len(stored.Images) != 2 {
			t.Errorf("the shelf holds %+v, %v; want two images", stored, err)
		}
	})
}

func TestAddingAPlatformFetchesOnlyWhatIsMissing(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		shared, extra := b.up.layerBlob(1, 5000), b.up.layerBlob(2, 10)
		ref := b.up.tag("app:1", b.up.index(b.up.image("linux/amd64", shared), b.up.image("linux/arm64", shared, extra)))
		b.done(ref, "linux/amd64")
		j := b.done(ref, "linux/arm64")
		if j.Progress.Layers[0].State != job.AlreadyStored || j.Progress.Layers[0].Bytes != shared.Size || j.Progress.Layers[1].State != job.Complete {
			t.Errorf("layers: %+v", j.Progress.Layers)
		}
		if got, want := j.Outcome.Lines[2], "Status: Downloaded newer image for app:1"; got != want {
			t.Errorf("status line %q, want %q: a platform was added", got, want)
		}
		equal(t, "requests for the shared layer", b.up.requested(shared.Digest), []int64{0})
	})
}

func TestOneDigestThriceIsFetchedOnce(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 100)
		j := b.done(b.up.tag("app:1", b.up.image("linux/amd64", l, l, l)))
		equal(t, "requests", b.up.requested(l.Digest), []int64{0})
		if len(j.Progress.Layers) != 1 {
			t.Errorf("%d layers are shown, want 1", len(j.Progress.Layers))
		}
	})
}

func TestLoneManifestIsPulledWhateverItsPlatform(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		ref := b.up.tag("app:arm", b.up.image("linux/arm64", b.up.layerBlob(1, 100)))
		j := b.done(ref)
		equal(t, "platforms", j.Outcome.Pulled, []image.Platform{parse(t, "linux/arm64")})
		equal(t, "platforms of the layer", j.Progress.Layers[0].Platform, []image.Platform{parse(t, "linux/arm64")})
	})
}

func TestLoneManifestOfAnotherPlatformThanChosenIsRefusedBeforeItsLayers(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 100)
		ref := b.up.tag("app:arm", b.up.image("linux/arm64", l))
		p := b.fails(image.NoPlatform, ref, "linux/amd64")
		if want := "app:arm has no image for linux/amd64; it has linux/arm64"; p.Message.String() != want {
			t.Errorf("message %q, want %q", p.Message, want)
		}
		equal(t, "requests for the layer", b.up.requested(l.Digest), nil)
		b.done(ref, "linux/arm64/v8")
	})
}

func TestMissingPlatformListsThoseThatAreThere(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		index := b.up.index(b.up.image("linux/amd64", b.up.layerBlob(1, 1)), b.up.image("linux/arm64", b.up.layerBlob(2, 1)))
		p := b.fails(image.NoPlatform, b.up.tag("app:1", index), "linux/s390x", "linux/amd64")
		if want := "app:1 has no image for linux/s390x; it has linux/amd64, linux/arm64"; p.Message.String() != want || p.Suggestion.String() == "" {
			t.Errorf("problem %+v, want the message %q and a suggestion", p, want)
		}
	})
}

func TestNestedIndexIsFollowedAndKept(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		inner := b.up.index(b.up.image("linux/riscv64", b.up.layerBlob(1, 100)))
		ref := b.up.tag("app:1", b.up.index(b.up.image("linux/amd64", b.up.layerBlob(2, 100)), inner))
		j := b.done(ref, "linux/riscv64")
		equal(t, "platforms", j.Outcome.Pulled, []image.Platform{parse(t, "linux/riscv64")})
		if !b.stored(inner) {
			t.Error("the nested index is not among the blobs")
		}
	})
}

func TestMovedTagIsPulledAnew(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.done(b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 100))))
		moved := b.up.image("linux/amd64", b.up.layerBlob(2, 100))
		ref := b.up.tag("app:1", moved)
		j := b.done(ref)
		if got, want := j.Outcome.Lines[2], "Status: Downloaded newer image for app:1"; got != want {
			t.Errorf("status line %q, want %q", got, want)
		}
		if stored, err := b.store.Images.Resolved(b.ctx, ref); err != nil || stored.Digest != moved.Digest {
			t.Errorf("the shelf holds %+v, %v; want %s", stored, err, moved.Digest)
		}
	})
}
