package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
)

// inspectedSample is an image with something in every list.
func inspectedSample() Inspected {
	c := &image.Config{OS: "linux", Architecture: "amd64",
		Config: image.RunConfig{Labels: map[string]string{"a": "1", "b": "2"}}}
	for i := range 100 {
		c.Config.Env = append(c.Config.Env, fmt.Sprintf("NAME_%d=%d", i, i))
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, image.DigestOf([]byte{byte(i)}))
	}
	return Inspected{ID: image.DigestOf(nil), Config: c, Unpacked: 1}
}

// attacks are templates that would run for ever, or fill the memory.
var attacks = map[string]string{
	"nested loops that print nothing": strings.Repeat("{{range $.Config.Env}}", 8) + strings.Repeat("{{end}}", 8),
	"loops in an else": "{{range .Config.Volumes}}{{else}}" +
		strings.Repeat("{{range $.Config.Env}}", 8) + strings.Repeat("{{end}}", 9),
	"a loop over a number":            "{{range 2000000000}}{{end}}",
	"a template that invokes itself":  `{{define "x"}}{{template "x" .}}{{end}}{{template "x" .}}`,
	"one that does so twice":          `{{define "x"}}{{template "x"}}{{template "x"}}{{end}}{{template "x"}}`,
	"a tree of templates":             tree(12),
	"a text that doubles by printf":   doubling(`printf "%s%s" $a $a`),
	"a text that doubles by print":    doubling(`print $a $a`),
	"a text that doubles by println":  doubling(`println $a $a`),
	"a text that doubles by js":       doubling(`js (print "\\" $a)`),
	"a text that doubles by html":     doubling(`html (print $a "<" $a)`),
	"a text that doubles by urlquery": doubling(`urlquery (print $a "%" $a)`),
	"a text that doubles by json":     doubling(`json (print $a $a)`),
	"a text that doubles by join":     doubling(`join (split (print $a "," $a) ",") $a`),
	"a text that doubles by upper":    doubling(`upper (print $a $a)`),
	"a width":                         `{{range 100}}{{printf "%999999d" 1}}{{end}}`,
	"many widths":                     `{{printf "` + strings.Repeat("%999999d", 300) + `"}}`,
	"widths by argument":              `{{printf "` + strings.Repeat("%[1]*[1]d", 300) + `" 999999}}`,
	"one argument named many times": `{{$a := printf "%900000d" 1}}{{printf "` + strings.Repeat("%[1]s", 500) +
		`" $a}}`,
	"a wide pad":                          `{{pad "x" 2000000000 2000000000}}`,
	"many pads":                           `{{range 1000000}}{{pad "x" 1000 1000}}{{end}}`,
	"much output":                         `{{range .Config.Env}}{{range $.Config.Env}}{{range $.Config.Env}}xxxxxxxxxx{{end}}{{end}}{{end}}`,
	"a list that is made again and again": `{{$s := printf "%500000d" 1}}` + strings.Repeat(`{{$a := split $s ""}}`, 150),
	"a separator between every character": `{{$a := printf "%900000d" 1}}{{join (split $a "") $a}}`,
}

// doubling makes a text twice as long, again and again.
func doubling(by string) string {
	return `{{$a := "x"}}` + strings.Repeat("{{$a = "+by+"}}", 60)
}

// tree is templates each of which invokes the next one ten times.
func tree(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, `{{define "t%d"}}%s{{end}}`, i, strings.Repeat(fmt.Sprintf(`{{template "t%d"}}`, i+1), 10))
	}
	return b.String() + fmt.Sprintf(`{{define "t%d"}}{{end}}{{template "t0"}}`, depth)
}

func TestAHostileTemplateIsStoppedByALimit(t *testing.T) {
	for name, text := range attacks {
		t.Run(name, func(t *testing.T) {
			if len(text) > MaxTemplate {
				t.Fatalf("%d bytes are more than a template may have", len(text))
			}
			limits := formatLimits
			limits.time = time.Hour // what stops it must be something that is counted
			out, err := limits.format(t.Context(), text, inspectedSample())
			if image.KindOf(err) != image.Invalid || out != "" {
				t.Fatalf("%d bytes of output, %v", len(out), err)
			}
			if !strings.HasPrefix(err.Error(), "the template ") {
				t.Errorf("stopped by something else than a limit: %.200v", err)
			}
		})
	}
}

func TestATemplateEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Format(ctx, "{{range 1000}}{{end}}", inspectedSample()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	limits := formatLimits
	limits.time = 0
	if _, err := limits.format(t.Context(), "{{.Os}}", inspectedSample()); image.KindOf(err) != image.Invalid ||
		!strings.Contains(err.Error(), "runs for more than") {
		t.Errorf("%v", err)
	}
	if _, err := Format(t.Context(), strings.Repeat("x", MaxTemplate+1),
		inspectedSample()); image.KindOf(err) != image.Invalid {
		t.Errorf("%v", err)
	}
}

func TestNobodyCallsTheGuardsOfATemplate(t *testing.T) {
	for _, name := range []string{guardTick, guardEnter, guardLeave} {
		if out, err := Format(t.Context(), "{{"+name+"}}", inspectedSample()); err == nil ||
			!strings.Contains(err.Error(), "not defined") {
			t.Errorf("%q, %v", out, err)
		}
	}
}

func FuzzFormat(f *testing.F) {
	for _, text := range attacks {
		f.Add(text)
	}
	f.Add("{{json .}}")
	f.Add(`{{with .Config}}{{.Env}}{{end}}`)
	f.Fuzz(func(t *testing.T, text string) {
		out, err := Format(t.Context(), text, inspectedSample())
		if err != nil && image.KindOf(err) != image.Invalid || len(out) > formatLimits.output+1 {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	})
}
