package pulls_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

var redis = image.Repository("docker.io/library/redis")

// allTagsOf is a pull of so many tags, a third of which are over.
func allTagsOf(tags int, state job.State) job.Job {
	j := aPull(state)
	all := pull.AllTags{Ref: image.Reference{Repository: redis}, Platforms: pull.Wanted(j), Fetched: 1_204_000_000, Expected: 5_300_000_000}
	for i := range tags {
		line := pull.TagLine{Tag: fmt.Sprintf("7.%d.%d", i/10, i%10), State: pull.TagWaiting}
		done := i < tags/3 || state == job.Done
		if done || i == tags/3 && !state.Final() {
			line.Digest, line.Size, line.Bytes = image.DigestOf(fmt.Append(nil, i)), 45_100_000, 45_100_000
		}
		switch {
		case i == 4:
			line.State, line.Bytes, line.Size = pull.TagFailed, 0, 0
			line.Problem = &job.Problem{Kind: image.Unavailable, Message: image.Textf("%s did not answer in time", "docker.io <b>\u202e")}
		case i == 7:
			line.State, line.Bytes, line.Size = pull.TagSkipped, 0, 0
			line.Problem = &job.Problem{Kind: image.NoPlatform, Message: image.Plain("redis:7.0.7 has no image for linux/arm64")}
		case i == 2:
			line.State = pull.TagUpToDate
		case done:
			line.State = pull.TagDone
		case line.Size > 0:
			line.State, line.Bytes = pull.TagPulling, 12_300_000
		}
		all.Tags = append(all.Tags, line)
	}
	if state.Final() {
		j.Progress.Layers = nil
	}
	j.Detail, j.Outcome.Pulled = all, nil
	return j
}

// manyOf returns what the pull of all tags knows.
func manyOf(j job.Job) pull.AllTags {
	all, _ := j.Detail.(pull.AllTags)
	return all
}

func viewOf(j job.Job, page int) pulls.PullView {
	return pulls.PullView{Job: j, ActivePulls: 1, Tags: pulls.TagsOf(j, page)}
}

func TestPagesOfPullingAllTagsLookAsApproved(t *testing.T) {
	chrome := ui.Chrome{Active: ui.NavPulls, ActivePulls: 1}
	form := func(change func(v *pulls.PullAllView, s *pull.Survey)) templ.Component {
		s := pull.Survey{Repository: redis, Tags: 1204, Asked: 312, Digests: 208, Size: 9_000_000_000, Here: 120_000_000, Fetch: 8_880_000_000, Lacking: 3}
		v := pulls.PullAllView{
			Input: "redis", Repository: redis, Default: "linux/amd64", Free: 41_000_000_000, Survey: &s, Further: 4,
			Allowance: &offer.Allowance{Registry: "Docker Hub", Limit: 100, Remaining: 63, Window: 6 * time.Hour, At: pages.Clock.Add(-10 * time.Second)},
			Choices:   []pulls.PlatformBox{{Platform: "linux/amd64", Default: true, Ticked: true}, {Platform: "linux/arm64"}},
		}
		change(&v, &s)
		return pulls.PullAllPage(chrome, v)
	}
	failed, cancelled, queued := allTagsOf(47, job.Failed), allTagsOf(47, job.Cancelled), allTagsOf(0, job.Queued)
	failed.Problem = &job.Problem{Kind: image.Unavailable, Message: image.Plain("1 of 47 tags of redis could not be pulled"), Suggestion: image.Plain("Pull them again.")}
	narrow := manyOf(cancelled)
	narrow.Match = "7.<b>"
	cancelled.Detail, cancelled.Problem = narrow, &job.Problem{Kind: image.Cancelled, Message: image.Textf("cancelled by %s", "jlee")}
	queued.Progress.Layers, queued.Outcome.Lines, queued.Started, queued.Progress.Rate = nil, nil, time.Time{}, 0
	queued.Detail = pull.AllTags{Ref: queued.Reference(), Platforms: pull.Wanted(queued)}
	for name, page := range map[string]templ.Component{
		"pull-all-listing": form(func(v *pulls.PullAllView, s *pull.Survey) { *s = pull.Survey{Repository: redis} }),
		"pull-all-asking":  form(func(*pulls.PullAllView, *pull.Survey) {}),
		"pull-all-counted": form(func(v *pulls.PullAllView, s *pull.Survey) {
			s.Tags, s.Asked, s.Done, v.Further, v.Allowance = 47, 47, true, 0, nil
		}),
		"pull-all-crowded": form(func(v *pulls.PullAllView, s *pull.Survey) {
			s.Tags, s.Asked, s.Done, v.Free, v.Match = 1, 1, true, 1_000_000, "7.<b>"
		}),
		"pull-all-unread": form(func(v *pulls.PullAllView, s *pull.Survey) {
			s.Asked, s.Unread, s.Done, s.Problem = s.Tags, 2, true, &job.Problem{Kind: image.Corrupt, Message: image.Plain("the manifest is <b>\u202egone")}
		}),
		"pull-all-limited": form(func(v *pulls.PullAllView, s *pull.Survey) {
			s.Done, s.Problem, v.Allowance.Remaining = true, &job.Problem{Kind: image.RateLimited, Message: image.Plain("docker.io allows no more requests until 2026-11-22 10:00:00 UTC"), Suggestion: image.Plain("Wait.")}, 0
		}),
		"pull-all-lacking": form(func(v *pulls.PullAllView, s *pull.Survey) { s.Tags, s.Asked, s.Lacking, s.Done = 3, 3, 3, true }),
		"pull-all-foreign": form(func(v *pulls.PullAllView, s *pull.Survey) { v.Survey, v.Foreign, v.Allowance = nil, true, nil }),
		"pull-all-wrong": pulls.PullAllPage(chrome, pulls.PullAllView{
			Input: "redis:7", Problem: &ui.ErrorView{Status: 400, Title: "That cannot be read", Message: "Tag can't be used with --all-tags/-a."},
		}),
		"pull-tags-queued":    pulls.PullPage(chrome, viewOf(queued, 1)),
		"pull-tags-pulling":   pulls.PullPage(chrome, viewOf(allTagsOf(47, job.Pulling), 1)),
		"pull-tags-done":      pulls.PullPage(chrome, viewOf(allTagsOf(3, job.Done), 1)),
		"pull-tags-failed":    pulls.PullPage(chrome, viewOf(failed, 1)),
		"pull-tags-cancelled": pulls.PullPage(chrome, viewOf(cancelled, 1)),
		"pulls-tags":          pulls.PullsPage(chrome, pulls.PullsView{Jobs: []job.Job{queued, allTagsOf(47, job.Pulling), cancelled, allTagsOf(47, job.Done)}, Total: 4, Page: 1, Pages: 1}),
	} {
		t.Run(name, func(t *testing.T) {
			a := pages.Rendered(t, text.English, page)
			a.Lacks(t, "\u202e", "<b>\u202e", " style=", "<script>")
			a.Golden(t, name)
			if strings.Contains(pages.Rendered(t, text.Korean, page).Main(), "pullall.") {
				t.Error("a text is missing in Korean")
			}
		})
	}
}

