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
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

var (
	linuxAMD64 = image.Platform{OS: "linux", Architecture: "amd64"}
	linuxARM64 = image.Platform{OS: "linux", Architecture: "arm64"}
	postgres15 = image.Reference{Repository: "docker.io/library/postgres", Tag: "15"}
)

// aPull is a pull with a layer in each state.
func aPull(state job.State) job.Job {
	j := job.Job{
		ID: 128, By: []string{"jlee", "mira"}, State: state, Created: pages.Clock.Add(-5 * time.Second), Started: pages.Clock.Add(-3 * time.Second),
		Detail:   pull.Single{Ref: postgres15, Platforms: []image.Platform{linuxAMD64, linuxARM64}, Digest: image.DigestOf([]byte("index"))},
		Progress: job.Progress{Rate: 41_000_000},
		Outcome: job.Outcome{
			Pulled: []image.Platform{linuxAMD64, linuxARM64},
			Lines:  []string{"15: Pulling from library/postgres", "Digest: " + string(image.DigestOf([]byte("index")))},
		},
	}
	for i, l := range []job.Layer{
		{State: job.Complete, Size: 3_900_000, Bytes: 3_900_000},
		{State: job.AlreadyStored, Size: 4200, Bytes: 4200},
		{State: job.Downloading, Size: 107_000_000, Bytes: 66_400_000},
		{State: job.Downloading, Size: 9_000_000, Bytes: 6_000_000, Resumed: 5_000_000},
		{State: job.Verifying, Size: 8_100_000, Bytes: 8_100_000},
		{State: job.Waiting, Size: 12_900_000},
		{State: job.Retrying, Size: 4_800_000, Bytes: 1_100_000, Reason: image.Plain("connection reset <b>\u202e"), RetryAt: pages.Clock.Add(2 * time.Second)},
	} {
		l.Digest, l.Platform = image.DigestOf([]byte{byte(i)}), []image.Platform{linuxAMD64}
		if i == 0 {
			l.Platform = append(l.Platform, linuxARM64)
		}
		j.Progress.Layers = append(j.Progress.Layers, l)
	}
	if state.Final() {
		j.Finished, j.Progress.Rate, j.Outcome.Newer = pages.Clock.Add(-time.Second), 0, state == job.Done
	}
	return j
}

