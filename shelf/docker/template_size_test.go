package docker

import (
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

// While nobody knows the size, a template that prints it says so, in whatever way it prints it; another one works.
func TestATemplateNeverPrintsASizeThatIsNotKnown(t *testing.T) {
	i := inspectedSample()
	i.Unpacked = -1
	for _, text := range []string{
		"{{.Size}}", "{{.Id}} {{.Size}}", `{{printf "%d" .Size}}`, `{{printf "%d %s" .Size .Id}}`, "{{println .Size}}",
		`{{print .ID .Size}}`, "{{.}}", "{{println .}}",
		`{{printf "%+v" .}}`, `{{with .Size}}{{.}}{{end}}`, `{{$s := .Size}}{{$s}}`, `{{.Id}}{{index . "Size"}}`,
		`{{html .Size}}`, `{{.Size.String}}`, `{{call .Size}}`,
	} {
		out, err := Format(t.Context(), text, i)
		if image.KindOf(err) != image.Unavailable || !strings.Contains(err.Error(), "not known yet") {
			t.Errorf("%s gives %q, %v", text, out, err)
		}
	}
	for text, want := range map[string]string{
		"{{.Id}}": string(i.ID), "{{.Os}}": "linux", "{{json .Size}}": "null", "{{.Id}} {{json .Size}}": string(i.ID) +
			" null",
	} {
		if out, err := Format(t.Context(), text, i); err != nil || out != want+"\n" {
			t.Errorf("%s gives %q, %v", text, out, err)
		}
	}
	if out, err := Format(t.Context(), "{{json .}}", i); err != nil || !strings.Contains(out, `"Size":null`) {
		t.Errorf("the object is %q, %v", out, err)
	}
	i.Unpacked = 5
	if out, err := Format(t.Context(), `{{.Size}} {{printf "%d" .Size}} {{json .Size}}`, i); err != nil ||
		out != "5 5 5\n" {
		t.Errorf("a known size is %q, %v", out, err)
	}
}
