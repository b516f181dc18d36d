package pull

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/stowage/stowage/image"
)

// errClosing ends what runs when the queue closes: such jobs are not over, they go on at the next start.
var errClosing = errors.New("pull queue is closing")

// stopping is errClosing for somebody who asks for something meanwhile.
func stopping() error {
	return image.Errorf(image.Unavailable, "the server is stopping").Suggest("Try again in a moment.")
}

// cancelledBy ends a job that somebody cancelled.
type cancelledBy struct{ who string }

func (c *cancelledBy) Error() string { return c.text().String() }

func (c *cancelledBy) text() image.Text {
	if c.who == "" {
		return image.Textf("cancelled")
	}
	return image.Textf("cancelled by %s", c.who)
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
		return newProblem(image.Cancelled, c.text(), image.Text{})
	}
	var e *image.Error
	if errors.As(err, &e) && e.Kind != image.Internal {
		return newProblem(e.Kind, e.Text(), e.Advice())
	}
	return newProblem(image.Internal, image.Textf("internal error"), image.Textf("The server's log says more."))
}

func newProblem(kind image.Kind, message, suggestion image.Text) *Problem {
	return &Problem{Kind: kind, Message: message.String(), Suggestion: suggestion.String(), MessageText: message, SuggestionText: suggestion}
}

// Text gives Message as it can be translated.
func (p Problem) Text() image.Text { return p.MessageText.Or(p.Message) }

// Advice gives Suggestion as it can be translated.
func (p Problem) Advice() image.Text { return p.SuggestionText.Or(p.Suggestion) }

// cause gives the error below an image.Error, for the log; nil where there is none.
func cause(err error) error {
	var e *image.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return nil
}
