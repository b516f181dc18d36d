package sample

import (
	"fmt"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image describes an image for one platform.
type Image struct {
	Platform    v1.Platform
	Created     time.Time // zero leaves "created" out of the config
	Author      string
	Config      Config
	Steps       []Step            // oldest first
	Docker      bool              // docker schema 2 media types instead of OCI's
	Annotations map[string]string // of the manifest; OCI only
	Packages    []Package         // what a software bill of materials lists
	Subject     *v1.Descriptor    // what the manifest refers to; OCI only
}

// Config is how a container runs: OCI's fields and those that docker adds to them.
type Config struct {
	v1.ImageConfig
	Healthcheck *Healthcheck `json:"Healthcheck,omitempty"`
	Shell       []string     `json:"Shell,omitempty"`
	OnBuild     []string     `json:"OnBuild,omitempty"`
}

// Healthcheck is docker's HEALTHCHECK; the durations are written in nanoseconds, as docker writes them.
type Healthcheck struct {
	Test     []string      `json:"Test,omitempty"`
	Interval time.Duration `json:"Interval,omitempty"`
	Timeout  time.Duration `json:"Timeout,omitempty"`
	Retries  int           `json:"Retries,omitempty"`
}

// Step is one entry of an image's history, with the layer that it made or, as for ENV or CMD, without one.
type Step struct {
	By        string        // created_by
	Comment   string        // "buildkit.dockerfile.v0" for what BuildKit made
	Before    time.Duration // created this long before the image; 0 is the image's own time
	Layer     *Layer        // nil for an empty_layer entry
	NoHistory bool          // a layer that the history does not mention
}

// Package is an installed package, as a software bill of materials names it.
type Package struct {
	Name    string
	Version string
}

// configFile is the image config (OCI image-spec, config.md), with docker's additional fields.
type configFile struct {
	Created *time.Time `json:"created,omitempty"`
	Author  string     `json:"author,omitempty"`
	v1.Platform
	DockerVersion string       `json:"docker_version,omitempty"`
	Config        Config       `json:"config"`
	RootFS        v1.RootFS    `json:"rootfs"`
	History       []v1.History `json:"history,omitempty"`
}

// Build makes the config, the manifest and those layers that are not built yet.
func (im Image) Build() (Built, error) {
	conf := configFile{
		Created: instant(im.Created), Author: im.Author, Platform: im.Platform, Config: im.Config,
		RootFS: v1.RootFS{Type: "layers"},
	}
	manifestType, configType := v1.MediaTypeImageManifest, v1.MediaTypeImageConfig
	if im.Docker {
		manifestType, configType = MediaTypeDockerManifest, MediaTypeDockerConfig
		conf.DockerVersion = "20.10.23"
	}
	out := Built{Blobs: make([]Blob, 1)}
	man := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: manifestType, Annotations: im.Annotations,
		Subject: im.Subject,
		Layers:  []v1.Descriptor{},
	}
	for i, s := range im.Steps {
		if !s.NoHistory {
			conf.History = append(conf.History, v1.History{
				Created: s.created(im.Created), CreatedBy: s.By, Comment: s.Comment, EmptyLayer: s.Layer == nil,
			})
		}
		if s.Layer == nil {
			continue
		}
		l, err := s.Layer.Content()
		if err != nil {
			return Built{}, fmt.Errorf("build layer of step %d (%.40s): %w", i+1, s.By, err)
		}
		d := v1.Descriptor{MediaType: s.Layer.compression.mediaType(im.Docker), Digest: l.Digest, Size: l.Size}
		man.Layers = append(man.Layers, d)
		out.Blobs = append(out.Blobs, Blob{Descriptor: d, Data: l.Blob})
		conf.RootFS.DiffIDs = append(conf.RootFS.DiffIDs, l.DiffID)
	}
	out.DiffIDs = conf.RootFS.DiffIDs
	data, err := encode(conf, "")
	if err != nil {
		return Built{}, err
	}
	out.Blobs[0] = dataBlob(configType, data)
	man.Config = out.Blobs[0].Descriptor
	if out.Body, err = encode(man, manifestIndent(im.Docker)); err != nil {
		return Built{}, err
	}
	out.Descriptor = dataBlob(manifestType, out.Body).Descriptor
	out.Descriptor.Platform = &im.Platform
	return out, nil
}

func (s Step) created(image time.Time) *time.Time {
	if image.IsZero() {
		return nil
	}
	return instant(image.Add(-s.Before))
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
