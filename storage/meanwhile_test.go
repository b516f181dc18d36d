package storage

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
)

// line is a shelf with pulls from a real registry that misbehaves when it is told to.
type line struct {
	*testShelf
	registry *fake.Registry
	faulty   *fake.Faulty
	jobs     *job.Runner
	queue    *pull.Queue
	host     string
}

func newLine(t *testing.T, o Options) *line {
	t.Helper()
	l := &line{testShelf: newShelfWith(t, o), registry: fake.NewEmptyRegistry()}
	l.faulty = fake.NewFaulty(l.registry)
	server := httptest.NewServer(l.faulty)
	t.Cleanup(server.Close)
	l.host = strings.TrimPrefix(server.URL, "http://")
	client, err := registry.New(registry.Options{DockerConfig: t.TempDir(), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	l.jobs = job.NewRunner(l.Jobs, nil, nil)
	l.queue = pull.New(pull.Options{Source: client, Blobs: l.Blobs, Space: l.Space, Images: l.Images, Recorder: l.Recorder, Runner: l.jobs, DefaultPlatform: o.DefaultPlatform})
	if err := l.queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(l.queue.Close(context.Background()), client.Close(), l.registry.Close()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// push puts a source into the registry under a tag of the one repository.
func (l *line) push(source, tag string) {
	l.t.Helper()
	l.Build(source)
	if err := l.registry.Push(l.t.Context(), "app", l.Source[source], tag); err != nil {
		l.t.Fatal(err)
	}
}

// start begins a pull; end waits until it is over and holds it against the state that is wanted.
func (l *line) start(tag string, architectures ...string) (id int64) {
	l.t.Helper()
	req := pull.Request{Reference: tagRef(l.t, l.host+"/app:"+tag), By: image.ActorNamed("mira")}
	for _, a := range architectures {
		req.Platforms = append(req.Platforms, image.Platform{OS: "linux", Architecture: a})
	}
	j, _, err := l.queue.Pull(l.t.Context(), req)
	if err != nil {
		l.t.Fatal(err)
	}
	return j.ID
}

func (l *line) end(id int64, want job.State) {
	l.t.Helper()
	states, cancel := l.jobs.Subscribe(id)
	defer cancel()
	for range states {
	}
	j, err := l.Jobs.Job(l.t.Context(), id)
	if err != nil || j.State != want {
		l.t.Fatalf("pull %d is %s (%v): %+v, want %s", id, j.State, err, j.Problem, want)
	}
}

func (l *line) bring(tag string, architectures ...string) {
	l.t.Helper()
	l.end(l.start(tag, architectures...), job.Done)
}

// has holds the shelf against rows of the one repository: "1=jammy amd64", "@=jammy amd64 (dangling)".
func (l *line) has(rows ...string) {
	l.t.Helper()
	for i, row := range rows {
		if !strings.HasPrefix(row, "@") {
			row = ":" + row
		}
		rows[i] = l.host + "/app" + row
	}
	l.check(rows)
}

func (l *line) layer(name string) sample.LayerContent {
	l.t.Helper()
	c, err := l.Layers[name].Content()
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// pruneNow plans and carries out.
func (l *line) pruneNow(asked shelf.Prune) shelf.Removed {
	l.t.Helper()
	plan, err := l.Removals.PlanPrune(l.t.Context(), asked)
	if err != nil {
		l.t.Fatal(err)
	}
	done, err := l.Removals.Prune(l.t.Context(), asked, plan.Fingerprint, image.ActorNamed("noa"))
	if err != nil {
		l.t.Fatal(err)
	}
	return done
}

var amd64 = image.Platform{OS: "linux", Architecture: "amd64"}

func TestAPruneWhileAPullRunsLeavesWhatItNeeds(t *testing.T) {
	l := newLine(t, Options{DefaultPlatform: amd64})
	l.push("jammy", "1")
	l.bring("1")
	l.push("ci", "1")
	l.bring("1") // jammy is dangling, and has the only copy of the base
	l.push("redis", "2")
	base, own := l.layer("base-amd64"), l.layer("redis")
	hold := l.faulty.Hold(fake.GetBlob(own.Digest), 0)
	id := l.start("2")
	<-hold.Reached()
	gone := l.files() // more may come with the pull
	done := l.pruneNow(shelf.Prune{})
	l.Janitor.Settle()
	for d := range l.files() {
		delete(gone, d)
	}
	if freed := diskBytes(gone); freed != done.Plan.Totals.Freed || freed == 0 {
		t.Errorf("%d bytes left the disk, the plan said %d", freed, done.Plan.Totals.Freed)
	}
	stays := done.Plan.Stays
	if len(stays) != 1 || stays[0].Digest != base.Digest || !stays[0].Held {
		t.Errorf("the plan keeps %+v, want the base, which the pull holds", stays)
	}
	hold.Release()
	l.end(id, job.Done)
	l.has("1=ci amd64", "2=redis amd64")
	if n := l.faulty.Served(base.Digest); n != base.Size {
		t.Errorf("%d bytes of the base were fetched, want its %d once", n, base.Size)
	}
}

func TestADigestThatIsBeingPulledIsNotPruned(t *testing.T) {
	l := newLine(t, Options{DefaultPlatform: amd64})
	l.push("jammy", "1")
	l.bring("1")
	l.push("ci", "1")
	l.bring("1")
	l.push("jammy", "2")
	hold := l.faulty.Hold(fake.GetBlob(l.layer("jammy-arm64").Digest), 0)
	id := l.start("2", "amd64", "arm64")
	<-hold.Reached()
	plan, err := l.Removals.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil || !plan.Refused() || plan.Items[0].Refusal.Reason != shelf.RefusedHeld {
		t.Errorf("plan %+v (%v), want it refused for the pull", plan, err)
	}
	if _, err := l.Removals.Prune(t.Context(), shelf.Prune{}, plan.Fingerprint, image.ActorNamed("noa")); image.KindOf(err) != image.Conflict {
		t.Errorf("carrying it out: %v", err)
	}
	hold.Release()
	l.end(id, job.Done)
	l.has("1=ci amd64", "2=jammy amd64 arm64")
}

// The pull had seen that everything is there, and then it was pruned and swept.
func TestWhatIsPrunedBeforeAPullHoldsItIsFetchedAgain(t *testing.T) {
	l := newLine(t, Options{DefaultPlatform: amd64})
	l.push("redis", "1")
	l.bring("1")
	l.push("ci", "1")
	l.bring("1")
	l.push("redis", "2")
	hold := l.faulty.Hold(fake.Manifests, -1) // the pull asks what 2 is
	id := l.start("2")
	<-hold.Reached()
	l.pruneNow(shelf.Prune{})
	l.Janitor.Settle()
	hold.Release()
	l.end(id, job.Done)
	l.has("1=ci amd64", "2=redis amd64")
}

func TestAPullOfWhatWaitsToBeSweptFetchesNothing(t *testing.T) {
	c := newClock()
	l := newLine(t, Options{DefaultPlatform: amd64, UndoWindow: testWindow, Now: c.now})
	l.push("redis", "1")
	l.bring("1")
	asked := shelf.Remove(shelf.RemovalItem{Reference: tagRef(t, l.host+"/app:1")})
	if _, err := l.remove(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	l.faulty.Forget()
	l.bring("1")
	if served := l.faulty.ServedBlobs(); len(served) != 0 {
		t.Errorf("fetched again: %v", served)
	}
	l.checkWaiting(0)
	c.move(2 * testWindow)
	l.has("1=redis amd64")
}

func TestOfTwoPrunesAtOnceOneIsCarriedOut(t *testing.T) {
	s, _ := newUndoShelf(t)
	s.fill([]string{"a:1=old amd64", "a:1=ci amd64", "a:1=redis amd64"})
	plan, err := s.Removals.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil {
		t.Fatal(err)
	}
	const prunes = 4
	begin, errs := make(chan struct{}), make(chan error)
	for range prunes {
		go func() {
			<-begin
			_, err := s.Removals.Prune(context.WithoutCancel(t.Context()), shelf.Prune{}, plan.Fingerprint, image.ActorNamed("noa"))
			errs <- err
		}()
	}
	close(begin)
	refused := 0
	for range prunes {
		if err := <-errs; image.KindOf(err) == image.Conflict {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	if refused != prunes-1 {
		t.Errorf("%d of %d were refused", refused, prunes)
	}
	list, err := s.Removals.Removals(t.Context())
	if err != nil || len(list) != 1 || !list[0].Prune || list[0].Items != 2 {
		t.Fatalf("removals %+v, %v", list, err)
	}
	s.checkWaiting(plan.Totals.Freed)
	s.undo(list[0].ID)
	s.check([]string{"a:1=redis amd64", "a@=old amd64 (dangling)", "a@=ci amd64 (dangling)"})
}
