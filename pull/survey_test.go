package pull_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
)

// survey asks until everything waits for something, and gives what is known then.
func (b *bench) survey(match string, platforms ...string) (pull.Survey, error) {
	b.Helper()
	var want []image.Platform
	for _, p := range platforms {
		want = append(want, parse(b.T, p))
	}
	if _, err := b.queue.Survey(app, match, want); err != nil {
		return pull.Survey{}, err
	}
	synctest.Wait()
	return b.queue.Survey(app, match, want)
}

// surveyed waits for the end of a survey.
func (b *bench) surveyed(match string, platforms ...string) pull.Survey {
	b.Helper()
	for range 100 {
		s, err := b.survey(match, platforms...)
		if err != nil {
			b.Fatal(err)
		}
		if s.Done {
			return s
		}
		time.Sleep(time.Second)
	}
	b.Fatal("the survey does not end")
	return pull.Survey{}
}

func TestSurveyCountsTagsAndEachLayerOnce(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		base, one, two, arm := b.up.layerBlob(1, 5000), b.up.layerBlob(2, 100), b.up.layerBlob(3, 20_000), b.up.layerBlob(4, 300)
		old, young := b.up.image("linux/amd64", base, one), b.up.index(b.up.image("linux/amd64", base, two), b.up.image("linux/arm64", arm))
		for _, tag := range []string{"2", "latest", "2.0"} {
			b.up.tag("app:"+tag, young)
		}
		b.done(b.up.tag("app:1", old)) // base and one are here
		b.up.tag("app:0", b.up.index(b.up.image("linux/s390x", b.up.layerBlob(5, 10))))
		b.up.forget()

		s := b.surveyed("")

		if s.Tags != 5 || s.Asked != 5 || s.Digests != 3 || s.Lacking != 1 || s.Unread != 0 || s.Problem != nil || s.Repository != app {
			t.Errorf("survey %+v", s)
		}
		if s.Size != base.Size+one.Size+two.Size || s.Here != base.Size+one.Size || s.Fetch != two.Size {
			t.Errorf("size %d, here %d, fetch %d", s.Size, s.Here, s.Fetch)
		}
		names := map[string]bool{}
		for _, p := range s.Offered {
			names[p.String()] = true
		}
		if len(names) != 3 || !names["linux/amd64"] || !names["linux/arm64"] || !names["linux/s390x"] {
			t.Errorf("offered %v", s.Offered)
		}
		if heads, documents, blobs := b.up.requests(); heads != 5 || documents != 3 || blobs != 0 {
			t.Errorf("%d HEADs, %d documents, %d blobs requested; want 5, 3 (two indexes, one manifest) and none", heads, documents, blobs)
		}
		if s := b.surveyed("2", "linux/arm64"); s.Tags != 2 || s.Digests != 1 || s.Fetch != arm.Size {
			t.Errorf("survey of some tags for arm64 %+v", s)
		}
		if s := b.surveyed("1", "linux/arm64"); s.Lacking != 1 || s.Size != 0 || len(s.Offered) != 1 {
			t.Errorf("survey of a manifest for another platform %+v", s)
		}
	})
}

func TestSurveyTellsWhatThePullThenFetches(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		base, half := b.up.layerBlob(1, 5000), b.up.layerBlob(2, 9000)
		b.up.tag("app:2", b.up.image("linux/amd64", base, half))
		b.up.tag("app:1", b.up.image("linux/amd64", base))
		b.up.hold(half, 3000)
		id := b.pull(image.Reference{Repository: app, Tag: "2"}).ID
		synctest.Wait()
		if err := b.jobs.Cancel(id, "bob"); err != nil {
			t.Fatal(err)
		}
		b.up.blob = nil
		s := b.surveyed("")
		if s.Here != base.Size+3000 || s.Fetch != half.Size-3000 {
			t.Fatalf("survey %+v", s)
		}
		job := b.doneAll("")
		if allTags(job).Fetched != s.Fetch || allTags(job).Expected != s.Fetch {
			t.Errorf("%d of %d expected bytes fetched, the survey said %d", allTags(job).Fetched, allTags(job).Expected, s.Fetch)
		}
		if again := b.surveyed(""); again.Fetch != 0 || again.Here != s.Size {
			t.Errorf("survey after the pull %+v", again)
		}
	})
}

