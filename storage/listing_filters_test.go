package storage

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/listing"
)

var (
	december12 = time.Date(2023, 12, 12, 11, 38, 59, 0, time.UTC)
	december21 = time.Date(2023, 12, 21, 18, 36, 58, 0, time.UTC)
	february   = time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)
	march      = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
)

// filterShelf is a shelf with something for each of docker's filters.
func filterShelf(t *testing.T) *testShelf {
	t.Helper()
	s := newShelf(t)
	made := func(architecture, layer string, created time.Time, labels map[string]string) sample.Image {
		im := s.NewImage(architecture, layer)
		im.Created = created
		im.Config = sample.Config{ImageConfig: v1.ImageConfig{Labels: labels}}
		return im
	}
	s.Source["ubuntu"] = sample.Index{Entries: []sample.Source{
		made("amd64", "u-amd64", december12, map[string]string{"version": "22.04", "stage": "ci", "empty": ""}),
		made("arm64", "u-arm64", december12, map[string]string{"version": "22.04", "stage": "production", "arm": "yes"}),
	}}
	s.Source["postgres-15"] = made("amd64", "p-amd64", december21, map[string]string{"maintainer": "Pat <pat@example.com>", "args": "a=b"})
	s.Source["redis-7"] = made("amd64", "r-amd64", february, map[string]string{"stage": "ci"})
	s.Source["undated"] = made("amd64", "q-amd64", time.Time{}, nil)
	s.Source["redis-8"] = made("amd64", "r8-amd64", march, map[string]string{"stage": "ci"})
	s.Source["nginx-1"] = made("amd64", "n1-amd64", december21, map[string]string{"stage": "ci"})
	s.Source["nginx-2"] = made("amd64", "n2-amd64", march, nil)
	for _, words := range []string{
		"ubuntu:22.04=ubuntu amd64 arm64", "ubuntu:latest=ubuntu amd64 arm64", "postgres:15=postgres-15 amd64", "bitnami/redis:7=redis-7 amd64",
		"quay.io/a/b:1=undated amd64", "redis@=redis-8 amd64", "nginx:latest=nginx-1 amd64", "nginx:latest=nginx-2 amd64",
	} {
		s.pull(words)
	}
	return s
}

