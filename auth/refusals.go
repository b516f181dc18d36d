package auth

import (
	"context"
	"sync"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

const (
	refusalSpan  = 10 * time.Minute // in which what repeats becomes one line
	mostRefusals = 1000             // kinds of refusals that are counted apart, and lines that wait to be written
)

// refusals are what was refused and is not in the record yet. The first of its kind is written as soon as may be, and
// how often it then repeats as one line, so that whoever tries a million times fills no disk. Noting one writes nothing
// itself: how long a sign-in takes must not tell whose name it was. Safe for concurrent use.
type refusals struct {
	now  func() time.Time
	wake chan struct{} // holds one where lines wait

	mu      sync.Mutex
	held    map[refusal]*repeated
	waiting []shelf.Line
}

// refusal is what makes refusals alike.
type refusal struct {
	by      shelf.Party
	action  image.Action
	what    image.Reference
	about   shelf.Party
	outcome shelf.Ending
}

type repeated struct {
	line  shelf.Line // of all after the first one
	begun time.Time
}

func newRefusals(now func() time.Time) *refusals {
	return &refusals{now: now, wake: make(chan struct{}, 1), held: map[refusal]*repeated{}}
}

// note has a line written, or counts it. What is too much to be counted apart is counted with all of its action.
func (r *refusals) note(line shelf.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	key := refusal{line.By, line.Action, line.What, line.About, line.Outcome}
	of := r.held[key]
	if of == nil && len(r.held) >= mostRefusals {
		line = shelf.Line{Action: line.Action, Outcome: line.Outcome, Detail: "by many"}
		key = refusal{action: line.Action, outcome: line.Outcome}
		of = r.held[key]
	}
	line.At = now
	switch {
	case of == nil && len(r.waiting) < mostRefusals+1:
		r.held[key] = &repeated{begun: now}
		r.waiting = append(r.waiting, line)
		select {
		case r.wake <- struct{}{}:
		default:
		}
		return
	case of == nil:
		return // nobody writes
	case of.line.Times == 0:
		of.line = line
		of.line.Since = now
	}
	of.line.Times++
	of.line.At = now
}

// take returns the lines to be written now: those that wait, and what has repeated in a span that is over, or in all of
// them.
func (r *refusals) take(all bool) []shelf.Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.waiting
	r.waiting = nil
	for key, of := range r.held {
		if !all && r.now().Sub(of.begun) < refusalSpan {
			continue
		}
		delete(r.held, key)
		if of.line.Times > 0 {
			lines = append(lines, of.line)
		}
	}
	return lines
}

// flush writes what take returns. What cannot be written waits for the next time.
func (r *refusals) flush(ctx context.Context, record RecordStore, all bool) error {
	lines := r.take(all)
	if len(lines) == 0 {
		return nil
	}
	err := record.Note(ctx, lines...)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.waiting = append(lines, r.waiting...)
		r.waiting = r.waiting[:min(len(r.waiting), 2*mostRefusals)]
	}
	return err
}
