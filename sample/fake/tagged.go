package fake

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

// Tagged knows which tags a registry has, and what they point at. [Registry], [Large] and [Pushed] do.
type Tagged interface {
	// Repositories are the names, in order.
	Repositories() []string
	// TagsOf are a repository's tags, in order of their names; none where there is no such repository.
	TagsOf(repository string) []TagAt
}

// TagAt is a tag and what it points at.
type TagAt struct {
	Repository, Tag string
	Descriptor      v1.Descriptor
	Updated         time.Time // when the newest of the images was made, or else Epoch
	Images          []ImageAt // what the index lists, or the image itself; none for artifacts
}

// ImageAt is an image that a tag leads to.
type ImageAt struct {
	Platform    v1.Platform
	Digest      digest.Digest
	Size        int64 // of the layers, compressed
	Attestation bool  // an entry that BuildKit adds for an image, which is no image itself
}

// At says what a tag at b points at, so that search services can tell of what was pushed to any registry.
func At(repository, tag string, b sample.Built) TagAt {
	at := TagAt{Repository: repository, Tag: tag, Descriptor: b.Descriptor}
	for m := range b.All() {
		if len(m.Children) > 0 || m.Descriptor.Platform == nil {
			continue
		}
		im := ImageAt{Platform: *m.Descriptor.Platform, Digest: m.Digest(),
			Attestation: m.Descriptor.Annotations[sample.AnnotationReferenceType] == sample.AttestationManifest}
		for _, l := range m.Layers() {
			im.Size += l.Descriptor.Size
		}
		at.Images = append(at.Images, im)
		var config struct{ Created time.Time }
		if err := json.Unmarshal(m.Blobs[0].Data, &config); err == nil && config.Created.After(at.Updated) {
			at.Updated = config.Created
		}
	}
	if at.Updated.IsZero() {
		at.Updated = sample.Epoch
	}
	return at
}

func (t TagAt) compare(o TagAt) int {
	if c := strings.Compare(t.Repository, o.Repository); c != 0 {
		return c
	}
	return strings.Compare(t.Tag, o.Tag)
}

// one is the size of one of the images: amd64's, or else the first one's.
func (t TagAt) one() int64 {
	for _, im := range t.Images {
		if im.Platform.Architecture == "amd64" && !im.Attestation {
			return im.Size
		}
	}
	if len(t.Images) > 0 {
		return t.Images[0].Size
	}
	return 0
}

// Pushed are tags that somebody wrote down while pushing; see [At].
type Pushed []TagAt

// Repositories implements [Tagged].
func (p Pushed) Repositories() []string {
	names := make([]string, 0, len(p))
	for _, t := range p {
		names = append(names, t.Repository)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TagsOf implements [Tagged].
func (p Pushed) TagsOf(repository string) []TagAt {
	var tags []TagAt
	for _, t := range p {
		if t.Repository == repository {
			tags = append(tags, t)
		}
	}
	slices.SortFunc(tags, TagAt.compare)
	return tags
}

// list answers with a page of sorted names, as the distribution API pages lists: ?n=&last=, and a Link to the next
// page. Without n it is all of them.
func list(w http.ResponseWriter, r *http.Request, body map[string]any, key string, names []string) {
	q := r.URL.Query()
	if last := q.Get("last"); last != "" {
		i, found := slices.BinarySearch(names, last)
		if found {
			i++
		}
		names = names[i:]
	}
	if n, err := strconv.Atoi(q.Get("n")); err == nil && n > 0 && n < len(names) {
		names = names[:n]
		next := url.URL{Path: r.URL.Path, RawQuery: url.Values{"n": {strconv.Itoa(n)}, "last": {names[n-1]}}.Encode()}
		w.Header().Set("Link", "<"+next.String()+`>; rel="next"`)
	}
	if names == nil {
		names = []string{}
	}
	body[key] = names
	writeJSON(w, http.StatusOK, body)
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away needs no answer
}
