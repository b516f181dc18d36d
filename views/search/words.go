package search

import (
	"context"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// searchSteps is what comes after the search.
var searchSteps = []text.MessageID{"search.step_pick", "search.step_tag", "search.step_platforms"}

// searchExamples is what can be typed.
var searchExamples = []struct {
	text    string
	link    bool
	meaning text.MessageID
}{
	{"postgres", true, "search.example_words"},
	{"bitnami/redis", true, "search.example_repository"},
	{"postgres:15", true, "search.example_reference"},
	{"docker run -d -p 80:80 nginx:1.27", false, "search.example_command"},
	{"sha256:174c8c134b2a…", false, "search.example_digest"},
}

// registryValue returns a registry's value in the form: nothing where it is the only one, so that the address
// stays short.
func registryValue(all []SearchRegistry, r SearchRegistry) string {
	if len(all) == 1 {
		return ""
	}
	return r.Host
}

// reference names a result's repository.
func (h SearchHit) reference() image.Reference { return image.Reference{Repository: h.Repository} }

// elsewhere reports whether there are registries that were not asked.
func (r SearchResults) elsewhere() bool { return r.State.Registry != "" && r.Others }

// nothingText says where nothing was found.
func (r SearchResults) nothingText(ctx context.Context) string {
	if len(r.Groups) == 1 {
		return text.T(ctx, "search.nothing_in", "Registry", r.Groups[0].Registry.Name)
	}
	return text.T(ctx, "search.nothing_anywhere", text.Count, len(r.Groups))
}

// searchLink returns the attributes of a link to other results.
func searchLink(url string) templ.Attributes {
	attrs := ui.SwapLink(url, searchTarget)
	attrs["hx-sync"] = searchSync
	return attrs
}

// pickLink returns the attributes of a link that picks a repository.
func pickLink(url string) templ.Attributes {
	return templ.Attributes{
		"href": string(templ.URL(url)), "hx-get": url, "hx-target": pickerTarget, "hx-swap": pickerSwap,
		"hx-push-url": "true",
		"hx-sync":     pickerSync,
	}
}

// retryLink returns the attributes of a link that asks for a part of the page again.
func retryLink(url, target string) templ.Attributes {
	return templ.Attributes{"href": string(templ.URL(url)), "hx-get": url, "hx-target": target, "hx-swap": "outerHTML"}
}
