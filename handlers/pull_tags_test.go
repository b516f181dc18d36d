package handlers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	pullpages "github.com/stowage/stowage/handlers/pulls"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

var redis = image.Repository("docker.io/library/redis")

// allTagsOf is a pull of so many tags, a third of which are over.
func allTagsOf(tags int, state pull.State) pull.Job {
	j := aPull(state)
	j.Reference, j.AllTags, j.Pulled, j.Digest = image.Reference{Repository: redis}, true, nil, ""
	j.Fetched, j.Expected = 1_204_000_000, 5_300_000_000
	for i := range tags {
		line := pull.TagLine{Tag: fmt.Sprintf("7.%d.%d", i/10, i%10), State: pull.TagWaiting}
		done := i < tags/3 || state == pull.Done
		if done || i == tags/3 && !state.Final() {
			line.Digest, line.Size, line.Bytes = image.DigestOf(fmt.Append(nil, i)), 45_100_000, 45_100_000
		}
		switch {
		case i == 4:
			line.State, line.Bytes, line.Size = pull.TagFailed, 0, 0
			line.Problem = &pull.Problem{Kind: image.Unavailable, Message: "docker.io did not answer in time <b>\u202e", MessageText: image.Textf("%s did not answer in time", "docker.io <b>\u202e")}
		case i == 7:
			line.State, line.Bytes, line.Size = pull.TagSkipped, 0, 0
			line.Problem = &pull.Problem{Kind: image.NoPlatform, Message: "redis:7.0.7 has no image for linux/arm64"}
		case i == 2:
			line.State = pull.TagUpToDate
		case done:
			line.State = pull.TagDone
		case line.Size > 0:
			line.State, line.Bytes = pull.TagPulling, 12_300_000
		}
		j.Tags = append(j.Tags, line)
	}
	if state.Final() {
		j.Layers = nil
	}
	return j
}

func viewOf(j pull.Job, page int) pulls.PullView {
	return pulls.PullView{Job: j, ActivePulls: 1, Tags: pulls.TagsOf(j, page)}
}

func TestPagesOfPullingAllTagsLookAsApproved(t *testing.T) {
	chrome := ui.Chrome{Active: ui.NavPulls, ActivePulls: 1}
	form := func(change func(v *pulls.PullAllView, s *pull.Survey)) templ.Component {
		s := pull.Survey{Repository: redis, Tags: 1204, Asked: 312, Digests: 208, Size: 9_000_000_000, Here: 120_000_000, Fetch: 8_880_000_000, Lacking: 3}
		v := pulls.PullAllView{
			Input: "redis", Repository: redis, Default: "linux/amd64", Free: 41_000_000_000, Survey: &s, Further: 4,
			Allowance: &offer.Allowance{Registry: "Docker Hub", Limit: 100, Remaining: 63, Window: 6 * time.Hour, At: clock.Add(-10 * time.Second)},
			Choices:   []pulls.PlatformBox{{Platform: "linux/amd64", Default: true, Ticked: true}, {Platform: "linux/arm64"}},
		}
		change(&v, &s)
		return pulls.PullAllPage(chrome, v)
	}
	failed, cancelled, queued := allTagsOf(47, pull.Failed), allTagsOf(47, pull.Cancelled), allTagsOf(0, pull.Queued)
	failed.Problem = &pull.Problem{Kind: image.Unavailable, Message: "1 of 47 tags of redis could not be pulled", Suggestion: "Pull them again."}
	cancelled.Problem, cancelled.Match = &pull.Problem{Kind: image.Cancelled, Message: "cancelled by jlee", MessageText: image.Textf("cancelled by %s", "jlee")}, "7.<b>"
	queued.Layers, queued.Lines, queued.Started, queued.Rate, queued.Fetched, queued.Expected = nil, nil, time.Time{}, 0, 0, 0
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
			s.Asked, s.Unread, s.Done, s.Problem = s.Tags, 2, true, &pull.Problem{Kind: image.Corrupt, Message: "the manifest is <b>\u202egone"}
		}),
		"pull-all-limited": form(func(v *pulls.PullAllView, s *pull.Survey) {
			s.Done, s.Problem, v.Allowance.Remaining = true, &pull.Problem{Kind: image.RateLimited, Message: "docker.io allows no more requests until 2026-11-22 10:00:00 UTC", Suggestion: "Wait."}, 0
		}),
		"pull-all-lacking": form(func(v *pulls.PullAllView, s *pull.Survey) { s.Tags, s.Asked, s.Lacking, s.Done = 3, 3, 3, true }),
		"pull-all-foreign": form(func(v *pulls.PullAllView, s *pull.Survey) { v.Survey, v.Foreign, v.Allowance = nil, true, nil }),
		"pull-all-wrong": pulls.PullAllPage(chrome, pulls.PullAllView{
			Input: "redis:7", Problem: &ui.ErrorView{Status: 400, Title: "That cannot be read", Message: "Tag can't be used with --all-tags/-a."},
		}),
		"pull-tags-queued":    pulls.PullPage(chrome, viewOf(queued, 1)),
		"pull-tags-pulling":   pulls.PullPage(chrome, viewOf(allTagsOf(47, pull.Pulling), 1)),
		"pull-tags-done":      pulls.PullPage(chrome, viewOf(allTagsOf(3, pull.Done), 1)),
		"pull-tags-failed":    pulls.PullPage(chrome, viewOf(failed, 1)),
		"pull-tags-cancelled": pulls.PullPage(chrome, viewOf(cancelled, 1)),
		"pulls-tags":          pulls.PullsPage(chrome, pulls.PullsView{Jobs: []pull.Job{queued, allTagsOf(47, pull.Pulling), cancelled, allTagsOf(47, pull.Done)}, Total: 4, Page: 1, Pages: 1}),
	} {
		t.Run(name, func(t *testing.T) {
			a := rendered(t, text.English, page)
			a.lacks(t, "\u202e", "<b>\u202e", " style=", "<script>")
			a.golden(t, name)
			if strings.Contains(rendered(t, text.Korean, page).main(), "pullall.") {
				t.Error("a text is missing in Korean")
			}
		})
	}
}

