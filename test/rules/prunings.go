package rules

// Pruning is one row of the rules of pruning: what is on the shelf, what a prune is asked for, what it does and leaves.
type Pruning struct {
	Rule   string   // docker's behaviour that it mirrors; where it differs on purpose, that and product.md's reason
	Shelf  []string // as in the rows of deletions
	All    bool
	Until  string   // a day
	Labels []string // "stage=ci" or "!stage"
	Held   string   // what a running pull holds: "jammy", or a layer

	Untagged []string
	Deleted  []string
	Kept     []string // what was chosen and stays: "ubuntu:22.04: base: postgres:15"
	Left     []string
	Stored   bool // the database is tried with it, too
}

// Prunings are the rules of pruning.
var Prunings = []Pruning{
	{
		Rule: "docker image prune: what has no tag goes, what has one stays",
		Shelf: []string{
			"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64", "redis:7=redis amd64",
		},
		Untagged: []string{"ubuntu@jammy"}, Deleted: []string{"jammy/amd64"},
		Left: []string{"ubuntu:22.04=jammy-next amd64 arm64", "redis:7=redis amd64"},
	},
	{
		Stored:   true,
		Rule:     "docker image prune: what describes a dangling image goes with it",
		Shelf:    []string{"app:1=told amd64 arm64", "app:1=jammy amd64"},
		Untagged: []string{"app@told"}, Deleted: []string{"told/amd64", "told/arm64"},
		Left: []string{"app:1=jammy amd64"},
	},
	{
		Rule:  "docker image prune: nothing to do",
		Shelf: []string{"redis:7=redis amd64"},
		Left:  []string{"redis:7=redis amd64"},
	},
	{
		Rule:     "docker prunes what was pulled by digest; here it stays, since somebody asked for exactly it",
		Shelf:    []string{"ubuntu@=jammy amd64", "redis:7=redis amd64", "redis:7=ci amd64"},
		Untagged: []string{"redis@redis"}, Deleted: []string{"redis/amd64"},
		Left: []string{"ubuntu@=jammy amd64 (by digest)", "redis:7=ci amd64"},
	},
	{
		Stored: true,
		Rule:   "docker image prune -a: everything without a container; here, without a pin",
		Shelf: []string{
			"ubuntu@=jammy amd64", "redis:7=redis amd64", "redis:latest=redis amd64", "mine:1=ci amd64",
			"pin mine:1 in use",
		},
		All: true, Untagged: []string{"redis:7", "redis:latest", "ubuntu@jammy"},
		Deleted: []string{"redis/amd64", "jammy/amd64"},
		Kept:    []string{"mine:1: pinned: mine@ci"},
		Left:    []string{"mine:1=ci amd64"},
	},
	{
		Rule:  "docker image prune -a on a shelf in use: nothing goes, and it says why",
		Shelf: []string{"redis:7=redis amd64", "pin redis:7 cache"},
		All:   true, Kept: []string{"redis:7: pinned: redis@redis"},
		Left: []string{"redis:7=redis amd64"},
	},
	{
		Rule:  "a dangling digest that is pinned stays; docker keeps it for its container",
		Shelf: []string{"redis:7=redis amd64", "pin redis:7 cache", "redis:7=ci amd64"},
		Kept:  []string{"redis@redis: pinned: redis@redis"},
		Left:  []string{"redis:7=ci amd64", "redis@=redis amd64 (dangling)"},
	},
	{
		Rule:  "docker skips what has dependent child images; here with the reason",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:22.04=ci amd64", "postgres:15=postgres amd64"},
		Kept:  []string{"ubuntu@jammy: base: postgres:15"},
		Left: []string{
			"ubuntu:22.04=ci amd64", "ubuntu@=jammy amd64 (dangling)", "postgres:15=postgres amd64",
		},
	},
	{
		Rule:  "docker: a base goes with what is built on it",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
		All:   true, Untagged: []string{"ubuntu:22.04", "postgres:15"},
		Deleted: []string{"jammy/amd64", "postgres/amd64"},
	},
	{
		Stored: true,
		Rule:   "a base stays with what is pinned on it; its other users go",
		Shelf: []string{
			"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64", "mine:1=copy amd64",
			"redis:7=redis amd64", "pin postgres:15 ",
		},
		All: true, Untagged: []string{"redis:7"}, Deleted: []string{"redis/amd64"},
		Kept: []string{
			"mine:1: base: postgres:15", "postgres:15: pinned: postgres@postgres",
			"ubuntu:22.04: base: postgres:15",
		},
		Left: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64", "mine:1=copy amd64"},
	},
	{
		Rule:  "docker: one image ID in two repositories is one image; pinned in one, it goes from the other",
		Shelf: []string{"redis:7=redis amd64", "mirror.example.com/redis:7=redis amd64", "pin redis:7 "},
		All:   true, Untagged: []string{"mirror.example.com/redis:7"},
		Kept: []string{"redis:7: pinned: redis@redis"},
		Left: []string{"redis:7=redis amd64"},
	},
	{
		Rule:  "--filter until: created before, whenever it was pulled",
		Shelf: []string{"a:1=old amd64", "b:1=ci amd64"},
		All:   true, Until: "2021-01-01", Untagged: []string{"a:1"}, Deleted: []string{"old/amd64"},
		Left: []string{"b:1=ci amd64"},
	},
	{
		Rule:  "--filter until: the very time of its creation is not before",
		Shelf: []string{"a:1=old amd64"},
		All:   true, Until: "2020-02-29",
		Left: []string{"a:1=old amd64"},
	},
	{
		Rule:  "--filter until: without a creation date is never before, as docker has it since 25",
		Shelf: []string{"a:1=undated amd64"},
		All:   true, Until: "2030-01-01",
		Left: []string{"a:1=undated amd64"},
	},
	{
		Rule:  "--filter until, of several platforms: docker has one; here each has to be old enough",
		Shelf: []string{"a:1=half amd64 arm64"},
		All:   true, Until: "2021-01-01",
		Left: []string{"a:1=half amd64 arm64"},
	},
	{
		Stored: true,
		Rule:   "--filter until, of several platforms: those that are stored count",
		Shelf:  []string{"a:1=half arm64"},
		All:    true, Until: "2021-01-01", Untagged: []string{"a:1"}, Deleted: []string{"half/arm64"},
	},
	{
		Rule:  "--filter label=key",
		Shelf: []string{"a:1=ci amd64", "b:1=old amd64"},
		All:   true, Labels: []string{"stage"}, Untagged: []string{"a:1"}, Deleted: []string{"ci/amd64"},
		Left: []string{"b:1=old amd64"},
	},
	{
		Rule:  "--filter label=key=value, another value",
		Shelf: []string{"a:1=ci amd64"},
		All:   true, Labels: []string{"stage=production"},
		Left: []string{"a:1=ci amd64"},
	},
	{
		Rule:  "--filter label, several: all of them",
		Shelf: []string{"a:1=ci amd64"},
		All:   true, Labels: []string{"stage=ci", "team"},
		Left: []string{"a:1=ci amd64"},
	},
	{
		Rule:  "--filter label!=key",
		Shelf: []string{"a:1=ci amd64", "b:1=old amd64"},
		All:   true, Labels: []string{"!stage"}, Untagged: []string{"b:1"}, Deleted: []string{"old/amd64"},
		Left: []string{"a:1=ci amd64"},
	},
	{
		Rule:  "--filter label!=key=value, another value does not protect",
		Shelf: []string{"a:1=ci amd64"},
		All:   true, Labels: []string{"!stage=production"}, Untagged: []string{"a:1"},
		Deleted: []string{"ci/amd64"},
	},
	{
		Stored: true,
		Rule:   "--filter label, of several platforms: docker has one; here each has to have it",
		Shelf:  []string{"a:1=half amd64 arm64"},
		All:    true, Labels: []string{"stage"},
		Left: []string{"a:1=half amd64 arm64"},
	},
	{
		Rule:  "--filter label!, of several platforms: one of them protects all",
		Shelf: []string{"a:1=half amd64 arm64"},
		All:   true, Labels: []string{"!stage"},
		Left: []string{"a:1=half amd64 arm64"},
	},
	{
		Rule:  "filters apply to dangling digests too",
		Shelf: []string{"a:1=old amd64", "a:1=ci amd64", "a:1=redis amd64"},
		Until: "2021-01-01", Untagged: []string{"a@old"}, Deleted: []string{"old/amd64"},
		Left: []string{"a:1=redis amd64", "a@=ci amd64 (dangling)"},
	},
	{
		Rule:     "an index within an index goes with it",
		Shelf:    []string{"stack:1=nested amd64 arm64 arm", "stack:1=redis amd64"},
		Untagged: []string{"stack@nested"}, Deleted: []string{"nested/arm64", "nested/arm"},
		Left: []string{"stack:1=redis amd64"},
	},
	{
		Stored: true,
		Rule:   "a digest that a running pull is about to record stays; docker's prune takes it away under the pull",
		Shelf:  []string{"a:1=old amd64", "a:1=ci amd64"},
		Held:   "old", Kept: []string{"a@old: held: "},
		Left: []string{"a:1=ci amd64", "a@=old amd64 (dangling)"},
	},
}
