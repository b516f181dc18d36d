package search

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stowage/stowage/registry"
)

// harborSearch is Harbor's own API (goharbor/harbor, api/v2.0/swagger.yaml). Its search has no pages: it sends all
// that match, of the projects that the login may see.
type harborSearch struct{ service }

func (h harborSearch) window() (pages, size int) { return 1, 300 }

func (h harborSearch) find(ctx context.Context, text string, page, size int) (found, error) {
	var answer struct {
		Projects     lenientList[struct{}] `json:"project"`
		Repositories lenientList[struct {
			Name  lenientText  `json:"repository_name"`
			Pulls lenientCount `json:"pull_count"`
		}] `json:"repository"`
	}
	if err := h.get(ctx, "/api/v2.0/search", url.Values{"q": {text}}, &answer); err != nil {
		return found{}, err
	}
	switch {
	case !answer.Repositories.said:
		return found{}, h.shape("repository")
	case !answer.Projects.said:
		return found{}, h.shape("project")
	}
	var hits []Hit
	for _, r := range answer.Repositories.all {
		hit, ok := h.hit(r.Name)
		if !ok {
			continue
		}
		hit.Pulls = r.Pulls.orUnknown()
		hits = append(hits, hit)
	}
	hits = unique(hits)
	return found{kind: registry.SearchHarbor, hits: pageOf(hits, page, size), total: len(hits),
		more: len(hits) > page*size}, nil
}

func (h harborSearch) details(ctx context.Context, path, contains string) (map[string]TagDetail, error) {
	project, name, nested := strings.Cut(path, "/")
	if !nested {
		return nil, nil
	}
	var answer lenientList[struct {
		Digest lenientText  `json:"digest"`
		Size   lenientCount `json:"size"`
		Pushed lenientTime  `json:"push_time"`
		Tags   lenientList[struct {
			Name   lenientText `json:"name"`
			Pushed lenientTime `json:"push_time"`
		}] `json:"tags"`
		Attributes harborAttributes `json:"extra_attrs"`
		References lenientList[struct {
			Digest   lenientText      `json:"child_digest"`
			Platform harborAttributes `json:"platform"`
		}] `json:"references"`
	}]
	query := url.Values{"with_tag": {"true"}, "page_size": {strconv.Itoa(mostDetails)}, "sort": {"-push_time"},
		"q": {"tags=*"}}
	if contains != "" {
		query.Set("q", "tags=~"+contains)
	}
	// Its router undoes one escape before it looks for slashes: a/b is sent as a%252Fb.
	where := "/api/v2.0/projects/" + url.PathEscape(project) + "/repositories/" + url.PathEscape(url.PathEscape(name)) +
		"/artifacts"
	if err := h.get(ctx, where, query, &answer); err != nil {
		return nil, err
	}
	if !answer.said {
		return nil, h.shape("a list of artifacts")
	}
	all := map[string]TagDetail{}
	for _, a := range answer.first(mostDetails) {
		d := TagDetail{Digest: digestOrNone(a.Digest), Size: a.Size.orUnknown()}
		if len(a.References.all) > 0 {
			d.Size = -1 // the sum of all platforms
			for _, r := range a.References.first(mostPlatforms) {
				d.Images = addImage(d.Images, r.Platform.platform(), r.Digest, -1)
			}
		} else {
			d.Images = addImage(nil, a.Attributes.platform(), a.Digest, a.Size.orUnknown())
		}
		for _, t := range a.Tags.first(mostDetails) {
			d.Updated = t.Pushed.orElse(a.Pushed)
			addDetail(all, t.Name, contains, d)
		}
	}
	return all, nil
}

// harborAttributes are the parts of a platform, wherever Harbor has them.
type harborAttributes struct {
	OS           lenientText `json:"os"`
	OSVersion    lenientText `json:"os.version"`
	Architecture lenientText `json:"architecture"`
	Variant      lenientText `json:"variant"`
}

func (a harborAttributes) platform() ocispec.Platform {
	return ocispec.Platform{OS: string(a.OS), OSVersion: string(a.OSVersion), Architecture: string(a.Architecture),
		Variant: string(a.Variant)}
}
