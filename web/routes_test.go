package web

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/people"
)

func TestEveryRouteHasAnAction(t *testing.T) {
	o := Options{Handlers: &handlers.Handlers{People: &people.Handlers{}}, Metrics: prometheus.NewRegistry()}
	known := map[string]bool{}
	for _, r := range table(o) {
		if known[r.method+" "+r.path] {
			t.Errorf("%s %s is there twice", r.method, r.path)
		}
		known[r.method+" "+r.path] = true
		if r.action == "" {
			t.Errorf("%s %s has no action", r.method, r.path)
		}
		for section, action := range r.below {
			if section == "" || action == "" {
				t.Errorf("%s %s: section %q has the action %q", r.method, r.path, section, action)
			}
		}
	}
	e := echo.New()
	routes(e, o)
	for _, r := range e.Routes() {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if !known[method+" "+r.Path] {
			t.Errorf("%s %s is not in the table", r.Method, r.Path)
		}
	}
	if !known["GET /v2/*"] {
		t.Error("the registry API is not in the table")
	}
}
