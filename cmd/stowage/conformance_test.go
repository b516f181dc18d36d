package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

// conforms is what the conformance programme of the distribution-spec must find of a registry for reading, in its own
// words. Ranges and sizes of blobs it compares only with what it has pushed itself.
var conforms = map[string]string{
	"OCI Conformance Result": "Pass",
	"Ping":                   "Pass", "Tag listing": "Pass", "Referrers": "Pass",
	"Manifest get by digest": "Pass", "Manifest get by tag": "Pass", "Manifest head by digest": "Pass", "Manifest head by tag": "Pass",
	"Blob get": "Pass", "Blob head": "Pass",
	"Read Only Inputs": "Pass", "Invalid Manifest Digest": "Pass",
	"FAIL": "0", "Error": "0", "Skip": "0",
}

// TestConformance is also what `task conformance` runs.
func TestConformance(t *testing.T) {
	t.Parallel()
	binary, err := conformanceTool()
	if err != nil {
		t.Fatal(err)
	}
	f := fillShelf(t)
	var tags, documents, blobs []string
	for tag, b := range f.tags {
		tags = append(tags, tag)
		for m := range b.All() {
			documents = append(documents, string(m.Digest()))
			for _, blob := range m.Blobs {
				blobs = append(blobs, string(blob.Descriptor.Digest))
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Dir = t.TempDir() // where it would find a configuration
	cmd.Env = []string{
		"OCI_REGISTRY=" + f.host(), "OCI_TLS=disabled", "OCI_REPO1=" + f.name,
		"OCI_API_PUSH=false", "OCI_API_BLOBS_DELETE=false", "OCI_API_MANIFESTS_DELETE=false", "OCI_API_TAGS_DELETE=false",
		"OCI_RO_DATA_TAGS=" + words(tags), "OCI_RO_DATA_MANIFESTS=" + words(documents), "OCI_RO_DATA_BLOBS=" + words(blobs),
		"OCI_RO_DATA_REFERRERS=" + string(f.tags[indexTag].Digest()),
	}
	// How it exits says nothing here: without pushes it gives up writing its files, after the report (a nil pointer in
	// ReportResultsYAML).
	out, err := cmd.CombinedOutput()
	report, summary, ended := strings.Cut(string(out), "OCI Conformance Result:")
	if !ended {
		t.Fatalf("%s: %v\n%s", binary, err, out)
	}
	summary, _, _ = strings.Cut("OCI Conformance Result:"+summary, "panic:")
	found := map[string]string{}
	for line := range strings.Lines(summary) {
		if name, status, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			found[strings.TrimRight(name, ".")] = strings.TrimSpace(status)
		}
	}
	for name, want := range conforms {
		if found[name] != want {
			t.Errorf("%s: %q, want %q", name, found[name], want)
		}
	}
	if t.Failed() {
		t.Log(report)
	}
	t.Logf("%s at %s:\n%s", filepath.Base(binary), f.url, summary)
}

func words(all []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(all))), " ")
}

// filled is a server on whose shelf is one repository, and what its upstream holds.
type filled struct {
	*stowage
	name string                  // the repository, as clients name it under the server
	tags map[string]sample.Built // what was pulled, whole
}

// The tags of a filled shelf.
const (
	indexTag  = "index"  // an OCI index of amd64 and arm64
	listTag   = "list"   // the same as a docker manifest list
	signedTag = "signed" // a manifest whose subject is the index
)

// fillShelf starts a server and pulls a repository's images, all of their platforms, onto its shelf.
func fillShelf(t *testing.T) filled {
	t.Helper()
	u := sampleUpstream(t)
	f := filled{stowage: startStowage(t), name: strings.ReplaceAll(u.host, ":", "_") + "/team/app", tags: map[string]sample.Built{}}
	f.tags[indexTag] = u.holds(t, "team/app", twoPlatforms(false), indexTag)
	f.tags[listTag] = u.holds(t, "team/app", twoPlatforms(true), listTag)
	index := f.tags[indexTag].Descriptor
	signed := onePlatform("amd64", false)
	signed.Subject = &v1.Descriptor{MediaType: index.MediaType, Digest: index.Digest, Size: index.Size}
	f.tags[signedTag] = u.holds(t, "team/app", signed, signedTag)
	for tag := range f.tags {
		f.awaitState(f.pull(u.ref("team/app:"+tag), "linux/amd64", "linux/arm64"), "done")
	}
	return f
}

func twoPlatforms(docker bool) sample.Index {
	return sample.Index{Docker: docker, Entries: []sample.Source{onePlatform("amd64", docker), onePlatform("arm64", docker)}}
}

func onePlatform(architecture string, docker bool) sample.Image {
	return sample.Image{
		Platform: v1.Platform{OS: "linux", Architecture: architecture}, Created: sample.Epoch, Docker: docker,
		Steps: []sample.Step{
			{By: "COPY base / # buildkit", Layer: sample.NewLayer(sample.Gzip, sample.Dir("etc"), sample.Text("etc/motd", architecture), sample.Data("etc/base", "base", 300_000))},
			{By: "COPY app / # buildkit", Layer: sample.NewLayer(sample.Gzip, sample.Dir("srv"), sample.Program("srv/app", architecture, 50_000))},
		},
	}
}
