package e2e

import (
	"net/http"
	"testing"

	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

// TestARequestOfAnotherSiteAsksNobodyWhateverItIsFor sends what browsers say of such requests, htmx's own included.
func TestARequestOfAnotherSiteAsksNobodyWhateverItIsFor(t *testing.T) {
	t.Parallel()
	h := shelf.DockerHub(t, "library/nginx:latest")
	quay := shelf.StandIn(t, fake.Quay{Found: fake.QuayFound(), Tagged: h.Tags}.Handler())
	s := shelf.Start(t, shelf.ListRegistries(t, h.Listed()), "--registry=quay.example="+quay.URL())
	for _, site := range []string{"cross-site", "same-site"} {
		for _, address := range append(shelf.Asking("nginx", "latest"), "/search/box?q=nginx&registries=1") {
			for _, part := range []string{"", "search-results", "search-picker", "search-tags", "search-offers", "survey", "box-options"} {
				header := map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
				if part != "" {
					header["HX-Request"], header["HX-Request-Type"], header["HX-Target"] = "true", "partial", "div#"+part
				}
				if p := s.Send(http.MethodGet, address, nil, header); p.Status >= http.StatusInternalServerError {
					t.Errorf("%s for %s: %d", address, part, p.Status)
				}
			}
		}
	}
	if n := shelf.Asked(h.Search, h.Registry, quay); n != 0 {
		t.Errorf("%d requests to registries", n)
	}
	// The same of the server's own page asks.
	own := map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#search-results"}
	if s.Send(http.MethodGet, "/search?q=nginx", nil, own); shelf.Asked(h.Search) == 0 || shelf.Asked(quay) == 0 {
		t.Error("the server's own page finds nothing")
	}
}
