package search

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/test/outside"
)

const harborSearchPath = "/api/v2.0/search"

func TestHarborResults(t *testing.T) {
	_, host := outside.Server(t, answers(t, map[string]string{harborSearchPath: "harbor_search.json"}))
	c := searching(t, registry.Entry{Host: host, Search: registry.SearchHarbor})
	hits := mustSearch(t, c, host, Question{Text: "nginx"})
	wantNames(t, hits, host+"/library/nginx", host+"/team/web/nginx")
	if h := hits.Hits[0]; h.Pulls != 1204 || h.Stars != -1 || hits.Hits[1].Pulls != -1 {
		t.Errorf("numbers are %+v", hits.Hits)
	}
	if hits.Total != 2 || hits.More {
		t.Errorf("total is %d, more %v", hits.Total, hits.More)
	}
	hits = mustSearch(t, c, host, Question{Text: "nginx", Limit: 1, Page: 2})
	wantNames(t, hits, host+"/team/web/nginx")
}

// withLogin makes a client that has a login for the listed registry.
func withLogin(t *testing.T, l registry.Entry) *Client {
	t.Helper()
	dir := t.TempDir()
	conf := fmt.Sprintf(`{"auths":{%q:{"username":"robot","password":"s3cret"}}}`, l.Host)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return client(t, registry.Options{Registries: []registry.Entry{l}, DockerConfig: dir})
}

func TestTheLoginGoesToTheRegistryAlone(t *testing.T) {
	files := answers(t, map[string]string{harborSearchPath: "harbor_search.json"})
	harbor, harborHost := outside.Server(t, files)
	mustSearch(t, withLogin(t, registry.Entry{Host: harborHost, Search: registry.SearchHarbor}), harborHost,
		Question{Text: "nginx"})
	if user, password, ok := harbor.Last().BasicAuth(); !ok || user != "robot" || password != "s3cret" {
		t.Error("the registry did not get the login")
	}

	elsewhere, elsewhereHost := outside.Server(t, files)
	_, host := outside.Server(t, func(http.ResponseWriter, *http.Request) {})
	mustSearch(t, withLogin(t, registry.Entry{Host: host, Search: registry.SearchHarbor, SearchURL: "http://" +
		elsewhereHost}), host, Question{Text: "nginx"})
	if elsewhere.Last().Header.Get("Authorization") != "" {
		t.Error("a search address elsewhere got the login")
	}

	leading, leadingHost := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "http://"+elsewhereHost+harborSearchPath+"?redirected", http.StatusFound)
	})
	mustSearch(t, withLogin(t, registry.Entry{Host: leadingHost, Search: registry.SearchHarbor}), leadingHost,
		Question{Text: "nginx"})
	if leading.Last().Header.Get("Authorization") == "" || elsewhere.Last().URL.RawQuery != "redirected" ||
		elsewhere.Last().Header.Get("Authorization") != "" {
		t.Error("the login followed a redirect")
	}

	nobody, nobodyHost := outside.Server(t, files)
	mustSearch(t, searching(t, registry.Entry{Host: nobodyHost, Search: registry.SearchHarbor}), nobodyHost,
		Question{Text: "nginx"})
	if nobody.Last().Header.Get("Authorization") != "" {
		t.Error("without a login one was sent")
	}
}

func TestARefusedLoginIsTold(t *testing.T) {
	_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { outside.ErrorBody(w, 401, "UNAUTHORIZED", "s3cret") })
	_, err := withLogin(t, registry.Entry{Host: host, Search: registry.SearchHarbor}).
		Search(t.Context(), host, Question{Text: "nginx"})
	e := outside.WantKind(t, err, image.Unauthorized, host, "stored sign-in", "docker login "+host)
	if strings.Contains(e.Message+e.Suggestion, "s3cret") {
		t.Error("the password is shown")
	}
	_, err = searching(t, registry.Entry{Host: host, Search: registry.SearchHarbor}).
		Search(t.Context(), host, Question{Text: "nginx"})
	outside.WantKind(t, err, image.Unauthorized, host, "wants a sign-in")
	_, err = searching(t, registry.Entry{Host: host, Search: registry.SearchHarbor, Credentials: "team.test"}).
		Search(t.Context(), host, Question{Text: "nginx"})
	outside.WantKind(t, err, image.Unauthorized, "docker login team.test")
}

func TestHarborTagDetails(t *testing.T) {
	where := "/api/v2.0/projects/team/repositories/web%252Fnginx/artifacts" // nested names are escaped twice
	rec, host := outside.Server(t, answers(t, map[string]string{where: "harbor_artifacts.json"}))
	c := searching(t, registry.Entry{Host: host, Search: registry.SearchHarbor})
	all, err := c.TagDetails(t.Context(), image.Repository(host+"/team/web/nginx"), "")
	if err != nil || len(all) != 3 {
		t.Fatalf("details are %v, %v", all, err)
	}
	index := all["1.27"]
	if index.Size != -1 || index.Digest != image.Digest("sha256:"+strings.Repeat("1", 64)) || len(index.Images) != 2 {
		t.Errorf("an index is %+v", index)
	}
	if i := index.Images[1]; i.Platform.String() != "linux/arm64" || i.Digest != "" || i.Size != -1 {
		t.Errorf("its second platform is %+v", i)
	}
	if !all["latest"].Updated.Equal(time.Date(2026, 1, 11, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("latest was pushed %v", all["latest"].Updated)
	}
	single := all["1.26"]
	if single.Size != 65000000 || len(single.Images) != 1 || single.Images[0].Size != 65000000 ||
		!single.Updated.Equal(time.Date(2025, 12, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("an image is %+v", single)
	}
	_, unlisted := outside.Server(t,
		answers(t, map[string]string{where: "harbor_artifacts.json", harborSearchPath: "harbor_search.json"}))
	if all, err := client(t, registry.Options{}).
		TagDetails(t.Context(), image.Repository(unlisted+"/team/web/nginx"), ""); err != nil || len(all) != 3 {
		t.Errorf("of a registry that nobody listed: %v, %v", all, err)
	}
	if _, err := c.TagDetails(t.Context(), image.Repository(host+"/team/web/nginx"), "1.2"); err != nil || rec.Last().
		URL.Query().Get("q") != "tags=~1.2" {
		t.Errorf("asked with %v, %v", rec.Last().URL.Query(), err)
	}
}
