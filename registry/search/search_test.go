package search

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/test/outside"
)

// hubOf serves n results in pages: app0 with no star, app1 with one, …; every tenth is official.
func hubOf(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		q := req.URL.Query()
		page, _ := strconv.Atoi(q.Get("page"))
		size, _ := strconv.Atoi(q.Get("page_size"))
		var results []string
		for i := (page - 1) * size; i < min(page*size, n); i++ {
			results = append(results, fmt.Sprintf(`{"repo_name":"org/app%d","star_count":%d,"pull_count":%d,"is_official":%v}`,
				i, i, n-i, i%10 == 0))
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"count":%d,"next":null,"results":[%s]}`, n, strings.Join(results, ","))
	}
}

func TestFiltersAndOrdersSeeTheFirstThreeHundred(t *testing.T) {
	rec, host := outside.Server(t, hubOf(1000))
	c := hubAt(t, host)
	for _, tt := range []struct {
		q           Question
		total       int
		more        bool
		first, last string
	}{
		{Question{Official: true}, 30, true, "app0", "app240"},
		{Question{Official: true, Page: 2}, 30, false, "app250", "app290"},
		{Question{Stars: 280}, 20, false, "app280", "app299"},
		{Question{Stars: 280, Official: true}, 2, false, "app280", "app290"},
		{Question{Sort: ByStars, Limit: 3}, 300, true, "app299", "app297"},
		{Question{Sort: ByPulls, Limit: 3}, 300, true, "app0", "app2"},
		{Question{Sort: ByName, Limit: 3}, 300, true, "app0", "app10"},
		{Question{Sort: ByStars, Limit: 100, Page: 3}, 300, false, "app99", "app0"},
	} {
		tt.q.Text = "app"
		hits := mustSearch(t, c, image.DockerHub, tt.q)
		got := foundNames(hits)
		if hits.Window != 300 || hits.Total != tt.total || len(got) == 0 || got[0] != "docker.io/org/"+tt.first ||
			got[len(got)-1] != "docker.io/org/"+tt.last {
			t.Errorf("%+v: window %d, total %d, %v", tt.q, hits.Window, hits.Total, got)
		}
		if hits.More != tt.more {
			t.Errorf("%+v: more is %v", tt.q, hits.More)
		}
	}
	if n := len(rec.Requests()); n != 3 {
		t.Errorf("%d requests for one text", n)
	}
}

func TestByNameMeansTheNameThatIsShown(t *testing.T) {
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"results":[{"repo_name":"library/ubuntu"},{"repo_name":"bitnami/app"},{"repo_name":"library/alpine"},{"repo_name":"zeta/app"}]}`)
	})
	hits := mustSearch(t, hubAt(t, host), image.DockerHub, Question{Text: "app", Sort: ByName})
	wantNames(t, hits, "docker.io/library/alpine", "docker.io/bitnami/app", "docker.io/library/ubuntu",
		"docker.io/zeta/app")
}

// generous answers with 5,000 results whatever it is asked for.
func generous(format, nameKey string) http.HandlerFunc {
	all := make([]string, 5000)
	for i := range all {
		all[i] = fmt.Sprintf(`{%q:"app%d"}`, nameKey, i)
	}
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, format, strings.Join(all, ",")) }
}

func TestAServiceThatSendsMoreThanAPageIsCut(t *testing.T) {
	for kind, h := range map[registry.SearchKind]http.HandlerFunc{
		registry.SearchHub:    generous(`{"count":9,"results":[%s]}`, "repo_name"),
		registry.SearchV1:     generous(`{"query":"app","page":1,"num_pages":9,"num_results":9,"results":[%s]}`, "name"),
		registry.SearchQuay:   generous(`{"page":1,"page_size":10,"has_additional":true,"results":[%s]}`, "name"),
		registry.SearchHarbor: generous(`{"project":[],"repository":[%s]}`, "repository_name"),
	} {
		_, host := outside.Server(t, h)
		hits := mustSearch(t, searching(t, registry.Entry{Host: host, Search: kind, SearchURL: "http://" + host}), host,
			Question{Text: "app", Limit: 10})
		if len(hits.Hits) > 10 {
			t.Errorf("%s: a page of 10 has %d results", kind, len(hits.Hits))
		}
	}
	_, host := outside.Server(t, generous(`{"project":[],"repository":[%s]}`, "repository_name"))
	c := searching(t, registry.Entry{Host: host, Search: registry.SearchHarbor})
	if f, err := c.answer(t.Context(), host, registry.SearchHarbor, "app", 1, 10); err != nil || len(f.hits) != 10 ||
		cap(f.hits) > 20 {
		t.Errorf("with %d results, room for %d is kept (%v)", len(f.hits), cap(f.hits), err)
	}
}

func TestAResultWithoutStarsDoesNotPassTheFilterForStars(t *testing.T) {
	_, host := outside.Server(t, answers(t, map[string]string{harborSearchPath: "harbor_search.json"}))
	c := searching(t, registry.Entry{Host: host, Search: registry.SearchHarbor})
	for _, q := range []Question{{Text: "nginx", Stars: 1}, {Text: "nginx", Official: true}} {
		if hits := mustSearch(t, c, host, q); len(hits.Hits) != 0 || hits.Window != 2 || hits.Total != 0 {
			t.Errorf("%+v: %+v", q, hits)
		}
	}
	hits := mustSearch(t, c, host, Question{Text: "nginx", Sort: ByPulls})
	wantNames(t, hits, host+"/library/nginx", host+"/team/web/nginx") // the unknown last
}

func TestAnEmptyTextListsACatalogAndAsksNobodyElse(t *testing.T) {
	rec, host := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	if hits := mustSearch(t, hubAt(t, host), image.DockerHub, Question{Text: " library/ "}); len(hits.Hits) != 0 ||
		hits.Kind != registry.SearchHub {
		t.Errorf("found %+v", hits)
	}
	if n := len(rec.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
	_, host = outside.Server(t, answers(t, map[string]string{"/v2/_catalog": "catalog_1.json"}))
	hits := mustSearch(t, searching(t, registry.Entry{Host: host, Search: registry.SearchCatalog}), host, Question{})
	wantNames(t, hits, host+"/acme/nginx-proxy", host+"/acme/web", host+"/nginx")
}

func TestQueriesThatCannotBe(t *testing.T) {
	c := searching(t, registry.Entry{Host: image.DockerHub})
	for text, q := range map[string]Question{
		"[1, 100]":    {Text: "x", Limit: 101},
		"outside":     {Text: "x", Limit: -1},
		"sorted":      {Text: "x", Sort: "size\x1b"},
		"longer than": {Text: strings.Repeat("x", mostText+1)},
	} {
		_, err := c.Search(t.Context(), image.DockerHub, q)
		outside.WantKind(t, err, image.Invalid, text)
	}
}

func TestAnAnswerIsRememberedAndNobodysToChange(t *testing.T) {
	rec, host := outside.Server(t, answers(t, map[string]string{hubSearchPath: "hub_search.json"}))
	c := hubAt(t, host)
	first := mustSearch(t, c, image.DockerHub, Question{Text: "postgres"})
	want := slices.Clone(first.Hits)
	clear(first.Hits)
	if again := mustSearch(t, c, image.DockerHub, Question{Text: " postgres  "}); !slices.Equal(again.Hits, want) {
		t.Error("a caller changed what is remembered")
	}
	if n := len(rec.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}
