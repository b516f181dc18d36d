package pulls_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
)

// manyPlatforms is an index of n platforms, the usual ones last.
func manyPlatforms(n int) sample.Index {
	var index sample.Index
	for i := range n - 3 {
		im := sample.NoLayers()
		im.Platform.Architecture, im.Platform.Variant = fmt.Sprintf("odd%04d", i), ""
		index.Entries = append(index.Entries, im)
	}
	for _, architecture := range []string{"s390x", "arm64", "amd64"} {
		im := sample.NoLayers()
		im.Platform.Architecture, im.Platform.Variant = architecture, ""
		index.Entries = append(index.Entries, im)
	}
	return index
}

func TestTheFormForAnIndexOfTwoThousandPlatformsIsBoundedAndReachesAll(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	if err := reg.Push(t.Context(), "test/many", manyPlatforms(2000), "1"); err != nil {
		t.Fatal(err)
	}
	p := newPullsOf(t, nil, reg)
	a := p.form(p.ref("test/many:1"))
	a.Is(t, http.StatusOK, "An index of 2,000 platforms", "32 of 2,000 platforms", "At most 32 platforms can be pulled at once", "Page 1 of")
	all, ticked := pages.Boxes(a)
	pages.Same(t, "ticked", ticked, []string{"linux/amd64"})
	pages.Same(t, "first", all[:4], []string{"linux/amd64", "linux/arm64", "linux/s390x", "linux/odd0000"})
	if len(all) != 32 || len(a.Body) > 150_000 || strings.Contains(a.Body, "data-pick-all") {
		t.Errorf("%d platforms in %d bytes", len(all), len(a.Body))
	}
	manifests := 0
	for _, r := range p.registry.Requests() {
		if strings.Contains(r.Path, "/manifests/sha256:") {
			manifests++
		}
	}
	if manifests > 33 {
		t.Errorf("%d manifests were read for the 32 in view", manifests)
	}

	// The filter and the pages reach every one, and what is ticked stays so.
	tick := url.Values{"ref": {p.ref("test/many:1")}, "platform": {"linux/odd1500", "linux/arm64"}, "chosen": {"1"}}
	find := func(key, value string) pages.Answer {
		q := url.Values{key: {value}}
		for k, v := range tick {
			q[k] = v
		}
		return p.get("/pull?" + q.Encode())
	}
	a = find("find", "ODD19")
	a.Is(t, http.StatusOK, "97 of 2,000 platforms match", `value="ODD19"`)
	all, ticked = pages.Boxes(a)
	pages.Same(t, "ticked", ticked, []string{"linux/odd1500", "linux/arm64"})
	pages.Same(t, "found", all[:4], []string{"linux/odd1500", "linux/arm64", "linux/odd1900", "linux/odd1901"})
	seen := map[string]bool{}
	for page := 1; page <= 67; page++ {
		all, _ := pages.Boxes(find("page", fmt.Sprint(page)))
		for _, v := range all {
			seen[v] = true
		}
	}
	if len(seen) != 2000 {
		t.Errorf("the pages show %d platforms", len(seen))
	}
	if all, ticked = pages.Boxes(find("find", "nothing")); len(all) != 2 || len(ticked) != 2 {
		t.Errorf("a filter that nothing matches shows %v", all)
	}
	tick = url.Values{"ref": {p.ref("test/many:1")}, "chosen": {"1"}}
	if _, ticked = pages.Boxes(find("find", "amd64")); len(ticked) != 0 {
		t.Errorf("ticked again: %v", ticked)
	}

	p.form(p.ref("test/many:1"), "linux/none").Is(t, http.StatusNotFound, "linux/none", "and 1968 more")
	p.form(p.ref("test/many:1"), "linux/odd1999x").Lacks(t, "odd1998")
	j := p.end(p.start(p.ref("test/many:1"), "linux/odd1500"))
	if j.State != job.Done {
		t.Errorf("pulled %s: %+v", j.State, j.Problem)
	}
}

func TestPagesOfAnImageOfTwoThousandPlatformsAreBounded(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	if err := reg.Push(t.Context(), "test/many", manyPlatforms(2000), "1"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(reg)
	t.Cleanup(server.Close)
	s := pages.NewOf(t, strings.TrimPrefix(server.URL, "http://"))
	s.Pull("test/many:1", "linux/arm64", "linux/odd0005")
	for _, section := range []string{"", "/layers", "/config", "/manifest", "/inspect", "/history", "/use", "/download"} {
		page := s.Get("/images/docker.io/test/many:1" + section)
		page.Is(t, http.StatusOK, "and 1,945 other platforms, by name", `name="platform"`)
		if len(page.Body) > 200_000 {
			t.Errorf("%s has %d bytes", section, len(page.Body))
		}
	}
	s.Get("/images/docker.io/test/many:1?platform=linux/odd0005").Is(t, http.StatusOK, "linux/odd0005")
	s.Get("/images/docker.io/test/many:1?platform=linux/odd1500").Is(t, http.StatusNotFound, "linux/odd1500", "/pull?ref=test/many:1&amp;platform=linux/odd1500")
}