func TestSurveyIsSharedAndKeptForAWhile(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.tag("app:1", b.up.image("linux/amd64", b.up.layerBlob(1, 10)))
		for range 3 {
			b.surveyed("")
		}
		if heads, _, _ := b.up.requests(); heads != 1 || b.up.lists != 1 {
			t.Errorf("%d HEADs and %d lists requested, want one of each", heads, b.up.lists)
		}
		time.Sleep(11 * time.Minute)
		b.surveyed("")
		if heads, _, _ := b.up.requests(); heads != 2 {
			t.Errorf("%d HEADs, want a second one after ten minutes", heads)
		}
	})
}

func TestSurveyEndsWhenNobodyAsks(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		for i := range 1000 {
			b.up.tag(fmt.Sprintf("app:%d", i), b.up.image("linux/amd64", b.up.layerBlob(uint64(i), 10)))
		}
		b.up.wait = time.Second // four at once take 250 s for all
		for i := range 10 {     // somebody asks now and then
			s, err := b.survey("")
			if err != nil || s.Done || s.Asked < i*60 {
				t.Fatalf("%+v, %v after %d s; want it to go on while somebody asks", s, err, 20*i)
			}
			time.Sleep(20 * time.Second)
		}
		heads, _, _ := b.up.requests()
		time.Sleep(time.Hour)
		if after, _, _ := b.up.requests(); after > heads+100 {
			t.Errorf("%d HEADs, and %d when nobody asked any more", heads, after)
		}
		b.up.forget()
		if _, err := b.queue.Survey(app, "1", nil); err != nil { // once
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if after, _, _ := b.up.requests(); after < 50 || after > 200 {
			t.Errorf("%d HEADs for somebody who asked once, want those of half a minute", after)
		}
		if s, err := b.survey(""); err != nil || s.Done {
			t.Errorf("asked again: %+v, %v", s, err)
		}
	})
}

func TestRateLimitStopsASurveyWhichGoesOnLater(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		for i := range 20 {
			b.up.tag(fmt.Sprintf("app:%d", i), b.up.image("linux/amd64", b.up.layerBlob(uint64(i), 10)))
		}
		left, ends := 12, time.Now().Add(5*time.Minute)
		b.up.document = func(image.Reference) error {
			if left--; left < 0 {
				return image.Errorf(image.RateLimited, "too many requests").Because(limit{ends})
			}
			return nil
		}
		s := b.surveyed("")
		if left := time.Until(ends); left < 5*time.Minute-time.Second {
			t.Errorf("the rate limit was waited for")
		}
		if s.Problem == nil || s.Problem.Kind != image.RateLimited || s.Asked < 12 || s.Asked == 20 || s.Size == 0 {
			t.Fatalf("survey %+v, want what is known so far and the problem", s)
		}
		left = 1000
		if again := b.surveyed(""); again.Problem == nil {
			t.Error("it went on at once")
		}
		time.Sleep(2 * time.Minute)
		if again := b.surveyed(""); again.Problem == nil {
			t.Error("it went on before the registry answers again")
		}
		time.Sleep(4 * time.Minute)
		b.up.forget()
		if s = b.surveyed(""); s.Problem != nil || s.Asked != 20 {
			t.Errorf("survey %+v, want all", s)
		}
		if _, documents, _ := b.up.requests(); documents != 8 {
			t.Errorf("%d documents requested, want only the 8 that were not read before", documents)
		}
	})
}

func TestSurveyAfterARestartReadsNothingAgain(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		for i := range 10 {
			d := b.up.index(b.up.image("linux/amd64", b.up.layerBlob(uint64(i), 10)))
			b.up.tag(fmt.Sprintf("app:%d", i), d)
		}
		before := b.surveyed("")
		b.stop()
		if err := b.store.Close(); err != nil {
			t.Fatal(err)
		}
		b.openStore()
		b.start(pull.Options{}, b.store.Blobs)
		b.up.forget()
		if after := b.surveyed(""); after.Fetch != before.Fetch {
			t.Errorf("%+v, before %+v", after, before)
		}
		if heads, documents, _ := b.up.requests(); heads != 10 || documents != 0 {
			t.Errorf("%d HEADs and %d documents requested, want 10 HEADs", heads, documents)
		}
	})
}

func TestSurveyGoesOnAfterATagThatCannotBeRead(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		lost, fine := b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.layerBlob(2, 10)
		b.up.tag("app:3", lost)
		b.up.tag("app:2", lost)
		b.up.tag("app:1", b.up.image("linux/amd64", fine))
		b.up.document = func(ref image.Reference) error {
			if ref.Digest == lost.Digest {
				return image.Errorf(image.Corrupt, "garbled")
			}
			return nil
		}
		s := b.surveyed("")
		if s.Unread != 2 || s.Asked != 3 || s.Fetch != fine.Size || s.Problem == nil || s.Problem.Message.String() != "garbled" {
			t.Errorf("survey %+v", s)
		}
	})
}

