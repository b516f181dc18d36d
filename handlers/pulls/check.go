package pulls

import (
	"context"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/pulls"
)

// PollCheck is how long after the end of a pull its page asks whether the layers are unpacked. What takes
// longer cannot be read, and stays so.
const PollCheck = 30 * time.Minute

// Check tells what unpacking has found about the images of a pull. It is empty while the pull runs, and where
// the images are not stored any more.
func (h *Handlers) Check(ctx context.Context, job pull.Job) (pulls.PullCheck, error) {
	images, at, err := h.brought(ctx, job)
	if err != nil {
		return pulls.PullCheck{}, err
	}
	return CheckOf(job, images, at, h.Site.Now()), nil
}

// CheckOf words what the storage knows now about the images of a pull, whose pages are below at.
func CheckOf(job pull.Job, images []shelf.Image, at image.Reference, now time.Time) (check pulls.PullCheck) {
	for _, img := range images {
		switch {
		case !img.Broken.Empty():
			b := pulls.BrokenImage{Reason: img.Broken, URL: address.Of(at).String()}
			if img.Platform.Known() {
				b.Platform, b.URL = img.Platform.String(), address.Of(at).For(img.Platform).String()
			}
			check.Broken = append(check.Broken, b)
		case img.Unpacked < 0:
			check.Pending = true
		}
	}
	check.Poll = check.Pending && now.Sub(job.Finished) < PollCheck
	return check
}

// brought gives the images that a pull brought, as far as they are stored, and where their pages are.
func (h *Handlers) brought(ctx context.Context, job pull.Job) (images []shelf.Image, at image.Reference, err error) {
	if job.State != pull.Done && !job.Broken || job.AllTags || job.Upload != nil { // of all tags, each one's own page tells; an upload is proved first
		return nil, at, nil
	}
	at = job.Reference
	if job.Digest != "" { // the tag may have moved since
		at = at.WithDigest(job.Digest)
	}
	target, err := h.Store.Target(ctx, at)
	if image.KindOf(err) == image.NotFound {
		return nil, at, nil
	}
	if err != nil {
		return nil, at, err
	}
	if len(job.Pulled) == 0 {
		return target.Images, at, nil
	}
	for _, img := range target.Images {
		if slices.Contains(job.Pulled, img.Platform) {
			images = append(images, img)
		}
	}
	return images, at, nil
}

// brokenPulls tells which pulls brought an image that cannot be used.
func (h *Handlers) brokenPulls(ctx context.Context, jobs []pull.Job) (map[int64]bool, error) {
	broken := make(map[int64]bool)
	for _, job := range jobs {
		images, _, err := h.brought(ctx, job)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(images, func(img shelf.Image) bool { return !img.Broken.Empty() }) {
			broken[job.ID] = true
		}
	}
	return broken, nil
}
