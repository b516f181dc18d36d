package pull

import (
	"slices"
	"time"

	"github.com/stowage/stowage/image"
)

// State is where a pull stands.
type State string

// The states of a pull. Done, Failed and Cancelled are final.
const (
	Queued    State = "queued"
	Resolving State = "resolving"
	Pulling   State = "pulling"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final tells whether nothing more will happen.
func (s State) Final() bool { return s == Done || s == Failed || s == Cancelled }

// LayerState is where one blob of a pull stands.
type LayerState string

// The states of a blob. AlreadyStored and Complete are final.
const (
	Waiting       LayerState = "waiting"
	AlreadyStored LayerState = "already stored"
	Downloading   LayerState = "downloading"
	Verifying     LayerState = "verifying"
	Complete      LayerState = "done"
	Retrying      LayerState = "retrying"
)

// Layer is the progress of one layer's blob, or of what comes beside the layers.
type Layer struct {
	Digest   image.Digest     `json:"digest"`
	Size     int64            `json:"size"` // bytes in all
	State    LayerState       `json:"state"`
	Bytes    int64            `json:"bytes"`    // bytes on disk so far
	Resumed  int64            `json:"resumed"`  // of those, bytes that an earlier attempt had left
	Reason   string           `json:"reason"`   // why it is being retried; plain, hostile text
	RetryAt  time.Time        `json:"retry_at"` // when; zero unless retrying
	Platform []image.Platform `json:"platform"` // the chosen platforms that use it

	ReasonText image.Text `json:"reason_text,omitzero"` // Reason as it can be translated; empty in older records

	Attests bool `json:"attests,omitzero"` // it is no layer but describes the image: a bill of materials, provenance
}

// Problem is why a pull failed or was cancelled, as it is shown and kept. Message and Suggestion may hold
// hostile text; what is not for people to see has become "internal error" and stands in the log.
type Problem struct {
	Kind       image.Kind `json:"kind"`
	Message    string     `json:"message"`
	Suggestion string     `json:"suggestion"`

	// Message and Suggestion as they can be translated; empty in older records.
	MessageText    image.Text `json:"message_text,omitzero"`
	SuggestionText image.Text `json:"suggestion_text,omitzero"`
}

// TagState is where one tag of a pull of all tags stands.
type TagState string

// The states of a tag. All but the first two are final.
const (
	TagWaiting  TagState = "waiting"
	TagPulling  TagState = "pulling" // resolving it, or fetching
	TagDone     TagState = "done"
	TagUpToDate TagState = "up to date"
	TagSkipped  TagState = "skipped" // it has none of the chosen platforms, or is no image: that fails nothing
	TagFailed   TagState = "failed"
)

// Final tells whether nothing more will happen to the tag.
func (s TagState) Final() bool { return s != TagWaiting && s != TagPulling }

// TagLine is one tag of a pull of all tags.
type TagLine struct {
	Tag    string       `json:"tag"`
	State  TagState     `json:"state"`
	Digest image.Digest `json:"digest,omitzero"` // what it resolved to; empty until known
	Bytes  int64        `json:"bytes,omitzero"`  // of its layers that are on disk so far, stored before or fetched
	Size   int64        `json:"size,omitzero"`   // of its layers in all
	// Problem is why the tag was skipped or failed; of one that is done or up to date, which of the chosen
	// platforms it lacks (NoPlatform): those that it has were pulled.
	Problem *Problem `json:"problem,omitzero"`
}

// Job is one pull: a shared object with an address (/pulls/ID), the same for everybody who asked for the
// same thing. A Job handed out is a copy; nothing in it changes.
type Job struct {
	ID         int64            `json:"id"`
	Reference  image.Reference  `json:"reference"`
	Platforms  []image.Platform `json:"platforms"` // as asked for; empty means nobody chose
	Requesters []string         `json:"requesters"`
	AllTags    bool             `json:"all_tags,omitzero"`   // of all tags of a repository: Reference has neither tag nor digest
	Match      string           `json:"match,omitzero"`      // of those only the ones whose names contain this
	Tags       []TagLine        `json:"tags,omitzero"`       // their lines, in the order in which they are pulled; Layers are those of the tag at work. Shared by copies: not to be changed
	TagCounts  TagCounts        `json:"tag_counts,omitzero"` // of a record that was read without Tags, as in a list of pulls; see Counts
	Fetched    int64            `json:"fetched,omitzero"`    // with AllTags: bytes of layers that the tags that are over have brought
	Expected   int64            `json:"expected,omitzero"`   // with AllTags: bytes to download in all as a Survey found out; 0 where there was none
	State      State            `json:"state"`
	Created    time.Time        `json:"created"`
	Started    time.Time        `json:"started"`  // zero while queued
	Finished   time.Time        `json:"finished"` // zero until final
	Digest     image.Digest     `json:"digest"`   // what the reference resolved to; empty until known, and with AllTags
	Pulled     []image.Platform `json:"pulled"`   // the platforms that the pull settled on
	Layers     []Layer          `json:"layers"`
	Moved      int64            `json:"moved,omitzero"`   // bytes of blobs that came over the network while the pull ran, those of tries that failed included; 0 in older records
	Rate       int64            `json:"rate"`             // bytes a second over the last seconds
	Lines      []string         `json:"lines"`            // docker's outcome lines
	Newer      bool             `json:"newer"`            // the pull brought something: a new or moved reference, or a platform; with AllTags: of any tag
	Problem    *Problem         `json:"problem"`          // set when Failed, and when Cancelled (by whom)
	Broken     bool             `json:"broken,omitzero"`  // it was done, and what it brought turned out broken; State is Failed
	Upload     *Upload          `json:"upload,omitempty"` // of an archive that somebody sends: Reference names nothing then, and Digest is empty

	// While a request to the registry that is not a layer's (for an index, a manifest, a config) is about to
	// be made again:
	Reason     string     `json:"reason"`               // why; plain, hostile text
	ReasonText image.Text `json:"reason_text,omitzero"` // Reason as it can be translated
	RetryAt    time.Time  `json:"retry_at"`             // when; zero otherwise
}

// TagCounts is how many tags of a pull stand in each state.
type TagCounts map[TagState]int

// Counts counts the tags by their states, also of a record that was read without them.
func (j Job) Counts() TagCounts {
	if len(j.Tags) == 0 {
		return j.TagCounts
	}
	c := make(TagCounts)
	for _, t := range j.Tags {
		c[t.State]++
	}
	return c
}

// All adds the counts up.
func (c TagCounts) All() (n int) {
	for _, k := range c {
		n += k
	}
	return n
}

// Bytes gives how far the pull is, in bytes: how much of the layers is on disk, and how much there is in all.
//
// Of a pull of all tags it counts only what is downloaded, so that a layer of many tags counts once: done is
// what came, also of tags that failed, and total what a Survey expected, or else done and what is left of
// the tag at work; how much the waiting tags need is not known then. Both are 0 while nothing was to be
// fetched.
//
// Of an upload it counts what has come of the archive and, once that is whole, what is proved of its layers.
func (j Job) Bytes() (done, total int64) {
	if j.Upload != nil && !j.Upload.Whole {
		return j.Upload.Received, max(j.Upload.Size, j.Upload.Received)
	}
	if !j.AllTags {
		for _, l := range j.Layers {
			done += l.Bytes
			total += l.Size
		}
		return done, total
	}
	done, total = j.Fetched, j.Fetched
	for _, l := range j.Layers {
		if l.State != AlreadyStored {
			done += l.Bytes - l.Resumed
			total += l.Size - l.Resumed
		}
	}
	if j.State == Done { // what was expected has come, or others brought it
		return done, total
	}
	return done, max(total, j.Expected)
}

// Left estimates the time to the end from the rate; zero when it cannot be told, as where a pull of all tags
// has tags to look at of which nobody knows what they need.
func (j Job) Left() time.Duration {
	done, total := j.Bytes()
	if j.State != Pulling || j.Rate <= 0 || done >= total {
		return 0
	}
	if j.Expected == 0 && slices.ContainsFunc(j.Tags, func(t TagLine) bool { return t.State == TagWaiting }) {
		return 0
	}
	return time.Duration(float64(total-done) / float64(j.Rate) * float64(time.Second))
}
