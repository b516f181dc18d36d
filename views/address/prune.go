package address

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/shelf/docker"
)

// The pages of a prune.
const (
	PrunePath        = "/prune"         // the plan
	PruneSummaryPath = "/prune/summary" // what it comes to, for the form on the Storage page
)

// Prune is the address of the plan of a prune, as it was typed. It is PrunePath and, in this order,
//
//	all=1         what has a tag too, as far as nobody pinned it
//	until=TIME    created before: a duration before now, a date or a time
//	label=LABEL   having the label, KEY or KEY=VALUE; repeated: all of them
//	label!=LABEL  not having it; repeated: none of them
//	unused=AGE    neither handed out nor pulled for so long: 720h, 30d, 4w
type Prune struct {
	All       bool
	Until     string
	Labels    []string
	NotLabels []string
	Unused    string
}

// String formats the address.
func (p Prune) String() string {
	var q query
	q.addFlag("all", p.All)
	q.addSaid("until", p.Until)
	for _, l := range p.Labels {
		q.addLabel("label", l)
	}
	for _, l := range p.NotLabels {
		q.addLabel("label!", l)
	}
	q.addSaid("unused", p.Unused)
	return q.after(PrunePath)
}

// addLabel adds a label, and leaves its equals signs readable: only the first one of a parameter counts.
func (q *query) addLabel(name, label string) {
	*q = append(*q, name+"="+strings.ReplaceAll(escape(label), "%3D", "="))
}

// Filtered reports whether anything is left out beside what All says.
func (p Prune) Filtered() bool {
	return p.Until != "" || p.Unused != "" || len(p.Labels)+len(p.NotLabels) > 0
}

// PruneField names a field of the form, as the address does.
type PruneField string

// The fields that can be wrong.
const (
	PruneUntil    PruneField = "until"
	PruneLabel    PruneField = "label"
	PruneNotLabel PruneField = "label!"
	PruneUnused   PruneField = "unused"
	PruneAll      PruneField = "all"
)

// Bounds of a prune's filters.
const (
	maxPruneField  = 2000 // bytes of one
	maxPruneLabels = 50   // labels that are asked for, or whose absence is
)

// Pruning is what a request for a prune says: as it was typed, and what that means.
type Pruning struct {
	Typed   Prune
	Asked   shelf.Prune // means nothing where there is a problem
	At      time.Time   // when durations count from
	Field   PruneField  // what Problem is about
	Problem *image.Error
}

// ParsePrune reads the fields of a prune, and at, when its plan was made. What is wrong with a field becomes the
// problem; a field that there is none of is an error of kind Invalid.
func ParsePrune(form url.Values, now time.Time) (Pruning, error) {
	if name := Unknown(form, []string{"all", "until", "label", "label!", "unused", "at", "plan"}); name != "" {
		return Pruning{}, image.Errorf(image.Invalid, "there is no filter %.40q", name).
			Suggest("The filters of a prune are until, label, label! and unused.")
	}
	p := Pruning{At: planTime(form.Get("at"), now)}
	for _, field := range []struct {
		name PruneField
		read func(url.Values) error
	}{
		{PruneAll, p.readAll}, {PruneUntil, p.readUntil}, {PruneLabel, p.readLabels}, {PruneNotLabel, p.readNotLabels},
		{PruneUnused, p.readUnused},
	} {
		err := field.read(form)
		var known *image.Error
		if errors.As(err, &known) && p.Problem == nil { // the first of several; the others are read all the same
			p.Field, p.Problem = field.name, known
		}
	}
	return p, nil
}

// planTime reads when a plan was made, in milliseconds since 1970: durations of a plan that is confirmed count from the
// same moment. Without one it is now.
func planTime(at string, now time.Time) time.Time {
	now = time.UnixMilli(now.UnixMilli()).UTC()
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || ms < 0 || ms > now.UnixMilli() {
		return now
	}
	return time.UnixMilli(ms).UTC()
}

func (p *Pruning) readAll(form url.Values) (err error) {
	p.Typed.All, err = docker.ReadFlag("all", form.Get("all"))
	p.Asked.All = p.Typed.All
	return err
}

func (p *Pruning) readUntil(form url.Values) (err error) {
	p.Typed.Until = strings.TrimSpace(form.Get("until"))
	switch {
	case len(form["until"]) > 1:
		return image.Errorf(image.Invalid, "there is more than one time").Suggest("Give the earlier one.")
	case len(p.Typed.Until) > maxPruneField:
		return tooLong(&p.Typed.Until)
	case p.Typed.Until != "":
		p.Asked.Until, err = image.ParseTimestamp(p.Typed.Until, p.At)
	}
	return err
}

func (p *Pruning) readUnused(form url.Values) error {
	p.Typed.Unused = strings.TrimSpace(form.Get("unused"))
	switch {
	case len(form["unused"]) > 1:
		return image.Errorf(image.Invalid, "there is more than one span of time").Suggest("Give the longer one.")
	case len(p.Typed.Unused) > maxPruneField:
		return tooLong(&p.Typed.Unused)
	case p.Typed.Unused != "":
		age, err := docker.ParseAge(p.Typed.Unused)
		p.Asked.Unused = p.At.Add(-age)
		return err
	}
	return nil
}

func (p *Pruning) readLabels(form url.Values) (err error) {
	p.Typed.Labels, p.Asked.Labels, err = readLabels(form["label"])
	return err
}

func (p *Pruning) readNotLabels(form url.Values) (err error) {
	p.Typed.NotLabels, p.Asked.NotLabels, err = readLabels(form["label!"])
	return err
}

// readLabels reads a repeated filter, each with blanks between the labels.
func readLabels(values []string) (typed []string, labels []image.Label, err error) {
	text := strings.Join(values, " ")
	if len(text) > maxPruneField {
		err := tooLong(&text)
		return strings.Fields(text), nil, err
	}
	typed = strings.Fields(text)
	if len(typed) > maxPruneLabels {
		return typed, nil, image.Errorf(image.Invalid, "there are %d labels, and at most %d can be asked for", len(typed),
			maxPruneLabels)
	}
	for _, s := range typed {
		label, err := image.ParseLabel(s)
		if err != nil {
			return typed, nil, err
		}
		labels = append(labels, label)
	}
	return typed, labels, nil
}

// tooLong refuses a filter, and cuts it so that the page does not carry it all back.
func tooLong(text *string) error {
	err := image.Errorf(image.Invalid, "the filter has %d bytes, and at most %d are read", len(*text), maxPruneField)
	*text = strings.ToValidUTF8((*text)[:maxPruneField], "")
	return err
}
