package pull_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/resolve"
)

const app = image.Repository("docker.io/library/app")

// pullAll asks for a pull of all tags of app.
func (b *bench) pullAll(match string, platforms ...string) job.Job {
	b.Helper()
	req := pull.Request{Reference: image.Reference{Repository: app}, AllTags: true, Match: match, By: image.ActorNamed("ann")}
	for _, p := range platforms {
		req.Platforms = append(req.Platforms, parse(b.T, p))
	}
	j, _, err := b.queue.Pull(b.ctx, req)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// doneAll pulls all tags and fails the test where that fails.
func (b *bench) doneAll(match string, platforms ...string) job.Job {
	b.Helper()
	j := b.end(b.pullAll(match, platforms...).ID)
	if j.State != job.Done {
		b.Fatalf("pull of all tags is %s: %+v", j.State, j.Problem)
	}
	return j
}

// states returns a word for each line.
func states(j job.Job) []string {
	var all []string
	for _, l := range allTags(j).Tags {
		all = append(all, l.Tag+" "+string(l.State))
	}
	return all
}

// holds checks what the shelf has under tags of app: "1=sha256:…".
func (b *bench) holds(want map[string]image.Digest) {
	b.Helper()
	for tag, digest := range want {
		stored, err := b.store.Images.Resolved(b.ctx, image.Reference{Repository: app, Tag: tag})
		if digest == "" && image.KindOf(err) != image.NotFound {
			b.Errorf("%s is on the shelf: %+v, %v", tag, stored, err)
		}
		if digest != "" && (err != nil || stored.Digest != digest) {
			b.Errorf("%s is %+v on the shelf, %v; want %s", tag, stored, err, digest)
		}
	}
}

// forget makes the upstream count from zero.
func (u *upstream) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.heads, u.reads, u.lists, u.offsets = 0, 0, 0, map[image.Digest][]int64{}
}

func TestAllTagsArePulledNewestFirstWithDockersLines(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		base, one, two := b.up.layerBlob(1, 5000), b.up.layerBlob(2, 100), b.up.layerBlob(3, 100)
		old, young := b.up.image("linux/amd64", base, one), b.up.index(b.up.image("linux/amd64", base, two), b.up.image("linux/arm64", base))
		b.up.tag("app:1.9", old)
		b.up.tag("app:1.10", young)
		b.up.tag("app:latest", young)
		b.up.tag("other:1", old)

		j := b.doneAll("")

		equal(t, "lines of the tags", states(j), []string{"latest done", "1.10 done", "1.9 done"})
		equal(t, "outcome", j.Outcome.Lines, []string{
			"latest: Pulling from library/app", "Digest: " + string(young.Digest),
			"1.10: Pulling from library/app", "Digest: " + string(young.Digest),
			"1.9: Pulling from library/app", "Digest: " + string(old.Digest),
			"Status: Downloaded newer image for app", "docker.io/library/app",
		})
		b.holds(map[string]image.Digest{"latest": young.Digest, "1.10": young.Digest, "1.9": old.Digest})
		for i, size := range []int64{base.Size + two.Size, base.Size + two.Size, base.Size + one.Size} {
			if l := allTags(j).Tags[i]; l.Bytes != size || l.Size != size || l.Problem != nil {
				t.Errorf("line %+v, want %d bytes", l, size)
			}
		}
		if done, total := j.Bytes(); done != base.Size+one.Size+two.Size || total != done {
			t.Errorf("%d of %d bytes, want each layer once: %d", done, total, base.Size+one.Size+two.Size)
		}
		equal(t, "platforms", j.Outcome.Pulled, []image.Platform{parse(t, "linux/amd64")})
		if heads, documents, blobs := b.up.requests(); heads != 3 || documents != 3 || blobs != 5 || b.up.lists != 1 {
			t.Errorf("%d HEADs, %d documents, %d blobs, %d lists requested; want 3, 3, 5 and 1", heads, documents, blobs, b.up.lists)
		}
		if len(j.Progress.Layers) != 0 || !j.Outcome.Newer || pull.DigestOf(j) != "" {
			t.Errorf("job %+v", j)
		}
	})
}

