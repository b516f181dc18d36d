package storage

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

func TestStoredRepositoriesAreCountedByTheirTags(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("ubuntu:latest=jammy amd64")
	s.pull("ghcr.io/acme/ubuntu:1=redis amd64")
	s.pull("postgres@=postgres amd64") // a digest only: no tag of it is stored
	names := []image.Repository{"docker.io/library/ubuntu", "docker.io/library/ubuntu", "docker.io/library/postgres", "docker.io/library/nosuch", "x' OR 1=1 --", "docker.io/library/UBUNTU"}
	got, err := s.Images.StoredRepositories(t.Context(), names)
	if want := map[image.Repository]int{"docker.io/library/ubuntu": 2}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	got, err = s.Images.StoredRepositories(t.Context(), nil)
	if err != nil || len(got) != 0 {
		t.Errorf("of none: %v, %v", got, err)
	}
}

func TestStoredRepositoriesAreLookedUpByIndexes(t *testing.T) {
	s := newShelf(t)
	plan, err := database.RowsOf(t.Context(), s.folder.db, scanPlan, `EXPLAIN QUERY PLAN `+storedQuery, `["docker.io/library/ubuntu"]`)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range plan {
		if strings.HasPrefix(step, "SCAN r") || strings.HasPrefix(step, "SCAN t") {
			t.Errorf("a whole table is read: %q", plan)
		}
	}
	if len(plan) == 0 {
		t.Error("no plan")
	}
}

func TestStoredRepositoriesEndWithTheContext(t *testing.T) {
	s := newShelf(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Images.StoredRepositories(ctx, []image.Repository{"docker.io/library/ubuntu"}); err == nil {
		t.Error("no error")
	}
}
