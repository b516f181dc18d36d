package search

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stowage/stowage/registry"
)

// quaySearch is Quay's own API (quay/quay, endpoints/api/search.py and tag.py). Its pages are of ten results, whatever
// is asked for, and end with the tenth.
type quaySearch struct{ service }

const (
	quayPage  = 10 // results; SEARCH_RESULTS_PER_PAGE of an installation may make it another number
	quayPages = 10
)

// window is of few requests: each has ten results only.
func (q quaySearch) window() (pages, size int) { return 1, 50 }

// quayAnswer is one of Quay's own pages.
type quayAnswer struct {
	hits []Hit
	page int
	per  int
	more bool
}

func (q quaySearch) find(ctx context.Context, text string, page, size int) (found, error) {
	from, to, per := (page-1)*size, page*size, quayPage
	f := found{kind: registry.SearchQuay, total: -1}
	if from >= quayPages*per {
		return f, nil
	}
	first, err := q.ask(ctx, text, from/per+1)
	if err == nil && first.per != per {
		if per = first.per; from/per+1 != first.page {
			first, err = q.ask(ctx, text, from/per+1)
		}
	}
	if err != nil {
		return found{}, err
	}
	pages := []quayAnswer{first}
	if last := min((to+per-1)/per, quayPages); first.more && last > from/per+1 {
		rest, err := q.askAll(ctx, text, from/per+2, last)
		if err != nil {
			return found{}, err
		}
		pages = append(pages, rest...)
	}
	var hits []Hit
	for i, p := range pages {
		if p.page != from/per+1+i { // behind the last page it sends the last one again
			f.more = false
			break
		}
		hits, f.more = append(hits, p.hits...), p.more && p.page < quayPages
		if !p.more {
			break
		}
	}
	skip := min(from%per, len(hits))
	f.more = f.more || len(hits)-skip > size
	f.hits = pageOf(unique(hits[skip:]), 1, size)
	if !f.more {
		f.total = from + len(f.hits)
	}
	return f, nil
}

// askAll asks for Quay's pages from one to another side by side.
func (q quaySearch) askAll(ctx context.Context, text string, from, to int) ([]quayAnswer, error) {
	answers, errs := make([]quayAnswer, to-from+1), make([]error, to-from+1)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i], errs[i] = q.ask(ctx, text, from+i) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func (q quaySearch) ask(ctx context.Context, text string, page int) (quayAnswer, error) {
	var answer struct {
		More    lenientFlag  `json:"has_additional"`
		Page    lenientCount `json:"page"`
		Per     lenientCount `json:"page_size"`
		Results lenientList[struct {
			Kind        lenientText                `json:"kind"`
			Namespace   struct{ Name lenientText } `json:"namespace"`
			Name        lenientText                `json:"name"`
			Description lenientText                `json:"description"`
			Stars       lenientCount               `json:"stars"`
			Updated     lenientTime                `json:"last_modified"`
		}] `json:"results"`
	}
	query := url.Values{"query": {text}, "page": {strconv.Itoa(page)}, "includeUsage": {"true"}}
	if err := q.get(ctx, "/api/v1/find/repositories", query, &answer); err != nil {
		return quayAnswer{}, err
	}
	switch {
	case !answer.Results.said:
		return quayAnswer{}, q.shape("results")
	case !answer.More.said && !answer.Page.said:
		return quayAnswer{}, q.shape("has_additional")
	}
	a := quayAnswer{page: page, per: quayPage, more: answer.More.true}
	if answer.Page.said {
		a.page = int(answer.Page.n)
	}
	if answer.Per.said && answer.Per.n > 0 && answer.Per.n <= 100 {
		a.per = int(answer.Per.n)
	}
	for _, r := range answer.Results.all {
		// Its popularity is a score of recent use, and no count of pulls.
		hit, ok := q.hit(r.Namespace.Name + "/" + r.Name)
		if !ok || r.Kind == "application" {
			continue
		}
		hit.Description, hit.Stars, hit.Updated = description(r.Description), r.Stars.orUnknown(), time.Time(r.Updated)
		a.hits = append(a.hits, hit)
	}
	return a, nil
}

func (q quaySearch) details(ctx context.Context, path, contains string) (map[string]TagDetail, error) {
	var answer struct {
		Tags lenientList[struct {
			Name    lenientText  `json:"name"`
			Digest  lenientText  `json:"manifest_digest"`
			List    lenientFlag  `json:"is_manifest_list"`
			Size    lenientCount `json:"size"`
			Start   lenientTime  `json:"start_ts"`
			Changed lenientTime  `json:"last_modified"`
		}] `json:"tags"`
	}
	query := url.Values{"limit": {strconv.Itoa(mostDetails)}, "onlyActiveTags": {"true"}}
	if contains != "" {
		query.Set("filter_tag_name", "like:"+contains)
	}
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	if err := q.get(ctx, "/api/v1/repository/"+strings.Join(parts, "/")+"/tag/", query, &answer); err != nil {
		return nil, err
	}
	if !answer.Tags.said {
		return nil, q.shape("tags")
	}
	all := map[string]TagDetail{}
	for _, r := range answer.Tags.first(mostDetails) {
		d := TagDetail{Digest: digestOrNone(r.Digest), Updated: r.Start.orElse(r.Changed), Size: r.Size.orUnknown()}
		if r.List.true || d.Size == 0 { // an index has no layers of its own
			d.Size = -1
		}
		addDetail(all, r.Name, contains, d)
	}
	return all, nil
}
