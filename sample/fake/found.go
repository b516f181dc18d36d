package fake

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Found is a repository as search services tell of it. Which of it a service says is up to the service.
type Found struct {
	Repository, Description string // Docker Hub's official ones are library/…
	Official, Verified      bool   // an official image; a verified publisher's
	Stars, Pulls            int64
	Updated                 time.Time
	Like                    string // the sample repository that serves it; empty where the name is a sample's own
}

// familiar is the name without library/.
func (f Found) familiar() string { return strings.TrimPrefix(f.Repository, "library/") }

// search returns what matches, the best first: every word of the query is in the name or the description. An empty
// query finds nothing.
func search(all []Found, query string) []Found {
	query = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(query)), "library/")
	if query == "" {
		return nil
	}
	var hits []Found
	for _, f := range all {
		text := strings.ToLower(f.Repository + " " + f.Description)
		if !slices.ContainsFunc(strings.Fields(query), func(w string) bool { return !strings.Contains(text, w) }) {
			hits = append(hits, f)
		}
	}
	rank := func(f Found) int {
		switch {
		case f.familiar() == query:
			return 0
		case f.Official && strings.Contains(f.Repository, query):
			return 1
		case strings.HasSuffix(f.Repository, "/"+query):
			return 2
		case strings.Contains(f.Repository, query):
			return 3
		}
		return 4
	}
	slices.SortStableFunc(hits, func(a, b Found) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(b.Stars, a.Stars), strings.Compare(a.Repository, b.Repository))
	})
	return hits
}

// pageOf is a page of results as services cut it.
type pageOf struct{ number, size int }

// paging reads a page's number and size; the size is most at the most.
func paging(r *http.Request, sizeKey string, usual, most int) pageOf {
	p := pageOf{number(r, "page", 1), number(r, sizeKey, usual)}
	p.size = min(p.size, most)
	return p
}

// number reads a number from 1 from the query; what is none counts as usual.
func number(r *http.Request, key string, usual int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(key))
	if err != nil || n < 1 {
		return usual
	}
	return min(n, 1<<20)
}

// cut is the page's part of all, and whether more follows.
func cut[T any](all []T, p pageOf) (part []T, more bool) {
	from := min(len(all), (p.number-1)*p.size)
	to := min(len(all), from+p.size)
	return all[from:to], to < len(all)
}

// neighbours are the addresses of the pages before and after, nil where there is none.
func neighbours(r *http.Request, p pageOf, more bool) (previous, next any) {
	at := func(page int) string {
		u := *r.URL
		u.Scheme, u.Host = "http", r.Host
		q := u.Query()
		q.Set("page", strconv.Itoa(page))
		u.RawQuery = q.Encode()
		return u.String()
	}
	if p.number > 1 {
		previous = at(p.number - 1)
	}
	if more {
		next = at(p.number + 1)
	}
	return previous, next
}

// Beside is a registry and a search service at one address, as Quay, Harbor and older registries are: what the
// distribution API does not know goes to the service.
func Beside(registry, service http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if (path == "/v2" || strings.HasPrefix(path, "/v2/")) && !strings.HasPrefix(path, "/v2/search/") &&
			!strings.HasPrefix(path, "/v2/repositories/") {
			registry.ServeHTTP(w, r)
			return
		}
		service.ServeHTTP(w, r)
	})
}
