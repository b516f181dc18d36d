package distribution

import (
	"net/http"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/memo"
)

const (
	maxName = 255 // of a repository, and of a registry's host, as clients have it
	maxTag  = 128
	// mostNames bounds the names of which the reading is remembered.
	mostNames = 1024
)

// names reads the names of repositories. What a name means never changes, so that the last ones are remembered:
// reading one costs more than all the rest of a request. Safe for concurrent use.
type names struct {
	read *memo.Recent[[2]string, image.Repository]
}

func newNames() names { return names{memo.NewRecent[[2]string, image.Repository](mostNames)} }

// repository reads the name of a repository, within the registry ns where that is not empty: containerd names the
// registry that it was asked for so.
func (n names) repository(name, ns string) (image.Repository, error) {
	key := [2]string{name, ns}
	if repo, ok := n.read.Get(key); ok {
		return repo, nil
	}
	repo, err := readName(name, ns)
	if err != nil {
		return "", err
	}
	n.read.Put([2]string{strings.Clone(name), strings.Clone(ns)}, repo) // not the whole request with it
	return repo, nil
}

func readName(name, ns string) (image.Repository, error) {
	if len(name) > maxName || len(ns) > maxName {
		return "", refuse(http.StatusBadRequest, nameInvalid, "a repository name has at most %d characters", maxName)
	}
	var full string
	switch {
	case ns == "":
		full = withHost(name)
	case strings.Contains(ns, "/"):
		return "", notHost(ns)
	default:
		full = ns + "/" + name
	}
	if !plain(full) {
		return "", refuse(http.StatusBadRequest, nameInvalid, "%q is not the name of a repository", name)
	}
	ref, err := image.ParseRepositoryReference(full)
	if err != nil || ref.Tag != "" || ref.Digest != "" {
		return "", refuse(http.StatusBadRequest, nameInvalid, "%q is not the name of a repository", name)
	}
	if ns != "" && ns[0] != '[' && !strings.EqualFold(ref.Repository.Host(), ns) && ns != "index.docker.io" {
		// A host without a period or a port, which docker reads as a part of Docker Hub: nothing comes from there.
		return "", refuse(http.StatusNotFound, nameUnknown, "nothing of the registry %s is stored here", ns)
	}
	return ref.Repository, nil
}

func notHost(ns string) *wireError {
	return refuse(http.StatusBadRequest, nameInvalid, "ns is the host of a registry, such as docker.io, not %.100q", ns)
}

// plain reports whether a name is made of what names are made of, and climbs nowhere.
func plain(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' {
			return false
		}
	}
	return strings.IndexFunc(name, func(c rune) bool {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return false
		}
		return !strings.ContainsRune("._-/:[]", c)
	}) < 0
}

// withHost reads the registry of a name that has one, as Repository.AsPath writes it: clients take no colon in a name.
func withHost(name string) string {
	host, path, found := strings.Cut(name, "/")
	if !found {
		return name
	}
	return image.HostInPath(host) + "/" + path
}

// isTag reports whether s can be a tag (distribution-spec, "Pulling manifests").
func isTag(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
		case i > 0 && (c == '.' || c == '-'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxTag
}
