package pulls

import (
	"context"
	"path"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/text"
)

// uploadHeadings word the state of an upload around the file's name, which stands for #.
var uploadHeadings = map[pull.State]text.MessageID{
	pull.Pulling:   "upload.heading_running",
	pull.Done:      "upload.heading_done",
	pull.Failed:    "upload.heading_failed",
	pull.Cancelled: "upload.heading_cancelled",
}

// uploadName names an upload: by its file, or else by what it brought.
func uploadName(ctx context.Context, j pull.Job) string {
	if f := path.Base(j.Upload.File); j.Upload.File != "" {
		return text.Visible(f)
	}
	if images := j.Upload.Images; len(images) == 1 {
		return images[0].Reference.Familiar()
	}
	return text.T(ctx, "upload.unnamed")
}

// uploadTitle gives the title of an upload's page.
func uploadTitle(ctx context.Context, j pull.Job) string {
	return strings.Replace(text.T(ctx, uploadHeadings[j.State]), "#", uploadName(ctx, j), 1)
}

// jobState words a job's state for lists.
func jobState(ctx context.Context, j pull.Job) string {
	if j.Upload != nil && j.State == pull.Pulling {
		if j.Upload.Whole {
			return text.T(ctx, "upload.state_proving")
		}
		return text.T(ctx, "upload.state_sending")
	}
	return text.T(ctx, pullStates[j.State])
}

// uploadProgressText words how far an upload is: what has come, or what is proved.
func uploadProgressText(ctx context.Context, j pull.Job) string {
	done, total := j.Bytes()
	all, complete := countLayers(j)
	var parts []string
	switch {
	case j.State == pull.Done:
		parts = append(parts, text.T(ctx, "upload.sent", "Size", text.HumanSize(j.Upload.Received)))
		if all > 0 { // none where everything was there already
			parts = append(parts, text.T(ctx, "pull.layers", text.Count, all))
		}
	case j.Upload.Whole && !j.State.Final():
		parts = append(parts, text.T(ctx, "upload.proved", "Done", text.HumanSize(done), "Total", text.HumanSize(total)), text.T(ctx, "pull.layers_of", "Done", complete, text.Count, all))
	case j.Upload.Size < 0 || j.Upload.Whole:
		parts = append(parts, text.T(ctx, "upload.sent", "Size", text.HumanSize(j.Upload.Received)))
	default:
		parts = append(parts, text.T(ctx, "upload.sent_of", "Done", text.HumanSize(j.Upload.Received), "Total", text.HumanSize(j.Upload.Size)))
	}
	if j.Rate > 0 && !j.State.Final() {
		parts = append(parts, text.HumanRate(float64(j.Rate)))
	}
	if left := j.Left(); left > 0 && (j.Upload.Whole || j.Upload.Size >= 0) {
		parts = append(parts, text.T(ctx, "pull.left", "Time", text.HumanDuration(ctx, left)))
	}
	return strings.Join(parts, " · ")
}

// uploadKnown tells whether anybody knows how far an upload is: not while one of unknown size comes.
func uploadKnown(j pull.Job) bool { return j.State.Final() || j.Upload.Whole || j.Upload.Size >= 0 }

// uploadShowsLayers tells whether the layers are listed: not where they are not stored after all.
func uploadShowsLayers(j pull.Job) bool { return !j.State.Final() || j.State == pull.Done && j.Newer }

// uploadShowsBar tells whether there is anything to be gone of an upload, or all of it is stored: of one that failed nothing
// is kept, however much of it came.
func uploadShowsBar(j pull.Job) bool { return !j.State.Final() || j.State == pull.Done }

// uploadedText says what an upload did to a name.
func uploadedText(ctx context.Context, i pull.UploadedImage) string {
	switch {
	case i.Same:
		return text.T(ctx, "upload.same")
	case i.Previous != "":
		return text.T(ctx, "upload.moved", "Digest", image.ShortDigest(i.Previous))
	}
	return ""
}

// uploadedName names what an upload stored; a digest is shown short.
func uploadedName(i pull.UploadedImage) string {
	if i.Reference.Digest != "" {
		return i.Reference.Repository.Familiar() + "@" + image.ShortDigest(i.Reference.Digest)
	}
	return i.Reference.Familiar()
}

// uploadDoneTitle tells an upload that stored something from one that found everything there.
func uploadDoneTitle(ctx context.Context, j pull.Job) string {
	if j.Newer {
		return text.T(ctx, "upload.done_title")
	}
	return text.T(ctx, "upload.same_title")
}
