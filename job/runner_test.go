package job

import (
	"context"
	"testing"

	"github.com/stowage/stowage/image"
)

// piece is work about nothing.
type piece struct{}

func (piece) Kind() Kind               { return "piece" }
func (piece) Subject() image.Reference { return image.Reference{} }
func (piece) Log() []any               { return nil }
func (piece) Amount(Job) Amount        { return Amount{} }
func (piece) Same(Detail) bool         { return true }

// observed is a Ledger of one job, with somebody who looks while it is saved.
type observed struct {
	Ledger
	saving func(Job)
	kept   Job
}

func (o *observed) Begin(context.Context, Job) (Lease, error) { return Lease{ID: 1, Epoch: 1}, nil }

func (o *observed) Save(_ context.Context, _ Lease, j Job) error {
	o.saving(j)
	o.kept = j
	return nil
}

func TestWhoSeesThatAJobIsOverFindsItSoInTheLedger(t *testing.T) {
	o := &observed{}
	r := NewRunner(o, nil, nil)
	o.saving = func(Job) {
		live, ok := r.Get(1)
		states, cancel := r.Subscribe(1)
		defer cancel()
		if told := <-states; !ok || live.State.Final() || told.State.Final() {
			t.Errorf("the job is shown as %q and told as %q before that is kept", live.State, told.State)
		}
	}
	j, err := r.Do(t.Context(), Job{State: Pulling, Detail: piece{}}, func(context.Context, *Run) error { return nil },
		func(err, _ error) error { return err })
	if err != nil || j.State != Done || o.kept.State != Done {
		t.Errorf("it ended as %q, %v, and is kept as %q", j.State, err, o.kept.State)
	}
}
