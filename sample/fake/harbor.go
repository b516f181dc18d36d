package fake

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

// Harbor is a stand-in for Harbor's API. It is safe for concurrent use.
//
//	GET /api/v2.0/search?q=                        projects and repositories, without pages
//	GET /api/v2.0/projects/{project}/repositories/{repository}/artifacts?with_tag=&page=&page_size=&q=tags=~text
//
// A repository's name is escaped twice where it has a slash, as Harbor wants it.
type Harbor struct {
	Found  []Found // project/repository
	Tagged Tagged  // whose tags it tells of
}

// Handler serves it.
func (h Harbor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v2.0/search", h.search)
	mux.HandleFunc("GET /api/v2.0/projects/{project}/repositories/{repository}/artifacts", h.artifacts)
	return mux
}

func (h Harbor) search(w http.ResponseWriter, r *http.Request) {
	query := strings.ToLower(r.URL.Query().Get("q"))
	projects, repositories := []map[string]any{}, []map[string]any{}
	seen := map[string]bool{}
	for _, f := range h.Found {
		project, _, _ := strings.Cut(f.Repository, "/")
		if strings.Contains(project, query) && !seen[project] {
			seen[project] = true
			projects = append(projects, map[string]any{
				"project_id": hubID(project), "name": project, "owner_name": "admin", "creation_time": sample.Epoch,
				"update_time": sample.Epoch, "deleted": false,
				"metadata": map[string]string{"public": "true"}, "repo_count": h.count(project),
			})
		}
		if strings.Contains(strings.ToLower(f.Repository), query) {
			repositories = append(repositories, map[string]any{
				"project_id": hubID(project), "project_name": project, "project_public": true, "repository_name": f.Repository,
				"pull_count": f.Pulls, "artifact_count": len(h.artifactsOf(f.Repository)),
			})
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"project": projects, "repository": repositories})
}

func (h Harbor) count(project string) int {
	n := 0
	for _, f := range h.Found {
		if strings.HasPrefix(f.Repository, project+"/") {
			n++
		}
	}
	return n
}

// artifactsOf groups a repository's tags by what they point at, the newest first.
func (h Harbor) artifactsOf(repository string) [][]TagAt {
	byDigest := map[digest.Digest][]TagAt{}
	for _, t := range h.Tagged.TagsOf(repository) {
		byDigest[t.Descriptor.Digest] = append(byDigest[t.Descriptor.Digest], t)
	}
	var all [][]TagAt
	for _, tags := range byDigest {
		all = append(all, tags)
	}
	slices.SortFunc(all, func(a, b []TagAt) int {
		if c := b[0].Updated.Compare(a[0].Updated); c != 0 {
			return c
		}
		return strings.Compare(a[0].Tag, b[0].Tag)
	})
	return all
}

func (h Harbor) artifacts(w http.ResponseWriter, r *http.Request) {
	name, err := url.PathUnescape(r.PathValue("repository"))
	if err != nil {
		name = r.PathValue("repository")
	}
	project, q := r.PathValue("project"), r.URL.Query()
	all := h.artifactsOf(project + "/" + name)
	if len(all) == 0 {
		writeJSON(w, http.StatusNotFound,
			map[string]any{"errors": []map[string]string{{"code": "NOT_FOUND", "message": "repository " + project + "/" + name +
				" not found"}}})
		return
	}
	if text, ok := strings.CutPrefix(q.Get("q"), "tags=~"); ok {
		all = slices.DeleteFunc(all, func(tags []TagAt) bool {
			return !slices.ContainsFunc(tags, func(t TagAt) bool { return strings.Contains(t.Tag, text) })
		})
	}
	p := paging(r, "page_size", 10, 100)
	part, more := cut(all, p)
	if _, next := neighbours(r, p, more); next != nil {
		w.Header().Set("Link", "<"+strings.TrimPrefix(next.(string), "http://"+r.Host)+`>; rel="next"`)
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(len(all)))
	results := make([]map[string]any, 0, len(part))
	for _, tags := range part {
		results = append(results, harborArtifact(project, tags, q.Get("with_tag") != "false"))
	}
	writeJSON(w, http.StatusOK, results)
}

// harborArtifact is what tags point at in Harbor's words. An index is as large as all of its images together.
func harborArtifact(project string, tags []TagAt, withTag bool) map[string]any {
	t := tags[0]
	id := hubID(t.Descriptor.Digest.String())
	pushed := t.Updated.Format(time.RFC3339)
	a := map[string]any{
		"id": id, "type": "IMAGE", "digest": t.Descriptor.Digest, "manifest_media_type": t.Descriptor.MediaType,
		"media_type": v1.MediaTypeImageConfig,
		"project_id": hubID(project), "repository_id": hubID(t.Repository), "repository_name": t.Repository,
		"push_time": pushed, "pull_time": pushed,
		"icon": "", "annotations": nil, "labels": nil, "references": nil, "tags": nil, "extra_attrs": map[string]any{},
	}
	size := t.Descriptor.Size
	for _, im := range t.Images {
		size += im.Size
	}
	a["size"] = size
	if isIndex(t) {
		a["media_type"] = t.Descriptor.MediaType
		references := []map[string]any{}
		for _, im := range t.Images {
			references = append(references, map[string]any{
				"parent_id": id, "child_id": hubID(im.Digest.String()), "child_digest": im.Digest, "annotations": nil, "urls": nil,
				"platform": map[string]any{"architecture": im.Platform.Architecture, "os": im.Platform.OS,
					"variant": im.Platform.Variant, "os.version": im.Platform.OSVersion, "os.features": nil},
			})
		}
		a["references"] = references
	} else if len(t.Images) > 0 {
		a["extra_attrs"] = map[string]any{"architecture": t.Images[0].Platform.Architecture, "os": t.Images[0].Platform.OS,
			"created": pushed}
	}
	if withTag {
		list := []map[string]any{}
		for _, tag := range tags {
			list = append(list, map[string]any{
				"id": hubID(tag.Repository + ":" + tag.Tag), "artifact_id": id, "repository_id": hubID(tag.Repository),
				"name":      tag.Tag,
				"push_time": tag.Updated.Format(time.RFC3339), "pull_time": "0001-01-01T00:00:00.000Z", "immutable": false,
				"signed": false,
			})
		}
		a["tags"] = list
	}
	return a
}

func isIndex(t TagAt) bool {
	return t.Descriptor.MediaType == v1.MediaTypeImageIndex || t.Descriptor.MediaType == sample.MediaTypeDockerManifestList
}
