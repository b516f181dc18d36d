package handlers

import (
	"net/http"
	"net/url"
	"testing"
)

// A filter that is misspelt and passed over would choose everything.
func TestAFilterThatNobodyKnowsIsRefused(t *testing.T) {
	s := newShelf(t)
	s.pull("redis:7")
	for address, name := range map[string]string{
		"/images?lable=stage": "lable", "/images?filter=dangling%3Dtrue": "filter", "/images?label!=x": "label!",
		"/images/docker.io/library/redis?until=24h&foo=": "foo", "/prune?all=1&lable=keep": "lable", "/prune?before=ubuntu": "before",
	} {
		for _, accept := range []string{"text/html", "text/plain"} {
			s.get(address, "Accept", accept).is(t, http.StatusBadRequest, "here is no filter", name)
		}
	}
	s.post("/prune", url.Values{"all": {"1"}, "lable": {"keep"}}).is(t, http.StatusBadRequest, "There is no filter", "until, label, label! and unused")
}
