package storage

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

// served tells what the shelf serves under a repository, of everything that was ever built: documents and blobs.
func (s *testShelf) served(repo image.Repository) []string {
	s.t.Helper()
	var found []string
	for name, b := range s.Built {
		for m := range b.All() {
			if _, err := s.Serving.Served(s.t.Context(), image.Reference{Repository: repo, Digest: m.Digest()}); err == nil {
				found = append(found, s.NameOf(m.Digest()))
			}
			for _, blob := range m.Blobs {
				size, err := s.Serving.ServedBlob(s.t.Context(), repo, blob.Descriptor.Digest)
				if err == nil && size != blob.Descriptor.Size {
					s.t.Errorf("%s: a blob has %d bytes, want %d", name, size, blob.Descriptor.Size)
				}
				if err == nil {
					found = append(found, s.NameOf(blob.Descriptor.Digest))
				} else if image.KindOf(err) != image.NotFound {
					s.t.Error(err)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestARepositoryServesWhatItLeadsToAndNothingElse(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("postgres:15=postgres amd64 arm64")
	s.pull("nest:1=nested arm64")
	for range 2 { // the second time it is remembered
		for repo, want := range map[image.Repository][]string{
			"docker.io/library/ubuntu": {"base-amd64", "jammy", "jammy-amd64", "jammy/amd64"},
			"docker.io/library/postgres": {
				"base-amd64", "base-arm64", "jammy-amd64", "jammy-arm64", "postgres", "postgres-amd64", "postgres-arm64", "postgres/amd64", "postgres/arm64",
			},
			"docker.io/library/nothing": nil,
		} {
			if got := s.served(repo); !slices.Equal(got, want) {
				t.Errorf("%s\n got %q\nwant %q", repo, got, want)
			}
		}
	}
	if got := s.served("docker.io/library/nest"); len(got) != 4 || !slices.Contains(got, "deep-arm64") || !slices.Contains(got, "nested/arm64") { // the inner index, and manifest and config by one name
		t.Errorf("nested: %q", got)
	}
}

// The way to a blob depends on how many images use it; the answer must not.
func TestBothWaysFromABlobToItsRepositoryAgree(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	s.pull("ubuntu:rolling=jammy-next amd64 arm64")
	s.pull("postgres:15=postgres amd64")
	s.pull("redis:7=redis amd64")
	s.pull("nest:1=nested amd64 arm64")
	s.pull("app:1=told amd64 arm64")
	s.pull("mirror/app:1=told-again amd64")
	s.pull("strange:1=strange amd64 arm64")
	if _, err := (writing{s.folder.db}).Exec(`UPDATE images SET broken = 'on purpose' WHERE manifest_digest IN (SELECT digest FROM repository_digests)`); err != nil { // redis
		t.Fatal(err)
	}
	known := 0
	for _, id := range []int{1, 2, 3, 4, 5, 6, 7, 99} {
		for blob := range s.files() {
			var up, down bool
			if err := s.folder.db.QueryRowContext(t.Context(), servedUp, id, blob).Scan(&up); err != nil {
				t.Fatal(err)
			}
			if err := s.folder.db.QueryRowContext(t.Context(), servedDown, id, blob).Scan(&down); err != nil {
				t.Fatal(err)
			}
			if up != down {
				t.Errorf("%s in repository %d: %v going up, %v going down", s.NameOf(blob), id, up, down)
			}
			if up {
				known++
			}
		}
	}
	// ubuntu 7, postgres 4, redis none, nest 3, app and mirror/app 6 of images and 7 of what describes them, strange 5: redis is
	// broken, but what describes the other image has its blobs
	if known != 45 {
		t.Errorf("%d blobs are known", known)
	}
}

func TestServingLooksUpWhatItNeeds(t *testing.T) {
	s := newShelf(t)
	for name, query := range map[string]string{
		"servedByTag": servedByTag, "servedByDigest": servedByDigest, "servedBlob": servedBlob, "servedUp": servedUp, "servedDown": servedDown,
		"listedIn": listedIn, "servedAttestation": servedAttestation, "servedTags": servedTags, "servedRepositories": servedRepositories, "referringQuery": referringQuery,
		"uploadedTag": uploadedTag, "uploadedRepo": uploadedRepo, "uploadedDigest": uploadedDigest,
	} {
		plan, err := database.RowsOf(t.Context(), s.folder.db, scanPlan, `EXPLAIN QUERY PLAN `+query, []any{1, 2, 3, 4}[:arguments(query)]...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, line := range plan {
			scanned, isScan := strings.CutPrefix(line, "SCAN ")
			known := slices.ContainsFunc([]string{"up", "down", "CONSTANT ROW", "(subquery"}, func(of string) bool { return strings.HasPrefix(scanned, of) })
			if isScan && !known {
				t.Errorf("%s\n%s", name, strings.Join(plan, "\n"))
			}
		}
	}
}

// arguments counts a query's: numbered, or else each on its own.
func arguments(query string) int {
	for n := 3; n > 0; n-- {
		if strings.Contains(query, fmt.Sprintf("?%d", n)) {
			return n
		}
	}
	return strings.Count(query, "?")
}
