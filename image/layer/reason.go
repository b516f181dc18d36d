package layer

import (
	"errors"
	"fmt"

	"github.com/stowage/stowage/image"
)

// fault is one of the errors of Inspect with the words for people.
type fault struct {
	of    error // ErrNotTar and its neighbours
	cause error // for the log; may be nil
	why   image.Text
}

// Error implements error.
func (f *fault) Error() string {
	if f.cause != nil {
		return fmt.Sprintf("%v: %v: %v", f.of, f.why, f.cause)
	}
	return fmt.Sprintf("%v: %v", f.of, f.why)
}

// Unwrap returns the kind of the error and its cause.
func (f *fault) Unwrap() []error {
	if f.cause != nil {
		return []error{f.of, f.cause}
	}
	return []error{f.of}
}

func unsupported(compression string) error {
	return &fault{of: ErrUnsupported, why: image.Textf("it is compressed with %s, which layers must not be", compression)}
}

// position says where in a layer an error was found.
type position struct {
	offset int64 // of the tar
	entry  int64 // headers read by then
	err    error
}

// Error implements error.
func (p *position) Error() string {
	return fmt.Sprintf("at byte %d of the tar, entry %d: %v", p.offset, p.entry, p.err)
}

// Unwrap returns the error that was found there.
func (p *position) Unwrap() error { return p.err }

// Reason returns what people are told of an error of Inspect that the layer itself is at fault for, and where in the
// layer it was found. It can be kept and is worded in the reader's language when it is shown.
func Reason(err error) image.Text {
	var f *fault
	if !errors.As(err, &f) {
		return image.Textf("it cannot be read to its end")
	}
	var p *position
	if !errors.As(err, &p) || p.entry == 0 {
		return f.why
	}
	return image.Textf("%s (byte %d of its tar, entry %d)", f.why, p.offset, p.entry)
}
