package distribution

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
)

// mostListed is how many names one answer has at most, and without n: many clients do not ask for a second page.
const mostListed = 10_000

// tags lists the tags of a repository.
func (h *Handler) tags(w http.ResponseWriter, q request) error {
	n, err := limit(q)
	if err != nil {
		return err
	}
	tags, err := h.serving.ServedTags(q.Context(), q.repo, q.find.Get("last"), n+1, !h.forRegistry(q))
	if err != nil {
		return h.missing(q.Context(), err, q.repo, unknownName(q.repo))
	}
	tags = page(w, q, tags, n)
	return h.json(w, q, "application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{q.name, tags})
}

// catalog lists the repositories: of all registries, or of the one that ns names, whose names are then without it.
func (h *Handler) catalog(w http.ResponseWriter, q request) error {
	n, err := limit(q)
	if err != nil {
		return err
	}
	ns, last := q.find.Get("ns"), q.find.Get("last")
	after := image.Repository(withHost(last))
	if ns != "" {
		if !plain(ns) || strings.Contains(ns, "/") {
			return notHost(ns)
		}
		w.Header().Set("OCI-Namespace", ns)
		after = image.Repository(ns + "/" + last)
	}
	repositories, err := h.serving.ServedRepositories(q.Context(), ns, after, n+1)
	if err != nil {
		return err
	}
	list := make([]string, len(repositories))
	for i, r := range repositories {
		if list[i] = r.AsPath(); ns != "" {
			list[i] = r.Path()
		}
	}
	list = page(w, q, list, n)
	return h.json(w, q, "application/json", struct {
		Repositories []string `json:"repositories"`
	}{list})
}

// limit reads how many names a client wants.
func limit(q request) (int, error) {
	s := q.find.Get("n")
	if s == "" {
		return mostListed, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, refuse(http.StatusBadRequest, unsupported, "n is how many names are wanted, not %.50q", s)
	}
	return min(n, mostListed), nil
}

// page cuts a list that was read with one more than n, and says where it goes on.
func page(w http.ResponseWriter, q request, list []string, n int) []string {
	if list == nil {
		list = []string{} // null is no list
	}
	if len(list) <= n {
		return list
	}
	list = list[:n]
	if n > 0 {
		next(w, q, list[n-1], "n", strconv.Itoa(n))
	}
	return list
}

// next sets the Link to the page after last, with another parameter or none and the registry that was asked for.
func next(w http.ResponseWriter, q request, last, key, value string) {
	find := url.Values{"last": {last}}
	if value != "" {
		find.Set(key, value)
	}
	if ns := q.find.Get("ns"); ns != "" {
		find.Set("ns", ns)
	}
	link := url.URL{Path: q.URL.Path, RawQuery: find.Encode()}
	w.Header().Set("Link", "<"+link.String()+`>; rel="next"`)
}

// json answers a value that changes with the shelf.
func (h *Handler) json(w http.ResponseWriter, q request, mediaType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	header := w.Header()
	header["Content-Type"] = []string{mediaType}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	header["Cache-Control"] = askAgain
	if q.Method == http.MethodGet {
		_, _ = w.Write(body) // nobody is left to be told
	}
	return nil
}
