package fake

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Quay is a stand-in for Quay's API. It is safe for concurrent use.
//
//	GET /api/v1/find/repositories?query=&page=     pages of 10, 10 pages at most
//	GET /api/v1/repository/{repository}/tag/?limit=&page=&onlyActiveTags=&specificTag=&filter_tag_name=
//	GET /v1/search?q=&n=&page=
type Quay struct {
	Found  []Found
	Tagged Tagged // whose tags it tells of
}

// Handler serves it.
func (q Quay) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", V1{Found: q.Found}.Handler())
	mux.HandleFunc("GET /api/v1/find/repositories", q.search)
	mux.HandleFunc("GET /api/v1/repository/{path...}", func(w http.ResponseWriter, r *http.Request) {
		if repository, ok := strings.CutSuffix(r.PathValue("path"), "/tag/"); ok {
			q.tags(w, r, repository)
			return
		}
		quayMissing(w)
	})
	return mux
}

func (q Quay) search(w http.ResponseWriter, r *http.Request) {
	p := pageOf{min(number(r, "page", 1), 10), 10}
	part, more := cut(search(q.Found, r.URL.Query().Get("query")), p)
	results := make([]map[string]any, 0, len(part))
	for _, f := range part {
		namespace, name, _ := strings.Cut(f.Repository, "/")
		results = append(results, map[string]any{
			"kind": "repository", "title": "repo", "name": name, "description": f.Description, "is_public": true, "score": 4,
			"namespace": map[string]any{
				"title": "org", "kind": "organization", "name": namespace, "score": 1, "href": "/organization/" + namespace,
				"avatar": map[string]any{"name": namespace, "hash": "", "color": "#aec7e8", "kind": "org"},
			},
			"href": "/repository/" + f.Repository, "last_modified": f.Updated.Unix(), "stars": f.Stars,
			"popularity": float64(f.Pulls),
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"results": results, "has_additional": more, "page": p.number, "page_size": p.size,
		"start_index": (p.number - 1) * p.size,
	})
}

func (q Quay) tags(w http.ResponseWriter, r *http.Request, repository string) {
	tags := q.Tagged.TagsOf(repository)
	if len(tags) == 0 {
		quayMissing(w)
		return
	}
	op, text, _ := strings.Cut(r.URL.Query().Get("filter_tag_name"), ":")
	specific := r.URL.Query().Get("specificTag")
	tags = slices.DeleteFunc(tags, func(t TagAt) bool {
		return specific != "" && t.Tag != specific || op == "like" && !strings.Contains(t.Tag, text) ||
			op == "eq" && t.Tag != text
	})
	slices.SortStableFunc(tags, func(a, b TagAt) int {
		return cmp.Or(b.Updated.Compare(a.Updated), strings.Compare(a.Tag, b.Tag))
	})
	p := paging(r, "limit", 50, 100)
	part, more := cut(tags, p)
	results := make([]map[string]any, 0, len(part))
	for _, t := range part {
		// The size of a list of manifests is not known to Quay.
		var size any
		list := isIndex(t)
		if !list {
			size = t.one()
		}
		results = append(results, map[string]any{
			"name": t.Tag, "reversion": false, "start_ts": t.Updated.Unix(), "manifest_digest": t.Descriptor.Digest,
			"is_manifest_list": list,
			"size":             size, "last_modified": t.Updated.UTC().Format(time.RFC1123Z),
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{"tags": results, "page": p.number, "has_additional": more})
}

func quayMissing(w http.ResponseWriter) {
	writeJSON(w, http.StatusNotFound, map[string]any{
		"detail": "Not Found", "error_message": "Not Found", "error_type": "not_found", "title": "not_found",
		"type": "http://quay.example/api/v1/error/not_found", "status": 404,
	})
}