func TestAllTagsThatAreUpToDateCostOneHeadEach(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		for i := range 6 {
			b.up.tag(fmt.Sprintf("app:%d", i), b.up.index(b.up.image("linux/amd64", b.up.layerBlob(uint64(i), 100)), b.up.image("linux/arm64")))
		}
		b.doneAll("")
		b.stop() // a new queue remembers nothing
		b.start(pull.Options{}, b.store.Blobs)
		b.up.forget()
		j := b.doneAll("")
		equal(t, "lines", j.Outcome.Lines[len(j.Outcome.Lines)-2:], []string{"Status: Image is up to date for app", "docker.io/library/app"})
		if l := allTags(j).Tags[0]; l.State != pull.TagUpToDate || j.Outcome.Newer {
			t.Errorf("line %+v, newer %t", l, j.Outcome.Newer)
		}
		if done, total := j.Bytes(); done != 0 || total != 0 {
			t.Errorf("%d of %d bytes, want none: nothing was to be fetched", done, total)
		}
		if heads, documents, blobs := b.up.requests(); heads != 6 || documents+blobs != 0 {
			t.Errorf("%d HEADs, %d documents, %d blobs requested; want 6 HEADs", heads, documents, blobs)
		}
	})
}

func TestOnlyTagsThatMatchArePulled(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		d := b.up.image("linux/amd64", b.up.layerBlob(1, 10))
		for _, tag := range []string{"15-alpine", "15", "14-alpine3.19"} {
			b.up.tag("app:"+tag, d)
		}
		b.up.listed = append(b.up.listed, b.up.listed[0]) // a registry may say so twice
		equal(t, "tags", states(b.doneAll("alpine")), []string{"15-alpine done", "14-alpine3.19 done"})
		b.holds(map[string]image.Digest{"15": ""})
	})
}

func TestTagThatFailsDoesNotHoldUpTheOthers(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		fine, bad := b.up.layerBlob(1, 100), b.up.layerBlob(2, 5000)
		good, broken := b.up.image("linux/amd64", fine), b.up.image("linux/amd64", fine, bad)
		b.up.tag("app:3", good)
		b.up.tag("app:2", broken)
		b.up.tag("app:2-copy", broken)
		b.up.tag("app:1", good)
		b.up.breaks(bad, 100, 0)

		j := b.end(b.pullAll("").ID)

		equal(t, "lines", states(j), []string{"3 done", "2 failed", "2-copy failed", "1 done"})
		if p := j.Problem; j.State != job.Failed || p.Kind != image.Unavailable || p.Message.String() != "2 of 4 tags of app could not be pulled" || p.Suggestion.String() == "" {
			t.Errorf("%s: %+v", j.State, p)
		}
		if p := allTags(j).Tags[1].Problem; p == nil || !strings.Contains(p.Message.String(), "broke after 0 of") {
			t.Errorf("problem of the tag: %+v", p)
		}
		if got := len(b.up.requested(bad.Digest)); got != 5 {
			t.Errorf("the broken layer was asked for %d times, want 5: not again for the other tag on the digest", got)
		}
		b.holds(map[string]image.Digest{"3": good.Digest, "1": good.Digest, "2": ""})

		b.up.blob = nil
		b.up.forget()
		j = b.doneAll("")
		equal(t, "lines of the second pull", states(j), []string{"3 up to date", "2 done", "2-copy done", "1 up to date"})
		equal(t, "requests for what was there", b.up.requested(fine.Digest), nil)
	})
}

