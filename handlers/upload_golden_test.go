package handlers

import (
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/archives"
	"github.com/stowage/stowage/views/imagepage"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// anUpload is the job of an archive with a hostile name.
func anUpload(state pull.State) pull.Job {
	j := aPull(state)
	j.Reference, j.Platforms, j.Pulled, j.Digest, j.Lines, j.Layers = image.Reference{}, nil, nil, "", nil, nil
	j.Upload = &pull.Upload{File: "release<b>\u202e.tar", Size: 120_000_000, Received: 42_000_000}
	return j
}

func TestPagesOfUploadsLookAsApproved(t *testing.T) {
	proving, done, failed, cancelled, unknown := anUpload(pull.Pulling), anUpload(pull.Done), anUpload(pull.Failed), anUpload(pull.Cancelled), anUpload(pull.Pulling)
	unknown.Upload = &pull.Upload{Size: -1, Received: 42_000_000}
	proving.Upload.Received, proving.Upload.Whole = 120_000_000, true
	proving.Layers = []pull.Layer{
		{Digest: image.DigestOf([]byte("0")), Size: 90_000_000, Bytes: 90_000_000, State: pull.Complete, Platform: []image.Platform{linuxAMD64}},
		{Digest: image.DigestOf([]byte("1")), Size: 29_000_000, Bytes: 4_000_000, State: pull.Verifying, Platform: []image.Platform{linuxAMD64}},
		{Digest: image.DigestOf([]byte("2")), Size: 900_000, State: pull.Waiting, Platform: []image.Platform{linuxAMD64}},
	}
	before, after := image.DigestOf([]byte("before")), image.DigestOf([]byte("after"))
	done.Newer, done.Upload.Whole, done.Upload.Received, done.Upload.Partly = true, true, 120_000_000, 2
	done.Pulled = []image.Platform{linuxAMD64, linuxARM64}
	done.Upload.Images = []pull.UploadedImage{
		{Reference: postgres15, Digest: after, Platforms: done.Pulled, Previous: before},
		{Reference: image.Reference{Repository: "docker.io/library/redis", Tag: "7"}, Digest: before, Platforms: []image.Platform{linuxAMD64}, Same: true},
		{Reference: image.Reference{Repository: "docker.io/team/app", Digest: after}, Digest: after, Platforms: []image.Platform{{}}},
	}
	done.Lines = []string{"Loaded image: postgres:15", "Loaded image: redis:7", "Loaded image: team/app@" + string(after)}
	failed.Problem = &pull.Problem{Kind: image.Corrupt, Message: "the archive ends too early: a part of it is missing", Suggestion: "Send it again, or write it anew."}
	failed.Finished = failed.Started.Add(time.Second)
	cancelled.Problem = &pull.Problem{Kind: image.Cancelled, Message: "cancelled by jlee", MessageText: image.Textf("cancelled by %s", "jlee")}
	tag := ui.Link{Label: "postgres:15", URL: "/images/docker.io/library/postgres:15"}
	history := imagepage.HistoryView{OfTag: true, Events: []imagepage.TagEventView{
		{Kind: imagepage.EventMoved, Tag: tag, Old: ui.Link{Label: string(before)}, New: ui.Link{Label: string(after)}, At: clock, By: "jlee", PullURL: "/pulls/8", PullID: 8, Uploaded: true},
		{Kind: imagepage.EventPulled, Tag: tag, New: ui.Link{Label: string(before)}, At: clock, By: "mira", PullURL: "/pulls/7", PullID: 7, Uploaded: true},
	}}
	for name, page := range map[string]answer{
		"upload-history":   rendered(t, text.Korean, imagepage.HistorySection(history)),
		"upload":           rendered(t, text.English, archives.UploadPage(ui.Chrome{}, archives.UploadView{Address: "http://shelf:8080/archives", Free: 48_000_000_000})),
		"upload-limited":   rendered(t, text.Korean, archives.UploadPage(ui.Chrome{}, archives.UploadView{Address: "http://shelf:8080/archives", Name: `"><b>`, Free: 48_000_000_000, MaxBytes: 2_000_000_000})),
		"upload-receiving": rendered(t, text.English, pulls.PullPart(pulls.PullView{Job: anUpload(pull.Pulling)})),
		"upload-unknown":   rendered(t, text.English, pulls.PullPart(pulls.PullView{Job: unknown})),
		"upload-proving":   rendered(t, text.Korean, pulls.PullPart(pulls.PullView{Job: proving})),
		"upload-done":      rendered(t, text.English, pulls.PullPart(pulls.PullView{Job: done})),
		"upload-failed":    rendered(t, text.English, pulls.PullPart(pulls.PullView{Job: failed})),
		"upload-cancelled": rendered(t, text.Korean, pulls.PullPart(pulls.PullView{Job: cancelled})),
		"uploads":          rendered(t, text.English, pulls.PullsPart(pulls.PullsView{Jobs: []pull.Job{anUpload(pull.Pulling), unknown, proving, done, failed}, Total: 5, Page: 1, Pages: 1, Live: true}, 3)),
	} {
		page.golden(t, name)
	}
}
