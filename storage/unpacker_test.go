package storage

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/image/layer"
	"github.com/stowage/stowage/sample"
)

// layersOf returns the digests of an image's layers.
func layersOf(t *testing.T, source sample.Source) (all []image.Digest) {
	t.Helper()
	b, err := source.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range b.Layers() {
		all = append(all, l.Descriptor.Digest)
	}
	return all
}

func TestRegistriesAndTheirRepositoriesTakeTurnsAtUnpacking(t *testing.T) {
	s := newShelf(t)
	owner := map[image.Digest]string{}
	pull := func(repository string, layers int) {
		t.Helper()
		var names []string
		for i := range layers {
			names = append(names, fmt.Sprintf("%s-%d", repository, i))
		}
		im := s.NewImage("amd64", names...)
		s.Source[repository] = sample.Index{Entries: []sample.Source{im}}
		s.pull(repository + ":1=" + repository + " amd64")
		for _, d := range layersOf(t, im) {
			owner[d] = repository
		}
	}
	pull("evil.example/a", 30)
	pull("evil.example/b", 3)
	pull("evil.example/c", 1)
	pull("ghcr.io/acme/api", 2)
	pull("redis", 2)
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := (writing{s.folder.db}).ExecContext(t.Context(), `UPDATE layers SET state = 'pending'`); err != nil {
		t.Fatal(err)
	}
	turns, err := s.Unpacker.layers.pendingLayers(t.Context(), false, nil)
	if err != nil || len(turns) != len(owner) {
		t.Fatalf("%d of %d layers are listed: %v", len(turns), len(owner), err)
	}
	var order []string
	for _, d := range turns {
		order = append(order, owner[d])
	}
	// Three registries in the first three rounds; the rest is evil.example's, whose repositories take turns too.
	for i, want := range [][]string{{"evil.example/a", "ghcr.io/acme/api", "redis"}, {"evil.example/b", "ghcr.io/acme/api", "redis"}} {
		if got := slices.Sorted(slices.Values(order[3*i : 3*i+3])); !slices.Equal(got, want) {
			t.Errorf("round %d is of %v, want %v", i+1, got, want)
		}
	}
	if got, want := order[6:11], []string{"evil.example/c", "evil.example/a", "evil.example/b", "evil.example/a", "evil.example/b"}; !slices.Equal(got, want) {
		t.Errorf("then come %v, want %v", got, want)
	}
	if rest, err := s.Unpacker.layers.pendingLayers(t.Context(), true, turns[5:7]); err != nil || !slices.Equal(slices.Sorted(slices.Values(rest)), slices.Sorted(slices.Values(turns[5:7]))) {
		t.Errorf("of two layers, %v are listed (%v)", rest, err)
	}
}

// A layer that grows and grows is read by itself. However long that takes, and however many there are, the layers of
// others are unpacked meanwhile.
func TestHostileLayersHoldUpNoOther(t *testing.T) {
	s := newShelf(t)
	hostile := map[int64]int{} // how often a blob of a size was begun
	var mu sync.Mutex
	gate, began := make(chan struct{}), make(chan struct{}, 1)
	s.Unpacker.limits = func(size int64) layer.Limits {
		mu.Lock()
		times, bad := hostile[size]
		if bad {
			hostile[size]++
		}
		mu.Unlock()
		if bad && times > 0 { // it is read by itself, and has no end
			began <- struct{}{}
			<-gate
		}
		return layer.DefaultLimits(size)
	}
	var bombs []image.Digest
	for i := range 3 {
		bomb, err := sample.Bomb(int64(lightFloor+16<<20) + int64(i)*1<<20)
		if err != nil {
			t.Fatal(err)
		}
		built, err := bomb.Build()
		if err != nil {
			t.Fatal(err)
		}
		last := built.Layers()[1].Descriptor
		mu.Lock()
		hostile[last.Size] = 0
		mu.Unlock()
		bombs = append(bombs, last.Digest)
		name := fmt.Sprintf("evil.example/bomb%d", i)
		s.Source[name] = built
		s.pull(name + ":1=" + name + " amd64")
	}
	<-began // one of them holds the place of the heavy ones
	s.pull("postgres:15=postgres amd64")
	rested := s.Unpacker.rest.next()
	for len(s.pendingLayers()) > len(bombs) {
		s.Unpacker.wake()
	}
	slices.Sort(bombs)
	if pending := s.pendingLayers(); len(pending) != len(bombs) || pending[0] != string(bombs[0]) {
		t.Errorf("pending are %v, want the three bombs", pending)
	}
	select {
	case <-rested:
		t.Error("the unpacker rests while a heavy layer is being read")
	default:
	}
	close(gate)
	go func() {
		for range began { //nolint:revive // the others begin too
		}
	}()
	if err := s.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(began)
	if pending := s.pendingLayers(); len(pending) != 0 {
		t.Errorf("%v are pending at the end", pending)
	}
	for size, times := range hostile {
		if times != 2 {
			t.Errorf("a heavy layer of %d bytes was begun %d times, want once among others and once by itself", size, times)
		}
	}
}

func TestNobodyIsToldOfALayerWhoseResultIsNotWritten(t *testing.T) {
	s := newShelf(t)
	defer s.Close()
	told := s.Unpacker.layers.settled.next()
	s.damageDatabase() // nothing is written from now on
	if err := s.Unpacker.layers.settleLayer(t.Context(), image.DigestOf([]byte("layer")), layerVerified, image.Unpacked{}, image.Text{}); err == nil {
		t.Fatal("it was written")
	}
	select {
	case <-told:
		t.Error("whoever waits for it would have it read again at once")
	default:
	}
}

func TestLightLayersAreBoundedInMemoryAndTime(t *testing.T) {
	for _, c := range []struct {
		size  int64
		bytes int64
		ok    bool
	}{{0, lightFloor, true}, {1 << 20, lightFloor + 16<<20, true}, {1 << 30, lightBytes, true}, {1<<30 + 1, lightBytes, false}} {
		l, ok := lightLimits(c.size, layer.DefaultLimits(c.size))
		if l.MaxBytes != c.bytes || ok != c.ok || l.MaxEntries != lightEntries || l.MaxWindow != lightWindow {
			t.Errorf("a blob of %d bytes: %+v, %v", c.size, l, ok)
		}
	}
	if l, _ := lightLimits(0, layer.Limits{MaxBytes: 1, MaxEntries: 2, MaxWindow: 3}); l != (layer.Limits{MaxBytes: 1, MaxEntries: 2, MaxWindow: 3}) {
		t.Errorf("smaller limits become %+v", l)
	}
}
