package job

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
)

// LayerState is where one blob of a job stands.
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
	Bytes    int64            `json:"bytes"`           // bytes on disk so far
	Resumed  int64            `json:"resumed"`         // of those, bytes that an earlier attempt had left
	Reason   image.Text       `json:"reason,omitzero"` // why it is being retried; may hold hostile text
	RetryAt  time.Time        `json:"retry_at"`        // when; zero unless retrying
	Platform []image.Platform `json:"platform"`        // the chosen platforms that use it
	// it is no layer but describes the image: a bill of materials, provenance
	Attests bool `json:"attests,omitzero"`
}

// UnmarshalJSON implements json.Unmarshaler. Older records hold the reason twice.
func (l *Layer) UnmarshalJSON(raw []byte) error {
	type plain Layer
	var record struct {
		plain
		ReasonText image.Text `json:"reason_text"`
	}
	if err := json.Unmarshal(raw, &record); err != nil {
		return fmt.Errorf("decode a layer: %w", err)
	}
	*l = Layer(record.plain)
	l.Reason = older(record.ReasonText, l.Reason)
	return nil
}

// settle is how a layer of a job that is over is shown: what was interrupted is not under way any more.
func (l *Layer) settle() {
	l.RetryAt = time.Time{}
	if l.State == Downloading || l.State == Verifying || l.State == Retrying {
		l.State = Waiting
	}
}

// Shown is a blob that a job at work shows, or only counts.
type Shown interface {
	// Snapshot returns how far it is.
	Snapshot() Layer
	// Moved returns the bytes that came while this job waited for them.
	Moved() int64
}
