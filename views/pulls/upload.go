package pulls

import (
	"context"
	"path"
	"strings"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/views/text"
)

// uploadHeadings word the state of an upload around the file's name, which stands for #.
var uploadHeadings = map[job.State]text.MessageID{
	job.Pulling:   "upload.heading_running",
	job.Done:      "upload.heading_done",
	job.Failed:    "upload.heading_failed",
	job.Cancelled: "upload.heading_cancelled",
}

// uploadName names an upload: by its file, or else by what it brought.
func uploadName(ctx context.Context, j job.Job) string {
	if f := path.Base(uploadOf(j).File); uploadOf(j).File != "" {
		return text.Visible(f)
	}
	if images := uploadOf(j).Images; len(images) == 1 {
		return images[0].Reference.Familiar()
	}
	return text.T(ctx, "upload.unnamed")
}

// uploadTitle returns the title of an upload's page.
func uploadTitle(ctx context.Context, j job.Job) string {
	return strings.Replace(text.T(ctx, uploadHeadings[j.State]), "#", uploadName(ctx, j), 1)
}

// jobState words a job's state for lists.
func jobState(ctx context.Context, j job.Job) string {
	if j.Kind() == job.Upload && j.State == job.Pulling {
		if uploadOf(j).Whole {
			return text.T(ctx, "upload.state_proving")
		}
		return text.T(ctx, "upload.state_sending")
	}
	return text.T(ctx, pullStates[j.State])
}

// uploadProgressText words how far an upload is: what has come, or what is proved.
func uploadProgressText(ctx context.Context, j job.Job) string {
	done, total := j.Bytes()
	all, complete := countLayers(j)
	var parts []string
	switch {
	case j.State == job.Done:
		parts = append(parts, text.T(ctx, "upload.sent", "Size", text.HumanSize(uploadOf(j).Received)))
		if all > 0 { // none where everything was there already
			parts = append(parts, text.T(ctx, "pull.layers", text.Count, all))
		}
	case uploadOf(j).Whole && !j.State.Final():
		parts = append(parts, text.T(ctx, "upload.proved", "Done", text.HumanSize(done), "Total", text.HumanSize(total)),
			text.T(ctx, "pull.layers_of", "Done", complete, text.Count, all))
	case uploadOf(j).Size < 0 || uploadOf(j).Whole:
		parts = append(parts, text.T(ctx, "upload.sent", "Size", text.HumanSize(uploadOf(j).Received)))
	default:
		parts = append(parts, text.T(ctx, "upload.sent_of", "Done", text.HumanSize(uploadOf(j).Received), "Total",
			text.HumanSize(uploadOf(j).Size)))
	}
	if j.Progress.Rate > 0 && !j.State.Final() {
		parts = append(parts, text.HumanRate(float64(j.Progress.Rate)))
	}
	if left := j.Left(); left > 0 && (uploadOf(j).Whole || uploadOf(j).Size >= 0) {
		parts = append(parts, text.T(ctx, "pull.left", "Time", text.HumanDuration(ctx, left)))
	}
	return strings.Join(parts, " · ")
}

// uploadKnown reports whether anybody knows how far an upload is: not while one of unknown size comes.
func uploadKnown(j job.Job) bool {
	return j.State.Final() || uploadOf(j).Whole || uploadOf(j).Size >= 0
}

// uploadShowsLayers reports whether the layers are listed: not where they are not stored after all.
func uploadShowsLayers(j job.Job) bool {
	return !j.State.Final() || j.State == job.Done && j.Outcome.Newer
}

// uploadShowsBar reports whether there is anything to be gone of an upload, or all of it is stored: of one that failed
// nothing is kept, however much of it came.
func uploadShowsBar(j job.Job) bool { return !j.State.Final() || j.State == job.Done }

// uploadedText says what an upload did to a name.
func uploadedText(ctx context.Context, i archive.UploadedImage) string {
	switch {
	case i.Same:
		return text.T(ctx, "upload.same")
	case i.Previous != "":
		return text.T(ctx, "upload.moved", "Digest", image.ShortDigest(i.Previous))
	}
	return ""
}

// uploadedName names what an upload stored; a digest is shown short.
func uploadedName(i archive.UploadedImage) string {
	if i.Reference.Digest != "" {
		return i.Reference.Repository.Familiar() + "@" + image.ShortDigest(i.Reference.Digest)
	}
	return i.Reference.Familiar()
}

// uploadDoneTitle tells an upload that stored something from one that found everything there.
func uploadDoneTitle(ctx context.Context, j job.Job) string {
	if j.Outcome.Newer {
		return text.T(ctx, "upload.done_title")
	}
	return text.T(ctx, "upload.same_title")
}
