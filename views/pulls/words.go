package pulls

import (
	"context"
	"strings"
	"time"

	"github.com/stowage/stowage/archive"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/text"
)

// retryText says why something is tried again, and when.
func retryText(ctx context.Context, reason image.Text, at time.Time) string {
	wait := at.Sub(text.Now(ctx))
	if wait <= 0 {
		return text.T(ctx, "pull.retrying_now", "Reason", text.ErrorText(ctx, reason))
	}
	return text.T(ctx, "pull.retrying_in", "Wait", text.HumanDuration(ctx, wait), "Reason", text.ErrorText(ctx, reason))
}

// progressText words how far a pull is: bytes, rate, time left, layers.
func progressText(ctx context.Context, j job.Job) string {
	done, total := j.Bytes()
	var parts []string
	switch {
	case j.State == job.Queued:
		return text.T(ctx, "pull.queued_text")
	case j.State == job.Resolving:
		return text.T(ctx, "pull.resolving_text")
	case len(j.Progress.Layers) == 0 && j.State == job.Done:
		return text.T(ctx, "pull.no_layers")
	case len(j.Progress.Layers) == 0:
		return text.T(ctx, "pull.nothing_fetched")
	case j.State == job.Done:
		parts = append(parts, text.HumanSize(total))
	default:
		parts = append(parts, text.T(ctx, "pull.bytes_of", "Done", text.HumanSize(done), "Total", text.HumanSize(total)))
	}
	if j.Progress.Rate > 0 && j.State == job.Pulling {
		parts = append(parts, text.HumanRate(float64(j.Progress.Rate)))
	}
	if left := j.Left(); left > 0 {
		parts = append(parts, text.T(ctx, "pull.left", "Time", text.HumanDuration(ctx, left)))
	}
	if n, known := downloaded(j); known && j.State != job.Done { // of one that is done it stands beside the links
		parts = append(parts, text.T(ctx, "pull.downloaded", "Size", text.HumanSize(n)))
	}
	if all, complete := countLayers(j); j.State == job.Done {
		parts = append(parts, text.T(ctx, "pull.layers", text.Count, all))
	} else {
		parts = append(parts, text.T(ctx, "pull.layers_of", "Done", complete, text.Count, all))
	}
	return strings.Join(parts, " · ")
}

// keptText says what a pull that did not come to its end leaves for the next try; empty where that is nothing.
func keptText(ctx context.Context, j job.Job) string {
	if !keeps(j) {
		return ""
	}
	return text.T(ctx, "pull.kept")
}

// brokenName names a broken image: by its platform, or else by the reference.
func brokenName(j job.Job, b BrokenImage) string {
	if b.Platform == "" {
		return j.Reference().Familiar()
	}
	return text.Visible(b.Platform)
}

// originText words when a pull began or how long it took, and who asked for it.
func originText(ctx context.Context, j job.Job) string {
	var when string
	switch {
	case j.State.Final() && !j.Started.IsZero():
		when = text.T(ctx, "pull.took", "Time", text.HumanDuration(ctx, j.Finished.Sub(j.Started)), "Age",
			text.AgeInSentence(ctx, j.Finished))
	case j.State.Final():
		when = text.HumanAge(ctx, j.Finished)
	case j.Started.IsZero():
		when = text.T(ctx, "pull.asked", "Age", text.AgeInSentence(ctx, j.Created))
	default:
		when = text.T(ctx, "pull.started", "Age", text.AgeInSentence(ctx, j.Started))
	}
	if len(j.By) == 0 {
		return when
	}
	return text.T(ctx, "pull.by", "When", when, "Names", requesters(ctx, j))
}

// originTime returns the moment that originText counts from.
func originTime(j job.Job) time.Time {
	switch {
	case j.State.Final():
		return j.Finished
	case j.Started.IsZero():
		return j.Created
	}
	return j.Started
}

// allTags returns what the pull of all tags knows; nothing of any other job.
func allTags(j job.Job) pull.AllTags {
	all, _ := j.Detail.(pull.AllTags)
	return all
}

// uploadOf returns what the upload of an archive knows; nothing of any other job.
func uploadOf(j job.Job) archive.Upload {
	u, _ := j.Detail.(archive.Upload)
	return u
}