// thousands is how many tags one pull takes at most.
const thousands = 5000

func TestThePageOfThousandsOfTagsIsSmallAndHasPages(t *testing.T) {
	j := allTagsOf(thousands, pull.Pulling)
	a := rendered(t, text.English, pulls.PullPage(ui.Chrome{}, viewOf(j, 2)))
	a.is(t, 0, "1,666 of 5,000 tags", "5,000 tags", `href="/pulls/128?lines=3#tags"`, `hx-sse:connect="/pulls/128/events?lines=2"`)
	if n := strings.Count(a.body, `<li id="tag-`); n != pulls.TagsPerPage {
		t.Errorf("%d tags are listed", n)
	}
	for i := range j.Tags { // the worst: all have failed, for reasons that a registry words
		j.Tags[i].State, j.Tags[i].Problem = pull.TagFailed, &pull.Problem{Kind: image.Unavailable, Message: strings.Repeat("a long reason & ", 1000)}
		j.Tags[i].Tag = strings.Repeat("x", 128)
	}
	worst := rendered(t, text.English, pulls.PullPage(ui.Chrome{}, viewOf(j, 1)))
	t.Logf("the page has %d bytes, at worst %d", len(a.body), len(worst.body))
	if len(a.body) > 60<<10 || len(worst.body) > 100<<10 {
		t.Errorf("the page has %d bytes, at worst %d", len(a.body), len(worst.body))
	}
}

func TestAMessageOfThousandsOfTagsHoldsOnlyWhatChanged(t *testing.T) {
	before := allTagsOf(thousands, pull.Pulling)
	after := allTagsOf(thousands, pull.Pulling)
	at := thousands / 3
	after.Tags[at].State, after.Tags[at].Bytes, after.Tags[at+1].State = pull.TagDone, after.Tags[at].Size, pull.TagPulling
	page := at/pulls.TagsPerPage + 1
	first, then := viewOf(before, page), viewOf(after, page)
	first.Changed, then.Changed = first.Tags.Since(pulls.TagWindow{}), then.Tags.Since(first.Tags)
	whole, small := rendered(t, text.English, pulls.PullEvent(first)), rendered(t, text.English, pulls.PullEvent(then))
	t.Logf("the first message has %d bytes, the next %d", len(whole.body), len(small.body))
	if len(whole.body) > 60<<10 || len(small.body) > 10<<10 {
		t.Errorf("the first message has %d bytes, the next %d", len(whole.body), len(small.body))
	}
	if n := strings.Count(small.body, `<li id="tag-`); n != 2 {
		t.Errorf("%d rows came", n)
	}
	small.is(t, 0, `hx-target="#tag-1666"`, `hx-target="#tag-1667"`)
	other := viewOf(after, 1)
	if c := other.Tags.Since(viewOf(before, 1).Tags); c.Whole || len(c.Rows) > 0 {
		t.Errorf("a page that nothing happened on changes: %+v", c)
	}
}