func TestSurveyOfARegistryThatIsDownEnds(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		for i := range 100 {
			b.up.tag(fmt.Sprintf("app:%d", i), b.up.image("linux/amd64"))
		}
		b.up.head = func(image.Reference) error { return image.Errorf(image.Unavailable, "no route to the host") }
		s := b.surveyed("")
		if heads, _, _ := b.up.requests(); heads > 20 || s.Problem == nil || s.Problem.Kind != image.Unavailable {
			t.Errorf("%d HEADs, survey %+v", heads, s)
		}
	})
}

func TestCloseEndsSurveys(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.tag("app:1", b.up.image("linux/amd64"))
		b.up.wait = time.Hour
		if _, err := b.survey(""); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		b.stop()
		if took := time.Since(start); took > time.Second {
			t.Errorf("Close took %s", took)
		}
		if _, err := b.survey(""); image.KindOf(err) != image.Unavailable {
			t.Errorf("%v, want unavailable", err)
		}
		b.start(pull.Options{}, b.store.Blobs)
	})
}

func TestFewSurveysAreMadeAtOnceAndFewAreKept(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		b.up.wait = time.Minute
		ask := func(host string, i int) error {
			_, err := b.queue.Survey(image.Repository(fmt.Sprintf("%s/app%d", host, i)), "", nil)
			return err
		}
		for i := range 16 {
			if err := ask("slow.example.com", i); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := b.up.waiting(); got != 2 {
			t.Errorf("%d surveys ask their registry, want 2", got)
		}
		if err := ask("slow.example.com", 16); image.KindOf(err) != image.Unavailable {
			t.Errorf("one more: %v, want unavailable", err)
		}
		if err := ask("other.example.com", 1); err != nil {
			t.Errorf("one of another registry: %v", err)
		}
		synctest.Wait()
		if got := b.up.waiting(); got != 3 {
			t.Errorf("%d surveys ask their registries, want one more: another registry is not held up", got)
		}
		time.Sleep(time.Hour) // nobody asked, so all have ended
		if err := ask("slow.example.com", 17); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

func TestSurveyThatMeansNothingIsRefused(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		long := make([]byte, 200)
		for name, err := range map[string]error{
			"no repository":  second(b.queue.Survey("", "", nil)),
			"long match":     second(b.queue.Survey(app, string(long), nil)),
			"not a platform": second(b.queue.Survey(app, "", []image.Platform{{OS: "unknown", Architecture: "unknown"}})),
		} {
			if image.KindOf(err) != image.Invalid {
				t.Errorf("%s: %v, want invalid", name, err)
			}
		}
	})
}

func second(_ pull.Survey, err error) error { return err }

func TestKeptDocumentOfAnotherRepositoryIsAskedFor(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		d := b.up.image("linux/amd64", b.up.layerBlob(1, 10))
		if _, err := b.queue.Resolver().Resolve(b.ctx, b.up.tag("app:1", d)); err != nil {
			t.Fatal(err)
		}
		b.up.head = func(ref image.Reference) error { return image.Errorf(image.NotFound, "no %s here", ref) }
		if _, err := b.queue.Resolver().Resolve(b.ctx, image.Reference{Repository: "example.com/other", Digest: d.Digest}); image.KindOf(err) != image.NotFound {
			t.Errorf("%v, want not found", err)
		}
	})
}

func TestResolvingAfterARestartCostsOneHead(t *testing.T) {
	inBubble(t, pull.Options{}, func(b *bench) {
		ref := b.up.tag("app:1", b.up.index(b.up.image("linux/amd64", b.up.layerBlob(1, 10)), b.up.image("linux/arm64", b.up.layerBlob(2, 10))))
		if _, err := b.queue.Resolver().Resolve(b.ctx, ref); err != nil {
			t.Fatal(err)
		}
		b.stop()
		if err := b.store.Close(); err != nil {
			t.Fatal(err)
		}
		b.openStore()
		b.start(pull.Options{}, b.store.Blobs)
		b.up.forget()
		r, err := b.queue.Resolver().Resolve(b.ctx, ref)
		if err != nil || len(r.Offers) != 2 || r.Offers[1].Err != nil {
			t.Fatalf("%+v, %v", r, err)
		}
		if heads, documents, blobs := b.up.requests(); heads != 1 || documents+blobs != 0 {
			t.Errorf("%d HEADs, %d documents, %d blobs requested; want one HEAD", heads, documents, blobs)
		}
	})
}
