package image

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what class of failure an Error is. The list is closed: one place maps each kind to an
// HTTP status, and the pages have a title for each.
type Kind string

// The kinds of failure that people are shown. Anything else is Internal: logged, never shown.
const (
	Internal     Kind = "internal"     // ours or the machine's; details go to the log only
	Invalid      Kind = "invalid"      // the input cannot mean anything: a malformed reference, an unknown platform
	NotFound     Kind = "not_found"    // well formed, but neither the shelf nor the registry has it
	NoPlatform   Kind = "no_platform"  // the reference exists, the platform is not in its index
	Unauthorized Kind = "unauthorized" // the registry wants a sign-in
	SignIn       Kind = "sign_in"      // this server wants to know who asks
	Forbidden    Kind = "forbidden"    // the request is refused: a foreign Host, a cross-site form, a role that may not
	RateLimited  Kind = "rate_limited" // the registry's allowance is used up
	Unavailable  Kind = "unavailable"  // host unreachable, time-out, TLS, a registry that fails
	NotImage     Kind = "not_image"    // it exists and is not a container image: chart, plugin, schema 1
	Corrupt      Kind = "corrupt"      // bytes do not match the digest, size or diff ID that names them
	TooLarge     Kind = "too_large"    // over one of the limits that keep the server safe
	Conflict     Kind = "conflict"     // the shelf's state forbids it: two tags on an ID, a plan that changed
	DiskFull     Kind = "disk_full"    // no space left for blobs
	ReadOnly     Kind = "read_only"    // the server may not write to its data folder
	Damaged      Kind = "damaged"      // what the server keeps is not what it wrote
	Cancelled    Kind = "cancelled"    // somebody cancelled it
)

// Error is a failure that a person may be shown. Message says what happened and Suggestion, when it is
// not empty, what to do next; both are plain text and may contain hostile input, so they are escaped
// where they are rendered. They are English, for logs and the command line; pages show Text and Advice in
// the reader's language. Err is the cause, for the log.
type Error struct {
	Kind       Kind
	Message    string
	Suggestion string
	Err        error

	text, advice Text // Message and Suggestion
}

// Errorf makes an Error of a kind with a formatted message. A %w in the format becomes the cause. The format
// is written as for Textf.
func Errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Err: errors.Unwrap(err), text: Textf(format, args...)}
}

// Suggest returns a copy of e that tells the person what to do next. The format is written as for Textf.
func (e *Error) Suggest(format string, args ...any) *Error {
	c := *e
	c.Suggestion, c.advice = fmt.Sprintf(format, args...), Textf(format, args...)
	return &c
}

// Text returns Message as it can be translated.
func (e *Error) Text() Text { return e.text.Or(e.Message) }

// Advice returns Suggestion as it can be translated.
func (e *Error) Advice() Text { return e.advice.Or(e.Suggestion) }

// Because returns a copy of e with its cause.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// Error returns the message and, where the message does not hold it already, the cause.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first Error in err's chain; Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// RetryTime returns when a registry will answer again, as an error in err's chain knows by a method RetryAt; zero where
// none does.
func RetryTime(err error) time.Time {
	var knows interface {
		error
		RetryAt() time.Time
	}
	if errors.As(err, &knows) {
		return knows.RetryAt()
	}
	return time.Time{}
}

// Lasts reports whether the same request will be refused again, as an error in err's chain knows by a method Lasts:
// such a one of kind Unavailable is not tried again, and one of kind Forbidden is about what was asked for alone.
func Lasts(err error) bool {
	var knows interface {
		error
		Lasts() bool
	}
	return errors.As(err, &knows) && knows.Lasts()
}
