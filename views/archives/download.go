package archives

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// DownloadView offers an image as an archive.
type DownloadView struct {
	Path    string           // of the form, which has what is chosen in its address
	Choices []DownloadChoice // the stored platforms; none where there is nothing to choose
	OCI     bool             // without docker's manifest.json
	None    bool             // no platform is chosen: there is no archive
	Problem *image.Error     // why there is no archive

	URL      string // the archive's address, without the server
	Address  string // the whole address
	File     string
	Bytes    int64
	Platform image.Platform  // that the commands name: the one that manifest.json has
	Digest   image.Digest    // of the index or the manifest in it
	Index    bool            // it is an index
	Several  bool            // it has several platforms
	Zstd     bool            // it has layers that Docker 20.10 cannot unpack
	Ref      image.Reference // zero for an image ID
}

// DownloadChoice is one platform to choose.
type DownloadChoice struct {
	Platform string // empty where the index does not say
	Size     int64  // compressed bytes of its layers
	Ticked   bool
	Broken   bool
}

// name words a choice.
func (c DownloadChoice) name(ctx context.Context) string {
	if c.Platform == "" {
		return text.T(ctx, "image.unknown_platform")
	}
	return c.Platform
}

// contents says what the archive's target is, and that it keeps its digest.
func (v DownloadView) contents(ctx context.Context) string {
	if v.Index {
		return text.T(ctx, "download.has_index")
	}
	return text.T(ctx, "download.has_manifest")
}

// downloadCommand is one line of what to do with the archive.
type downloadCommand struct {
	label, text, note string
}

// commands are what people do with the archive, those for most of them first.
func (v DownloadView) commands(ctx context.Context) []downloadCommand {
	docker := downloadCommand{label: "Docker", text: ui.ShellWords([]string{"docker", "load", "-i", v.File})}
	switch {
	case v.OCI:
		docker.note = text.T(ctx, "download.docker_oci")
	case v.Zstd:
		docker.note = text.T(ctx, "download.docker_zstd")
	case v.Several && v.Platform.Known():
		docker.note = text.T(ctx, "download.docker_one", "Platform", v.Platform.String())
	}
	return []downloadCommand{
		docker,
		{label: "Podman", text: ui.ShellWords([]string{"podman", "load", "-i", v.File})},
		{label: "containerd", text: ui.ShellWords(v.containerd())},
		{label: "skopeo", text: ui.ShellWords(v.skopeo()), note: text.T(ctx, "download.skopeo")},
	}
}

// containerd names the platform: left to itself, ctr takes its own machine's only.
func (v DownloadView) containerd() []string {
	words := []string{"ctr", "images", "import"}
	if v.Platform.Known() {
		words = append(words, "--platform", v.Platform.String())
	}
	if v.Ref.Tag == "" { // what has no name is not imported
		name := "image"
		if v.Ref.Repository != "" {
			name = string(v.Ref.Repository)
		}
		words = append(words, "--digests", "--base-name", name)
	}
	return append(words, v.File)
}

// skopeo names the platform where it would choose one by the machine that it runs on.
func (v DownloadView) skopeo() []string {
	words := []string{"skopeo", "copy"}
	if v.Index && v.Platform.Known() {
		words = append(words, "--override-os", v.Platform.OS, "--override-arch", v.Platform.Architecture)
		if v.Platform.Variant != "" {
			words = append(words, "--override-variant", v.Platform.Variant)
		}
	}
	name, tag := "image", image.DefaultTag
	if v.Ref.Repository != "" {
		name = v.Ref.Repository.Path()
	}
	if v.Ref.Tag != "" {
		tag = v.Ref.Tag
	}
	return append(words, "oci-archive:"+v.File, "docker://registry.example.com/"+name+":"+tag)
}

// fetches are how to get the archive without a browser. Only Docker reads from a pipe what both write and read here.
func (v DownloadView) fetches(ctx context.Context) []downloadCommand {
	return []downloadCommand{
		{label: text.T(ctx, "download.fetch"),
			text: ui.ShellWords([]string{"curl", "-f", "-C", "-", "-o", v.File, v.Address}),
			note: text.T(ctx, "download.fetch_note")},
		{label: text.T(ctx, "download.pipe"), text: ui.ShellWords([]string{"curl", "-f", v.Address}) + " | docker load"},
	}
}
