package auth

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// noted is a record in memory.
type noted []shelf.Line

func (n *noted) Note(_ context.Context, lines ...shelf.Line) error {
	*n = append(*n, lines...)
	return nil
}

// wrongFrom is a sign-in that was refused.
func wrongFrom(address string) shelf.Line {
	by := shelf.Party{Kind: image.ActorAnonymous, Name: address}
	return shelf.Line{By: by, Action: image.ActionSignIn, Outcome: shelf.Refused}
}

func TestRefusalsThatRepeatBecomeOneLine(t *testing.T) {
	var lines noted
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	begin := now
	r := newRefusals(func() time.Time { return now })
	flush := func(all bool) {
		t.Helper()
		if err := r.flush(ctx, &lines, all); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		r.note(wrongFrom("192.0.2.1"))
		now = now.Add(time.Second)
	}
	r.note(wrongFrom("192.0.2.2"))
	flush(false)
	if len(lines) != 2 || lines[0].Times != 0 || !lines[0].At.Equal(begin) || lines[1].By.Name != "192.0.2.2" {
		t.Fatalf("at once: %+v", lines)
	}
	flush(false)
	if len(lines) != 2 {
		t.Errorf("before the span is over: %+v", lines)
	}
	now = now.Add(refusalSpan)
	flush(false)
	if len(lines) != 3 {
		t.Fatalf("after it: %+v", lines)
	}
	of := lines[2]
	if of.Times != 99 || !of.Since.Equal(begin.Add(time.Second)) || !of.At.Equal(begin.Add(99*time.Second)) {
		t.Errorf("the others are %+v", of)
	}
	r.note(wrongFrom("192.0.2.1"))
	r.note(wrongFrom("192.0.2.1"))
	flush(true)
	if len(lines) != 5 || lines[3].Times != 0 || lines[4].Times != 1 {
		t.Errorf("of the next span: %+v", lines)
	}
}

func TestRefusalsOfManyKindsAreBounded(t *testing.T) {
	var lines noted
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	r := newRefusals(func() time.Time { return now })
	for i := range 5 * mostRefusals {
		r.note(wrongFrom(fmt.Sprint(i)))
	}
	if err := r.flush(ctx, &lines, true); err != nil || len(lines) != mostRefusals+2 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	last := lines[len(lines)-1]
	if last.Times != 4*mostRefusals-1 || last.Action != image.ActionSignIn || last.By != (shelf.Party{}) {
		t.Errorf("the others are %+v", last)
	}
	for range 10 { // nobody writes
		for i := range 2 * mostRefusals {
			r.note(wrongFrom(fmt.Sprint(i)))
		}
		now = now.Add(refusalSpan)
	}
	if len(r.waiting) > mostRefusals+1 || len(r.held) > mostRefusals+1 {
		t.Errorf("%d wait, %d are counted", len(r.waiting), len(r.held))
	}
}
