package fake

import "net/http"

// V1 is a service that answers docker search: GET /v1/_ping and /v1/search. It is safe for concurrent use.
type V1 struct {
	Found    []Found
	Official bool // say stars and who is official, as Docker Hub does; Quay and others say neither
}

// Handler serves it.
func (s V1) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/_ping", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, true) })
	mux.HandleFunc("GET /v1/search", s.search)
	return mux
}

func (s V1) search(w http.ResponseWriter, r *http.Request) {
	p := paging(r, "n", 25, 100)
	query := r.URL.Query().Get("q")
	all := search(s.Found, query)
	part, _ := cut(all, p)
	results := make([]map[string]any, 0, len(part))
	for _, f := range part {
		result := map[string]any{"name": f.familiar(), "description": f.Description}
		if s.Official {
			result["star_count"], result["is_official"], result["is_automated"] = f.Stars, f.Official, false
		} else {
			result["is_public"], result["href"] = true, "/repository/"+f.Repository
		}
		results = append(results, result)
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"query": query, "num_results": len(all), "num_pages": (len(all) + p.size - 1) / p.size, "page": p.number,
		"page_size": p.size, "results": results,
	})
}
