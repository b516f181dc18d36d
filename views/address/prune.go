package address

import "strings"

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
