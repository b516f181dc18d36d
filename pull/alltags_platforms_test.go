package pull_test

import (
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
)

func TestTagsWithoutTheChosenPlatformsAreSkipped(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		amd64, arm64 := b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.image("linux/arm64", b.up.layerBlob(2, 10))
		both, part := b.up.index(amd64, arm64), b.up.index(amd64)
		b.up.tag("app:6", both)
		b.up.tag("app:5", part)
		b.up.tag("app:4", b.up.index(b.up.image("linux/s390x")))
		b.up.tag("app:3", b.up.image("linux/arm64", b.up.layerBlob(3, 10))) // without an index
		b.up.tag("app:2", b.up.image("linux/riscv64", b.up.layerBlob(4, 10)))
		chart := b.up.image("linux/amd64", b.up.layerBlob(5, 10))
		b.up.tag("app:1", chart)
		b.up.document = func(ref image.Reference) error {
			if ref.Digest == chart.Digest {
				return image.Errorf(image.NotImage, "a chart")
			}
			return nil
		}
		j := b.doneAll("", "linux/amd64", "linux/arm64")
		equal(t, "lines", states(j), []string{"6 done", "5 done", "4 skipped", "3 done", "2 skipped", "1 skipped"})
		for i, want := range map[int]string{
			1: "app:5 has no image for linux/arm64; it has linux/amd64", 2: "app:4 has no image for linux/amd64, linux/arm64; it has linux/s390x",
			4: "app:2 has no image for linux/amd64, linux/arm64; it has linux/riscv64", 5: "a chart",
		} {
			if p := allTags(j).Tags[i].Problem; p == nil || p.Message.String() != want {
				t.Errorf("problem of %s: %+v, want %q", allTags(j).Tags[i].Tag, p, want)
			}
		}
		if p := allTags(j).Tags[0].Problem; p != nil {
			t.Errorf("problem of a whole tag: %+v", p)
		}
	})
}

func TestAllTagsTakeTheDefaultPlatformWhenNobodyChose(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.tag("app:3", b.up.index(b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.image("linux/arm64")))
		b.up.tag("app:2", b.up.image("linux/riscv64", b.up.layerBlob(2, 10))) // a manifest alone is pulled whatever it is for
		b.up.tag("app:1", b.up.index(b.up.image("linux/arm64")))
		j := b.doneAll("")
		equal(t, "lines", states(j), []string{"3 done", "2 done", "1 skipped"})
		equal(t, "platforms", j.Outcome.Pulled, []image.Platform{parse(t, "linux/amd64"), parse(t, "linux/riscv64")})
	})
}

func TestPullOfTagsThatAllLackThePlatformFails(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.tag("app:2", b.up.index(b.up.image("linux/arm64")))
		b.up.tag("app:1", b.up.index(b.up.image("linux/arm64")))
		j := b.end(b.pullAll("").ID)
		if p := j.Problem; j.State != job.Failed || p.Kind != image.NoPlatform || p.Message.String() != "none of 2 tags of app has an image for linux/amd64" {
			t.Errorf("%s: %+v", j.State, p)
		}
	})
}
