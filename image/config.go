package image

import (
	"encoding/json"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Config is an image's config blob: OCI image-spec config.md with the keys that docker adds
// (moby/docker-image-spec). Everything in it is hostile text.
type Config struct {
	Created       *time.Time        `json:"created,omitempty"`
	Author        string            `json:"author,omitempty"`
	Architecture  string            `json:"architecture"`
	Variant       string            `json:"variant,omitempty"`
	OS            string            `json:"os"`
	OSVersion     string            `json:"os.version,omitempty"`
	Config        RunConfig         `json:"config"`
	RootFS        ocispec.RootFS    `json:"rootfs"`
	History       []ocispec.History `json:"history,omitempty"`
	Comment       string            `json:"comment,omitempty"`
	DockerVersion string            `json:"docker_version,omitempty"`
}

// RunConfig is how a container of the image is run.
type RunConfig struct {
	User         string              `json:"User,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"`
	Volumes      map[string]struct{} `json:"Volumes,omitempty"`
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"`
	ArgsEscaped  bool                `json:"ArgsEscaped,omitempty"`
	Healthcheck  *Healthcheck        `json:"Healthcheck,omitempty"`
	OnBuild      []string            `json:"OnBuild,omitempty"`
	Shell        []string            `json:"Shell,omitempty"`
}

// Healthcheck is docker's; durations are nanoseconds.
type Healthcheck struct {
	Test          []string      `json:"Test,omitempty"`
	Interval      time.Duration `json:"Interval,omitempty"`
	Timeout       time.Duration `json:"Timeout,omitempty"`
	StartPeriod   time.Duration `json:"StartPeriod,omitempty"`
	StartInterval time.Duration `json:"StartInterval,omitempty"`
	Retries       int           `json:"Retries,omitempty"`
}

// ParseConfig reads a config blob and holds it against its manifest: as many diff IDs as layers, each a
// valid digest ("layers from manifest don't match image configuration" is docker's error). Errors are of
// kind Corrupt or TooLarge.
func ParseConfig(raw []byte, m *Manifest) (*Config, error) {
	if err := CheckNesting(raw); err != nil {
		return nil, err
	}
	return ParseStoredConfig(raw, m)
}

// ParseStoredConfig is ParseConfig for what came in before configs were bounded by their levels.
func ParseStoredConfig(raw []byte, m *Manifest) (*Config, error) {
	if len(raw) > MaxConfigSize {
		return nil, Errorf(TooLarge, "the config is larger than %d bytes", MaxConfigSize)
	}
	if err := checkStored(raw); err != nil {
		return nil, err
	}
	var c Config
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, Errorf(Corrupt, "the config is not a valid image config: %w", err)
	}
	if got, want := len(c.RootFS.DiffIDs), len(m.Layers); got != want {
		return nil, Errorf(Corrupt, "layers from the manifest do not match the image's config: %d layers, %d diff IDs", want,
			got)
	}
	for i, d := range c.RootFS.DiffIDs {
		if _, err := ParseDigest(string(d)); err != nil {
			return nil, Errorf(Corrupt, "diff ID of layer %d: %w", i+1, err)
		}
	}
	return &c, nil
}

// Platform returns what the config says the image runs on, normalised.
func (c *Config) Platform() Platform {
	return PlatformOf(ocispec.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant, OSVersion: c.OSVersion})
}

// Step is one entry of an image's history, oldest first, joined to the layer that it made.
type Step struct {
	Created    *time.Time
	CreatedBy  string
	Author     string
	Comment    string
	EmptyLayer bool
	Layer      int // index into the manifest's layers; -1 where the step made none
}

// Steps joins the history to the layers by docker's rule: entries that are not empty_layer take the
// layers in order (daemon/images/image_history.go). Layers that the history does not mention come last,
// with an empty command; surplus entries have no layer.
func (c *Config) Steps() []Step {
	steps := make([]Step, 0, max(len(c.History), len(c.RootFS.DiffIDs)))
	next, layers := 0, len(c.RootFS.DiffIDs)
	for _, h := range c.History {
		s := Step{Created: h.Created, CreatedBy: h.CreatedBy, Author: h.Author, Comment: h.Comment, EmptyLayer: h.EmptyLayer,
			Layer: -1}
		if !h.EmptyLayer && next < layers {
			s.Layer = next
			next++
		}
		steps = append(steps, s)
	}
	for ; next < layers; next++ {
		steps = append(steps, Step{Layer: next})
	}
	return steps
}