func TestPagesOfPullingLookAsApproved(t *testing.T) {
	failed, cancelled, queued, waits := aPull(job.Failed), aPull(job.Cancelled), aPull(job.Queued), aPull(job.Resolving)
	upToDate := aPull(job.Done)
	upToDate.Outcome.Newer, upToDate.Progress.Layers = false, nil
	failed.Problem = &job.Problem{Kind: image.RateLimited, Message: image.Plain("docker.io allows no more requests until 2026-11-22 10:00:00 UTC"), Suggestion: image.Plain("Wait.")}
	cancelled.Problem = &job.Problem{Kind: image.Cancelled, Message: image.Textf("cancelled by %s", "jlee")}
	queued.Progress.Layers, queued.Outcome.Lines, queued.Outcome.Pulled, queued.Started, queued.Progress.Rate = nil, nil, nil, time.Time{}, 0
	queued.Detail = pull.Single{Ref: postgres15, Digest: image.DigestOf([]byte("index"))}
	waits.Progress.Layers, waits.Outcome.Lines, waits.Progress.Reason, waits.Progress.RetryAt = nil, nil, image.Textf("the server is stopping"), pages.Clock.Add(5*time.Second)
	chrome := ui.Chrome{Active: ui.NavPulls, ActivePulls: 2}
	found := offer.Found{
		Ref: postgres15, Digest: image.DigestOf([]byte("index")), Index: true, Stored: image.DigestOf([]byte("old")), StoredURL: address.Of(postgres15).String(),
		Attestations: 2, Others: 1, Default: "linux/amd64", Cost: offer.Cost{Ticked: 1, Fetch: 120_800_000, Free: 100_000_000},
		Offers: []offer.Offer{
			{Platform: "linux/amd64", Value: "linux/amd64", Default: true, Ticked: true, Priced: true, Size: 149_900_000, Here: 29_100_000, Fetch: 120_800_000, Blobs: "94ef9904d4df:120800000"},
			{Platform: "linux/arm64", Value: "linux/arm64", Stored: true, URL: address.Of(postgres15).For(linuxARM64).String(), Priced: true, Size: 7, Here: 7},
			{Platform: "linux/arm/v7", Value: "linux/arm/v7", Problem: "the manifest is <i>gone</i>"},
			{Platform: "linux/arm64", Value: "linux/arm64", Obstacle: offer.ObstacleRepeated, Priced: true, Size: 1, Fetch: 1},
			{Platform: "bad\u202e/<b>", Obstacle: offer.ObstacleInvalid},
			{Obstacle: offer.ObstacleUnnamed},
			{Platform: "linux/s390x", Obstacle: offer.ObstacleRefused, Problem: `entry 6 of the index: digest algorithm "sha512" is not supported, only sha256 is`},
			{Platform: "windows(10.0.17763)/amd64", Value: "windows(10.0.17763)/amd64", Priced: true, Size: 1, Fetch: 1},
		},
	}
	for name, page := range map[string]templ.Component{
		"pull-form-empty": pulls.PullFormPage(chrome, pulls.PullFormView{}),
		"pull-form-wrong": pulls.PullFormPage(chrome, pulls.PullFormView{Input: "Postgres", Problem: &ui.ErrorView{Status: 400, Title: "That cannot be read", Message: `"Postgres" is not an image reference`}}),
		"pull-form":       pulls.PullFormPage(chrome, pulls.PullFormView{Input: "postgres:15", Found: &found}),
		"pull-queued":     pulls.PullPage(chrome, pulls.PullView{Job: queued, ActivePulls: 2}),
		"pull-resolving":  pulls.PullPage(chrome, pulls.PullView{Job: waits, ActivePulls: 2}),
		"pull-pulling":    pulls.PullPage(chrome, pulls.PullView{Job: aPull(job.Pulling), ActivePulls: 2}),
		"pull-done":       pulls.PullPage(chrome, pulls.PullView{Job: aPull(job.Done)}),
		"pull-up-to-date": pulls.PullPage(chrome, pulls.PullView{Job: upToDate}),
		"pull-failed":     pulls.PullPage(chrome, pulls.PullView{Job: failed}),
		"pull-cancelled":  pulls.PullPage(chrome, pulls.PullView{Job: cancelled}),
		"pulls":           pulls.PullsPage(chrome, pulls.PullsView{Jobs: []job.Job{queued, aPull(job.Pulling), failed, aPull(job.Done)}, Total: 30, Page: 1, Pages: 2, Live: true, Demo: true}),
		"pulls-empty":     pulls.PullsPage(chrome, pulls.PullsView{Page: 1, Pages: 1}),
	} {
		t.Run(name, func(t *testing.T) {
			a := pages.Rendered(t, text.English, page)
			a.Lacks(t, "\u202e", "<b>\u202e", "<i>", " style=", "<script>")
			a.Golden(t, name)
			if strings.Contains(pages.Rendered(t, text.Korean, page).Main(), "pull.") {
				t.Error("a text is missing in Korean")
			}
		})
	}
}

// many is a pull of 120 layers, some of which move.
func many() pulls.PullView {
	j := aPull(job.Pulling)
	j.Progress.Layers, j.Outcome.Pulled = nil, j.Outcome.Pulled[:1]
	for i := range 120 {
		l := job.Layer{Digest: image.DigestOf(fmt.Append(nil, i)), Size: 1_000_000, State: job.Waiting, Platform: []image.Platform{linuxAMD64}}
		switch {
		case i < 40:
			l.State, l.Bytes = job.Complete, l.Size
		case i < 44:
			l.State, l.Bytes = job.Downloading, 400_000
		}
		j.Progress.Layers = append(j.Progress.Layers, l)
	}
	return pulls.PullView{Job: j, ActivePulls: 1}
}

func TestWhatMovesStandsFirstAmongManyLayers(t *testing.T) {
	a := pages.Rendered(t, text.English, pulls.PullEvent(many()))
	at := func(text string) int {
		i := strings.Index(a.Body, text)
		if i < 0 {
			t.Fatalf("no %q", text)
		}
		return i
	}
	active, waiting, finished := at("4 layers under way"), at("76 layers waiting"), at("40 layers finished")
	if at(`id="layer-40"`) > waiting || active > waiting || waiting > finished || at(`id="layer-0"`) < finished {
		t.Error("the groups are out of order")
	}
	if n := strings.Count(a.Body, `id="layer-`); n != 120 {
		t.Errorf("%d of 120 layers", n)
	}
	if len(a.Body) > 48<<10 {
		t.Errorf("a message has %d bytes", len(a.Body))
	}
}

func BenchmarkPullEventOf120Layers(b *testing.B) {
	view := many()
	for b.Loop() {
		pages.Rendered(b, text.English, pulls.PullEvent(view))
	}
}
