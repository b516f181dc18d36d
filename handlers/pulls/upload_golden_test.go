package pulls_test

import (
	"testing"
	"time"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/archives"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// anUpload is the job of an archive with a hostile name.
func anUpload(state job.State) job.Job {
	j := aPull(state)
	j.Outcome.Pulled, j.Outcome.Lines, j.Progress.Layers = nil, nil, nil
	j.Detail = archive.Upload{File: "release<b>\u202e.tar", Size: 120_000_000, Received: 42_000_000}
	return j
}

func TestPagesOfUploadsLookAsApproved(t *testing.T) {
	proving, done, failed, cancelled, unknown := anUpload(job.Pulling), anUpload(job.Done), anUpload(job.Failed), anUpload(job.Cancelled), anUpload(job.Pulling)
	unknown.Detail = archive.Upload{Size: -1, Received: 42_000_000}
	proving.Detail = archive.Upload{File: "release<b>\u202e.tar", Size: 120_000_000, Received: 120_000_000, Whole: true}
	proving.Progress.Layers = []job.Layer{
		{Digest: image.DigestOf([]byte("0")), Size: 90_000_000, Bytes: 90_000_000, State: job.Complete, Platform: []image.Platform{linuxAMD64}},
		{Digest: image.DigestOf([]byte("1")), Size: 29_000_000, Bytes: 4_000_000, State: job.Verifying, Platform: []image.Platform{linuxAMD64}},
		{Digest: image.DigestOf([]byte("2")), Size: 900_000, State: job.Waiting, Platform: []image.Platform{linuxAMD64}},
	}
	before, after := image.DigestOf([]byte("before")), image.DigestOf([]byte("after"))
	done.Outcome.Newer, done.Outcome.Pulled = true, []image.Platform{linuxAMD64, linuxARM64}
	up := archive.Upload{File: "release<b>\u202e.tar", Size: 120_000_000, Received: 120_000_000, Whole: true, Partly: 2}
	up.Images = []archive.UploadedImage{
		{Reference: postgres15, Digest: after, Platforms: done.Outcome.Pulled, Previous: before},
		{Reference: image.Reference{Repository: "docker.io/library/redis", Tag: "7"}, Digest: before, Platforms: []image.Platform{linuxAMD64}, Same: true},
		{Reference: image.Reference{Repository: "docker.io/team/app", Digest: after}, Digest: after, Platforms: []image.Platform{{}}},
	}
	done.Detail = up
	done.Outcome.Lines = []string{"Loaded image: postgres:15", "Loaded image: redis:7", "Loaded image: team/app@" + string(after)}
	failed.Problem = &job.Problem{Kind: image.Corrupt, Message: image.Plain("the archive ends too early: a part of it is missing"), Suggestion: image.Plain("Send it again, or write it anew.")}
	failed.Finished = failed.Started.Add(time.Second)
	cancelled.Problem = &job.Problem{Kind: image.Cancelled, Message: image.Textf("cancelled by %s", "jlee")}
	tag := ui.Link{Label: "postgres:15", URL: "/images/docker.io/library/postgres:15"}
	history := imagepage.HistoryView{OfTag: true, Events: []imagepage.TagEventView{
		{Kind: imagepage.EventMoved, Tag: tag, Old: ui.Link{Label: string(before)}, New: ui.Link{Label: string(after)}, At: pages.Clock, By: "jlee", PullURL: "/pulls/8", PullID: 8, Uploaded: true},
		{Kind: imagepage.EventPulled, Tag: tag, New: ui.Link{Label: string(before)}, At: pages.Clock, By: "mira", PullURL: "/pulls/7", PullID: 7, Uploaded: true},
	}}
	for name, page := range map[string]pages.Answer{
		"upload-history":   pages.Rendered(t, text.Korean, imagepage.HistorySection(history)),
		"upload":           pages.Rendered(t, text.English, archives.UploadPage(ui.Chrome{}, archives.UploadView{Address: "http://shelf:8080/archives", Free: 48_000_000_000})),
		"upload-limited":   pages.Rendered(t, text.Korean, archives.UploadPage(ui.Chrome{}, archives.UploadView{Address: "http://shelf:8080/archives", Name: `"><b>`, Free: 48_000_000_000, MaxBytes: 2_000_000_000})),
		"upload-receiving": pages.Rendered(t, text.English, pulls.PullPart(pulls.PullView{Job: anUpload(job.Pulling)})),
		"upload-unknown":   pages.Rendered(t, text.English, pulls.PullPart(pulls.PullView{Job: unknown})),
		"upload-proving":   pages.Rendered(t, text.Korean, pulls.PullPart(pulls.PullView{Job: proving})),
		"upload-done":      pages.Rendered(t, text.English, pulls.PullPart(pulls.PullView{Job: done})),
		"upload-failed":    pages.Rendered(t, text.English, pulls.PullPart(pulls.PullView{Job: failed})),
		"upload-cancelled": pages.Rendered(t, text.Korean, pulls.PullPart(pulls.PullView{Job: cancelled})),
		"uploads":          pages.Rendered(t, text.English, pulls.PullsPart(pulls.PullsView{Jobs: []job.Job{anUpload(job.Pulling), unknown, proving, done, failed}, Total: 5, Page: 1, Pages: 1, Live: true}, 3)),
	} {
		page.Golden(t, name)
	}
}
