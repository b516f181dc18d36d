package search

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
)

// hubSearch is Docker Hub's own API, that of its web site. Its search is undocumented; where it fails, the v1 search
// that docker itself uses takes its place.
type hubSearch struct {
	service
	patience time.Duration // before the fallback is taken
	fallback func(context.Context) (searcher, error)
}

func (h hubSearch) window() (pages, size int) { return 3, 100 }

func (h hubSearch) find(ctx context.Context, text string, page, size int) (found, error) {
	l := h.limiters.of(h.base.Host)
	var first error
	if !l.broken() {
		hurried, cancel := context.WithTimeout(ctx, h.patience)
		defer cancel()
		f, err := h.search(hurried, text, page, size)
		if err == nil || ctx.Err() != nil || image.KindOf(err) == image.RateLimited {
			return f, err
		}
		first = err
	}
	v1, err := h.fallback(ctx)
	var f found
	if err == nil {
		f, err = v1.find(ctx, text, page, size)
	}
	if err == nil && first != nil {
		l.setBroken()
	}
	if err != nil && first != nil && ctx.Err() == nil {
		return found{}, first // that the fallback fails too says less
	}
	return f, err
}

func (h hubSearch) search(ctx context.Context, text string, page, size int) (found, error) {
	var answer struct {
		Count   lenientCount `json:"count"`
		Next    lenientText  `json:"next"`
		Results lenientList[struct {
			Name        lenientText  `json:"repo_name"`
			Description lenientText  `json:"short_description"`
			Stars       lenientCount `json:"star_count"`
			Pulls       lenientCount `json:"pull_count"`
			Official    lenientFlag  `json:"is_official"`
			Badge       lenientText  `json:"badge"` // "verified_publisher", in answers of newer searches
		}] `json:"results"`
	}
	query := url.Values{"query": {text}, "page": {strconv.Itoa(page)}, "page_size": {strconv.Itoa(size)}}
	err := h.get(ctx, "/v2/search/repositories/", query, &answer)
	if page > 1 && notFound(err) {
		return found{kind: registry.SearchHub, total: -1}, nil // behind the last page
	}
	if err != nil {
		return found{}, err
	}
	if !answer.Results.said {
		return found{}, h.shape("results")
	}
	f := found{kind: registry.SearchHub, total: int(answer.Count.orUnknown())}
	for _, r := range answer.Results.all {
		hit, ok := h.hit(r.Name)
		if !ok {
			continue
		}
		hit.Description, hit.Stars, hit.Pulls = description(r.Description), r.Stars.orUnknown(), r.Pulls.orUnknown()
		hit.Official, hit.Verified = r.Official.true, r.Badge == "verified_publisher"
		f.hits = append(f.hits, hit)
	}
	f.hits = pageOf(unique(f.hits), 1, size)
	f.more = answer.Next != "" || f.total > page*size
	return f, nil
}

func (h hubSearch) details(ctx context.Context, path, contains string) (map[string]TagDetail, error) {
	namespace, name, found := strings.Cut(path, "/")
	if !found || strings.Contains(name, "/") {
		return nil, nil
	}
	var answer struct {
		Results lenientList[struct {
			Name    lenientText  `json:"name"`
			Digest  lenientText  `json:"digest"`
			Size    lenientCount `json:"full_size"`
			Updated lenientTime  `json:"last_updated"`
			Pushed  lenientTime  `json:"tag_last_pushed"`
			Images  lenientList[struct {
				OS           lenientText  `json:"os"`
				OSVersion    lenientText  `json:"os_version"`
				Architecture lenientText  `json:"architecture"`
				Variant      lenientText  `json:"variant"`
				Digest       lenientText  `json:"digest"`
				Size         lenientCount `json:"size"`
			}] `json:"images"`
		}] `json:"results"`
	}
	query := url.Values{"page_size": {strconv.Itoa(mostDetails)}, "ordering": {"last_updated"}}
	if contains != "" {
		query.Set("name", contains)
	}
	where := "/v2/repositories/" + url.PathEscape(namespace) + "/" + url.PathEscape(name) + "/tags"
	if err := h.get(ctx, where, query, &answer); err != nil {
		return nil, err
	}
	if !answer.Results.said {
		return nil, h.shape("results")
	}
	all := map[string]TagDetail{}
	for _, r := range answer.Results.first(mostDetails) {
		d := TagDetail{Digest: digestOrNone(r.Digest), Updated: r.Updated.orElse(r.Pushed), Size: r.Size.orUnknown()}
		for _, i := range r.Images.all {
			p := ocispec.Platform{OS: string(i.OS), OSVersion: string(i.OSVersion), Architecture: string(i.Architecture),
				Variant: string(i.Variant)}
			d.Images = addImage(d.Images, p, i.Digest, i.Size.orUnknown())
		}
		addDetail(all, r.Name, contains, d)
	}
	return all, nil
}
