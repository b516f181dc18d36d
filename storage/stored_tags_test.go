package storage

import (
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

func TestStoredTagsAreThoseOfTheRepositoryThatAreOnTheShelf(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("ubuntu:latest=jammy-next amd64 arm64")
	s.pull("ubuntu@=redis amd64")
	s.pull("other:1=redis amd64")
	got, err := s.Images.StoredTags(t.Context(), "docker.io/library/ubuntu", []string{"22.04", "latest", "1", "24.04", `'"%`, ""})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["22.04"] != s.Build("jammy").Digest() || got["latest"] != s.Build("jammy-next").Digest() {
		t.Errorf("stored: %v", got)
	}
	for name, tags := range map[image.Repository][]string{"docker.io/library/absent": {"22.04"}, "docker.io/library/ubuntu": nil} {
		if got, err := s.Images.StoredTags(t.Context(), name, tags); err != nil || len(got) != 0 {
			t.Errorf("%v of %s: %v, %v", tags, name, got, err)
		}
	}
}

func TestStoredTagsAreLookedUpInIndexes(t *testing.T) {
	s := newShelf(t)
	plan, err := database.RowsOf(t.Context(), s.folder.db, scanPlan, `EXPLAIN QUERY PLAN `+storedTagsQuery, "docker.io/library/ubuntu", `["22.04"]`)
	if err != nil {
		t.Fatal(err)
	}
	steps := strings.Join(plan, "\n")
	if !strings.Contains(steps, "SEARCH r USING") || !strings.Contains(steps, "SEARCH t USING PRIMARY KEY (repository_id=? AND name=?)") {
		t.Errorf("plan:\n%s", steps)
	}
}
