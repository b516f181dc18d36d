package image

import (
	"errors"
	"strings"

	"github.com/distribution/reference"
)

// DefaultTag is what docker takes when a name is given alone.
const DefaultTag = "latest"

// DockerHub is the host of Docker Hub in references: the registry of a name that has none.
const DockerHub = "docker.io"

// Repository is a repository's canonical name: host, slash, path, such as "docker.io/library/ubuntu".
type Repository string

// Host returns the registry's host with its port, such as "docker.io" or "localhost:5000".
func (r Repository) Host() string {
	host, _, _ := strings.Cut(string(r), "/")
	return host
}

// Path returns the name within the registry, such as "library/ubuntu".
func (r Repository) Path() string {
	_, path, _ := strings.Cut(string(r), "/")
	return path
}

// AsPath returns the name under which clients ask another registry, such as this server, for the repository: they take
// no colon in a name, so that registry.example.com:5000/app is registry.example.com_5000/app. An IPv6 address is
// written as Windows does it where colons are not allowed either: [2001:db8::1]:5000/app is
// 2001-db8--1.ipv6-literal.net_5000/app.
func (r Repository) AsPath() string { return pathHost(r.Host()) + "/" + r.Path() }

// Familiar returns the name as docker shows it: "ubuntu" for docker.io/library/ubuntu.
func (r Repository) Familiar() string {
	named, err := reference.ParseNormalizedNamed(string(r))
	if err != nil {
		return string(r)
	}
	return reference.FamiliarName(named)
}

// At returns a digest in the repository.
func (r Repository) At(d Digest) Reference { return Reference{Repository: r, Digest: d} }

// Reference names something in a registry: a repository with a tag or a digest, never both (docker lets
// the digest win). It is comparable. The zero value names nothing; ParseReference makes valid ones.
type Reference struct {
	Repository Repository
	Tag        string // empty when Digest is set
	Digest     Digest // empty when Tag is set
}

// ParseReference reads s as docker does (distribution/reference): "ubuntu" is docker.io/library/ubuntu:latest.
// Errors are of kind Invalid and say what is wrong with s.
func ParseReference(s string) (Reference, error) {
	ref, err := ParseRepositoryReference(s)
	if err != nil {
		return Reference{}, err
	}
	if ref.Tag == "" && ref.Digest == "" {
		ref.Tag = DefaultTag
	}
	return ref, nil
}

// ParseRepositoryReference is ParseReference without the default tag: a bare name leaves both Tag and
// Digest empty and means the repository.
func ParseRepositoryReference(s string) (Reference, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Reference{}, Errorf(Invalid, "no image reference was given").
			Suggest("Type a name such as postgres:15 or ghcr.io/org/app:1.2.")
	}
	if scheme, _, found := strings.Cut(s, "://"); found {
		return Reference{}, Errorf(Invalid, "%q is an address, not an image reference", quoted(s)).
			Suggest("Leave %q out: a reference is a name such as postgres:15 or registry.example.com/team/app:1.2.",
				Shorten(scheme)+"://")
	}
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return Reference{}, invalidReference(s, err)
	}
	ref := Reference{Repository: oneSpelling(Repository(named.Name()))}
	if len(ref.Repository) > reference.RepositoryNameTotalLengthMax {
		return Reference{}, invalidReference(s, reference.ErrNameTooLong)
	}
	if d, ok := named.(reference.Digested); ok {
		ref.Digest, err = ParseDigest(d.Digest().String())
		return ref, err
	}
	if t, ok := named.(reference.Tagged); ok {
		ref.Tag = t.Tag()
	}
	return ref, nil
}

// invalidReference turns the library's terse errors into a sentence and a next step.
func invalidReference(s string, err error) *Error {
	e := Errorf(Invalid, "%q is not an image reference", quoted(s)).Because(err)
	_, after, digested := strings.Cut(s, "@")
	slash := strings.LastIndex(s, "/")
	_, tag, tagged := strings.Cut(s[slash+1:], ":")
	lower := strings.ToLower(s)
	_, lowerErr := reference.ParseNormalizedNamed(lower)
	switch {
	case lower != s && lowerErr == nil:
		return e.Suggest("Repository names are lower case: try %s.", Shorten(lower))
	case errors.Is(err, reference.ErrNameTooLong):
		return e.Suggest("A repository name has at most %d characters.", reference.RepositoryNameTotalLengthMax)
	case digested && !strings.HasPrefix(after, "sha256:"):
		return e.Suggest("After @ comes a digest: sha256: and 64 hex digits.")
	case digested && len(after) != len("sha256:")+64:
		return e.Suggest("A digest is sha256: and 64 hex digits; this one has %d.", len(after)-len("sha256:"))
	case tagged && len(tag) > 128:
		return e.Suggest("A tag has at most 128 characters; this one has %d.", len(tag))
	case tagged:
		return e.Suggest("A tag is made of letters, digits, underscores, periods and hyphens, and does not begin with a period or a hyphen.")
	case len(s) == 64:
		return e.Suggest("64 hex digits alone are an image ID: open it at /images/sha256:%s.", Shorten(s))
	}
	return e.Suggest("A reference is [host/]name[:tag] or [host/]name@sha256:…, in lower case, such as postgres:15.")
}

// String returns the canonical form: docker.io/library/ubuntu:22.04 or …@sha256:….
func (r Reference) String() string { return string(r.Repository) + r.suffix() }

// Familiar returns the form that docker shows: ubuntu:22.04.
func (r Reference) Familiar() string { return r.Repository.Familiar() + r.suffix() }

func (r Reference) suffix() string {
	switch {
	case r.Digest != "":
		return "@" + string(r.Digest)
	case r.Tag != "":
		return ":" + r.Tag
	}
	return ""
}

// WithTag returns the tag in the same repository.
func (r Reference) WithTag(tag string) Reference {
	return Reference{Repository: r.Repository, Tag: tag}
}

// WithDigest returns the digest in the same repository.
func (r Reference) WithDigest(d Digest) Reference {
	return Reference{Repository: r.Repository, Digest: d}
}
