package pulls

import (
	"context"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/pulls"
)

// pollCheck is how long after the end of a pull its page asks whether the layers are unpacked. What takes
// longer cannot be read, and stays so.
const pollCheck = 30 * time.Minute

// check returns what unpacking has found about the images of a pull. It is empty while the pull runs, and where
// the images are not stored any more.
func (h *Handlers) check(ctx context.Context, j job.Job) (pulls.PullCheck, error) {
	images, at, err := h.brought(ctx, j)
	if err != nil {
		return pulls.PullCheck{}, err
	}
	return checkOf(j, images, at, h.Site.Now()), nil
}

// checkOf words what the storage knows now about the images of a pull, whose pages are below at.
func checkOf(j job.Job, images []shelf.Image, at image.Reference, now time.Time) (check pulls.PullCheck) {
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
	check.Poll = check.Pending && now.Sub(j.Finished) < pollCheck
	return check
}

// brought returns the images that a pull brought, as far as they are stored, and where their pages are.
func (h *Handlers) brought(ctx context.Context, j job.Job) (images []shelf.Image, at image.Reference, err error) {
	if j.State != job.Done && !j.Outcome.Broken || j.Kind() == job.PullAll || j.Kind() == job.Upload {
		// Of all tags, each one's own page tells; an upload is proved first.
		return nil, at, nil
	}
	at = j.Reference()
	if pull.DigestOf(j) != "" { // the tag may have moved since
		at = at.WithDigest(pull.DigestOf(j))
	}
	target, err := h.Images.Target(ctx, at)
	if image.KindOf(err) == image.NotFound {
		return nil, at, nil
	}
	if err != nil {
		return nil, at, err
	}
	if len(j.Outcome.Pulled) == 0 {
		return target.Images, at, nil
	}
	for _, img := range target.Images {
		if slices.Contains(j.Outcome.Pulled, img.Platform) {
			images = append(images, img)
		}
	}
	return images, at, nil
}

// brokenPulls returns which pulls brought an image that cannot be used.
func (h *Handlers) brokenPulls(ctx context.Context, jobs []job.Job) (map[int64]bool, error) {
	broken := make(map[int64]bool)
	for _, j := range jobs {
		images, _, err := h.brought(ctx, j)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(images, func(img shelf.Image) bool { return !img.Broken.Empty() }) {
			broken[j.ID] = true
		}
	}
	return broken, nil
}
