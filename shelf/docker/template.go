package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"text/template"
	"time"

	"github.com/stowage/stowage/image"
)

// MaxTemplate is the most bytes that a template for Format may have.
const MaxTemplate = 4 << 10

// templateLimits bound what running a template takes, whatever it says.
type templateLimits struct {
	output int           // bytes of the result
	text   int           // bytes of one text that a function makes
	texts  int           // bytes of all texts that functions make
	steps  int           // rounds of loops, invocations and calls
	depth  int           // templates that invoke one another
	time   time.Duration // of one Format
}

var formatLimits = templateLimits{output: 1 << 20, text: 1 << 20, texts: 16 << 20, steps: 1 << 20, depth: 1000,
	time: time.Second}

// Format returns what `docker inspect -f TEMPLATE` prints for an image, with the line break at its end. As docker does,
// it runs the template on the object as the client knows it (.ID, .RootFS.Layers) and, where that fails, on the JSON
// of the engine (.Id), where a key that is missing is an error. "json" is the whole object on one line.
//
// Errors in the template are of kind Invalid, worded as docker words them. So is a template that is too long, that
// makes more than 1 MiB of output or runs for more than a second: it ends there, together with Format. When ctx ends
// first, its error is returned. One that prints the Size of an image whose Size is unknown ends with an error of kind
// Unavailable. Format keeps nothing and is safe for concurrent use.
func Format(ctx context.Context, text string, i Inspected) (string, error) {
	return formatLimits.format(ctx, text, i)
}

func (l templateLimits) format(ctx context.Context, text string, i Inspected) (string, error) {
	if len(text) > MaxTemplate {
		return "", image.Errorf(image.Invalid, "the template is longer than %d bytes", MaxTemplate)
	}
	raw, err := rawJSON(i)
	if err != nil {
		return "", err
	}
	if text == "json" {
		if len(raw)+3 > l.output {
			return "", l.outputError()
		}
		return "[" + string(raw) + "]\n", nil
	}
	t, err := parseTemplate(text)
	if err != nil {
		return "", docksError(err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, l.time, l.timeError())
	defer cancel()
	run := &templateRun{ctx: limited, limits: l}
	object := i.client()
	if i.Unpacked < 0 {
		object.Size = run.unknownSize()
	}
	out, err := run.execute(t, object)
	if err != nil && run.stopped == nil {
		var value any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&value); err != nil {
			return "", fmt.Errorf("decode inspect object of %s: %w", i.ID, err)
		}
		run = &templateRun{ctx: limited, limits: l}
		if keys, ok := value.(map[string]any); ok && i.Unpacked < 0 {
			keys["Size"] = run.unknownSize()
		}
		out, err = run.execute(t.Option("missingkey=error"), value)
	}
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("run template: %w", ctx.Err())
	case run.stopped != nil:
		return "", run.stopped
	case err != nil:
		return "", docksError(err)
	}
	return out + "\n", nil
}

// docksError words an error of text/template as docker's client does.
func docksError(err error) error {
	return image.Errorf(image.Invalid, "template parsing error: %w", err)
}

func (l templateLimits) outputError() error {
	return image.Errorf(image.Invalid, "the template gives more than %d bytes", l.output)
}

func (l templateLimits) timeError() error {
	return image.Errorf(image.Invalid, "the template runs for more than %s", l.time).
		Suggest("Loops within loops are what takes long.")
}

// rawJSON returns the object on one line, as the engine sends it.
func rawJSON(i Inspected) ([]byte, error) {
	raw, err := encodePlain(i.raw())
	if err != nil {
		return nil, fmt.Errorf("encode inspect object of %s: %w", i.ID, err)
	}
	return bytes.TrimSuffix(raw, []byte("\n")), nil
}

// templateRun is one execution of a template. text/template cannot be interrupted, so the parsed template calls back:
// at the head of each loop's body and of each template (see parseTemplate), and in each function that makes a text.
// docs/decisions/templates.md has what happens without each of these.
type templateRun struct {
	ctx    context.Context
	limits templateLimits

	out     bytes.Buffer
	steps   int
	depth   int
	texts   int
	stopped error // the limit that ended it
}

// execute returns the output. Each run has a copy of the template, because its functions are the run's own.
func (r *templateRun) execute(parsed *template.Template, data any) (string, error) {
	if err := r.tick(); err != nil {
		return "", err
	}
	t, err := parsed.Clone()
	if err != nil {
		return "", fmt.Errorf("clone template: %w", err)
	}
	err = t.Funcs(r.functions()).Execute(r, data)
	return r.out.String(), err
}

// Write implements io.Writer for what the template prints.
func (r *templateRun) Write(p []byte) (int, error) {
	if err := r.tick(); err != nil {
		return 0, err
	}
	if r.out.Len()+len(p) > r.limits.output {
		return 0, r.stop(r.limits.outputError())
	}
	return r.out.Write(p)
}

// stop notes the first limit that was met.
func (r *templateRun) stop(err error) error {
	if r.stopped == nil {
		r.stopped = err
	}
	return r.stopped
}

// tick counts a step, and fails when there were too many or the time is up.
func (r *templateRun) tick() error {
	if r.steps++; r.steps > r.limits.steps {
		return r.stop(image.Errorf(image.Invalid, "the template takes more than %d steps", r.limits.steps).
			Suggest("Loops within loops are what takes long."))
	}
	if r.ctx.Err() != nil {
		return r.stop(context.Cause(r.ctx))
	}
	return nil
}

// enter counts a template that begins, and leave one that ends.
func (r *templateRun) enter() (string, error) {
	if r.depth++; r.depth > r.limits.depth {
		return "", r.stop(image.Errorf(image.Invalid, "the template invokes templates %d deep", r.limits.depth))
	}
	return "", r.tick()
}

func (r *templateRun) leave() string {
	r.depth--
	return ""
}
