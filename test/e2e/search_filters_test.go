package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
)

// dockerSearch returns all results of the search that docker asks, in its order.
func dockerSearch(u *shelf.Upstream, t *testing.T, text string) []shelf.Searched {
	t.Helper()
	var all []shelf.Searched
	for page, pages := 1, 1; page <= pages; page++ {
		resp, err := http.Get(fmt.Sprintf("%s/v1/search?q=%s&n=100&page=%d", u.URL(), url.QueryEscape(text), page))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Pages   int              `json:"num_pages"`
			Results []shelf.Searched `json:"results"`
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		pages = answer.Pages
		all = append(all, answer.Results...)
	}
	return all
}

// TestTheFiltersAndTheLimitOfDockerSearchGiveItsResults holds the page against what docker search gives out of the same
// data: those that are official, those with that many stars or more, in the order of the service, and as many as
// the limit. The limit counts what passes the filters; docker applies it before, and may so show nothing of what
// is there.
func TestTheFiltersAndTheLimitOfDockerSearchGiveItsResults(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/nginx:latest", "library/ubuntu:22.04", "library/debian:12")
	s := shelf.Start(t, shelf.ListRegistries(t, h.Listed()))
	for _, c := range []struct {
		text     string
		official bool
		stars    int64
		limit    int // 0: docker's 25
		page     int
	}{
		{text: "nginx"}, {text: "nginx", page: 2}, {text: "nginx", limit: 5}, {text: "nginx", limit: 10, page: 3},
		{text: "nginx", limit: 100},
		{text: "nginx", official: true}, {text: "nginx", stars: 20}, {text: "nginx", stars: 20, limit: 3},
		{text: "nginx", stars: 20, limit: 3, page: 2},
		{text: "nginx", official: true, stars: 20_911}, {text: "nginx", official: true, stars: 20_912},
		{text: "nginx", stars: 1_000_000_000},
		{text: "ubuntu", official: true, limit: 1}, {text: "ubuntu", stars: 1}, {text: "debian slim"},
		{text: "library/ubuntu"}, {text: "zzz-nothing"},
	} {
		state := address.Search{Query: c.text, Official: c.official, Stars: int(c.stars), Limit: c.limit, Page: c.page}
		if c.limit == 0 {
			c.limit = 25
		}
		var want []shelf.Searched
		for _, r := range dockerSearch(h.Search, t, strings.TrimPrefix(c.text, "library/")) {
			if (!c.official || r.Official) && r.Stars >= c.stars {
				want = append(want, r)
			}
		}
		total := len(want)
		want = want[min(len(want), max(0, c.page-1)*c.limit):]
		want = want[:min(len(want), c.limit)]
		got := s.Page(state.String())
		got.Says(http.StatusOK, "docker search")
		results := got.Results()
		if len(results) != len(want) {
			t.Errorf("%s: %d results, want %d of %d", state.String(), len(results), len(want), total)
			continue
		}
		for i, w := range want {
			description := strings.Join(strings.Fields(strings.ToValidUTF8(w.Description, "")), " ")
			if r := results[i]; r.Name != w.Name || r.Official != w.Official || r.Stars != text.Grouped(w.Stars) ||
				r.Description != description {
				t.Errorf("%s: result %d is %+v, want %+v", state.String(), i+1, r, w)
				break
			}
		}
	}
	for _, limit := range []string{"0", "101", "-1", "ten", "1e1"} {
		s.Page("/search?q=nginx&limit="+limit).
			Says(http.StatusBadRequest, `"`+limit+`" is not a number from 1 to 100 (limit)`)
	}
}
