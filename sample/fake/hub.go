package fake

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/stowage/stowage/sample"
)

// Hub is a stand-in for hub.docker.com and, with its v1 search, for index.docker.io. It is safe for concurrent use.
//
//	GET /v2/search/repositories/?query=&page=&page_size=
//	GET /v1/search?q=&n=&page=
//	GET /v2/repositories/{namespace}/{repository}/
//	GET /v2/repositories/{namespace}/{repository}/tags?page=&page_size=&name=&ordering=
//	GET /v2/repositories/{namespace}/{repository}/tags/{tag}
//
// The last two answer below /v2/namespaces/{namespace}/repositories/ too, as documented.
type Hub struct {
	Found  []Found
	Tagged Tagged // whose tags it tells of
	Prefix bool   // say library/ before official names in search results: the service has done both
	Bare   bool   // leave out what very old tags lack: digests, media types, the platforms' digests
}

// Handler serves it.
func (h Hub) Handler() http.Handler {
	mux := http.NewServeMux()
	v1 := V1{Found: h.Found, Official: true}.Handler()
	mux.Handle("/v1/", v1)
	for _, slash := range []string{"", "/{$}"} {
		mux.HandleFunc("GET /v2/search/repositories"+slash, h.search)
		for _, base := range []string{"/v2/repositories/{namespace}/{repository}",
			"/v2/namespaces/{namespace}/repositories/{repository}"} {
			mux.HandleFunc("GET "+base+slash, h.repository)
			mux.HandleFunc("GET "+base+"/tags"+slash, h.tags)
			mux.HandleFunc("GET "+base+"/tags/{tag}"+slash, h.tag)
		}
	}
	return mux
}

func (h Hub) search(w http.ResponseWriter, r *http.Request) {
	p := paging(r, "page_size", 25, 100)
	all := search(h.Found, r.URL.Query().Get("query"))
	part, more := cut(all, p)
	results := make([]map[string]any, 0, len(part))
	for _, f := range part {
		name := f.familiar()
		if h.Prefix {
			name = f.Repository
		}
		result := map[string]any{
			"repo_name": name, "short_description": f.Description, "star_count": f.Stars, "pull_count": f.Pulls,
			"repo_owner": "", "is_automated": false, "is_official": f.Official,
		}
		if f.Verified {
			result["badge"] = "verified_publisher" // which not every version of the service says
		}
		results = append(results, result)
	}
	previous, next := neighbours(r, p, more)
	writeJSON(w, http.StatusOK, map[string]any{"count": len(all), "next": next, "previous": previous, "results": results})
}

func (h Hub) repository(w http.ResponseWriter, r *http.Request) {
	namespace, repository := r.PathValue("namespace"), r.PathValue("repository")
	name := namespace + "/" + repository
	i := slices.IndexFunc(h.Found, func(f Found) bool { return f.Repository == name })
	if i < 0 {
		hubMissing(w, r)
		return
	}
	f := h.Found[i]
	writeJSON(w, http.StatusOK, map[string]any{
		"user": namespace, "name": repository, "namespace": namespace, "repository_type": "image", "status": 1,
		"status_description": "active",
		"description":        f.Description, "is_private": false, "is_automated": false, "star_count": f.Stars,
		"pull_count":   f.Pulls,
		"last_updated": f.Updated.Format(time.RFC3339Nano), "date_registered": sample.Epoch.AddDate(-9, 0, 0).
				Format(time.RFC3339Nano), "collaborator_count": 0,
		"affiliation": nil, "hub_user": namespace, "has_starred": false, "full_description": "# " + repository + "\n\n" +
			f.Description + "\n",
		"media_types": []string{}, "content_types": []string{"image"}, "categories": []string{},
	})
}

func (h Hub) tags(w http.ResponseWriter, r *http.Request) {
	tags := h.Tagged.TagsOf(r.PathValue("namespace") + "/" + r.PathValue("repository"))
	if len(tags) == 0 {
		hubMissing(w, r)
		return
	}
	q := r.URL.Query()
	if contains := strings.ToLower(q.Get("name")); contains != "" {
		tags = slices.DeleteFunc(tags, func(t TagAt) bool { return !strings.Contains(strings.ToLower(t.Tag), contains) })
	}
	switch q.Get("ordering") {
	case "name":
	case "-name":
		slices.Reverse(tags)
	case "-last_updated":
		slices.SortStableFunc(tags, func(a, b TagAt) int { return a.Updated.Compare(b.Updated) })
	default: // the newest first
		slices.SortStableFunc(tags, func(a, b TagAt) int { return b.Updated.Compare(a.Updated) })
	}
	p := paging(r, "page_size", 10, 100)
	part, more := cut(tags, p)
	results := make([]map[string]any, 0, len(part))
	for _, t := range part {
		results = append(results, h.describe(t))
	}
	previous, next := neighbours(r, p, more)
	writeJSON(w, http.StatusOK, map[string]any{"count": len(tags), "next": next, "previous": previous, "results": results})
}

func (h Hub) tag(w http.ResponseWriter, r *http.Request) {
	for _, t := range h.Tagged.TagsOf(r.PathValue("namespace") + "/" + r.PathValue("repository")) {
		if t.Tag == r.PathValue("tag") {
			writeJSON(w, http.StatusOK, h.describe(t))
			return
		}
	}
	hubMissing(w, r)
}

// describe is a tag in Docker Hub's words. A variant that there is none of is null for images and empty for
// attestations: both occur.
func (h Hub) describe(t TagAt) map[string]any {
	namespace, _, _ := strings.Cut(t.Repository, "/")
	pushed := t.Updated.Format(time.RFC3339Nano)
	images := []map[string]any{}
	for _, im := range t.Images {
		entry := map[string]any{
			"architecture": im.Platform.Architecture, "features": "", "variant": orNil(im.Platform.Variant),
			"os": im.Platform.OS, "os_features": "",
			"os_version": orNil(im.Platform.OSVersion), "size": im.Size, "digest": im.Digest, "status": "active",
			"last_pulled": pushed, "last_pushed": pushed,
		}
		if im.Attestation {
			entry["variant"] = ""
		}
		if h.Bare {
			delete(entry, "digest")
		}
		images = append(images, entry)
	}
	id := hubID(t.Repository + ":" + t.Tag)
	tag := map[string]any{
		"creator": hubID(namespace), "id": id, "images": images, "last_updated": pushed, "last_updater": hubID(namespace),
		"last_updater_username": namespace,
		"name":                  t.Tag, "repository": hubID(t.Repository), "full_size": t.one(), "v2": true,
		"tag_status": "active", "tag_last_pulled": pushed, "tag_last_pushed": pushed,
	}
	if !h.Bare {
		tag["media_type"], tag["content_type"], tag["digest"] = t.Descriptor.MediaType, "image", t.Descriptor.Digest
	}
	return tag
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// hubID is a number for a name, the same each time.
func hubID(name string) int64 {
	var n int64
	for _, b := range []byte(digest.FromString(name).Encoded()[:7]) {
		n = n*31 + int64(b)
	}
	return n % 1_000_000_000
}

func hubMissing(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusNotFound, map[string]any{
		"message": "object not found",
		"errinfo": map[string]string{"namespace": r.PathValue("namespace"), "repository": r.PathValue("repository"),
			"tag": r.PathValue("tag")},
	})
}