// thousands is how many tags one pull takes at most.
const thousands = 5000

func TestThePageOfThousandsOfTagsIsSmallAndHasPages(t *testing.T) {
	j := allTagsOf(thousands, job.Pulling)
	a := pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, viewOf(j, 2)))
	a.Is(t, 0, "1,666 of 5,000 tags", "5,000 tags", `href="/pulls/128?lines=3#tags"`, `hx-sse:connect="/pulls/128/events?lines=2"`)
	if n := strings.Count(a.Body, `<li id="tag-`); n != pulls.TagsPerPage {
		t.Errorf("%d tags are listed", n)
	}
	for i := range manyOf(j).Tags { // the worst: all have failed, for reasons that a registry words
		manyOf(j).Tags[i].State, manyOf(j).Tags[i].Problem = pull.TagFailed, &job.Problem{Kind: image.Unavailable, Message: image.Plain(strings.Repeat("a long reason & ", 1000))}
		manyOf(j).Tags[i].Tag = strings.Repeat("x", 128)
	}
	worst := pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, viewOf(j, 1)))
	t.Logf("the page has %d bytes, at worst %d", len(a.Body), len(worst.Body))
	if len(a.Body) > 60<<10 || len(worst.Body) > 100<<10 {
		t.Errorf("the page has %d bytes, at worst %d", len(a.Body), len(worst.Body))
	}
}

