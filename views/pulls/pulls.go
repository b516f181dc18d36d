package pulls

import (
	"context"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/views/text"
)

// PullsView is a page of the queue and of the pulls before, newest first.
type PullsView struct {
	Jobs  []job.Job // live ones as they are now
	Total int
	Page  int // from 1
	Pages int
	Live  bool // something is queued or runs, so the list changes every moment
	Demo  bool // offer to move the sample tag

	Broken map[int64]bool // the pulls, by ID, that brought an image which cannot be used
}

// poll returns the ID of what asks for the list again, and when it does.
func (v PullsView) poll() (id, pace string) {
	if v.Live {
		return "pulls-poll-live", "every 2s"
	}
	return "pulls-poll-idle", "every 10s"
}

// narrow drops columns where there is little room, the least telling first, and the progress where no row
// has any; on a phone, where rows are cards, they are all there.
func (v PullsView) narrow() string {
	const usual = "sm:max-md:[&_tr>:nth-child(5)]:hidden sm:max-lg:[&_tr>:nth-child(6)]:hidden sm:max-lg:[&_tr>:nth-child(8)]:hidden"
	if slices.ContainsFunc(v.Jobs, func(j job.Job) bool { return !j.State.Final() || j.State == job.Failed }) {
		return usual + " sm:max-lg:[&_tr>:nth-child(4)]:hidden"
	}
	return usual + " sm:[&_tr>:nth-child(4)]:hidden"
}

// maxPullBadges is how many platforms a row names.
const maxPullBadges = 4

// pullRowPlatforms returns the platforms that a row names, and how many more there are.
func pullRowPlatforms(j job.Job) (shown []image.Platform, more int) {
	all := pullPlatforms(j)
	if len(all) > maxPullBadges {
		return all[:maxPullBadges-1], len(all) - maxPullBadges + 1
	}
	return all, 0
}

// tookText words how long a pull took; empty while it runs.
func tookText(ctx context.Context, j job.Job) string {
	if !j.State.Final() || j.Started.IsZero() {
		return ""
	}
	return text.HumanDuration(ctx, j.Finished.Sub(j.Started))
}

// allTagsSuffix follows the repository's name where a pull is for all its tags: ", all tags (12 of 47)".
func allTagsSuffix(ctx context.Context, j job.Job) string {
	suffix := text.T(ctx, "pullall.suffix")
	if allTags(j).Match != "" {
		suffix = text.T(ctx, "pullall.suffix_matching", "Match", text.Visible(allTags(j).Match))
	}
	total := allTags(j).Counts().All()
	if total == 0 {
		return suffix
	}
	return text.T(ctx, "pullall.suffix_count", "Text", suffix, "Done", tallyTags(j).finished(), "Total", total)
}

// pullRowBytes words a pull's bytes for a row; of all tags, those that are downloaded.
func pullRowBytes(ctx context.Context, j job.Job) string {
	done, total := j.Bytes()
	switch {
	case j.Kind() == job.Upload && (j.State.Final() || !uploadKnown(j)):
		return text.HumanSize(uploadOf(j).Received)
	case len(j.Progress.Layers) == 0 && j.Kind() != job.PullAll && j.Kind() != job.Upload,
		total == 0 && j.Kind() == job.PullAll:
		return ""
	case done == total:
		return text.HumanSize(total)
	}
	return text.T(ctx, "pull.bytes_of", "Done", text.HumanSize(done), "Total", text.HumanSize(total))
}
