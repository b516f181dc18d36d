package shelf

import (
	"time"

	"github.com/stowage/stowage/image"
)

// MaxPinNote is how long a pin's note may be, in characters.
const MaxPinNote = 500

// Pin marks a digest of a repository as in use. It stays with the digest when a tag moves on, as a container stays
// with the image that it was made from.
type Pin struct {
	Reference image.Reference `json:"reference"` // by digest
	Note      string          `json:"note"`      // why; may be empty
	By        string          `json:"by"`
	At        time.Time       `json:"at"`
}
