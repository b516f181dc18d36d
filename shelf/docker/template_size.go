package docker

import (
	"fmt"

	"github.com/stowage/stowage/image"
)

// unknownSize stands for Size in a template while nobody knows it: whatever would print it ends the template with the
// error that it gives. In JSON it is null.
type unknownSize func() error

// Format implements fmt.Formatter.
func (u unknownSize) Format(fmt.State, rune) { _ = u() }

// String implements fmt.Stringer: text/template prints no function that has none.
func (u unknownSize) String() string {
	_ = u()
	return ""
}

// MarshalJSON implements json.Marshaler.
func (unknownSize) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// unknownSize returns the value for a run that ends when it is printed.
func (r *templateRun) unknownSize() unknownSize {
	return func() error {
		return r.stop(image.Errorf(image.Unavailable,
			"the unpacked size of the image is not known yet: its layers are still being unpacked").
			Suggest("Ask again in a moment."))
	}
}