func TestTheListComesAnewWhereOtherTagsAreInView(t *testing.T) {
	before, after := allTagsOf(30, pull.Pulling), allTagsOf(30, pull.Pulling)
	after.Tags[9].State = pull.TagFailed
	if c := pulls.TagsOf(after, 1).Since(pulls.TagsOf(before, 1)); !c.Whole {
		t.Errorf("%+v", c)
	}
}

func TestTagsThatWereNotPulledStandFirstOnWhicheverPage(t *testing.T) {
	j := allTagsOf(250, pull.Pulling)
	j.Tags[249].State = pull.TagFailed
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
	j := allTagsOf(9, pull.Done)
	j.Tags[0].Tag, j.Tags[4].Tag = `<script>alert(1)</script>"\u202e`, "\u202e<script>alert(2)</script>"
	j.Tags[1].Tag = "javascript:alert(3)"
	a := rendered(t, text.English, pulls.PullPage(ui.Chrome{}, viewOf(j, 1)))
	a.is(t, 0, "alert(1)", "alert(2)")
	a.lacks(t, "<script>alert", "\u202e", `href="javascript:`)
}

func TestPlatformsToTickAreThoseThatCanBeAskedFor(t *testing.T) {
	windows := make([]image.Platform, 0, 60)
	for i := range 60 {
		windows = append(windows, image.Platform{OS: "windows", Architecture: "amd64", OSVersion: fmt.Sprintf("10.0.%d", 10000+i)})
	}
	arm := image.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	hostile := image.Platform{OS: "linux\u202e<b>", Architecture: "amd64"}
	choices, further := pullpages.PlatformChoices(append(windows, hostile, linuxARM64, linuxAMD64), []image.Platform{arm}, linuxAMD64)
	if len(choices) != pullpages.MaxChoices || further != 60+3-pullpages.MaxChoices {
		t.Errorf("%d choices and %d further", len(choices), further)
	}
	if choices[0] != (pulls.PlatformBox{Platform: "linux/amd64", Default: true}) || choices[1] != (pulls.PlatformBox{Platform: "linux/arm/v7", Ticked: true}) || choices[2].Platform != "linux/arm64" {
		t.Errorf("%+v", choices[:3])
	}
	if alone, _ := pullpages.PlatformChoices(nil, nil, linuxAMD64); len(alone) != 1 || !alone[0].Ticked {
		t.Errorf("%+v", alone)
	}
}

func TestAPullThatIsDoneSaysWhatWasReallyDownloaded(t *testing.T) {
	j := aPull(pull.Done)
	j.Layers = []pull.Layer{
		{State: pull.Complete, Size: 10_000_000, Bytes: 10_000_000, Resumed: 4_000_000},
		{State: pull.AlreadyStored, Size: 70_000_000, Bytes: 70_000_000},
		{State: pull.Complete, Size: 1_000_000, Bytes: 1_000_000},
	}
	rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: j})).is(t, 0, "7 MB downloaded")
	for _, s := range []pull.State{pull.Pulling, pull.Failed} {
		j.State = s
		rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: j})).lacks(t, " downloaded")
	}
}

func TestWhatLittleARegistryStillAllowsStandsOut(t *testing.T) {
	line := func(v *offer.Allowance) answer { return rendered(t, text.English, offer.AllowanceLine(v)) }
	if a := line(nil); a.body != "" {
		t.Errorf("%q of a registry that never said", a.body)
	}
	line(&offer.Allowance{Registry: "Docker Hub", Limit: 100, Remaining: 87, Window: 6 * time.Hour, At: clock}).
		is(t, 0, "Docker Hub: 87 of 100 manifest requests left (limit per 6 h)", "text-muted", "less than a second ago")
	line(&offer.Allowance{Registry: "x", Limit: 100, Remaining: 9}).is(t, 0, "x: 9 of 100 manifest requests left<", "text-warning")
	line(&offer.Allowance{Registry: "<b>\u202e", Remaining: 1}).is(t, 0, "&lt;b&gt;\\u202e: 1 manifest request left", "text-muted")
	line(&offer.Allowance{Registry: "x"}).is(t, 0, "0 manifest requests left", "text-warning")
}