// short names rows as docker images does: a digest without a tag is NAME:<none>.
func short(rows []shelf.Row) string {
	var names []string
	for _, r := range rows {
		name := r.Reference.Familiar()
		if r.Reference.Tag == "" {
			name = r.Reference.Repository.Familiar() + ":<none>"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// Each row is named after what docker does (moby 28.5, daemon/images/image_list.go, and a real daemon's answers). Where we answer
// otherwise on purpose, ours says why.
func TestTheFiltersOfTheListAreDockers(t *testing.T) {
	s := filterShelf(t)
	const all = "bitnami/redis:7 nginx:<none> nginx:latest postgres:15 quay.io/a/b:1 redis:<none> ubuntu:22.04 ubuntu:latest"
	ubuntuDigest := string(s.Build("ubuntu").Digest())
	references := func(patterns ...string) shelf.Query { return shelf.Query{References: patterns} }
	labels := func(texts ...string) (q shelf.Query) {
		for _, text := range texts {
			l, err := image.ParseLabel(text)
			if err != nil {
				t.Fatal(err)
			}
			q.Labels = append(q.Labels, l)
		}
		return q
	}
	created := func(name string) time.Time {
		at, err := s.Lists.CreatedOf(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		docker string
		query  shelf.Query
		want   string
		ours   string // where we differ: how and why
	}{
		{docker: "docker images: everything that is stored", want: all},

		{docker: "reference=ubuntu: the familiar name, whatever the tag", query: references("ubuntu"), want: "ubuntu:22.04 ubuntu:latest"},
		{docker: "reference=ub*: a star is the rest of the name", query: references("ub*"), want: "ubuntu:22.04 ubuntu:latest"},
		{docker: "reference=*: does not cross a slash", query: references("*"), want: "nginx:<none> nginx:latest postgres:15 redis:<none> ubuntu:22.04 ubuntu:latest"},
		{docker: "reference=ubuntu:2?.*: a glob on name and tag", query: references("ubuntu:2?.*"), want: "ubuntu:22.04"},
		{docker: "reference=*/*: one slash", query: references("*/*"), want: "bitnami/redis:7"},
		{docker: "reference=**/redis: two stars are one", query: references("**/redis"), want: "bitnami/redis:7"},
		{docker: "reference=docker.io/library/ubuntu: only the familiar form matches", query: references("docker.io/library/ubuntu"), want: ""},
		{docker: "reference=library/ubuntu: only the familiar form matches", query: references("library/ubuntu"), want: ""},
		{docker: "reference=quay.io/*: does not cross the second slash", query: references("quay.io/*"), want: ""},
		{docker: "reference=quay.io/*/*: a slash for each", query: references("quay.io/*/*"), want: "quay.io/a/b:1"},
		{docker: "reference=*:latest: the other tag of a matching image vanishes", query: references("*:latest"), want: "nginx:latest ubuntu:latest"},
		{docker: "reference=[p-r]*: a class", query: references("[p-r]*"), want: "postgres:15 redis:<none>"},
		{docker: "reference=ubuntu:22.04 reference=postgres: any of several", query: references("ubuntu:22.04", "postgres"), want: "postgres:15 ubuntu:22.04"},
		{docker: "reference=redis: a digest's reference matches by its name", query: references("redis"), want: "redis:<none>"},
		{docker: "reference=ubuntu@sha256:…: the digest of a tag's image", query: references("ubuntu@" + ubuntuDigest), want: "ubuntu:22.04 ubuntu:latest",
			ours: "docker then shows ubuntu <none>, since the tags do not match; here <none> means that no tag points at a digest (section 1)"},
		{docker: "reference=UBUNTU: upper and lower case differ", query: references("UBUNTU"), want: ""},

		{docker: "dangling=true: no tag", query: shelf.Query{Dangling: shelf.DanglingOnly}, want: "nginx:<none>",
			ours: "docker lists redis:<none> too, which somebody asked for by digest; that is not dangling here, and prune leaves it (section 1)"},
		{docker: "dangling=false: hides what has neither tag nor digest", query: shelf.Query{Dangling: shelf.DanglingHidden},
			want: "bitnami/redis:7 nginx:latest postgres:15 quay.io/a/b:1 redis:<none> ubuntu:22.04 ubuntu:latest",
			ours: "docker keeps a moved tag's old digest in the repository, so shows it; dangling=false is the rest of dangling=true here (section 1)"},

		{docker: "label=stage: any value", query: labels("stage"), want: "bitnami/redis:7 nginx:<none> redis:<none> ubuntu:22.04 ubuntu:latest"},
		{docker: "label=stage=ci: that value", query: labels("stage=ci"), want: "bitnami/redis:7 nginx:<none> redis:<none> ubuntu:22.04 ubuntu:latest"},
		{docker: "label=stage=c: not a part of the value", query: labels("stage=c"), want: ""},
		{docker: "label=empty=: the empty value", query: labels("empty="), want: "ubuntu:22.04 ubuntu:latest"},
		{docker: "label=stage=: not any value", query: labels("stage="), want: ""},
		{docker: "label=args=a=b: the value has equals signs", query: labels("args=a=b"), want: "postgres:15"},
		{docker: "label=Stage: upper and lower case differ", query: labels("Stage"), want: ""},
		{docker: "label=version label=stage=ci: all of several", query: labels("version", "stage=ci"), want: "ubuntu:22.04 ubuntu:latest"},
		{docker: "label=arm=yes label=stage=ci: of one image", query: labels("arm=yes", "stage=ci"), want: ""},
		{docker: "label=arm=yes: docker has one platform of a tag", query: labels("arm=yes"), want: "ubuntu:22.04 ubuntu:latest",
			ours: "a row stands for all its stored platforms, and any of them can have the labels (section 2)"},

		{docker: "before=postgres:15: strictly older", query: shelf.Query{Before: created("postgres:15")}, want: "ubuntu:22.04 ubuntu:latest"},
		{docker: "since=postgres:15: strictly newer", query: shelf.Query{Since: created("postgres:15")}, want: "bitnami/redis:7 nginx:latest redis:<none>"},
		{docker: "before=bitnami/redis:7 since=ubuntu: both", query: shelf.Query{Before: created("bitnami/redis:7"), Since: created("ubuntu")}, want: "nginx:<none> postgres:15"},
		{docker: "before by image ID", query: shelf.Query{Before: created(string(s.ID("postgres-15", "amd64")))}, want: "ubuntu:22.04 ubuntu:latest"},
		{docker: "before by the beginning of an image ID", query: shelf.Query{Before: created(image.ShortDigest(s.ID("postgres-15", "amd64")))}, want: "ubuntu:22.04 ubuntu:latest"},
		{docker: "before: never what has no creation date", query: shelf.Query{Before: march.AddDate(10, 0, 0)}, want: strings.Replace(all, "quay.io/a/b:1 ", "", 1)},
		{docker: "since: never what has no creation date", query: shelf.Query{Since: time.Unix(0, 0)}, want: strings.Replace(all, "quay.io/a/b:1 ", "", 1)},
		{docker: "until=2023-12-21T18:36:58Z: created before, not then", query: shelf.Query{Before: december21}, want: "ubuntu:22.04 ubuntu:latest"},
		{docker: "until, to the nanosecond", query: shelf.Query{Before: december21.Add(1)}, want: "nginx:<none> postgres:15 ubuntu:22.04 ubuntu:latest"},

		{docker: "label=stage=ci before=bitnami/redis:7 reference=n*: filters of several kinds are all to be passed",
			query: shelf.Query{Labels: labels("stage=ci").Labels, Before: february, References: []string{"n*"}}, want: "nginx:<none>"},
	} {
		c.query.Limit = 100
		rows, total, err := s.Lists.List(t.Context(), c.query)
		if err != nil {
			t.Fatalf("%s: %v", c.docker, err)
		}
		if got := short(rows); got != c.want || total != len(rows) {
			t.Errorf("docker images --filter %s\n got %q\nwant %q %s", c.docker, got, c.want, c.ours)
		}
	}
}

// What docker has no filter for.
func TestTheListFiltersByRegistryPlatformUpdateAndPin(t *testing.T) {
	s := filterShelf(t)
	postgres := image.Reference{Repository: "docker.io/library/postgres", Digest: s.Build("postgres-15").Digest()}
	if _, err := s.Tags.Pin(t.Context(), postgres, "in use", image.ActorNamed("noa")); err != nil {
		t.Fatal(err)
	}
	if _, err := (writing{s.folder.db}).Exec(nextChange + `; UPDATE listing SET update_state = 'gone' WHERE name = 'ubuntu:22.04'`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		query shelf.Query
		want  string
	}{
		{shelf.Query{Registry: "quay.io"}, "quay.io/a/b:1"},
		{shelf.Query{Registry: "ghcr.io"}, ""},
		{shelf.Query{Platform: image.Platform{OS: "linux", Architecture: "arm64"}}, "ubuntu:22.04 ubuntu:latest"},
		{shelf.Query{Platform: image.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}}, ""},
		{shelf.Query{Pinned: true}, "postgres:15"},
		{shelf.Query{Updates: []shelf.UpdateState{shelf.UpdateGone}}, "ubuntu:22.04"},
		{shelf.Query{Updates: []shelf.UpdateState{shelf.UpdateUnchecked}, Text: "ub"}, "ubuntu:latest"},
		{shelf.Query{Updates: []shelf.UpdateState{shelf.UpdateGone, shelf.UpdateAvailable}, Pinned: true}, ""},
	} {
		c.query.Limit = 100
		rows, total, err := s.Lists.List(t.Context(), c.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := short(rows); got != c.want || total != len(rows) {
			t.Errorf("%+v\n got %q\nwant %q", c.query, got, c.want)
		}
	}
	offers, err := s.Lists.ListOffers(t.Context())
	if err != nil || !slices.Equal(offers.Registries, []string{"docker.io", "quay.io"}) || fmt.Sprint(offers.Platforms) != "[linux/amd64 linux/arm64]" {
		t.Errorf("offers %v, %v", offers, err)
	}
	if rows, _, err := s.Lists.List(t.Context(), shelf.Query{Sort: shelf.SortUpdate, Limit: 1}); err != nil || short(rows) != "ubuntu:22.04" {
		t.Errorf("the first by update is %q, %v", short(rows), err)
	}
	if _, _, err := s.Lists.List(t.Context(), shelf.Query{References: []string{"["}}); image.KindOf(err) != image.Invalid {
		t.Errorf("a pattern that is none: %v", err)
	}
}

func TestTheImageOfBeforeAndSinceIsNamedAsDockerNamesIt(t *testing.T) {
	s := filterShelf(t)
	id := s.ID("redis-7", "amd64")
	for name, want := range map[string]time.Time{
		"ubuntu": december12, "ubuntu:22.04": december12, "docker.io/library/postgres:15": december21, "bitnami/redis:7": february,
		string(id): february, id.Encoded(): february, id.Encoded()[:12]: february, "redis@" + string(s.Build("redis-8").Digest()): march, "quay.io/a/b:1": {},
	} {
		if got, err := s.Lists.CreatedOf(t.Context(), name); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	for name, kind := range map[string]image.Kind{
		"no-such": image.NotFound, "postgres": image.NotFound, "postgres:16": image.NotFound, "ffff0000ffff": image.NotFound,
		"UBUNTU": image.Invalid, "sha256:xyz": image.Invalid, "a b": image.Invalid,
	} {
		if _, err := s.Lists.CreatedOf(t.Context(), name); image.KindOf(err) != kind {
			t.Errorf("%s: %v, want %s", name, err, kind)
		}
	}
}

// The index is to fit into memory beside everything else: some 250 bytes a row, its name included.
func TestARowOfTheIndexIsSmall(t *testing.T) {
	s := newShelf(t)
	const rows = 50_000
	_, err := writing{s.folder.db}.Exec(`WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		INSERT INTO repositories (id, name, familiar) SELECT i, 'quay.io/team/service-' || i, 'quay.io/team/service-' || i FROM n`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = writing{s.folder.db}.Exec(nextChange+`; WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO listing (repository_id, digest, tag, reason, name, image_id, platform, platforms, created, pulled_at, size, unpacked, total_size, broken)
		SELECT 1 + i % 1000, printf('sha256:%064x', i), i, 'tag', 'quay.io/team/service-' || (1 + i % 1000) || ':' || i, printf('sha256:%064x', i * 7), 'linux/amd64', 'linux/amd64', i, i, i, i, i, '' FROM n`, rows)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first one found unreachable by finalizers
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	if _, _, err := s.Lists.List(t.Context(), shelf.Query{Limit: 1}); err != nil {
		t.Fatal(err)
	}
	with := heap()
	s.Lists.index = listing.New()
	without := heap()
	if each := (with - without) / rows; each < 100 || each > 280 {
		t.Errorf("a row takes %d bytes", each)
	} else {
		t.Logf("a row takes %d bytes", each)
	}
}
