package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/stowage/stowage/image"
)

// Problem is why a job failed or was cancelled, as it is shown and kept. Message and Suggestion may hold hostile text;
// what is not for people to see has become "internal error" and stands in the log.
type Problem struct {
	Kind       image.Kind `json:"kind"`
	Message    image.Text `json:"message,omitzero"`
	Suggestion image.Text `json:"suggestion,omitzero"`
}

// UnmarshalJSON implements json.Unmarshaler. Older records hold the texts twice.
func (p *Problem) UnmarshalJSON(raw []byte) error {
	type plain Problem
	var record struct {
		plain
		MessageText    image.Text `json:"message_text"`
		SuggestionText image.Text `json:"suggestion_text"`
	}
	if err := json.Unmarshal(raw, &record); err != nil {
		return fmt.Errorf("decode a problem: %w", err)
	}
	*p = Problem{
		Kind:       record.Kind,
		Message:    older(record.MessageText, record.Message),
		Suggestion: older(record.SuggestionText, record.Suggestion),
	}
	return nil
}

// ErrClosing ends what runs when the Runner closes: such jobs are not over, they go on at the next start.
var ErrClosing = errors.New("the jobs are closing")

// Stopping is ErrClosing for somebody who asks for something meanwhile.
func Stopping() error {
	return image.Errorf(image.Unavailable, "the server is stopping").Suggest("Try again in a moment.")
}

// CancelledBy ends a job that somebody cancelled.
type CancelledBy struct{ Who string }

func (c *CancelledBy) Error() string { return c.text().String() }

func (c *CancelledBy) text() image.Text {
	if c.Who == "" {
		return image.Textf("cancelled")
	}
	return image.Textf("cancelled by %s", c.Who)
}

// Shown returns the cancel as an error that a person may be shown.
func (c *CancelledBy) Shown() error {
	if c.Who == "" {
		return image.Errorf(image.Cancelled, "cancelled")
	}
	return image.Errorf(image.Cancelled, "cancelled by %s", c.Who)
}

// ProblemOf returns what people are shown of an error. Only image.Errors are for them; the rest may hold paths, queries
// or addresses of this server.
func ProblemOf(err error) *Problem {
	var c *CancelledBy
	if errors.As(err, &c) {
		return &Problem{Kind: image.Cancelled, Message: c.text()}
	}
	var e *image.Error
	if errors.As(err, &e) && e.Kind != image.Internal {
		return &Problem{Kind: e.Kind, Message: e.Text(), Suggestion: e.Advice()}
	}
	return &Problem{Kind: image.Internal, Message: image.Textf("internal error"),
		Suggestion: image.Textf("The server's log says more.")}
}

// Cause returns the error below an image.Error, for the log; nil where there is none.
func Cause(err error) error {
	var e *image.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return nil
}

// TellPassed says in the log what a job goes without, and returns the line for its outcome. reference is what is pulled
// or uploaded.
func TellPassed(log *slog.Logger, id int64, reference string, o image.PassedOver) string {
	level := slog.LevelWarn
	if image.KindOf(o.Why) == image.NotFound { // many copies lack them
		level = slog.LevelInfo
	}
	log.Log(context.Background(), level, "attestation passed over", "job", id, "reference", reference, "attestation",
		o.Digest, "platform", o.Platform.String(), "error", o.Why, "cause", Cause(o.Why))
	about := "attestation " + string(o.Digest)
	if o.Platform.Known() {
		about = o.Platform.String() + ": " + about
	}
	return fmt.Sprintf("%s passed over: %s", about, ProblemOf(o.Why).Message.String())
}

// older returns what an older record holds as it can be translated, or else what any record holds.
func older(translated, kept image.Text) image.Text {
	if translated.Empty() {
		return kept
	}
	return translated
}