func TestAMessageOfThousandsOfTagsHoldsOnlyWhatChanged(t *testing.T) {
	before := allTagsOf(thousands, job.Pulling)
	after := allTagsOf(thousands, job.Pulling)
	at := thousands / 3
	manyOf(after).Tags[at].State, manyOf(after).Tags[at].Bytes, manyOf(after).Tags[at+1].State = pull.TagDone, manyOf(after).Tags[at].Size, pull.TagPulling
	page := at/pulls.TagsPerPage + 1
	first, then := viewOf(before, page), viewOf(after, page)
	first.Changed, then.Changed = first.Tags.Since(pulls.TagWindow{}), then.Tags.Since(first.Tags)
	whole, small := pages.Rendered(t, text.English, pulls.PullEvent(first)), pages.Rendered(t, text.English, pulls.PullEvent(then))
	t.Logf("the first message has %d bytes, the next %d", len(whole.Body), len(small.Body))
	if len(whole.Body) > 60<<10 || len(small.Body) > 10<<10 {
		t.Errorf("the first message has %d bytes, the next %d", len(whole.Body), len(small.Body))
	}
	if n := strings.Count(small.Body, `<li id="tag-`); n != 2 {
		t.Errorf("%d rows came", n)
	}
	small.Is(t, 0, `hx-target="#tag-1666"`, `hx-target="#tag-1667"`)
	other := viewOf(after, 1)
	if c := other.Tags.Since(viewOf(before, 1).Tags); c.Whole || len(c.Rows) > 0 {
		t.Errorf("a page that nothing happened on changes: %+v", c)
	}
}

func TestTheListComesAnewWhereOtherTagsAreInView(t *testing.T) {
	before, after := allTagsOf(30, job.Pulling), allTagsOf(30, job.Pulling)
	manyOf(after).Tags[9].State = pull.TagFailed
	if c := pulls.TagsOf(after, 1).Since(pulls.TagsOf(before, 1)); !c.Whole {
		t.Errorf("%+v", c)
	}
}

func TestTagsThatWereNotPulledStandFirstOnWhicheverPage(t *testing.T) {
	j := allTagsOf(250, job.Pulling)
	manyOf(j).Tags[249].State = pull.TagFailed
	var order []int
	for page := 1; page <= 3; page++ {
		w := pulls.TagsOf(j, page)
		if w.Page != page || w.Pages != 3 || w.Total != 250 {
			t.Errorf("%d of %d, %d tags", w.Page, w.Pages, w.Total)
		}
		for _, row := range w.Rows {
			order = append(order, row.Number)
		}
	}
	if len(order) != 250 || order[0] != 4 || order[1] != 249 || order[2] != 7 || order[3] != 0 || order[249] != 248 {
		t.Errorf("%v", order)
	}
	if last := pulls.TagsOf(j, 99); last.Page != 3 || len(last.Rows) != 50 {
		t.Errorf("%d, %d rows", last.Page, len(last.Rows))
	}
}

func TestHostileNamesOfTagsAreOnlyText(t *testing.T) {
	j := allTagsOf(9, job.Done)
	manyOf(j).Tags[0].Tag, manyOf(j).Tags[4].Tag = `<script>alert(1)</script>"\u202e`, "\u202e<script>alert(2)</script>"
	manyOf(j).Tags[1].Tag = "javascript:alert(3)"
	a := pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, viewOf(j, 1)))
	a.Is(t, 0, "alert(1)", "alert(2)")
	a.Lacks(t, "<script>alert", "\u202e", `href="javascript:`)
}

func TestAPullThatIsDoneSaysWhatWasReallyDownloaded(t *testing.T) {
	j := aPull(job.Done)
	j.Progress.Layers = []job.Layer{
		{State: job.Complete, Size: 10_000_000, Bytes: 10_000_000, Resumed: 4_000_000},
		{State: job.AlreadyStored, Size: 70_000_000, Bytes: 70_000_000},
		{State: job.Complete, Size: 1_000_000, Bytes: 1_000_000},
	}
	pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: j})).Is(t, 0, "7 MB downloaded")
	for _, s := range []job.State{job.Pulling, job.Failed} {
		j.State = s
		pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: j})).Lacks(t, " downloaded")
	}
}

func TestWhatLittleARegistryStillAllowsStandsOut(t *testing.T) {
	line := func(v *offer.Allowance) pages.Answer { return pages.Rendered(t, text.English, offer.AllowanceLine(v)) }
	if a := line(nil); a.Body != "" {
		t.Errorf("%q of a registry that never said", a.Body)
	}
	line(&offer.Allowance{Registry: "Docker Hub", Limit: 100, Remaining: 87, Window: 6 * time.Hour, At: pages.Clock}).
		Is(t, 0, "Docker Hub: 87 of 100 manifest requests left (limit per 6 h)", "text-muted", "less than a second ago")
	line(&offer.Allowance{Registry: "x", Limit: 100, Remaining: 9}).Is(t, 0, "x: 9 of 100 manifest requests left<", "text-warning")
	line(&offer.Allowance{Registry: "<b>\u202e", Remaining: 1}).Is(t, 0, "&lt;b&gt;\\u202e: 1 manifest request left", "text-muted")
	line(&offer.Allowance{Registry: "x"}).Is(t, 0, "0 manifest requests left", "text-warning")
}
