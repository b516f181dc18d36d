package lookup

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/resolve"
	"github.com/stowage/stowage/views/offer"
)

// OffersWanted is what somebody wants to see of the platforms of a very large index.
type OffersWanted struct {
	Asked  []image.Platform // ticked, in view whatever else is
	Chosen bool             // Asked is what somebody ticked, also where that is nothing
	Find   string           // a part of a platform's name
	Page   int              // from 1
}

// offersInView are the offers that one page of the form shows.
type offersInView struct {
	rows    []int // places in Offers
	ticked  map[int]bool
	absent  []image.Platform // asked for and not there
	matches int              // offers that the filter leaves
	page    int
	pages   int
}

// usualPlatforms are what most people look for, in the order in which a large index shows them.
var usualPlatforms = []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386",
	"linux/ppc64le", "linux/s390x", "linux/riscv64", "windows/amd64"}

// Rows returns the places of the offers that are in view.
func (w OffersWanted) Rows(r resolve.Resolution) []int { return w.view(r).rows }

// view chooses the offers of a page: all, in the index's order, where they are few. Else what is ticked comes first,
// then a page of those that match: the server's platform, what is stored, the common ones, and the rest in the index's
// order.
func (w OffersWanted) view(r resolve.Resolution) offersInView {
	v := offersInView{page: 1, pages: 1, matches: len(r.Offers)}
	v.ticked, v.absent = tickedOffers(r, w.Asked, w.Chosen)
	if len(r.Offers) <= resolve.MaxOffers {
		for i := range r.Offers {
			v.rows = append(v.rows, i)
		}
		return v
	}
	var others []int
	v.matches = 0
	for i, o := range r.Offers {
		matches := strings.Contains(o.Platform.String(), strings.ToLower(w.Find))
		if matches {
			v.matches++
		}
		switch {
		case v.ticked[i]:
			v.rows = append(v.rows, i)
		case matches:
			others = append(others, i)
		}
	}
	slices.SortStableFunc(others, func(a, b int) int {
		return cmp.Compare(offerRank(r.Offers[a]), offerRank(r.Offers[b]))
	})
	most := max(resolve.MaxOffers-len(v.rows), resolve.MaxOffers/4)
	v.pages = max(1, (len(others)+most-1)/most)
	v.page = min(w.Page, v.pages)
	from := (v.page - 1) * most
	v.rows = append(v.rows, others[from:min(from+most, len(others))]...)
	return v
}

// offerRank orders the offers of a very large index.
func offerRank(o resolve.Offer) int {
	switch at := slices.Index(usualPlatforms, o.Platform.String()); {
	case o.Default:
		return -2
	case o.Stored:
		return -1
	case at >= 0:
		return at
	}
	return len(usualPlatforms)
}

// tickedOffers returns which offers are ticked, and which of the asked platforms are not there. Where nobody has
// chosen, the default one is.
func tickedOffers(r resolve.Resolution, asked []image.Platform,
	chosen bool) (ticked map[int]bool, absent []image.Platform) {
	ticked = make(map[int]bool)
	if len(asked) == 0 {
		for i, o := range r.Offers {
			if o.Default && !chosen {
				ticked[i] = true
			}
		}
		return ticked, nil
	}
	entries := make([]image.Entry, len(r.Offers))
	for i, o := range r.Offers {
		entries[i] = o.Entry
		entries[i].Platform = o.Platform // the config's, where the index does not say
	}
	for _, p := range asked {
		choices, err := resolve.Choose(r.Reference, entries, []image.Platform{p}, p)
		if err != nil {
			absent = append(absent, p)
			continue
		}
		for _, choice := range choices {
			ticked[choice.Entry] = true
		}
	}
	return ticked, absent
}

// NotOffered is the error of platforms that a reference does not have.
func NotOffered(ref image.Reference, absent []image.Platform, f offer.Found) error {
	names := make([]string, len(absent))
	for i, p := range absent {
		names[i] = p.String()
	}
	e := image.Errorf(image.NoPlatform, "%s has no image for %s", ref.Familiar(), strings.Join(names, ", "))
	var present []string
	for _, o := range f.Offers {
		if o.Obstacle == offer.ObstacleNone {
			present = append(present, o.Platform)
		}
	}
	if len(present) == 0 {
		return e
	}
	list := image.Plain(strings.Join(present, ", "))
	if more := f.All - len(f.Offers); more > 0 {
		list = image.Textf("%s and %d more", list, more)
	}
	return e.Suggest("It has %s.", list)
}
