package search

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/test/outside"
)

const quaySearchPath = "/api/v1/find/repositories"

func TestQuayResults(t *testing.T) {
	rec, host := outside.Server(t, answers(t, map[string]string{quaySearchPath: "quay_find.json"}))
	hits := mustSearch(t, searching(t, registry.Entry{Host: host, Search: registry.SearchQuay}), host,
		Question{Text: "prometheus"})
	wantNames(t, hits, host+"/prometheus/node-exporter", host+"/prometheus/prometheus")
	want := Hit{
		Repository:  image.Repository(host + "/prometheus/node-exporter"),
		Description: "# node Exporter for *machine* metrics",
		Stars:       41, Pulls: -1, Updated: time.Unix(1736848269, 0).UTC(),
	}
	if hits.Hits[0] != want {
		t.Errorf("first result is %+v", hits.Hits[0])
	}
	if h := hits.Hits[1]; h.Stars != -1 || !h.Updated.IsZero() || h.Description != "" {
		t.Errorf("nulls made %+v", h)
	}
	if hits.More || hits.Total != 2 || len(rec.Requests()) != 1 {
		t.Errorf("more %v, total %d, %d requests", hits.More, hits.Total, len(rec.Requests()))
	}
}

// quayOf serves n results in Quay's pages of per, of which the tenth is sent again for any behind it.
func quayOf(n, per int) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		page, _ := strconv.Atoi(req.URL.Query().Get("page"))
		page = min(page, quayPages)
		var results []string
		for i := (page - 1) * per; i < min(page*per, n); i++ {
			results = append(results, fmt.Sprintf(`{"namespace":{"name":"org"},"name":"app%03d","stars":%d}`, i, i))
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"results":[%s],"has_additional":%v,"page":%d,"page_size":%d}`, strings.Join(results, ","),
			page*per < n, page, per)
	}
}

func TestQuaysPagesOfTenBecomePagesOfAnySize(t *testing.T) {
	for _, tt := range []struct{ n, per, page, limit, first, found, more int }{
		{53, 10, 1, 25, 0, 25, 1},
		{53, 10, 2, 25, 25, 25, 1},
		{53, 10, 3, 25, 50, 3, 0},
		{53, 10, 4, 25, 0, 0, 0},
		{50, 10, 2, 25, 25, 25, 0},
		{500, 10, 4, 25, 75, 25, 0}, // it does not give the others
		{500, 10, 5, 25, 0, 0, 0},
		{500, 10, 1, 100, 0, 100, 0},
		{53, 7, 2, 25, 25, 25, 1}, // an installation's own size
	} {
		rec, host := outside.Server(t, quayOf(tt.n, tt.per))
		hits := mustSearch(t, searching(t, registry.Entry{Host: host, Search: registry.SearchQuay}), host,
			Question{Text: "app", Page: tt.page, Limit: tt.limit})
		if len(hits.Hits) != tt.found || hits.More != (tt.more == 1) {
			t.Errorf("%+v: found %d, more %v", tt, len(hits.Hits), hits.More)
			continue
		}
		for i, h := range hits.Hits {
			if want := fmt.Sprintf("%s/org/app%03d", host, tt.first+i); string(h.Repository) != want {
				t.Errorf("%+v: result %d is %s", tt, i, h.Repository)
				break
			}
		}
		if n := len(rec.Requests()); n > tt.limit/tt.per+3 {
			t.Errorf("%+v: %d requests", tt, n)
		}
	}
}

func TestQuayTagDetails(t *testing.T) {
	rec, host := outside.Server(t, answers(t,
		map[string]string{"/api/v1/repository/prometheus/node-exporter/tag/": "quay_tags.json"}))
	c := searching(t, registry.Entry{Host: host, Search: registry.SearchQuay})
	all, err := c.TagDetails(t.Context(), image.Repository(host+"/prometheus/node-exporter"), "V1.8")
	if err != nil || len(all) != 2 {
		t.Fatalf("details are %v, %v", all, err)
	}
	if d := all["v1.8.2"]; d.Size != -1 || !d.Updated.Equal(time.Unix(1721000000, 0)) ||
		d.Digest != image.Digest("sha256:"+strings.Repeat("1", 64)) {
		t.Errorf("an index is %+v", d)
	}
	if d := all["v1.8.2-amd64"]; d.Size != 11873424 || !d.Updated.Equal(time.Date(2024, 7, 14, 23, 33, 20, 0, time.UTC)) {
		t.Errorf("an image is %+v", d)
	}
	q := rec.Last().URL.Query()
	if q.Get("filter_tag_name") != "like:V1.8" || q.Get("onlyActiveTags") != "true" || q.Get("limit") != "100" {
		t.Errorf("asked with %v", q)
	}
}

func TestTheSearchOfQuayMovesWithItsAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		path string
		want registry.SearchKind
	}{
		"another Quay": {answers(t, map[string]string{quaySearchPath: "quay_find.json"}), quaySearchPath,
			registry.SearchQuay},
		"a mirror of one": {answers(t, map[string]string{"/v2/_catalog": "catalog_1.json"}), "/v2/_catalog",
			registry.SearchCatalog},
	} {
		t.Run(name, func(t *testing.T) {
			rec, host := outside.Server(t, tt.h)
			c := searching(t, registry.Entry{Host: quayHost, Address: host, TLS: outbound.TLSOff})
			hits, err := c.Search(t.Context(), quayHost, Question{Text: "pro"})
			if err != nil || hits.Kind != tt.want || rec.Count(tt.path) == 0 {
				t.Errorf("%+v by %v, %v", hits, rec.Requests(), err)
			}
			for _, h := range hits.Hits {
				if h.Repository.Host() != quayHost {
					t.Errorf("found %s", h.Repository)
				}
			}
		})
	}
}
