package rules

// Deletion is one row of the rules: what is on the shelf, what is asked for, what the plan says, what is left.
type Deletion struct {
	Rule  string   // docker's behaviour that it mirrors; where it differs on purpose, that and product.md's reason
	Shelf []string // pulls in order, in the words of Held, or "pin ubuntu:22.04 why"
	Ask   string   // "ubuntu:22.04", "ubuntu@jammy", "id jammy/amd64", or several with " + " between them
	Only  string   // one architecture
	Force bool

	Refused  []string // the references that stand in the way; the shelf stays as it was
	Items    []string // of several: what becomes of each, "ubuntu:22.04: goes" or "ubuntu:22.04: base: postgres:15"
	Says     string   // part of a refusal's sentence
	Missing  bool     // nothing of the kind is stored
	Untagged []string
	Deleted  []string // source/architecture
	Stays    []string // "layer: user, user" of the blobs that stay although their image goes
	Remains  []string // "reference architecture…"
	Left     []string // rows of the list, in the words of Held
	Stored   bool     // the database is tried with it, too
}

// Deletions are the rules of deleting.
var Deletions = []Deletion{
	{
		Stored: true,
		Rule:   "a tag, other tags on the same digest remain: untagged only",
		Shelf:  []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64"},
		Ask:    "ubuntu:latest", Untagged: []string{"ubuntu:latest"},
		Remains: []string{"ubuntu:22.04 amd64 arm64"},
		Left:    []string{"ubuntu:22.04=jammy amd64 arm64"},
	},
	{
		Rule:  "the last tag of a digest: untagged, and every platform deleted with its layers and the index",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64"},
		Ask:   "ubuntu:22.04", Untagged: []string{"ubuntu:22.04"},
		Deleted: []string{"jammy/amd64", "jammy/arm64"},
	},
	{
		Stored: true,
		Rule:   "the last tag: docker keeps layers that another image uses, silently; the plan says for whom",
		Shelf:  []string{"ubuntu:22.04=jammy amd64 arm64", "redis:7=redis amd64"},
		Ask:    "ubuntu:22.04", Untagged: []string{"ubuntu:22.04"},
		Deleted: []string{"jammy/amd64", "jammy/arm64"},
		Stays:   []string{"base-amd64: redis:7"},
		Left:    []string{"redis:7=redis amd64"},
	},
	{
		Rule: "a layer is named once for each reference that keeps it, however many platforms use it",
		Shelf: []string{
			"redis:7=redis amd64", "postgres:15=postgres amd64 arm64", "postgres:latest=postgres amd64",
			"ubuntu:22.04=jammy amd64",
		},
		Ask: "redis:7", Untagged: []string{"redis:7"}, Deleted: []string{"redis/amd64"},
		Stays: []string{"base-amd64: postgres:15, postgres:latest, ubuntu:22.04"},
		Left: []string{
			"postgres:15=postgres amd64 arm64", "postgres:latest=postgres amd64 arm64",
			"ubuntu:22.04=jammy amd64",
		},
	},
	{
		Rule:  "the last tag of a repository: the image stays while another repository has it",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "mirror.example.com/ubuntu:22.04=jammy amd64"},
		Ask:   "ubuntu:22.04", Untagged: []string{"ubuntu:22.04"},
		Stays: []string{"jammy/amd64: mirror.example.com/ubuntu:22.04"},
		Left:  []string{"mirror.example.com/ubuntu:22.04=jammy amd64"},
	},
	{
		Stored: true,
		Rule:   "the last tag of a digest that was pulled by digest too: docker drops the digest reference with it",
		Shelf:  []string{"ubuntu:22.04=jammy amd64", "ubuntu@=jammy amd64"},
		Ask:    "ubuntu:22.04", Untagged: []string{"ubuntu:22.04", "ubuntu@jammy"},
		Deleted: []string{"jammy/amd64"},
	},
	{
		Rule:  "a tag that does not exist",
		Shelf: []string{"ubuntu:22.04=jammy amd64"},
		Ask:   "ubuntu:24.04", Missing: true,
		Left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		Rule:  "a tag that moved on: the old digest is not touched",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64"},
		Ask:   "ubuntu:22.04", Untagged: []string{"ubuntu:22.04"}, Deleted: []string{"jammy-next/amd64"},
		Stays: []string{"jammy/arm64: ubuntu@jammy", "base-amd64: ubuntu@jammy"},
		Left:  []string{"ubuntu@=jammy amd64 arm64 (dangling)"},
	},
	{
		Rule:  "a digest that was pulled by digest and has no tag",
		Shelf: []string{"ubuntu@=jammy amd64"},
		Ask:   "ubuntu@jammy", Untagged: []string{"ubuntu@jammy"}, Deleted: []string{"jammy/amd64"},
	},
	{
		Rule:  "a dangling digest: what the tag's new digest shares stays",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64"},
		Ask:   "ubuntu@jammy", Untagged: []string{"ubuntu@jammy"}, Deleted: []string{"jammy/amd64"},
		Stays: []string{"jammy/arm64: ubuntu:22.04", "base-amd64: ubuntu:22.04"},
		Left:  []string{"ubuntu:22.04=jammy-next amd64 arm64"},
	},
	{
		Stored: true,
		Rule:   "a digest while a tag holds it: docker removes the digest reference only",
		Shelf:  []string{"ubuntu:22.04=jammy amd64", "ubuntu@=jammy amd64"},
		Ask:    "ubuntu@jammy", Untagged: []string{"ubuntu@jammy"}, Remains: []string{"ubuntu:22.04 amd64"},
		Left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		Rule:  "a digest that only tags hold: refused, says which",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
		Ask:   "ubuntu@jammy", Refused: []string{"ubuntu:22.04", "ubuntu:latest"},
		Left: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
	},
	{
		Rule:  "a digest that only tags hold, with force: all of them go",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64", "postgres:15=postgres arm64"},
		Ask:   "ubuntu@jammy", Force: true, Untagged: []string{"ubuntu:22.04", "ubuntu:latest"},
		Deleted: []string{"jammy/amd64"},
		Left:    []string{"postgres:15=postgres arm64"},
	},
	{
		Rule:  "one platform of an index: the index and the other platforms stay",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64"},
		Ask:   "ubuntu:22.04", Only: "arm64", Deleted: []string{"jammy/arm64"},
		Remains: []string{"ubuntu:22.04 amd64"},
		Left:    []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		Rule:  "one platform: layers that another image of that platform uses stay",
		Shelf: []string{"postgres:15=postgres amd64 arm64", "ubuntu:22.04=jammy arm64"},
		Ask:   "postgres:15", Only: "arm64", Deleted: []string{"postgres/arm64"},
		Remains: []string{"postgres:15 amd64"},
		Stays:   []string{"base-arm64: ubuntu:22.04", "jammy-arm64: ubuntu:22.04"},
		Left:    []string{"postgres:15=postgres amd64", "ubuntu:22.04=jammy arm64"},
	},
	{
		Stored: true,
		Rule:   "one platform of an index with attestations: its own goes with it, the other platform's stays",
		Shelf:  []string{"app:1=told amd64 arm64"},
		Ask:    "app:1", Only: "amd64", Deleted: []string{"told/amd64"}, Remains: []string{"app:1 arm64"},
		Left: []string{"app:1=told arm64"},
	},
	{
		Rule:  "one platform: the empty config that the other platform's attestation has too stays",
		Shelf: []string{"app:1=told-again amd64 arm64"},
		Ask:   "app:1", Only: "amd64", Deleted: []string{"told-again/amd64"}, Remains: []string{"app:1 arm64"},
		Stays: []string{"told-again/unknown: app:1"},
		Left:  []string{"app:1=told-again arm64"},
	},
	{
		Stored: true,
		Rule:   "one platform: an attestation of both platforms stays for the other one, with whatever blobs it names",
		Shelf:  []string{"app:1=strange amd64 arm64"},
		Ask:    "app:1", Only: "amd64", Deleted: []string{"strange/amd64"}, Remains: []string{"app:1 arm64"},
		Stays: []string{
			"strange/unknown: app:1", "strange/amd64: app:1", "strange/amd64: app:1", "base-amd64: app:1",
		},
		Left: []string{"app:1=strange arm64"},
	},
	{
		Rule:  "the last tag of an index with attestations: they go with the images",
		Shelf: []string{"app:1=told amd64 arm64", "redis:7=redis amd64"},
		Ask:   "app:1", Untagged: []string{"app:1"}, Deleted: []string{"told/amd64", "told/arm64"},
		Stays: []string{"base-amd64: redis:7"},
		Left:  []string{"redis:7=redis amd64"},
	},
	{
		Rule:  "one platform of an index with two tags: both tags stay and lose it",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64"},
		Ask:   "ubuntu:22.04", Only: "amd64", Deleted: []string{"jammy/amd64"},
		Remains: []string{"ubuntu:22.04 arm64", "ubuntu:latest arm64"},
		Left:    []string{"ubuntu:22.04=jammy arm64", "ubuntu:latest=jammy arm64"},
	},
	{
		Rule:  "one platform that is the last: as deleting the tag",
		Shelf: []string{"ubuntu:22.04=jammy amd64"},
		Ask:   "ubuntu:22.04", Only: "amd64", Untagged: []string{"ubuntu:22.04"},
		Deleted: []string{"jammy/amd64"},
	},
	{
		Rule:  "one platform that is the last, with another tag: refused, says which",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
		Ask:   "ubuntu:22.04", Only: "amd64", Refused: []string{"ubuntu:latest"},
		Left: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
	},
	{
		Rule:  "one platform that another digest lists too: refused, says which",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64"},
		Ask:   "ubuntu:22.04", Only: "arm64", Refused: []string{"ubuntu@jammy"},
		Left: []string{"ubuntu:22.04=jammy-next amd64 arm64", "ubuntu@=jammy amd64 arm64 (dangling)"},
	},
	{
		Rule:  "one platform that another digest lists too, with force: it goes from both",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64"},
		Ask:   "ubuntu:22.04", Only: "arm64", Force: true, Deleted: []string{"jammy/arm64"},
		Remains: []string{"ubuntu:22.04 amd64", "ubuntu@jammy amd64"},
		Left:    []string{"ubuntu:22.04=jammy-next amd64", "ubuntu@=jammy amd64 (dangling)"},
	},
	{
		Rule:  "a platform that is not stored",
		Shelf: []string{"ubuntu:22.04=jammy amd64"},
		Ask:   "ubuntu:22.04", Only: "arm64", Missing: true,
		Left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		Rule:  "an image ID, one tag: untagged and deleted",
		Shelf: []string{"redis:7=redis amd64", "ubuntu:22.04=jammy amd64"},
		Ask:   "id redis/amd64", Untagged: []string{"redis:7"}, Deleted: []string{"redis/amd64"},
		Stays: []string{"base-amd64: ubuntu:22.04"},
		Left:  []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		Rule:  "an image ID, one tag on an index with another platform: that platform stays, and the tag with it",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64"},
		Ask:   "id jammy/amd64", Deleted: []string{"jammy/amd64"}, Remains: []string{"ubuntu:22.04 arm64"},
		Left: []string{"ubuntu:22.04=jammy arm64"},
	},
	{
		Rule:  "an image ID, no tag",
		Shelf: []string{"redis@=redis amd64"},
		Ask:   "id redis/amd64", Untagged: []string{"redis@redis"}, Deleted: []string{"redis/amd64"},
	},
	{
		Rule:  "an image ID, two tags: refused, says which",
		Shelf: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
		Ask:   "id redis/amd64", Refused: []string{"redis:7", "redis:latest"},
		Left: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
	},
	{
		Rule:  "an image ID, two tags, with force: all of them go",
		Shelf: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
		Ask:   "id redis/amd64", Force: true, Untagged: []string{"redis:7", "redis:latest"},
		Deleted: []string{"redis/amd64"},
	},
	{
		Rule:  "an image ID in several repositories: refused, says which, digests without a tag too",
		Shelf: []string{"redis:7=redis amd64", "mirror.example.com/redis@=redis amd64"},
		Ask:   "id redis/amd64", Refused: []string{"redis:7", "mirror.example.com/redis@redis"},
		Left: []string{"redis:7=redis amd64", "mirror.example.com/redis@=redis amd64 (by digest)"},
	},
	{
		Stored: true,
		Rule:   "an image ID in several repositories, with force: it goes from all, what else they hold stays",
		Shelf:  []string{"redis:7=redis amd64", "mirror.example.com/stack:1=nested amd64 arm64"},
		Ask:    "id redis/amd64", Force: true, Untagged: []string{"redis:7"}, Deleted: []string{"redis/amd64"},
		Remains: []string{"mirror.example.com/stack:1 arm64"},
		Left:    []string{"mirror.example.com/stack:1=nested arm64"},
	},
	{
		Stored: true,
		Rule:   "an index within an index goes with it",
		Shelf:  []string{"stack:1=nested amd64 arm64 arm"},
		Ask:    "stack:1", Untagged: []string{"stack:1"},
		Deleted: []string{"nested/amd64", "nested/arm64", "nested/arm"},
	},
	{
		Rule:  "an image that is stored by its own digest too stays when the index goes",
		Shelf: []string{"stack:1=nested amd64 arm64", "redis@=redis amd64"},
		Ask:   "stack:1", Untagged: []string{"stack:1"}, Deleted: []string{"nested/arm64"},
		Stays: []string{"redis: redis@redis"},
		Left:  []string{"redis@=redis amd64 (by digest)"},
	},
	{
		Rule:  "a blob that is config and layer at once goes as one",
		Shelf: []string{"odd:1=odd amd64"},
		Ask:   "odd:1", Untagged: []string{"odd:1"}, Deleted: []string{"odd/amd64"},
	},

	// Pins. They play the part of docker's containers.
	{
		Rule:  "docker: image is being used by running container; here the pin says who and why",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "pin ubuntu:22.04 the build agents run it"},
		Ask:   "ubuntu:22.04", Refused: []string{"ubuntu@jammy"},
		Says: "ubuntu:22.04 is pinned by mira: the build agents run it",
		Left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		Stored: true,
		Rule:   "docker rmi -f with a running container: untagged only; here, deleted, since product.md lets force delete what is pinned",
		Shelf:  []string{"ubuntu:22.04=jammy amd64", "pin ubuntu:22.04 the build agents run it"},
		Ask:    "ubuntu:22.04", Force: true, Untagged: []string{"ubuntu:22.04"},
		Deleted: []string{"jammy/amd64"},
	},
	{
		Rule:  "docker: one of two tags of an image that a container uses is untagged",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64", "pin ubuntu:latest "},
		Ask:   "ubuntu:latest", Untagged: []string{"ubuntu:latest"}, Remains: []string{"ubuntu:22.04 amd64"},
		Left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		Rule:  "both tags of what is pinned: docker takes the first and refuses the second; here both stay, since one plan has no order",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64", "pin ubuntu:latest "},
		Ask:   "ubuntu:latest + ubuntu:22.04", Refused: []string{"ubuntu@jammy", "ubuntu@jammy"},
		Items: []string{"ubuntu:latest: pinned: ubuntu@jammy", "ubuntu:22.04: pinned: ubuntu@jammy"},
		Says:  "ubuntu:latest is pinned by mira",
		Left:  []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
	},
	{
		Rule:  "one platform of what is pinned",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "pin ubuntu:22.04 "},
		Ask:   "ubuntu:22.04", Only: "arm64", Refused: []string{"ubuntu@jammy"},
		Says: "linux/arm64 of ubuntu:22.04 is pinned by mira",
		Left: []string{"ubuntu:22.04=jammy amd64 arm64"},
	},
	{
		Rule:  "docker: by ID, an image that a container uses",
		Shelf: []string{"redis:7=redis amd64", "pin redis:7 cache"},
		Ask:   "id redis/amd64", Refused: []string{"redis@redis"}, Says: "is pinned by mira: cache",
		Left: []string{"redis:7=redis amd64"},
	},
	{
		Rule:  "what is pinned in one repository goes from another",
		Shelf: []string{"redis:7=redis amd64", "mirror.example.com/redis:7=redis amd64", "pin redis:7 cache"},
		Ask:   "mirror.example.com/redis:7", Untagged: []string{"mirror.example.com/redis:7"},
		Stays: []string{"redis: redis:7"},
		Left:  []string{"redis:7=redis amd64"},
	},
	{
		Rule:  "a pin stays with the digest that a tag moved away from",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "pin ubuntu:22.04 ", "ubuntu:22.04=jammy-next amd64"},
		Ask:   "ubuntu@jammy", Refused: []string{"ubuntu@jammy"}, Says: "is pinned by mira",
		Left: []string{"ubuntu:22.04=jammy-next amd64", "ubuntu@=jammy amd64 (dangling)"},
	},

	// Bases. Docker has the rule for what was built here, and untags all the same; here it is for what was pulled, and a
	// tag is all there is of an image: it stays until the images on it are gone, or somebody forces it.
	{
		Stored: true,
		Rule:   "docker: image has dependent child images; here by layers, and for a tag too",
		Shelf:  []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64"},
		Ask:    "ubuntu:22.04", Refused: []string{"postgres:15"},
		Says: "ubuntu:22.04 is the base of postgres:15",
		Left: []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64"},
	},
	{
		Rule:  "docker: dependent child images cannot be forced; here they can, since their layers stay",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64"},
		Ask:   "ubuntu:22.04", Force: true, Untagged: []string{"ubuntu:22.04"},
		Deleted: []string{"jammy/amd64", "jammy/arm64"},
		Stays:   []string{"base-amd64: postgres:15", "jammy-amd64: postgres:15"},
		Left:    []string{"postgres:15=postgres amd64"},
	},
	{
		Rule:  "a base for another platform only",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres arm64"},
		Ask:   "ubuntu:22.04", Untagged: []string{"ubuntu:22.04"}, Deleted: []string{"jammy/amd64"},
		Left: []string{"postgres:15=postgres arm64"},
	},
	{
		Rule:  "one platform of a base, the one that nothing is built on",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres arm64"},
		Ask:   "ubuntu:22.04", Only: "amd64", Deleted: []string{"jammy/amd64"},
		Remains: []string{"ubuntu:22.04 arm64"},
		Left:    []string{"ubuntu:22.04=jammy arm64", "postgres:15=postgres arm64"},
	},
	{
		Rule:  "by ID, a base",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
		Ask:   "id jammy/amd64", Refused: []string{"postgres:15"}, Says: "is the base of postgres:15",
		Left: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
	},
	{
		Rule:  "docker: one of two tags of a base is untagged",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64", "postgres:15=postgres amd64"},
		Ask:   "ubuntu:latest", Untagged: []string{"ubuntu:latest"}, Remains: []string{"ubuntu:22.04 amd64"},
		Left: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
	},
	{
		Rule:  "the same layers are no base of each other",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "mine:1=copy amd64"},
		Ask:   "ubuntu:22.04", Untagged: []string{"ubuntu:22.04"}, Deleted: []string{"jammy/amd64"},
		Stays: []string{"base-amd64: mine:1", "jammy-amd64: mine:1"},
		Left:  []string{"mine:1=copy amd64"},
	},
	{
		Rule:  "a base by the annotation base.digest, of the index that lists it",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "mine:1=squashed amd64"},
		Ask:   "ubuntu:22.04", Refused: []string{"mine:1"}, Says: "ubuntu:22.04 is the base of mine:1",
		Left: []string{"ubuntu:22.04=jammy amd64 arm64", "mine:1=squashed amd64"},
	},
	{
		Rule:  "a base by the annotation is one of its platform only",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "mine:1=squashed amd64"},
		Ask:   "ubuntu:22.04", Only: "arm64", Deleted: []string{"jammy/arm64"},
		Remains: []string{"ubuntu:22.04 amd64"},
		Left:    []string{"ubuntu:22.04=jammy amd64", "mine:1=squashed amd64"},
	},

	// Several at once. Docker takes them one after the other; here they are one plan.
	{
		Rule:  "docker rmi A B: both tags of a digest, and the image with the second",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
		Ask:   "ubuntu:22.04 + ubuntu:latest", Untagged: []string{"ubuntu:22.04", "ubuntu:latest"},
		Deleted: []string{"jammy/amd64"},
	},
	{
		Rule:  "docker rmi A no-such B: the others go, and it says which is missing",
		Shelf: []string{"ubuntu:22.04=jammy arm64", "redis:7=redis amd64"},
		Ask:   "redis:7 + no-such:1 + ubuntu:22.04", Untagged: []string{"redis:7", "ubuntu:22.04"},
		Deleted: []string{"redis/amd64", "jammy/arm64"},
		Items:   []string{"redis:7: goes", "no-such:1: missing: ", "ubuntu:22.04: goes"},
	},
	{
		Rule: "docker rmi no-such none: an error",
		Ask:  "no-such:1 + none:1", Missing: true,
	},
	{
		Rule:  "docker rmi A A: the second one is missing there; here it is asked for once",
		Shelf: []string{"redis:7=redis amd64"},
		Ask:   "redis:7 + redis:7", Untagged: []string{"redis:7"}, Deleted: []string{"redis/amd64"},
	},
	{
		Rule:  "a base and what is built on it, whatever their order",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
		Ask:   "ubuntu:22.04 + postgres:15", Untagged: []string{"ubuntu:22.04", "postgres:15"},
		Deleted: []string{"jammy/amd64", "postgres/amd64"},
	},
	{
		Rule: "a base stays with what is built on it, which is pinned; the rest goes",
		Shelf: []string{
			"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64", "redis:7=redis amd64",
			"pin postgres:15 orders",
		},
		Ask: "ubuntu:22.04 + redis:7 + postgres:15", Untagged: []string{"redis:7"},
		Deleted: []string{"redis/amd64"},
		Stays:   []string{"base-amd64: postgres:15, ubuntu:22.04"},
		Items: []string{
			"ubuntu:22.04: base: postgres:15", "redis:7: goes", "postgres:15: pinned: postgres@postgres",
		},
		Left: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
	},
	{
		Rule: "a base of a base stays with what is built on it, which is pinned",
		Shelf: []string{
			"base:1=base amd64", "ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64", "pin postgres:15 ",
		},
		Ask: "base:1 + ubuntu:22.04 + postgres:15",
		Items: []string{
			"base:1: base: postgres:15", "ubuntu:22.04: base: postgres:15",
			"postgres:15: pinned: postgres@postgres",
		},
		Refused: []string{"postgres:15", "postgres:15", "postgres@postgres"},
		Left:    []string{"base:1=base amd64", "ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
	},
	{
		Rule:  "docker: a digest and its only tag; the digest alone would be refused",
		Shelf: []string{"ubuntu:22.04=jammy amd64"},
		Ask:   "ubuntu@jammy + ubuntu:22.04", Untagged: []string{"ubuntu:22.04"},
		Deleted: []string{"jammy/amd64"},
	},
	{
		Rule:  "a digest and one of its two tags: the other one stands in the way of the digest",
		Shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
		Ask:   "ubuntu@jammy + ubuntu:22.04", Untagged: []string{"ubuntu:22.04"},
		Remains: []string{"ubuntu:latest amd64"},
		Items:   []string{"ubuntu@jammy: referenced: ubuntu:latest", "ubuntu:22.04: goes"},
		Left:    []string{"ubuntu:latest=jammy amd64"},
	},
	{
		Rule:  "an image ID with two tags, and one of them: the other one is what it stands for",
		Shelf: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
		Ask:   "id redis/amd64 + redis:7", Untagged: []string{"redis:7", "redis:latest"},
		Deleted: []string{"redis/amd64"},
	},
	{
		Rule:     "an image ID in two repositories, and the tag in one of them",
		Shelf:    []string{"redis:7=redis amd64", "mirror.example.com/redis:7=redis amd64"},
		Ask:      "mirror.example.com/redis:7 + id redis/amd64",
		Untagged: []string{"redis:7", "mirror.example.com/redis:7"}, Deleted: []string{"redis/amd64"},
	},
	{
		Rule:  "every platform of a digest, one by one: as deleting its tag",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64"},
		Ask:   "ubuntu:22.04/amd64 + ubuntu:22.04/arm64", Untagged: []string{"ubuntu:22.04"},
		Deleted: []string{"jammy/amd64", "jammy/arm64"},
	},
	{
		Rule:  "every platform of a digest that has another tag: refused, says which",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64"},
		Ask:   "ubuntu:22.04/amd64 + ubuntu:22.04/arm64", Refused: []string{"ubuntu:latest", "ubuntu:latest"},
		Items: []string{
			"ubuntu:22.04/amd64: referenced: ubuntu:latest", "ubuntu:22.04/arm64: referenced: ubuntu:latest",
		},
		Left: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64"},
	},
	{
		Rule:  "a platform that two digests list, asked for in both",
		Shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:next=jammy-next amd64 arm64"},
		Ask:   "ubuntu:22.04/arm64 + ubuntu:next/arm64", Deleted: []string{"jammy/arm64"},
		Remains: []string{"ubuntu:22.04 amd64", "ubuntu:next amd64"},
		Left:    []string{"ubuntu:22.04=jammy amd64", "ubuntu:next=jammy-next amd64"},
	},
	{
		Rule:  "with force, what is missing is still said",
		Shelf: []string{"redis:7=redis amd64", "pin redis:7 "},
		Ask:   "redis:7 + no-such:1", Force: true, Untagged: []string{"redis:7"},
		Deleted: []string{"redis/amd64"},
		Items:   []string{"redis:7: goes", "no-such:1: missing: "},
	},
}
