// Package job is a piece of work with an address: everybody who asks for the same thing shares one, can watch it and
// can end it. What the work is about is its Detail, a type of the package that does the work.
//
// Progress is state, not deltas: a subscribed channel holds the newest Job, so a slow reader skips states and never
// holds a worker up.
package job

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
)

// Kind names a kind of work in records.
type Kind string

// The kinds. Each is declared here so that records that are older than the kinds can be told apart.
const (
	Pull    Kind = "pull" // of one reference
	PullAll Kind = "tags" // of all tags of a repository
	Upload  Kind = "upload"
)

// State is where a job stands.
type State string

// The states of a job. Done, Failed and Cancelled are final.
const (
	Queued    State = "queued"
	Resolving State = "resolving"
	Pulling   State = "pulling" // the work itself is under way, also that of an upload
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final reports whether nothing more will happen.
func (s State) Final() bool { return s == Done || s == Failed || s == Cancelled }

// Job is one piece of work with an address (/pulls/ID), the same for everybody who asked for the same thing. A Job
// handed out is a copy; nothing in it changes.
type Job struct {
	ID       int64     `json:"id"`
	By       []string  `json:"requesters"` // who asked for it; it is done in the name of the first
	State    State     `json:"state"`
	Created  time.Time `json:"created"`
	Started  time.Time `json:"started"`  // zero while queued
	Finished time.Time `json:"finished"` // zero until final
	Progress Progress  `json:"-"`
	Outcome  Outcome   `json:"-"`
	Problem  *Problem  `json:"problem"` // set when Failed, and when Cancelled (by whom)
	Detail   Detail    `json:"-"`
}

// Progress is how far a job is.
type Progress struct {
	Layers []Layer `json:"layers"`
	// bytes that came over the network, those of failed tries included; 0 in older records
	Moved int64 `json:"moved,omitzero"`
	Rate  int64 `json:"rate"` // bytes a second over the last seconds

	// While a request to the registry that is not a layer's (for an index, a manifest, a config) is about to be made
	// again:
	Reason  image.Text `json:"reason,omitzero"` // why; may hold hostile text
	RetryAt time.Time  `json:"retry_at"`        // when; zero otherwise
}

// Outcome is what a job brought to the shelf, as far as it is.
type Outcome struct {
	Pulled []image.Platform `json:"pulled"`          // the platforms that it settled on
	Lines  []string         `json:"lines"`           // what docker would print
	Newer  bool             `json:"newer"`           // it brought something: a new or moved reference, or a platform
	Broken bool             `json:"broken,omitzero"` // it was done, and what it brought turned out broken; State is Failed
}

// Detail is what the work of one kind knows beside what all jobs have. A Detail is a value: it is replaced, not
// changed. Its JSON is kept.
type Detail interface {
	Kind() Kind
	// Subject returns the reference that the job is about; the zero one where there is none.
	Subject() image.Reference
	// Log returns what names the job in the log: keys and values.
	Log() []any
	// Amount returns how far the job is.
	Amount(j Job) Amount
	// Same reports whether nothing that is shown differs from an earlier Detail of the same job.
	Same(earlier Detail) bool
}

// Long is a Detail with lines that a list of jobs does without. They are kept apart from it.
type Long interface {
	Detail
	// Apart returns the Detail without its lines, and the lines, nil where there are none.
	Apart() (Detail, any)
	// With returns the Detail with lines as Apart gave them.
	With(lines json.RawMessage) (Detail, error)
}

// Breakable is a Detail of work whose outcome can turn out broken after it is done.
type Breakable interface {
	// Break returns the job as one that failed, and reports whether it is one. why returns what is wrong with the
	// platforms of a digest, nil where that is nothing.
	Break(j Job, why func(d image.Digest, platforms []image.Platform) *image.Error) (Job, bool)
}

// Break returns a job that was done as one that failed, where what it brought is found to be broken, and reports
// whether it is one.
func (j Job) Break(why func(d image.Digest, platforms []image.Platform) *image.Error) (Job, bool) {
	if b, ok := j.Detail.(Breakable); ok && j.State == Done {
		return b.Break(j, why)
	}
	return j, false
}

// Kind returns the kind of the job's work.
func (j Job) Kind() Kind { return j.Detail.Kind() }

// Reference returns what the job is about; the zero reference of one that is about none.
func (j Job) Reference() image.Reference { return j.Detail.Subject() }

// Amount is how far a job is, in bytes.
type Amount struct {
	Done, Total int64
	More        bool // nobody knows how much is to come beyond Total
}

// Bytes returns how far the job is, in bytes, as its Detail counts them.
func (j Job) Bytes() (done, total int64) {
	a := j.Detail.Amount(j)
	return a.Done, a.Total
}

// LayerBytes returns how much of the layers is on disk, and how much there is in all.
func (p Progress) LayerBytes() (done, total int64) {
	for _, l := range p.Layers {
		done += l.Bytes
		total += l.Size
	}
	return done, total
}

// Left estimates the time to the end from the rate; zero when it cannot be told.
func (j Job) Left() time.Duration {
	a := j.Detail.Amount(j)
	if j.State != Pulling || j.Progress.Rate <= 0 || a.Done >= a.Total || a.More {
		return 0
	}
	return time.Duration(float64(a.Total-a.Done) / float64(j.Progress.Rate) * float64(time.Second))
}

// decoders read the details of each kind; see Register.
var decoders = map[Kind]func(json.RawMessage) (Detail, error){}

// Register makes details of a kind readable. It is for the init function of the package that declares them.
func Register[D Detail]() {
	var zero D
	decoders[zero.Kind()] = func(raw json.RawMessage) (Detail, error) {
		var d D
		err := json.Unmarshal(raw, &d)
		return d, err
	}
}

// plain is a Job without its methods.
type plain Job

// MarshalJSON implements json.Marshaler: a record is the job, its progress and its outcome, its kind and its detail.
func (j Job) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plain
		Progress
		Outcome
		Kind   Kind   `json:"kind"`
		Detail Detail `json:"detail"`
	}{plain(j), j.Progress, j.Outcome, j.Kind(), j.Detail})
}

// UnmarshalJSON implements json.Unmarshaler. Records that are older than the kinds hold the fields of their detail
// among the job's own, and those of an upload apart.
func (j *Job) UnmarshalJSON(raw []byte) error {
	var record struct {
		plain
		Progress
		Outcome
		ReasonText image.Text      `json:"reason_text"`
		Kind       Kind            `json:"kind"`
		Detail     json.RawMessage `json:"detail"`
		AllTags    bool            `json:"all_tags"`
		Upload     json.RawMessage `json:"upload"`
	}
	if err := json.Unmarshal(raw, &record); err != nil {
		return fmt.Errorf("decode a job: %w", err)
	}
	switch {
	case record.Kind != "":
	case len(record.Upload) > 0 && string(record.Upload) != "null":
		record.Kind, record.Detail = Upload, record.Upload
	case record.AllTags:
		record.Kind, record.Detail = PullAll, raw
	default:
		record.Kind, record.Detail = Pull, raw
	}
	decode, known := decoders[record.Kind]
	if !known {
		return fmt.Errorf("decode a job: %q is no kind of work", record.Kind)
	}
	*j = Job(record.plain)
	j.Progress, j.Outcome = record.Progress, record.Outcome
	j.Progress.Reason = older(record.ReasonText, j.Progress.Reason)
	var err error
	if j.Detail, err = decode(record.Detail); err != nil {
		return fmt.Errorf("decode the detail of a job: %w", err)
	}
	return nil
}
