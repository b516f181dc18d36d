package e2e

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

// conforms is what the conformance programme of the distribution-spec must find of a registry for reading, in its own
// words. Ranges and sizes of blobs it compares only with what it has pushed itself.
var conforms = map[string]string{
	"OCI Conformance Result": "Pass",
	"Ping":                   "Pass", "Tag listing": "Pass", "Referrers": "Pass",
	"Manifest get by digest": "Pass", "Manifest get by tag": "Pass", "Manifest head by digest": "Pass",
	"Manifest head by tag": "Pass",
	"Blob get":             "Pass", "Blob head": "Pass",
	"Read Only Inputs": "Pass", "Invalid Manifest Digest": "Pass",
	"FAIL": "0", "Error": "0", "Skip": "0",
}

// TestConformance is also what `task conformance` runs.
func TestConformance(t *testing.T) {
	t.Parallel()
	binary, err := shelf.ConformanceTool()
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
		"OCI_REGISTRY=" + f.Host(), "OCI_TLS=disabled", "OCI_REPO1=" + f.name,
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
	t.Logf("%s at %s:\n%s", filepath.Base(binary), f.URL, summary)
}

func words(all []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(all))), " ")
}
