package search

import (
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/test/outside"
)

func TestV1ResultsInPages(t *testing.T) {
	rec, host := outside.Server(t, answers(t, map[string]string{"/v1/search": "v1_search.json"}))
	c := searching(t, registry.Entry{Host: host, Search: registry.SearchV1})
	hits := mustSearch(t, c, host, Question{Text: "postgres", Limit: 2})
	wantNames(t, hits, host+"/postgres", host+"/team/postgres")
	if h := hits.Hits[0]; !h.Official || h.Stars != 14235 || h.Pulls != -1 || hits.Hits[1].Stars != -1 {
		t.Errorf("results are %+v", hits.Hits)
	}
	if hits.Total != 3 || !hits.More {
		t.Errorf("total is %d, more %v", hits.Total, hits.More)
	}
	if q := rec.Last().URL.Query(); q.Get("q") != "postgres" || q.Get("n") != "2" || q.Get("page") != "1" {
		t.Errorf("asked with %v", q)
	}
	// The stand-in always sends the first page, as some do behind the last.
	if hits := mustSearch(t, c, host, Question{Text: "postgres", Limit: 2, Page: 2}); len(hits.Hits) != 0 || hits.More {
		t.Errorf("another page than asked for was taken: %+v", hits)
	}
}

func TestV1WithoutPagesIsCutHere(t *testing.T) {
	_, host := outside.Server(t, answers(t, map[string]string{"/v1/search": "v1_search_bare.json"}))
	c := searching(t, registry.Entry{Host: host, Search: registry.SearchV1})
	hits := mustSearch(t, c, host, Question{Text: "postgres", Limit: 2})
	wantNames(t, hits, host+"/library/postgres", host+"/team/postgres")
	if hits.Total != 3 || !hits.More {
		t.Errorf("total is %d, more %v", hits.Total, hits.More)
	}
	hits = mustSearch(t, c, host, Question{Text: "postgres", Limit: 2, Page: 2})
	wantNames(t, hits, host+"/team/tools/postgres")
	if hits.More {
		t.Error("there is more behind the last page")
	}
}

func TestV1AnswersWithoutTheirFields(t *testing.T) {
	for _, file := range []string{"catalog_1.json", "hub_429.json", "error.html", "harbor_artifacts.json"} {
		_, host := outside.Server(t, answers(t, map[string]string{"/v1/search": file}))
		_, err := searching(t, registry.Entry{Host: host, Search: registry.SearchV1}).
			Search(t.Context(), host, Question{Text: "postgres"})
		outside.WantKind(t, err, image.Unavailable, host, "configuration")
	}
}
