package search

import (
	"context"
	"net/url"
	"strconv"

	"github.com/stowage/stowage/registry"
)

// v1Search is the search that docker itself uses: of any registry that kept it. Only query, num_results and results
// are sure to be there; a service that does not say which page it sends sends all that it has.
type v1Search struct{ service }

func (v v1Search) window() (pages, size int) { return 3, 100 }

func (v v1Search) find(ctx context.Context, text string, page, size int) (found, error) {
	var answer struct {
		Query   *lenientText `json:"query"`
		Number  lenientCount `json:"num_results"`
		Page    lenientCount `json:"page"`
		Pages   lenientCount `json:"num_pages"`
		Results lenientList[struct {
			Name        lenientText  `json:"name"`
			Description lenientText  `json:"description"`
			Stars       lenientCount `json:"star_count"`
			Pulls       lenientCount `json:"pull_count"`
			Official    lenientFlag  `json:"is_official"`
		}] `json:"results"`
	}
	query := url.Values{"q": {text}, "n": {strconv.Itoa(size)}, "page": {strconv.Itoa(page)}}
	err := v.get(ctx, "/v1/search", query, &answer)
	if page > 1 && notFound(err) {
		return found{kind: registry.SearchV1, total: -1}, nil // behind the last page
	}
	if err != nil {
		return found{}, err
	}
	switch {
	case !answer.Results.said:
		return found{}, v.shape("results")
	case answer.Query == nil && !answer.Number.said:
		return found{}, v.shape("num_results")
	}
	f := found{kind: registry.SearchV1, total: int(answer.Number.orUnknown())}
	entries := answer.Results.all
	for _, r := range entries {
		hit, ok := v.hit(r.Name)
		if !ok {
			continue
		}
		hit.Description, hit.Stars, hit.Pulls, hit.Official = description(r.Description), r.Stars.orUnknown(),
			r.Pulls.orUnknown(), r.Official.true
		f.hits = append(f.hits, hit)
	}
	f.hits = unique(f.hits)
	if !answer.Page.said {
		f.total = len(f.hits)
		f.more = len(f.hits) > page*size
		f.hits = pageOf(f.hits, page, size)
		return f, nil
	}
	f.hits = pageOf(f.hits, 1, size)
	if int(answer.Page.n) != page { // behind the last page some send the last one again
		f.hits = nil
		return f, nil
	}
	f.more = answer.Pages.n > int64(page) || !answer.Pages.said && f.total > page*size && len(entries) >= size
	return f, nil
}

func (v v1Search) details(context.Context, string, string) (map[string]TagDetail, error) {
	return nil, nil
}
