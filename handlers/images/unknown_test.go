package images_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stowage/stowage/test/pages"
)

// A filter that is misspelt and passed over would choose everything.
func TestAFilterThatNobodyKnowsIsRefused(t *testing.T) {
	s := pages.New(t)
	s.Pull("redis:7")
	for address, name := range map[string]string{
		"/images?lable=stage": "lable", "/images?filter=dangling%3Dtrue": "filter", "/images?label!=x": "label!",
		"/images/docker.io/library/redis?until=24h&foo=": "foo", "/prune?all=1&lable=keep": "lable", "/prune?before=ubuntu": "before",
	} {
		for _, accept := range []string{"text/html", "text/plain"} {
			s.Get(address, "Accept", accept).Is(t, http.StatusBadRequest, "here is no filter", name)
		}
	}
	s.Post("/prune", url.Values{"all": {"1"}, "lable": {"keep"}}).Is(t, http.StatusBadRequest, "There is no filter", "until, label, label! and unused")
}
