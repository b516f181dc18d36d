package storage

import (
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

func TestAPlanSaysOfEachThingHowManyImagesGoWithIt(t *testing.T) {
	s := newShelf(t)
	for _, words := range []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64", "redis:7=redis amd64", "redis:latest=redis amd64", "odd:1=odd amd64", "edge:1=jammy-next amd64"} {
		s.pull(words)
	}
	if _, err := s.Tags.Pin(t.Context(), tagRef(t, "edge:1"), "", image.ActorNamed("noa")); err != nil {
		t.Fatal(err)
	}
	tag := func(name string) shelf.RemovalItem { return shelf.RemovalItem{Reference: tagRef(t, name)} }
	asked := shelf.Removal{Items: []shelf.RemovalItem{tag("ubuntu:22.04"), tag("ubuntu:latest"), tag("redis:7"), {ID: s.ID("odd", "amd64")}, tag("edge:1"), tag("mysql:8")}}
	plan, err := s.Removals.PlanRemoval(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	want := []int{1, 1, 0, 1, 0, 0} // the arm64 image of jammy is on the index of edge:1 too
	if len(plan.Items) != len(want) {
		t.Fatalf("%d items: %+v", len(plan.Items), plan.Items)
	}
	for i, item := range plan.Items {
		if item.Images != want[i] {
			t.Errorf("%s %s: %d images go with it, want %d (%+v)", item.Item.Reference.Familiar(), item.Item.ID, item.Images, want[i], item.Refusal)
		}
	}
}
