package fake_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
)

// service serves h and gives its address.
func service(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// answerOf is the JSON of a GET, which must have the status.
func answerOf[T any](t *testing.T, status int, address string) (T, http.Header) {
	t.Helper()
	resp, body, err := get(t, address)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if resp.StatusCode != status {
		t.Fatalf("%s answers %s: %.300s", address, resp.Status, body)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v in %.300s", address, err, body)
	}
	return v, resp.Header
}

// object is a JSON object.
type object = map[string]any

func objects(t *testing.T, v any) []object {
	t.Helper()
	list, ok := v.([]any)
	if !ok {
		t.Fatalf("%v is no list", v)
	}
	all := make([]object, 0, len(list))
	for _, e := range list {
		o, ok := e.(object)
		if !ok {
			t.Fatalf("%v is no object", e)
		}
		all = append(all, o)
	}
	return all
}

// hasKeys fails for keys that are missing or too many.
func hasKeys(t *testing.T, what string, o object, keys string) {
	t.Helper()
	want := strings.Fields(keys)
	for _, k := range want {
		if _, ok := o[k]; !ok {
			t.Errorf("%s has no %q", what, k)
		}
	}
	for k := range o {
		if !slices.Contains(want, k) {
			t.Errorf("%s has an unknown %q", what, k)
		}
	}
}

// tagged are the tags of two repositories of the library, without a registry.
func tagged(t *testing.T) fake.Pushed {
	t.Helper()
	var all fake.Pushed
	for _, name := range []string{"library/ubuntu:22.04", "library/ubuntu:latest", "library/ubuntu:rolling", "library/nginx:1.27", "prometheus/node-exporter:latest", "test/arm64-only:latest"} {
		repository, tag, _ := strings.Cut(name, ":")
		all = append(all, fake.At(repository, tag, mustBuild(t, fromLibrary(t, repository, tag))))
	}
	return all
}

func TestHubSearchHasTheDocumentedShapeAndPages(t *testing.T) {
	url := service(t, fake.Hub{Found: fake.HubFound(), Tagged: tagged(t)}.Handler())
	first, _ := answerOf[object](t, http.StatusOK, url+"/v2/search/repositories/?query=nginx&page=1&page_size=25")
	hasKeys(t, "a page", first, "count next previous results")
	results := objects(t, first["results"])
	count := int(first["count"].(float64))
	if len(results) != 25 || count <= 25 || first["previous"] != nil {
		t.Errorf("page 1: %d of %d results, before it %v", len(results), count, first["previous"])
	}
	hasKeys(t, "a result", results[0], "repo_name short_description star_count pull_count repo_owner is_automated is_official")
	if results[0]["repo_name"] != "nginx" || results[0]["is_official"] != true {
		t.Errorf("the first result is %v", results[0])
	}
	if page, _ := answerOf[object](t, http.StatusOK, url+"/v2/search/repositories/?query=brightforge"); objects(t, page["results"])[0]["badge"] != "verified_publisher" {
		t.Errorf("no badge: %v", page)
	}
	seen := map[any]bool{}
	for next, pages := any(url+"/v2/search/repositories/?query=nginx"), 0; next != nil; pages++ {
		page, _ := answerOf[object](t, http.StatusOK, next.(string))
		for _, r := range objects(t, page["results"]) {
			seen[r["repo_name"]] = true
		}
		next = page["next"]
	}
	if len(seen) != count {
		t.Errorf("all pages together have %d results, the count is %d", len(seen), count)
	}
	if none, _ := answerOf[object](t, http.StatusOK, url+"/v2/search/repositories/?query=zzz-nothing"); none["count"] != 0.0 || len(objects(t, none["results"])) != 0 {
		t.Errorf("nothing is found as %v", none)
	}
}

func TestHubSaysOfficialNamesWithOrWithoutLibrary(t *testing.T) {
	for _, prefix := range []bool{false, true} {
		url := service(t, fake.Hub{Found: fake.HubFound(), Tagged: tagged(t), Prefix: prefix}.Handler())
		for _, query := range []string{"ubuntu", "library/ubuntu"} {
			page, _ := answerOf[object](t, http.StatusOK, url+"/v2/search/repositories/?query="+query)
			want := map[bool]string{false: "ubuntu", true: "library/ubuntu"}[prefix]
			if got := objects(t, page["results"])[0]["repo_name"]; got != want {
				t.Errorf("%s is found as %v, want %s", query, got, want)
			}
		}
	}
}

func TestV1SearchHasTheShapeThatDockerReads(t *testing.T) {
	url := service(t, fake.Hub{Found: fake.HubFound(), Tagged: tagged(t)}.Handler())
	answerOf[bool](t, http.StatusOK, url+"/v1/_ping")
	page, _ := answerOf[object](t, http.StatusOK, url+"/v1/search?q=postgres&n=3&page=2")
	hasKeys(t, "a page", page, "query num_results num_pages page page_size results")
	n := page["num_results"].(float64)
	if page["query"] != "postgres" || page["page"] != 2.0 || page["page_size"] != 3.0 || n < 6 || page["num_pages"].(float64) < n/3 {
		t.Errorf("the page is %v", page)
	}
	results := objects(t, page["results"])
	if len(results) != 3 {
		t.Errorf("%d results", len(results))
	}
	hasKeys(t, "a result", results[0], "name description star_count is_official is_automated")

	quay, _ := answerOf[object](t, http.StatusOK, service(t, fake.V1{Found: fake.QuayFound()}.Handler())+"/v1/search?q=node-exporter")
	hasKeys(t, "a result of Quay's", objects(t, quay["results"])[0], "name description is_public href")
}

func TestHubTagsHaveTheImagesOfTheSamples(t *testing.T) {
	tags := tagged(t)
	base := service(t, fake.Hub{Found: fake.HubFound(), Tagged: tags}.Handler())
	for _, path := range []string{"/v2/repositories/library/nginx/tags/1.27", "/v2/namespaces/library/repositories/nginx/tags/1.27", "/v2/repositories/library/nginx/tags/1.27/"} {
		tag, _ := answerOf[object](t, http.StatusOK, base+path)
		hasKeys(t, "a tag", tag, "creator id images last_updated last_updater last_updater_username name repository full_size v2 tag_status tag_last_pulled tag_last_pushed media_type content_type digest")
		b := mustBuild(t, fromLibrary(t, "library/nginx", "1.27"))
		if tag["digest"] != b.Digest().String() || tag["name"] != "1.27" || tag["media_type"] != b.Descriptor.MediaType || !strings.HasPrefix(tag["last_updated"].(string), "2026-10-22T19:21:47") {
			t.Errorf("the tag is %v", tag)
		}
		entries := objects(t, tag["images"])
		if len(entries) != 8 { // four platforms and an attestation for each
			t.Fatalf("%d images", len(entries))
		}
		hasKeys(t, "an image", entries[0], "architecture features variant os os_features os_version size digest status last_pulled last_pushed")
		amd, _ := b.For("linux/amd64")
		var size int64
		for _, l := range amd.Layers() {
			size += l.Descriptor.Size
		}
		if e := entries[0]; e["architecture"] != "amd64" || e["variant"] != nil || e["size"] != float64(size) || e["digest"] != amd.Digest().String() || tag["full_size"] != float64(size) {
			t.Errorf("amd64 is %v, want %d bytes; the tag has %v", e, size, tag["full_size"])
		}
		if e := entries[1]; e["architecture"] != "arm" || e["variant"] != "v7" {
			t.Errorf("arm is %v", e)
		}
		if e := entries[4]; e["architecture"] != "unknown" || e["os"] != "unknown" || e["variant"] != "" {
			t.Errorf("an attestation is %v", e)
		}
	}
	page, _ := answerOf[object](t, http.StatusOK, base+"/v2/repositories/library/ubuntu/tags?page_size=2")
	hasKeys(t, "a page of tags", page, "count next previous results")
	if results := objects(t, page["results"]); page["count"] != 3.0 || page["next"] == nil || len(results) != 2 || results[0]["name"] != "22.04" || results[1]["name"] != "latest" {
		t.Errorf("the newest two are %v", page)
	}
	some, _ := answerOf[object](t, http.StatusOK, base+"/v2/repositories/library/ubuntu/tags/?name=ROLL&ordering=name")
	if results := objects(t, some["results"]); some["count"] != 1.0 || results[0]["name"] != sample.MovingTag {
		t.Errorf("the tags with roll are %v", some)
	}
	repository, _ := answerOf[object](t, http.StatusOK, base+"/v2/repositories/library/ubuntu/")
	if repository["name"] != "ubuntu" || repository["namespace"] != "library" || repository["star_count"].(float64) < 1 || repository["pull_count"].(float64) < 1 || repository["description"] == "" {
		t.Errorf("the repository is %v", repository)
	}
	for _, missing := range []string{"/v2/repositories/library/nothing/", "/v2/repositories/library/nothing/tags", "/v2/repositories/library/ubuntu/tags/nothing"} {
		if m, _ := answerOf[object](t, http.StatusNotFound, base+missing); m["message"] != "object not found" {
			t.Errorf("%s: %v", missing, m)
		}
	}
}

func TestHubLeavesOutWhatVeryOldTagsLack(t *testing.T) {
	url := service(t, fake.Hub{Tagged: tagged(t), Bare: true}.Handler())
	tag, _ := answerOf[object](t, http.StatusOK, url+"/v2/repositories/library/ubuntu/tags/22.04")
	for _, key := range []string{"digest", "media_type", "content_type"} {
		if v, ok := tag[key]; ok {
			t.Errorf("%s is %v", key, v)
		}
	}
	for _, e := range objects(t, tag["images"]) {
		if d, ok := e["digest"]; ok || e["size"].(float64) < 1 {
			t.Errorf("an image has the digest %v: %v", d, e)
		}
	}
}

func TestQuaySearchAndTagsHaveTheShapeOfQuay(t *testing.T) {
	url := service(t, fake.Quay{Found: fake.QuayFound(), Tagged: tagged(t)}.Handler())
	page, _ := answerOf[object](t, http.StatusOK, url+"/api/v1/find/repositories?query=node-exporter&page=1&includeUsage=true")
	hasKeys(t, "a page", page, "results has_additional page page_size start_index")
	results := objects(t, page["results"])
	hasKeys(t, "a result", results[0], "kind title name description is_public score namespace href last_modified stars popularity")
	if r := results[0]; r["name"] != "node-exporter" || r["namespace"].(object)["name"] != "prometheus" || r["last_modified"].(float64) < 1e9 {
		t.Errorf("the first result is %v", r)
	}
	last := len(fake.QuayFound())/10 + 1
	all, _ := answerOf[object](t, http.StatusOK, fmt.Sprintf("%s/api/v1/find/repositories?query=o&page=%d", url, min(last, 10)))
	if all["has_additional"] != false || all["page_size"] != 10.0 {
		t.Errorf("the last page is %v", all)
	}

	tags, _ := answerOf[object](t, http.StatusOK, url+"/api/v1/repository/prometheus/node-exporter/tag/?limit=100&onlyActiveTags=true")
	hasKeys(t, "a page of tags", tags, "tags page has_additional")
	tag := objects(t, tags["tags"])[0]
	hasKeys(t, "a tag", tag, "name reversion start_ts manifest_digest is_manifest_list size last_modified")
	if tag["name"] != "latest" || tag["is_manifest_list"] != true || tag["size"] != nil || tag["last_modified"] != "Tue, 14 Jul 2026 09:12:51 +0000" {
		t.Errorf("the tag is %v", tag)
	}
	single, _ := answerOf[object](t, http.StatusOK, url+"/api/v1/repository/test/arm64-only/tag/")
	if tag := objects(t, single["tags"])[0]; tag["is_manifest_list"] != false || tag["size"].(float64) < 1 {
		t.Errorf("a tag without an index is %v", tag)
	}
	some, _ := answerOf[object](t, http.StatusOK, url+"/api/v1/repository/library/ubuntu/tag/?filter_tag_name=like:22")
	if list := objects(t, some["tags"]); len(list) != 1 || list[0]["name"] != "22.04" {
		t.Errorf("the tags like 22 are %v", list)
	}
	if missing, _ := answerOf[object](t, http.StatusNotFound, url+"/api/v1/repository/no/where/tag/"); missing["error_type"] != "not_found" {
		t.Errorf("a missing repository is %v", missing)
	}
}

func TestHarborSearchAndArtifactsHaveTheShapeOfHarbor(t *testing.T) {
	tags := tagged(t)
	deep := fake.At("library/base/deep", "1", mustBuild(t, fromLibrary(t, "library/ubuntu", "22.04")))
	url := service(t, fake.Harbor{Found: []fake.Found{{Repository: "library/ubuntu", Pulls: 7}, {Repository: "library/base/deep"}}, Tagged: append(tags, deep)}.Handler())
	found, _ := answerOf[object](t, http.StatusOK, url+"/api/v2.0/search?q=librar")
	hasKeys(t, "the answer", found, "project repository")
	repositories, projects := objects(t, found["repository"]), objects(t, found["project"])
	if len(projects) != 1 || projects[0]["name"] != "library" || projects[0]["repo_count"] != 2.0 {
		t.Errorf("projects: %v", projects)
	}
	hasKeys(t, "a repository", repositories[0], "project_id project_name project_public repository_name pull_count artifact_count")
	if r := repositories[0]; r["repository_name"] != "library/ubuntu" || r["pull_count"] != 7.0 || r["artifact_count"] != 2.0 { // two of the three tags are one image
		t.Errorf("the repository is %v", r)
	}

	artifacts, header := answerOf[[]object](t, http.StatusOK, url+"/api/v2.0/projects/library/repositories/ubuntu/artifacts?with_tag=true&page_size=1")
	if header.Get("X-Total-Count") != "2" || !strings.Contains(header.Get("Link"), `page=2`) || !strings.Contains(header.Get("Link"), `rel="next"`) {
		t.Errorf("the header is %v", header)
	}
	a := artifacts[0]
	hasKeys(t, "an artifact", a, "id type digest manifest_media_type media_type project_id repository_id repository_name push_time pull_time icon annotations labels references tags extra_attrs size")
	b := mustBuild(t, fromLibrary(t, "library/ubuntu", "22.04"))
	if a["digest"] != b.Digest().String() || a["type"] != "IMAGE" || a["push_time"] != "2026-11-09T11:38:59Z" {
		t.Errorf("the artifact is %v", a)
	}
	names := []any{}
	for _, tag := range objects(t, a["tags"]) {
		names = append(names, tag["name"])
	}
	if !slices.Equal(names, []any{"22.04", "latest"}) {
		t.Errorf("its tags are %v", names)
	}
	references := objects(t, a["references"])
	if p := references[0]["platform"].(object); len(references) != 3 || p["architecture"] != "amd64" || p["os"] != "linux" || references[0]["child_digest"] != b.Children[0].Digest().String() {
		t.Errorf("its references are %v", references)
	}
	some, _ := answerOf[[]object](t, http.StatusOK, url+"/api/v2.0/projects/library/repositories/ubuntu/artifacts?q=tags=~roll")
	if len(some) != 1 || objects(t, some[0]["tags"])[0]["name"] != sample.MovingTag {
		t.Errorf("the artifacts with roll are %v", some)
	}
	// A slash in the name is escaped twice.
	if deep, _ := answerOf[[]object](t, http.StatusOK, url+"/api/v2.0/projects/library/repositories/base%252Fdeep/artifacts"); len(deep) != 1 || deep[0]["repository_name"] != "library/base/deep" {
		t.Errorf("a name with a slash: %v", deep)
	}
	answerOf[object](t, http.StatusNotFound, url+"/api/v2.0/projects/library/repositories/nothing/artifacts")
}

func TestBesideServesARegistryAndItsServiceAtOneAddress(t *testing.T) {
	r := fake.NewEmptyRegistry()
	if err := r.Push(t.Context(), "a/b", sample.NoLayers(), "latest"); err != nil {
		t.Fatal(err)
	}
	base := service(t, fake.Beside(r, fake.Hub{Found: fake.HubFound(), Tagged: r}.Handler()))
	tagDigest(t, base, "a/b", "latest")
	answerOf[object](t, http.StatusOK, base+"/v2/search/repositories/?query=x")
	answerOf[object](t, http.StatusOK, base+"/v2/repositories/a/b/tags")
	answerOf[object](t, http.StatusOK, base+"/v1/search?q=x")
}

func TestFaultyWorksAroundTheStandInsAndKeepsTheQuery(t *testing.T) {
	f := fake.NewFaulty(fake.Hub{Found: fake.HubFound(), Tagged: tagged(t)}.Handler())
	base := service(t, f)
	f.Times(1, fake.Searches, fake.TooManyRequests("30"))
	resp, _, err := get(t, base+"/v2/search/repositories/?query=ab+c")
	if err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "30" {
		t.Errorf("%v %v", resp, err)
	}
	answerOf[object](t, http.StatusOK, base+"/v2/repositories/library/ubuntu/tags")
	if q, err := url.ParseQuery(f.Requests()[0].Query); err != nil || q.Get("query") != "ab c" {
		t.Errorf("recorded %+v", f.Requests()[0])
	}
	hold := f.Hold(fake.Searches, -1)
	done := make(chan int, 1)
	go func() {
		resp, err := http.Get(base + "/v1/search?q=x")
		if err != nil {
			done <- 0
			return
		}
		_ = resp.Body.Close()
		done <- resp.StatusCode
	}()
	<-hold.Reached()
	hold.Release()
	if status := <-done; status != http.StatusOK {
		t.Errorf("after the hold: %d", status)
	}
}

func TestMatchesTellListsSearchesAndDetailsApart(t *testing.T) {
	matches := map[string]fake.Match{"search": fake.Searches, "tags": fake.TagLists, "catalog": fake.Catalogs, "details": fake.TagDetails, "manifest": fake.Manifests}
	for path, want := range map[string]string{
		"/v2/search/repositories/?query=x": "search", "/v1/search?q=x": "search", "/api/v1/find/repositories?query=x": "search", "/api/v2.0/search?q=x": "search",
		"/v2/a/b/tags/list?n=3": "tags", "/v2/_catalog?n=3": "catalog", "/v2/a/b/manifests/latest": "manifest", "/v2/": "", "/v1/_ping": "",
		"/v2/repositories/a/b/tags?page=1": "details", "/api/v1/repository/a/b/tag/": "details", "/api/v2.0/projects/a/repositories/b/artifacts": "details",
	} {
		for name, m := range matches {
			if got := m(httptest.NewRequest(http.MethodGet, path, nil)); got != (name == want) {
				t.Errorf("%s: %s matches: %v", path, name, got)
			}
		}
	}
}

func TestRateLimitCountsReadingAndRefusesWhatIsOverTheLimit(t *testing.T) {
	b := faulty(t)
	b.On(fake.Manifests, fake.RateLimit(2, 6*time.Hour))
	remaining := func(resp *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.Header.Get("ratelimit-limit") != "2;w=21600" || resp.Header.Get("docker-ratelimit-source") == "" {
			t.Errorf("the header is %v", resp.Header)
		}
		return fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("ratelimit-remaining"))
	}
	for i, want := range []string{"200 2;w=21600", "200 1;w=21600", "200 0;w=21600", "200 0;w=21600", "429 0;w=21600"} {
		got := ""
		if i == 0 || i == 3 {
			got = remaining(http.Head(b.url + b.manifest)) // for nothing
		} else {
			got = remaining(http.Get(b.url + b.manifest))
		}
		if got != want {
			t.Errorf("request %d answers %s, want %s", i+1, got, want)
		}
	}
	if h, _ := b.is(t, http.StatusOK, b.blob); h.Get("ratelimit-limit") != "" {
		t.Error("a blob is limited too")
	}
}

func TestEverythingThatAStandInFindsIsMadeUpOrASample(t *testing.T) {
	real := map[string]bool{}
	for _, e := range samples() {
		real[e.Repository] = true
	}
	for name, found := range map[string][]fake.Found{"hub": fake.HubFound(), "quay": fake.QuayFound(), "harbor": fake.HarborFound()} {
		seen := map[string]bool{}
		for _, f := range found {
			if seen[f.Repository] || f.Like == "" && !real[f.Repository] || f.Like != "" && (!real[f.Like] || real[f.Repository]) || f.Stars < 0 || f.Pulls < 0 {
				t.Errorf("%s: %+v", name, f)
			}
			seen[f.Repository] = true
		}
	}
	if n := len(fake.HubFound()); n < 200 {
		t.Errorf("%d repositories", n)
	}
}