func TestRateLimitEndsAPullOfAllTagsAndKeepsWhatIsWhole(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		var tags []image.Digest
		for i := range 8 {
			d := b.up.image("linux/amd64", b.up.layerBlob(uint64(i), 100))
			b.up.tag(fmt.Sprintf("app:%d", i), d)
			tags = append(tags, d.Digest)
		}
		b.up.document = func(ref image.Reference) error {
			if ref.Digest == tags[5] || ref.Digest == tags[4] {
				return image.Errorf(image.RateLimited, "too many requests").Because(limit{time.Now().Add(6 * time.Hour)})
			}
			return nil
		}
		j := b.end(b.pullAll("").ID)
		if j.State != job.Failed || j.Problem.Kind != image.RateLimited || !strings.Contains(j.Problem.Suggestion.String(), "Pull again after") {
			t.Errorf("%s: %+v", j.State, j.Problem)
		}
		equal(t, "lines", states(j), []string{"7 done", "6 done", "5 failed", "4 waiting", "3 waiting", "2 waiting", "1 waiting", "0 waiting"})
		b.holds(map[string]image.Digest{"7": tags[7], "6": tags[6], "5": "", "4": ""})
	})
}

func TestRegistryThatGoesAwayEndsAPullOfAllTagsAfterAFew(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		for i := range 100 {
			b.up.tag(fmt.Sprintf("app:%d", i), b.up.image("linux/amd64", b.up.layerBlob(uint64(i), 10)))
		}
		b.up.head = func(image.Reference) error { return image.Errorf(image.Unavailable, "no route to the host") }
		j := b.end(b.pullAll("").ID)
		failed := 0
		for _, l := range allTags(j).Tags {
			if l.State == pull.TagFailed {
				failed++
			}
		}
		if j.State != job.Failed || j.Problem.Message.String() != "no route to the host" || failed != 5 {
			t.Errorf("%s after %d tags: %+v", j.State, failed, j.Problem)
		}
	})
}

func TestCancelledPullOfAllTagsKeepsTheTagsThatAreWhole(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		whole, half := b.up.layerBlob(1, 100), b.up.layerBlob(2, 5000)
		first := b.up.image("linux/amd64", whole)
		b.up.tag("app:3", first)
		b.up.tag("app:2", b.up.image("linux/amd64", half))
		b.up.tag("app:1", first)
		b.up.hold(half, 3000)
		id := b.pullAll("").ID
		j := b.live(id)
		if l := j.Progress.Layers; j.State != job.Pulling || len(l) != 1 || l[0].Digest != half.Digest || l[0].Bytes != 3000 {
			t.Errorf("%s with the layers %+v; want those of the tag at work", j.State, l)
		}
		time.Sleep(time.Second) // the next sample counts the tag at work
		j = b.live(id)
		equal(t, "lines", states(j), []string{"3 done", "2 pulling", "1 waiting"})
		if l := allTags(j).Tags[1]; l.Bytes != 3000 || l.Size != half.Size {
			t.Errorf("line %+v", l)
		}
		if done, total := j.Bytes(); done != whole.Size+3000 || total != whole.Size+half.Size {
			t.Errorf("%d of %d bytes", done, total)
		}
		if err := b.jobs.Cancel(id, "bob"); err != nil {
			t.Fatal(err)
		}
		j = b.end(id)
		if j.State != job.Cancelled || j.Problem.Message.String() != "cancelled by bob" {
			t.Errorf("%s: %+v", j.State, j.Problem)
		}
		equal(t, "lines after the cancel", states(j), []string{"3 done", "2 waiting", "1 waiting"})
		b.holds(map[string]image.Digest{"3": first.Digest, "2": "", "1": ""})
	})
}

