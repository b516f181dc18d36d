package sample

import (
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Entry is an image of the library under its names.
type Entry struct {
	Repository string
	Tags       []string
	Source     Source
}

// The tag that [Registry.MoveTag] moves.
const (
	MovingRepository = "library/ubuntu"
	MovingTag        = "rolling"
)

// Library is what the demo's registry holds. Nothing is built before an entry's Source is; entries of one Library
// share the layers that are equal, so that each is built once.
func Library() []Entry {
	s := newShelf()
	var all []Entry
	for _, part := range [][]Entry{s.ubuntu(), s.debian(), s.postgres(), s.nginx(), s.redis(), s.acme(), s.single(),
		s.unusual()} {
		all = append(all, part...)
	}
	return all
}

// Lookup is the library's image at a tag of a repository.
func Lookup(entries []Entry, repository, tag string) (Source, bool) {
	for _, e := range entries {
		if e.Repository != repository {
			continue
		}
		for _, t := range e.Tags {
			if t == tag {
				return e.Source, true
			}
		}
	}
	return nil, false
}

// shelf hands out layers by name, so that images made from it share them.
type shelf struct {
	layers    map[string]*Layer
	converted map[conversion]*Layer
}

// conversion is a layer in another compression.
type conversion struct {
	from *Layer
	to   Compression
}

func newShelf() *shelf {
	return &shelf{layers: map[string]*Layer{}, converted: map[conversion]*Layer{}}
}

// layer is the layer of that name for a machine; files is called the first time only.
func (s *shelf) layer(m machine, name string, files func() []File) *Layer {
	key := name + "@" + PlatformString(m.platform)
	if s.layers[key] == nil {
		s.layers[key] = NewLayer(Gzip, files()...)
	}
	return s.layers[key]
}

// images makes an image for each platform.
func images(make func(machine) Image, platforms ...v1.Platform) []Source {
	all := []Source{}
	for _, p := range platforms {
		im := make(machineOf(p))
		im.Platform = p
		all = append(all, im)
	}
	return all
}

const buildkit = "buildkit.dockerfile.v0"

// run, copied and set are history entries in BuildKit's words.
func run(command string, l *Layer) Step {
	return Step{By: "RUN /bin/sh -c " + command + " # buildkit", Comment: buildkit, Layer: l}
}

func copied(what string, l *Layer) Step {
	return Step{By: "COPY " + what + " # buildkit", Comment: buildkit, Layer: l}
}

func set(instruction string) Step { return Step{By: instruction, Comment: buildkit} }

// steps joins histories.
func steps(parts ...[]Step) []Step {
	var all []Step
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// spaced sets how long before the image each step was made: the base's first steps earlier by a day, then seconds
// apart.
func spaced(base int, all []Step) []Step {
	for i := range all {
		all[i].Before = time.Duration(len(all)-1-i) * 7 * time.Second
		if i < base {
			all[i].Before += 26 * time.Hour
		}
	}
	return all
}

// Date parses a time of the library.
func Date(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic("sample: bad date in the library: " + err.Error())
	}
	return t
}

func ports(names ...string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, n := range names {
		set[n] = struct{}{}
	}
	return set
}

func words(s string) []string { return strings.Fields(s) }

const pathEnv = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
