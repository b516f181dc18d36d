package images

import (
	"context"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// dockerCommand is the docker command that lists the same, as far as docker can.
func (l ImageList) dockerCommand() string {
	words := []string{"docker", "images"}
	if l.Repository != "" {
		words = append(words, l.Repository.Familiar())
	} else if name := dockerName(l.State); name != "" {
		words = append(words, name)
	}
	if l.State.Digests {
		words = append(words, "--digests")
	}
	if l.State.NoTrunc {
		words = append(words, "--no-trunc")
	}
	for _, p := range l.State.Filters.All() {
		if dockerFilters[p.Name] {
			words = append(words, "--filter", p.Name+"="+p.Value)
		}
	}
	return ui.ShellWords(words)
}

// dockerFilters are the filters that docker images has.
var dockerFilters = map[string]bool{
	"reference": true, "dangling": true, "label": true, "before": true, "since": true, "until": true,
}

// dockerName returns the text of the list's box as docker images takes a name; empty where it is none, or where docker
// would take it for one of several.
func dockerName(s address.List) string {
	if _, isID := image.ParseIDPrefix(s.Text); isID || len(s.Filters.References) > 0 {
		return ""
	}
	ref, err := image.ParseRepositoryReference(s.Text)
	if err != nil || ref.Digest != "" {
		return ""
	}
	return ref.Familiar()
}

// notDocker names what docker has nothing for.
func (l ImageList) notDocker() []string {
	var names []string
	named := l.Repository == "" && dockerName(l.State) != ""
	for _, p := range l.State.Params() {
		switch {
		case p.Name == "digests", p.Name == "no-trunc", p.Name == "page", p.Name == "q" && named:
		default:
			if !dockerFilters[p.Name] {
				names = append(names, p.Name+"="+text.Visible(p.Value))
			}
		}
	}
	return names
}

// dockerNotes says where docker's command would answer otherwise.
func (l ImageList) dockerNotes(ctx context.Context) (notes []string) {
	if names := l.notDocker(); len(names) > 0 {
		notes = append(notes, text.T(ctx, "images.docker_lacks", "Parts", strings.Join(names, ", ")))
	}
	if l.Repository == "" && dockerName(l.State) != "" {
		notes = append(notes, text.T(ctx, "images.docker_name"))
	}
	if l.State.Filters.Dangling != shelf.DanglingShown {
		notes = append(notes, text.T(ctx, "images.docker_dangling"))
	}
	return notes
}

// curlCommand asks the server for the image IDs of the list.
func (l ImageList) curlCommand() string {
	s := l.State
	s.Page, s.Grouped, s.Digests = 1, false, false
	return ui.ShellWords([]string{"curl", "-H", "Accept: text/plain", l.Server + s.String()})
}