func TestPullOfAllTagsGoesOnAfterARestart(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		whole, half := b.up.layerBlob(1, 100), b.up.layerBlob(2, 5000)
		first, second := b.up.image("linux/amd64", whole), b.up.image("linux/amd64", half)
		b.up.tag("app:3", first)
		b.up.tag("app:2", second)
		b.up.tag("app:1", first)
		b.up.hold(half, 3000)
		id := b.pullAll("").ID
		synctest.Wait()
		b.stop()
		if err := b.store.Close(); err != nil {
			t.Fatal(err)
		}

		b.up.blob = nil
		b.up.forget()
		b.openStore()
		b.start(pull.Options{}, b.store.Blobs)
		j := b.end(id)
		if j.State != job.Done || j.Kind() != job.PullAll {
			t.Fatalf("%s: %+v", j.State, j.Problem)
		}
		equal(t, "lines", states(j), []string{"3 done", "2 done", "1 done"}) // 3 was brought by this very job
		equal(t, "requests for the half-fetched layer", b.up.requested(half.Digest), []int64{3000})
		equal(t, "requests for the whole layer", b.up.requested(whole.Digest), nil)
		if heads, documents, _ := b.up.requests(); heads != 3 || documents != 0 {
			t.Errorf("%d HEADs and %d documents requested, want 3 HEADs: the documents were kept", heads, documents)
		}
		if got, want := j.Outcome.Lines[len(j.Outcome.Lines)-2], "Status: Downloaded newer image for app"; got != want {
			t.Errorf("status %q, want %q", got, want)
		}
	})
}

func TestTagThatMovesBeforeItsTurnIsPulledAsItIsThen(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		slow := b.up.layerBlob(1, 5000)
		b.up.tag("app:2", b.up.image("linux/amd64", slow))
		b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(2, 10)))
		gate := b.up.hold(slow, 100)
		id := b.pullAll("").ID
		time.Sleep(10 * time.Minute) // 1 was resolved long ago when 2 is whole
		moved := b.up.image("linux/amd64", b.up.layerBlob(3, 10))
		b.up.tag("app:1", moved)
		close(gate)
		j := b.end(id)
		equal(t, "lines", states(j), []string{"2 done", "1 done"})
		b.holds(map[string]image.Digest{"1": moved.Digest})
	})
}

func TestTagThatAnotherPullMovedMeanwhileIsResolvedAnew(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		held := b.up.layerBlob(1, 5000)
		b.up.tag("app:1", b.up.image("linux/amd64", held))
		b.up.tag("app:0", b.up.image("linux/amd64"))
		gate := b.up.hold(held, 100)
		id := b.pullAll("").ID
		synctest.Wait()
		moved := b.up.image("linux/amd64", b.up.layerBlob(2, 10))
		b.done(b.up.tag("app:1", moved))
		close(gate)
		if j := b.end(id); j.State != job.Done {
			t.Errorf("%s: %+v", j.State, j.Problem)
		}
		b.holds(map[string]image.Digest{"1": moved.Digest})
	})
}

func TestTagsThatCannotBeListedFailThePullPlainly(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(u *upstream)
		match   string
		kind    image.Kind
		message string
	}{
		"no tags":  {func(*upstream) {}, "", image.NotFound, "app has no tags"},
		"no match": {func(u *upstream) { u.tag("app:1", u.image("linux/amd64")) }, "alpine", image.NotFound, `app has no tag whose name contains "alpine"`},
		"refused": {func(u *upstream) {
			u.list = func() error { return image.Errorf(image.Unauthorized, "sign in first") }
		}, "", image.Unauthorized, "sign in first"},
		"too many": {func(u *upstream) {
			d := u.image("linux/amd64")
			for i := range resolve.MaxTags + 1 {
				u.tag(fmt.Sprintf("app:%d", i), d)
			}
		}, "", image.TooLarge, "5001 tags of app would be pulled, more than the 5000 that can be pulled at once"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, pull.Options{}, func(b *bench) {
				tt.prepare(b.up)
				j := b.end(b.pullAll(tt.match).ID)
				if p := j.Problem; j.State != job.Failed || p.Kind != tt.kind || p.Message.String() != tt.message {
					t.Errorf("%s: %+v", j.State, p)
				}
				_, err := b.survey(tt.match)
				if image.KindOf(err) != tt.kind || err.Error() != tt.message {
					t.Errorf("survey: %v", err)
				}
			})
		})
	}
}

