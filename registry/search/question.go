package search

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// Order is an order of results.
type Order string

// The orders. All but the first are of what was fetched: see Hits.Window.
const (
	ByMatch Order = "" // as the service has it: best match
	ByStars Order = "stars"
	ByPulls Order = "pulls"
	ByName  Order = "name"
)

// Question is what is searched for. Official and Stars are docker search's filters is-official and stars.
type Question struct {
	Text     string
	Official bool
	Stars    int // at least
	Sort     Order
	Page     int // from 1
	Limit    int // results on a page, 1 to 100; docker's default is 25
}

const (
	defaultLimit = 25  // docker's
	mostLimit    = 100 // docker's
	mostText     = 200 // bytes of what is searched for
	mostDeep     = 10_000
)

// checked brings a query for a registry into its normal form, as dockerd does: without the host, and without
// library/ for Docker Hub.
func (q Question) checked(host string) (Question, error) {
	q.Text = strings.Join(strings.Fields(strings.ToValidUTF8(q.Text, "")), " ")
	q.Text = strings.TrimPrefix(q.Text, host+"/")
	if host == image.DockerHub {
		q.Text = strings.TrimPrefix(strings.TrimPrefix(q.Text, "index."+image.DockerHub+"/"), "library/")
	}
	if len(q.Text) > mostText {
		return q, image.Errorf(image.Invalid, "the text to search for is longer than %d bytes", mostText).
			Suggest("Search for a part of the name.")
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.Limit < 1 || q.Limit > mostLimit {
		return q, image.Errorf(image.Invalid, "limit %d is outside the range of [1, %d]", q.Limit, mostLimit)
	}
	q.Page = min(max(q.Page, 1), mostDeep)
	q.Stars = max(q.Stars, 0)
	switch q.Sort {
	case ByMatch, ByStars, ByPulls, ByName:
		return q, nil
	}
	return q, image.Errorf(image.Invalid, "results cannot be sorted by %.40q", string(q.Sort)).
		Suggest("Sort them by stars, pulls or name.")
}

// filtered reports whether a query is more than the services' own search does.
func (q Question) filtered() bool { return q.Official || q.Stars > 0 || q.Sort != ByMatch }

// apply filters and orders what was fetched, and gives the page that is asked for.
func (q Question) apply(seen []found) Hits {
	result := Hits{Kind: seen[0].kind}
	var all []Hit
	for _, f := range seen {
		all = append(all, f.hits...)
		result.Partial, result.Reading = result.Partial || f.partial, result.Reading || f.reading
		result.Read += max(f.read, len(f.hits))
	}
	all = unique(all)
	result.Window = len(all)
	all = slices.DeleteFunc(all, func(h Hit) bool {
		return q.Official && !h.Official || q.Stars > 0 && h.Stars < int64(q.Stars)
	})
	q.Sort.order(all)
	result.Total, result.More = len(all), len(all) > q.Page*q.Limit
	result.Hits = slices.Clone(pageOf(all, q.Page, q.Limit))
	return result
}

// order puts results in an order, those that are alike as they came.
func (s Order) order(all []Hit) {
	shown := map[image.Repository]string{} // names as people read them
	if s == ByName {
		for _, h := range all {
			shown[h.Repository] = h.Repository.Familiar()
		}
	}
	slices.SortStableFunc(all, func(a, b Hit) int {
		switch s {
		case ByStars:
			return cmp.Compare(b.Stars, a.Stars)
		case ByPulls:
			return cmp.Compare(b.Pulls, a.Pulls)
		case ByName:
			return cmp.Compare(shown[a.Repository], shown[b.Repository])
		}
		return 0
	})
}
