package pull

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/stowage/stowage/image"
)

// errClosing ends what runs when the queue closes: such jobs are not over, they go on at the next start.
var errClosing = errors.New("pull queue is closing")

// cancelledBy ends a job that somebody cancelled.
type cancelledBy struct{ who string }

func (c *cancelledBy) Error() string {
	if c.who == "" {
		return "cancelled"
	}
	return "cancelled by " + c.who
}

// panicked is a panic of a worker, made an error so that only its job fails.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// guard runs f and turns a panic in it into an error.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}

// problemOf gives what people are shown of an error. Only image.Errors are for them; the rest may hold
// paths, queries or addresses of this server.
func problemOf(err error) *Problem {
	var c *cancelledBy
	if errors.As(err, &c) {
		return &Problem{Kind: image.Cancelled, Message: c.Error()}
	}
	var e *image.Error
	if errors.As(err, &e) && e.Kind != image.Internal {
		return &Problem{Kind: e.Kind, Message: e.Message, Suggestion: e.Suggestion}
	}
	return &Problem{Kind: image.Internal, Message: "internal error", Suggestion: "The server's log says more."}
}

// cause gives the error below an image.Error, for the log; nil where there is none.
func cause(err error) error {
	var e *image.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return nil
}