func TestSamePullOfAllTagsIsJoined(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		l := b.up.layerBlob(1, 100)
		ref := b.up.tag("app:latest", b.up.image("linux/amd64", l))
		gate := b.up.hold(l, 10)
		first := b.pullAll("")
		if again := b.pullAll(""); again.ID != first.ID {
			t.Error("an equal pull did not join")
		}
		for name, other := range map[string]job.Job{"another match": b.pullAll("late"), "other platforms": b.pullAll("", "linux/amd64"), "one tag": b.pull(ref)} {
			if other.ID == first.ID {
				t.Errorf("%s joined", name)
			}
		}
		close(gate)
		for _, j := range b.jobs.Active() {
			b.end(j.ID)
		}
	})
}

func TestPullOfAllTagsThatMeansNothingIsRefused(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		repo := image.Reference{Repository: app}
		for name, req := range map[string]pull.Request{
			"a tag":                 {Reference: repo.WithTag("1"), AllTags: true},
			"a digest":              {Reference: repo.WithDigest(image.DigestOf(nil)), AllTags: true},
			"no repository":         {AllTags: true},
			"match without all":     {Reference: repo.WithTag("1"), Match: "1"},
			"match longer than any": {Reference: repo, AllTags: true, Match: strings.Repeat("1", 129)},
		} {
			if _, _, err := b.queue.Pull(b.ctx, req); image.KindOf(err) != image.Invalid {
				t.Errorf("%s: %v, want invalid", name, err)
			}
		}
	})
}

func TestLinesThatWereHandedOutDoNotChange(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		held := b.up.layerBlob(1, 5000)
		b.up.tag("app:1", b.up.image("linux/amd64", held))
		gate := b.up.hold(held, 100)
		id := b.pullAll("").ID
		before := b.live(id)
		same := b.live(id)
		if &allTags(before).Tags[0] != &allTags(same).Tags[0] {
			t.Error("the lines were copied though nothing changed")
		}
		close(gate)
		if after := b.end(id); allTags(before).Tags[0].State != pull.TagPulling || allTags(after).Tags[0].State != pull.TagDone {
			t.Errorf("before %+v, after %+v", allTags(before).Tags[0], allTags(after).Tags[0])
		}
	})
}

func TestLineThatWasHandedOutDoesNotChangeWhenItsTagIsSkipped(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.tag("app:1", b.up.index(b.up.image("linux/arm64")))
		b.up.wait = time.Second
		id := b.pullAll("").ID
		time.Sleep(1500 * time.Millisecond) // the tags are listed, the first is being resolved
		before := b.live(id)
		if after := b.end(id); allTags(before).Tags[0].State != pull.TagPulling || allTags(after).Tags[0].State != pull.TagSkipped {
			t.Errorf("before %+v, after %+v", allTags(before).Tags[0], allTags(after).Tags[0])
		}
	})
}

func TestRateAndTimeLeftGoOverTheTagsOfAPull(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		var total int64
		for i := range 6 {
			l := b.up.layerBlob(uint64(i), 48_000) // 4.95 s
			total += l.Size
			b.up.tag(fmt.Sprintf("app:%d", i), b.up.image("linux/amd64", l))
		}
		b.surveyed("")
		b.up.blob = func(ctx context.Context, _ image.Repository, d image.Digest, _ int, body io.Reader) (io.Reader, error) {
			return &clocked{ctx: ctx, body: body}, nil
		}
		states, cancel := b.jobs.Subscribe(b.pullAll("").ID)
		defer cancel()
		start, last := time.Now(), int64(0)
		for j := range states {
			done, all := j.Bytes()
			if done < last || all < done || j.State == job.Pulling && len(allTags(j).Tags) > 0 && all != total {
				t.Fatalf("%d of %d bytes after %d of %d", done, all, last, total)
			}
			last = done
			if at := time.Since(start); at > 8*time.Second && j.State == job.Pulling && j.Progress.Rate < 8000 {
				t.Errorf("rate %d after %s, want about 10000 also where one tag follows another", j.Progress.Rate, at)
			}
			if at := time.Since(start); at > 10*time.Second && at < 11*time.Second && (j.Left() < 17*time.Second || j.Left() > 27*time.Second) {
				t.Errorf("%s left after %s", j.Left(), at)
			}
		}
		if last != total {
			t.Errorf("%d of %d bytes at the end", last, total)
		}
	})
}
