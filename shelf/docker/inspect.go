package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
)

// Inspected is what Inspect words as docker does.
type Inspected struct {
	ID       image.Digest      // the config's digest
	Config   *image.Config     // as the blob has it
	Tags     []image.Reference // that lead to the image
	Digests  []image.Reference // that lead to the image
	Unpacked int64             // bytes as docker counts Size; negative while unknown
}

// inspection is docker's inspect object of Engine API 1.51 (moby, api/types/image/image_inspect.go), in the order
// of its fields. The engine and its client word Config differently.
//
// Templates see this type too, so its fields have docker's names and no methods that could make long texts.
type inspection[config any] struct {
	ID            string `json:"Id"`
	RepoTags      []string
	RepoDigests   []string
	Parent        string // of images built on the spot; always empty for pulled ones
	Comment       string
	Created       string `json:",omitempty"`
	DockerVersion string
	Author        string
	Config        config
	Architecture  string
	Variant       string `json:",omitempty"`
	Os            string
	OsVersion     string `json:",omitempty"`
	Size          any    // int64, or nil while unknown
	GraphDriver   graphDriver
	RootFS        inspectedRootFS
	Metadata      inspectedMetadata
}

// graphDriver says where a storage driver keeps the unpacked file systems. Here nothing is unpacked to disk, so it is
// empty, as its Data is with docker's containerd store; templates that read it go on working.
type graphDriver struct {
	Data map[string]string
	Name string
}

type inspectedRootFS struct {
	Type   string   `json:",omitempty"`
	Layers []string `json:",omitempty"` // diff IDs
}

type inspectedMetadata struct {
	LastTagTime neverTagged
}

// neverTagged is the zero time: docker's LastTagTime is of tagging on the spot, which pulling is not. It is not
// time.Time, whose Format can double a text.
type neverTagged struct{}

func (neverTagged) String() string               { return time.Time{}.String() }
func (neverTagged) IsZero() bool                 { return true }
func (neverTagged) MarshalText() ([]byte, error) { return time.Time{}.MarshalText() }

// rawConfig is Config as the engine sends it. The keys without omitempty are always there in API 1.50 and 1.51, null or
// empty when they are not set (moby, api/server/router/image/inspect_response.go).
type rawConfig struct {
	User         string
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string
	Entrypoint   []string
	Cmd          []string
	Volumes      map[string]struct{}
	WorkingDir   string
	Labels       map[string]string
	StopSignal   string             `json:",omitempty"`
	ArgsEscaped  bool               `json:",omitempty"`
	Healthcheck  *image.Healthcheck `json:",omitempty"`
	OnBuild      []string
	Shell        []string `json:",omitempty"`
}

// clientConfig is Config as docker's client decodes it: moby/docker-image-spec's DockerOCIImageConfig, OCI's part and
// docker's, which leave out what is empty.
type clientConfig struct {
	ociConfig
	dockerConfig
}

type ociConfig struct {
	User         string              `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string            `json:",omitempty"`
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	Volumes      map[string]struct{} `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	Labels       map[string]string   `json:",omitempty"`
	StopSignal   string              `json:",omitempty"`
	ArgsEscaped  bool                `json:",omitempty"`
}

type dockerConfig struct {
	Healthcheck *clientHealth `json:",omitempty"`
	OnBuild     []string      `json:",omitempty"`
	Shell       []string      `json:",omitempty"`
}

// clientHealth is a health check that never prints its address in this server's memory.
type clientHealth image.Healthcheck

// Format implements fmt.Formatter.
func (h *clientHealth) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), (*image.Healthcheck)(h)) // f keeps its own error
}

// raw returns the object as the engine sends it.
func (i Inspected) raw() inspection[rawConfig] {
	c := i.Config.Config
	return inspected(i, rawConfig{
		User: c.User, ExposedPorts: c.ExposedPorts, Env: orNull(c.Env), Entrypoint: orNull(c.Entrypoint), Cmd: orNull(c.Cmd),
		Volumes:    setOrNull(c.Volumes),
		WorkingDir: c.WorkingDir, Labels: setOrNull(c.Labels), StopSignal: c.StopSignal, ArgsEscaped: c.ArgsEscaped,
		Healthcheck: c.Healthcheck,
		OnBuild:     orNull(c.OnBuild), Shell: c.Shell,
	})
}

// client returns the object as docker's client decodes it.
func (i Inspected) client() inspection[clientConfig] {
	c := i.Config.Config
	return inspected(i, clientConfig{
		ociConfig{c.User, c.ExposedPorts, c.Env, c.Entrypoint, c.Cmd, c.Volumes, c.WorkingDir, c.Labels, c.StopSignal,
			c.ArgsEscaped},
		dockerConfig{(*clientHealth)(c.Healthcheck), c.OnBuild, c.Shell},
	})
}

func inspected[config any](i Inspected, conf config) inspection[config] {
	c := i.Config
	o := inspection[config]{
		ID: string(i.ID), RepoTags: familiarNames(i.Tags), RepoDigests: familiarNames(i.Digests),
		Comment: c.Comment, DockerVersion: c.DockerVersion, Author: c.Author, Config: conf,
		Architecture: c.Architecture, Variant: c.Variant, Os: c.OS, OsVersion: c.OSVersion,
		RootFS: inspectedRootFS{Type: c.RootFS.Type},
	}
	if c.Created != nil {
		o.Created = c.Created.Format(time.RFC3339Nano)
	}
	// moby, daemon/containerd/image_inspect.go and image.Image before it.
	if o.Comment == "" && len(c.History) > 0 {
		o.Comment = c.History[len(c.History)-1].Comment
	}
	if i.Unpacked >= 0 {
		o.Size = i.Unpacked
	}
	for _, d := range c.RootFS.DiffIDs {
		o.RootFS.Layers = append(o.RootFS.Layers, string(d))
	}
	return o
}

// Inspect returns what `docker inspect` prints for an image: an array of one object, indented by four
// spaces, markup characters as they are. Size is null while the unpacked size is unknown.
func Inspect(i Inspected) ([]byte, error) {
	raw, err := encodePlain([]inspection[rawConfig]{i.raw()})
	if err != nil {
		return nil, fmt.Errorf("encode inspect object of %s: %w", i.ID, err)
	}
	// A config may have megabytes, so the room for all of it is made at once.
	const perValue = 24 // bytes of a line break and its indentation
	b := bytes.NewBuffer(make([]byte, 0, len(raw)+perValue*image.CountValues(raw)))
	if err := json.Indent(b, raw, "", "    "); err != nil {
		return nil, fmt.Errorf("indent inspect object of %s: %w", i.ID, err)
	}
	return b.Bytes(), nil
}

// encodePlain encodes a value on one line, markup characters as they are, with a line break at its end.
func encodePlain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// familiarNames words references as docker does; no references are an empty list, never null.
func familiarNames(refs []image.Reference) []string {
	names := make([]string, 0, len(refs))
	for _, r := range refs {
		names = append(names, r.Familiar())
	}
	return names
}

// orNull makes an empty list null, as docker's omitempty and its defaults together do.
func orNull(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

// setOrNull is orNull for a map.
func setOrNull[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}
