package handlers

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// rendered renders a page at the time of clock.
func rendered(t testing.TB, lang string, page templ.Component) answer {
	t.Helper()
	var b bytes.Buffer
	if err := page.Render(text.WithLocale(context.Background(), text.Locale{Lang: lang, Now: clock}), &b); err != nil {
		t.Fatal(err)
	}
	return answer{body: b.String()}
}

var (
	linuxAMD64 = image.Platform{OS: "linux", Architecture: "amd64"}
	linuxARM64 = image.Platform{OS: "linux", Architecture: "arm64"}
	postgres15 = image.Reference{Repository: "docker.io/library/postgres", Tag: "15"}
)

// aPull is a pull with a layer in each state.
func aPull(state pull.State) pull.Job {
	j := pull.Job{
		ID: 128, Reference: postgres15, Platforms: []image.Platform{linuxAMD64, linuxARM64}, Pulled: []image.Platform{linuxAMD64, linuxARM64},
		Requesters: []string{"jlee", "mira"}, State: state, Created: clock.Add(-5 * time.Second), Started: clock.Add(-3 * time.Second),
		Digest: image.DigestOf([]byte("index")), Rate: 41_000_000, Lines: []string{"15: Pulling from library/postgres", "Digest: " + string(image.DigestOf([]byte("index")))},
	}
	for i, l := range []pull.Layer{
		{State: pull.Complete, Size: 3_900_000, Bytes: 3_900_000},
		{State: pull.AlreadyStored, Size: 4200, Bytes: 4200},
		{State: pull.Downloading, Size: 107_000_000, Bytes: 66_400_000},
		{State: pull.Downloading, Size: 9_000_000, Bytes: 6_000_000, Resumed: 5_000_000},
		{State: pull.Verifying, Size: 8_100_000, Bytes: 8_100_000},
		{State: pull.Waiting, Size: 12_900_000},
		{State: pull.Retrying, Size: 4_800_000, Bytes: 1_100_000, Reason: "connection reset <b>\u202e", RetryAt: clock.Add(2 * time.Second)},
	} {
		l.Digest, l.Platform = image.DigestOf([]byte{byte(i)}), []image.Platform{linuxAMD64}
		if i == 0 {
			l.Platform = append(l.Platform, linuxARM64)
		}
		j.Layers = append(j.Layers, l)
	}
	if state.Final() {
		j.Finished, j.Rate, j.Newer = clock.Add(-time.Second), 0, state == pull.Done
	}
	return j
}

func TestPagesOfPullingLookAsApproved(t *testing.T) {
	failed, cancelled, queued, waits := aPull(pull.Failed), aPull(pull.Cancelled), aPull(pull.Queued), aPull(pull.Resolving)
	upToDate := aPull(pull.Done)
	upToDate.Newer, upToDate.Layers = false, nil
	failed.Problem = &pull.Problem{Kind: image.RateLimited, Message: "docker.io allows no more requests until 2026-11-22 10:00:00 UTC", Suggestion: "Wait."}
	cancelled.Problem = &pull.Problem{Kind: image.Cancelled, Message: "cancelled by jlee", MessageText: image.Textf("cancelled by %s", "jlee")}
	queued.Layers, queued.Lines, queued.Pulled, queued.Platforms, queued.Started, queued.Rate = nil, nil, nil, nil, time.Time{}, 0
	waits.Layers, waits.Lines, waits.Reason, waits.RetryAt = nil, nil, "the server is stopping", clock.Add(5*time.Second)
	waits.ReasonText = image.Textf("the server is stopping")
	chrome := ui.Chrome{Active: ui.NavPulls, ActivePulls: 2}
	found := offer.Found{
		Ref: postgres15, Digest: image.DigestOf([]byte("index")), Index: true, Stored: image.DigestOf([]byte("old")), StoredURL: address.Of(postgres15).String(),
		Attestations: 2, Others: 1, Default: "linux/amd64", Ticked: 1, Fetch: 120_800_000, Free: 100_000_000,
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
		"pull-pulling":    pulls.PullPage(chrome, pulls.PullView{Job: aPull(pull.Pulling), ActivePulls: 2}),
		"pull-done":       pulls.PullPage(chrome, pulls.PullView{Job: aPull(pull.Done)}),
		"pull-up-to-date": pulls.PullPage(chrome, pulls.PullView{Job: upToDate}),
		"pull-failed":     pulls.PullPage(chrome, pulls.PullView{Job: failed}),
		"pull-cancelled":  pulls.PullPage(chrome, pulls.PullView{Job: cancelled}),
		"pulls":           pulls.PullsPage(chrome, pulls.PullsView{Jobs: []pull.Job{queued, aPull(pull.Pulling), failed, aPull(pull.Done)}, Total: 30, Page: 1, Pages: 2, Live: true, Demo: true}),
		"pulls-empty":     pulls.PullsPage(chrome, pulls.PullsView{Page: 1, Pages: 1}),
	} {
		t.Run(name, func(t *testing.T) {
			a := rendered(t, text.English, page)
			a.lacks(t, "\u202e", "<b>\u202e", "<i>", " style=", "<script>")
			a.golden(t, name)
			if strings.Contains(rendered(t, text.Korean, page).main(), "pull.") {
				t.Error("a text is missing in Korean")
			}
		})
	}
}

// many is a pull of 120 layers, some of which move.
func many() pulls.PullView {
	j := aPull(pull.Pulling)
	j.Layers, j.Pulled = nil, j.Pulled[:1]
	for i := range 120 {
		l := pull.Layer{Digest: image.DigestOf(fmt.Append(nil, i)), Size: 1_000_000, State: pull.Waiting, Platform: []image.Platform{linuxAMD64}}
		switch {
		case i < 40:
			l.State, l.Bytes = pull.Complete, l.Size
		case i < 44:
			l.State, l.Bytes = pull.Downloading, 400_000
		}
		j.Layers = append(j.Layers, l)
	}
	return pulls.PullView{Job: j, ActivePulls: 1}
}

func TestWhatMovesStandsFirstAmongManyLayers(t *testing.T) {
	a := rendered(t, text.English, pulls.PullEvent(many()))
	at := func(text string) int {
		i := strings.Index(a.body, text)
		if i < 0 {
			t.Fatalf("no %q", text)
		}
		return i
	}
	active, waiting, finished := at("4 layers under way"), at("76 layers waiting"), at("40 layers finished")
	if at(`id="layer-40"`) > waiting || active > waiting || waiting > finished || at(`id="layer-0"`) < finished {
		t.Error("the groups are out of order")
	}
	if n := strings.Count(a.body, `id="layer-`); n != 120 {
		t.Errorf("%d of 120 layers", n)
	}
	if len(a.body) > 48<<10 {
		t.Errorf("a message has %d bytes", len(a.body))
	}
}

func BenchmarkPullEventOf120Layers(b *testing.B) {
	view := many()
	for b.Loop() {
		rendered(b, text.English, pulls.PullEvent(view))
	}
}
