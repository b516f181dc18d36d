package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Inspected is what Inspect words as docker does.
type Inspected struct {
	ID       Digest      // the config's digest
	Config   *Config     // as the blob has it
	Tags     []Reference // that lead to the image
	Digests  []Reference // that lead to the image
	Unpacked int64       // bytes as docker counts Size; negative while unknown
}

// inspection is docker's inspect object in the shape of Engine API 1.51 (moby, api/types/image/image_inspect.go),
// in the order of its fields. GraphDriver is left out, as the newest API types allow: it tells where a storage
// driver keeps the unpacked file systems, and here nothing is unpacked to disk.
type inspection struct {
	ID            string `json:"Id"`
	RepoTags      []string
	RepoDigests   []string
	Parent        string // of images built on the spot; always empty for pulled ones
	Comment       string
	Created       *time.Time `json:",omitempty"`
	DockerVersion string
	Author        string
	Config        inspectedConfig
	Architecture  string
	Variant       string `json:",omitempty"`
	Os            string
	OsVersion     string `json:",omitempty"`
	Size          *int64
	RootFS        struct {
		Type   string
		Layers []Digest `json:",omitempty"`
	}
	Metadata struct {
		LastTagTime time.Time // of tagging on the spot, which nobody does here: the zero time
	}
}

// inspectedConfig has the keys of moby/docker-image-spec. Those without omitempty are always there in
// API 1.50 and 1.51, null or empty when they are not set.
type inspectedConfig struct {
	User         string
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string
	Entrypoint   []string
	Cmd          []string
	Volumes      map[string]struct{}
	WorkingDir   string
	Labels       map[string]string
	StopSignal   string       `json:",omitempty"`
	ArgsEscaped  bool         `json:",omitempty"`
	Healthcheck  *Healthcheck `json:",omitempty"`
	OnBuild      []string
	Shell        []string `json:",omitempty"`
}

// Inspect gives what `docker inspect` prints for an image: an array of one object, indented by four
// spaces, markup characters as they are. Size is null while the unpacked size is unknown.
func Inspect(i Inspected) ([]byte, error) {
	c := i.Config
	o := inspection{
		ID: string(i.ID), RepoTags: familiarNames(i.Tags), RepoDigests: familiarNames(i.Digests),
		Comment: c.Comment, Created: c.Created, DockerVersion: c.DockerVersion, Author: c.Author,
		Architecture: c.Architecture, Variant: c.Variant, Os: c.OS, OsVersion: c.OSVersion,
		Config: inspectedConfig{
			User: c.Config.User, ExposedPorts: c.Config.ExposedPorts, Env: orNull(c.Config.Env), Entrypoint: orNull(c.Config.Entrypoint),
			Cmd: orNull(c.Config.Cmd), Volumes: c.Config.Volumes, WorkingDir: c.Config.WorkingDir, Labels: c.Config.Labels,
			StopSignal: c.Config.StopSignal, ArgsEscaped: c.Config.ArgsEscaped, Healthcheck: c.Config.Healthcheck,
			OnBuild: orNull(c.Config.OnBuild), Shell: c.Config.Shell,
		},
	}
	if len(o.Config.Volumes) == 0 {
		o.Config.Volumes = nil
	}
	if len(o.Config.Labels) == 0 {
		o.Config.Labels = nil
	}
	// moby, daemon/containerd/image_inspect.go and image.Image before it.
	if o.Comment == "" && len(c.History) > 0 {
		o.Comment = c.History[len(c.History)-1].Comment
	}
	if i.Unpacked >= 0 {
		o.Size = &i.Unpacked
	}
	o.RootFS.Type, o.RootFS.Layers = c.RootFS.Type, c.RootFS.DiffIDs
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	if err := e.Encode([]inspection{o}); err != nil {
		return nil, fmt.Errorf("encode inspect object of %s: %w", i.ID, err)
	}
	return b.Bytes(), nil
}

// familiarNames words references as docker does; no references are an empty list, never null.
func familiarNames(refs []Reference) []string {
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
