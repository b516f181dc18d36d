package lookup

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/text"
)

// Running lists the pulls of a reference that are under way.
func (h *Desk) Running(ref image.Reference) (ids []int64) {
	for _, j := range h.Jobs.Active() {
		if j.Reference() == ref {
			ids = append(ids, j.ID)
		}
	}
	return ids
}

// SlowRegistry is the error of a registry that did not answer in time.
func SlowRegistry(ref image.Reference) error {
	return image.Errorf(image.Unavailable, "%s did not answer in time", ref.Repository.Host()).
		Suggest("Try again in a moment.")
}

// PullFound turns what a reference points to into the form, with the asked platforms ticked, or else the
// default one. absent are those that are not offered.
func (h *Desk) PullFound(ctx context.Context, r resolve.Resolution,
	want OffersWanted) (f offer.Found, absent []image.Platform) {
	shown := want.view(r)
	f = offer.Found{
		Ref: r.Reference, Digest: r.Target.Digest, Index: r.Target.Index != nil, Stored: r.Stored,
		StoredURL:    address.Of(r.Reference).String(),
		Attestations: r.Attestations, Others: r.Others, Default: h.Platform.String(), Cost: offer.Cost{Free: h.FreeDisk()},
		Allowance: h.Allowance(r.Reference.Repository.Host()), All: len(r.Offers), Most: pull.MaxPlatforms,
		Window: offer.Window{Find: want.Find, Matches: shown.matches, Page: shown.page, Pages: shown.pages},
	}
	fetch := make(map[image.Digest]int64)
	seen := make(map[image.Platform]bool)
	repeated := make(map[int]bool)
	for i, o := range r.Offers {
		repeated[i] = seen[o.Platform]
		seen[o.Platform] = seen[o.Platform] || o.Entry.Kind == image.EntryImage // others are passed over
		f.HasDefault = f.HasDefault || o.Default
	}
	for _, i := range shown.rows {
		o := r.Offers[i]
		v := h.pullOffer(ctx, r.Reference, o)
		if v.Obstacle == offer.ObstacleNone && repeated[i] {
			v.Obstacle = offer.ObstacleRepeated
		}
		// An image whose platform nobody states is pulled where it is the only one, and no box says so.
		v.Ticked = shown.ticked[i] && (v.Obstacle == offer.ObstacleNone ||
			len(r.Offers) == 1 && v.Obstacle != offer.ObstacleRefused)
		if v.Ticked {
			f.Cost.Ticked++
			for _, l := range o.Layers {
				if !l.Stored {
					fetch[l.Digest] = l.Size
				}
			}
		}
		f.Offers = append(f.Offers, v)
	}
	for _, size := range fetch {
		f.Cost.Fetch += size
	}
	return f, shown.absent
}

func (h *Desk) pullOffer(ctx context.Context, ref image.Reference, o resolve.Offer) offer.Offer {
	v := offer.Offer{
		Platform: o.Platform.String(), Default: o.Default, Stored: o.Stored,
		Priced: o.Manifest != nil, Size: o.Size, Here: o.Here, Fetch: o.Fetch, Blobs: missingBlobs(o.Layers),
	}
	switch read, err := image.ParsePlatform(v.Platform); {
	case !o.Platform.Known():
		v.Obstacle = offer.ObstacleUnnamed
	case err != nil || read != o.Platform:
		v.Obstacle = offer.ObstacleInvalid
	default:
		v.Value = v.Platform
	}
	if o.Stored {
		v.URL = address.Of(ref).For(o.Platform).String()
	}
	var e *image.Error
	switch {
	case o.Err == nil:
	case errors.As(o.Err, &e) && e.Kind != image.Internal:
		v.Problem = text.ErrorText(ctx, e.Text())
		if v.Obstacle == offer.ObstacleNone && e.Kind != image.Unavailable && e.Kind != image.RateLimited {
			v.Obstacle = offer.ObstacleRefused // a pull would fail by the same
		}
	case !errors.Is(o.Err, context.DeadlineExceeded) && !errors.Is(o.Err, context.Canceled):
		h.Log.Warn("platform not priced", "reference", ref.String(), "platform", v.Platform, "error", o.Err)
	}
	return v
}

// missingBlobs writes what is to be fetched as static/app.js adds it up.
func missingBlobs(layers []resolve.OfferedLayer) string {
	var b strings.Builder
	for _, l := range layers {
		if l.Stored {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(image.ShortDigest(l.Digest))
		b.WriteByte(':')
		b.WriteString(decimal(l.Size))
	}
	return b.String()
}

// FreeDisk returns the bytes that there is room for on the data folder's volume; -1 where that cannot be told.
func (h *Desk) FreeDisk() int64 {
	left, err := h.Space.Left()
	if err != nil {
		h.Log.Warn("free disk not known", "error", err)
		return -1
	}
	return max(0, left)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
