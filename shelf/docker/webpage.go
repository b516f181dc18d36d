package docker

import (
	"net/url"
	"strings"

	"github.com/stowage/stowage/image"
)

// sites are places in the web with pages about images, by host. Each function finds the image that a page is about: its
// name, and ":tag" or "@digest" where it is about one. parts are the path's.
var sites = map[string]func(parts []string, query url.Values) (name, rest string){
	"hub.docker.com":  hubPage,
	"quay.io":         quayPage,
	"github.com":      gitHubPage,
	"gallery.ecr.aws": galleryPage,
}

// ReadWebPage reads the address of a page about an image, with or without a scheme. What is on such a site and about no
// image is NoImage, unless images are there too: quay.io/org/app is a reference.
func ReadWebPage(text string) (Paste, bool) {
	address := text
	_, _, schemed := strings.Cut(text, "://")
	if !schemed {
		address = "https://" + text
	}
	u, err := url.Parse(address)
	if err != nil {
		return Paste{}, false
	}
	host := strings.ToLower(u.Host)
	find, known := sites[host]
	parts := pathParts(u)
	if !known || len(parts) == 0 && !schemed {
		return Paste{}, false
	}
	name, rest := find(parts, u.Query())
	ref, err := image.ParseRepositoryReference(name + rest)
	switch {
	case name == "" || err != nil || ref.Repository.Familiar() != name || host == "hub.docker.com" &&
		ref.Repository.Host() != image.DockerHub:
		return Paste{Name: text, NoImage: true}, host != "quay.io"
	case ref.Tag == "" && ref.Digest == "":
		return Paste{Name: name, Repository: true}, true
	}
	return Paste{Name: name + rest}, true
}

// pathParts returns the parts of a path that are not empty. A slash that is escaped is one in a name.
func pathParts(u *url.URL) (parts []string) {
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		if plain, err := url.PathUnescape(part); err == nil && plain != "" {
			parts = append(parts, plain)
		}
	}
	return parts
}

// tagged returns ":tag" for a tag that may be empty.
func tagged(tag string) string {
	if tag == "" {
		return ""
	}
	return ":" + tag
}

// hubPage reads hub.docker.com/_/postgres, /r/bitnami/redis/tags, /layers/library/postgres/16/images/sha256-….
func hubPage(parts []string, query url.Values) (name, rest string) {
	switch {
	case len(parts) >= 2 && parts[0] == "_":
		return parts[1], ""
	case len(parts) >= 3 && parts[0] == "r":
		return parts[1] + "/" + parts[2], ""
	case len(parts) >= 4 && parts[0] == "repository" && parts[1] == "docker":
		return parts[2] + "/" + parts[3], ""
	case len(parts) >= 3 && parts[0] == "layers":
		if name = parts[1] + "/" + parts[2]; parts[1] == "library" {
			name = parts[2]
		}
		if len(parts) >= 4 {
			rest = tagged(parts[3])
		}
	}
	return name, rest
}

// quayPages are the pages below a repository of Quay, whose name may have slashes.
var quayPages = map[string]bool{"manifest": true, "tag": true, "tags": true, "image": true, "build": true,
	"settings": true}

// quayPage reads quay.io/repository/org/name?tab=tags&tag=1.2, /repository/org/name/manifest/sha256:….
func quayPage(parts []string, query url.Values) (name, rest string) {
	if len(parts) < 3 || parts[0] != "repository" {
		return "", ""
	}
	end := 3
	for end < len(parts) && !quayPages[parts[end]] {
		end++
	}
	name, rest = "quay.io/"+strings.Join(parts[1:end], "/"), tagged(query.Get("tag"))
	if end+1 < len(parts) {
		switch parts[end] {
		case "manifest":
			rest = "@" + parts[end+1]
		case "tag":
			rest = tagged(parts[end+1])
		}
	}
	return name, rest
}

// gitHubPage reads github.com/orgs/ORG/packages/container/package/NAME, /users/… alike, and
// github.com/OWNER/REPOSITORY/pkgs/container/NAME/VERSION?tag=1.2. Names are lower case in the registry.
func gitHubPage(parts []string, query url.Values) (name, rest string) {
	switch {
	case len(parts) >= 5 && (parts[0] == "orgs" || parts[0] == "users") && parts[2] == "packages" &&
		parts[3] == "container":
		name = parts[4]
		if name == "package" && len(parts) >= 6 {
			name = parts[5]
		}
		name = parts[1] + "/" + name
	case len(parts) >= 5 && parts[2] == "pkgs" && parts[3] == "container":
		name = parts[0] + "/" + parts[4]
	default:
		return "", ""
	}
	return "ghcr.io/" + strings.ToLower(name), tagged(query.Get("tag"))
}

// galleryPage reads gallery.ecr.aws/docker/library/postgres.
func galleryPage(parts []string, _ url.Values) (name, rest string) {
	if len(parts) < 2 {
		return "", ""
	}
	return "public.ecr.aws/" + strings.Join(parts, "/"), ""
}
