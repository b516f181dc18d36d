package fake

import (
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Any matches every request.
func Any(*http.Request) bool { return true }

// Manifests matches reading of manifests, by GET or HEAD.
func Manifests(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.URL.Path, "/manifests/")
}

// GetManifest matches reading of one manifest by its tag or digest, by GET or HEAD.
func GetManifest(reference string) Match {
	return func(r *http.Request) bool {
		return Manifests(r) && strings.HasSuffix(r.URL.Path, "/manifests/"+reference)
	}
}

// Blobs matches downloading of blobs, by GET.
func Blobs(r *http.Request) bool {
	_, ok := blobOf(r)
	return ok && r.Method == http.MethodGet
}

// GetBlob matches downloading of one blob, by GET.
func GetBlob(blob digest.Digest) Match {
	return func(r *http.Request) bool {
		d, ok := blobOf(r)
		return ok && d == blob && r.Method == http.MethodGet
	}
}

func blobOf(r *http.Request) (digest.Digest, bool) {
	_, name, ok := strings.Cut(r.URL.Path, "/blobs/")
	d := digest.Digest(name)
	return d, ok && d.Validate() == nil
}

// Catalogs matches reading of the list of repositories.
func Catalogs(r *http.Request) bool { return r.URL.Path == "/v2/_catalog" }

// TagLists matches reading of a repository's list of tags from the registry.
func TagLists(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/v2/") && strings.HasSuffix(r.URL.Path, "/tags/list")
}

// Searches matches what search services are asked for results: [Hub], [Quay], [Harbor] and [V1].
func Searches(r *http.Request) bool {
	for _, path := range []string{"/v2/search/repositories", "/v1/search", "/api/v1/find/repositories",
		"/api/v2.0/search"} {
		if strings.TrimSuffix(r.URL.Path, "/") == path {
			return true
		}
	}
	return false
}

// TagDetails matches what search services are asked about tags: their sizes and dates.
func TagDetails(r *http.Request) bool {
	path := r.URL.Path
	return strings.HasPrefix(path, "/v2/repositories/") && strings.Contains(path, "/tags") ||
		strings.HasPrefix(path, "/api/v1/repository/") && strings.Contains(path, "/tag/") ||
		strings.HasPrefix(path, "/api/v2.0/projects/") && strings.Contains(path, "/artifacts")
}
