package storage

import (
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

// deletion is one row of the rules: what is on the shelf, what is asked for, what the plan says, what is left.
type deletion struct {
	rule  string   // docker's behaviour that it mirrors; where it differs on purpose, that and product.md's reason
	shelf []string // pulls in order, in the words of held, or "pin ubuntu:22.04 why"
	ask   string   // "ubuntu:22.04", "ubuntu@jammy", "id jammy/amd64", or several with " + " between them
	only  string   // one architecture
	force bool

	refused  []string // the references that stand in the way; the shelf stays as it was
	items    []string // of several: what becomes of each, "ubuntu:22.04: goes" or "ubuntu:22.04: base: postgres:15"
	says     string   // part of a refusal's sentence
	missing  bool     // nothing of the kind is stored
	untagged []string
	deleted  []string // source/architecture
	stays    []string // "layer: user, user" of the blobs that stay although their image goes
	remains  []string // "reference architecture…"
	left     []string // rows of the list, in the words of held
}

var deletions = []deletion{
	{
		rule:  "a tag, other tags on the same digest remain: untagged only",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64"},
		ask:   "ubuntu:latest", untagged: []string{"ubuntu:latest"}, remains: []string{"ubuntu:22.04 amd64 arm64"},
		left: []string{"ubuntu:22.04=jammy amd64 arm64"},
	},
	{
		rule:  "the last tag of a digest: untagged, and every platform deleted with its layers and the index",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64"},
		ask:   "ubuntu:22.04", untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy/amd64", "jammy/arm64"},
	},
	{
		rule:  "the last tag: docker keeps layers that another image uses, silently; the plan says for whom",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "redis:7=redis amd64"},
		ask:   "ubuntu:22.04", untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy/amd64", "jammy/arm64"},
		stays: []string{"base-amd64: redis:7"},
		left:  []string{"redis:7=redis amd64"},
	},
	{
		rule:  "a layer is named once for each reference that keeps it, however many platforms use it",
		shelf: []string{"redis:7=redis amd64", "postgres:15=postgres amd64 arm64", "postgres:latest=postgres amd64", "ubuntu:22.04=jammy amd64"},
		ask:   "redis:7", untagged: []string{"redis:7"}, deleted: []string{"redis/amd64"},
		stays: []string{"base-amd64: postgres:15, postgres:latest, ubuntu:22.04"},
		left:  []string{"postgres:15=postgres amd64 arm64", "postgres:latest=postgres amd64 arm64", "ubuntu:22.04=jammy amd64"},
	},
	{
		rule:  "the last tag of a repository: the image stays while another repository has it",
		shelf: []string{"ubuntu:22.04=jammy amd64", "mirror.example.com/ubuntu:22.04=jammy amd64"},
		ask:   "ubuntu:22.04", untagged: []string{"ubuntu:22.04"},
		stays: []string{"jammy/amd64: mirror.example.com/ubuntu:22.04"},
		left:  []string{"mirror.example.com/ubuntu:22.04=jammy amd64"},
	},
	{
		rule:  "the last tag of a digest that was pulled by digest too: docker drops the digest reference with it",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu@=jammy amd64"},
		ask:   "ubuntu:22.04", untagged: []string{"ubuntu:22.04", "ubuntu@jammy"}, deleted: []string{"jammy/amd64"},
	},
	{
		rule:  "a tag that does not exist",
		shelf: []string{"ubuntu:22.04=jammy amd64"},
		ask:   "ubuntu:24.04", missing: true,
		left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		rule:  "a tag that moved on: the old digest is not touched",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64"},
		ask:   "ubuntu:22.04", untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy-next/amd64"},
		stays: []string{"jammy/arm64: ubuntu@jammy", "base-amd64: ubuntu@jammy"},
		left:  []string{"ubuntu@=jammy amd64 arm64 (dangling)"},
	},
	{
		rule:  "a digest that was pulled by digest and has no tag",
		shelf: []string{"ubuntu@=jammy amd64"},
		ask:   "ubuntu@jammy", untagged: []string{"ubuntu@jammy"}, deleted: []string{"jammy/amd64"},
	},
	{
		rule:  "a dangling digest: what the tag's new digest shares stays",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64"},
		ask:   "ubuntu@jammy", untagged: []string{"ubuntu@jammy"}, deleted: []string{"jammy/amd64"},
		stays: []string{"jammy/arm64: ubuntu:22.04", "base-amd64: ubuntu:22.04"},
		left:  []string{"ubuntu:22.04=jammy-next amd64 arm64"},
	},
	{
		rule:  "a digest while a tag holds it: docker removes the digest reference only",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu@=jammy amd64"},
		ask:   "ubuntu@jammy", untagged: []string{"ubuntu@jammy"}, remains: []string{"ubuntu:22.04 amd64"},
		left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		rule:  "a digest that only tags hold: refused, says which",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
		ask:   "ubuntu@jammy", refused: []string{"ubuntu:22.04", "ubuntu:latest"},
		left: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
	},
	{
		rule:  "a digest that only tags hold, with force: all of them go",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64", "postgres:15=postgres arm64"},
		ask:   "ubuntu@jammy", force: true, untagged: []string{"ubuntu:22.04", "ubuntu:latest"}, deleted: []string{"jammy/amd64"},
		left: []string{"postgres:15=postgres arm64"},
	},
	{
		rule:  "one platform of an index: the index and the other platforms stay",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64"},
		ask:   "ubuntu:22.04", only: "arm64", deleted: []string{"jammy/arm64"}, remains: []string{"ubuntu:22.04 amd64"},
		left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		rule:  "one platform: layers that another image of that platform uses stay",
		shelf: []string{"postgres:15=postgres amd64 arm64", "ubuntu:22.04=jammy arm64"},
		ask:   "postgres:15", only: "arm64", deleted: []string{"postgres/arm64"}, remains: []string{"postgres:15 amd64"},
		stays: []string{"base-arm64: ubuntu:22.04", "jammy-arm64: ubuntu:22.04"},
		left:  []string{"postgres:15=postgres amd64", "ubuntu:22.04=jammy arm64"},
	},
	{
		rule:  "one platform of an index with attestations: its own goes with it, the other platform's stays",
		shelf: []string{"app:1=told amd64 arm64"},
		ask:   "app:1", only: "amd64", deleted: []string{"told/amd64"}, remains: []string{"app:1 arm64"},
		left: []string{"app:1=told arm64"},
	},
	{
		rule:  "one platform: the empty config that the other platform's attestation has too stays",
		shelf: []string{"app:1=told-again amd64 arm64"},
		ask:   "app:1", only: "amd64", deleted: []string{"told-again/amd64"}, remains: []string{"app:1 arm64"},
		stays: []string{"told-again/unknown: app:1"},
		left:  []string{"app:1=told-again arm64"},
	},
	{
		rule:  "one platform: an attestation of both platforms stays for the other one, with whatever blobs it names",
		shelf: []string{"app:1=strange amd64 arm64"},
		ask:   "app:1", only: "amd64", deleted: []string{"strange/amd64"}, remains: []string{"app:1 arm64"},
		stays: []string{"strange/unknown: app:1", "strange/amd64: app:1", "strange/amd64: app:1", "base-amd64: app:1"},
		left:  []string{"app:1=strange arm64"},
	},
	{
		rule:  "the last tag of an index with attestations: they go with the images",
		shelf: []string{"app:1=told amd64 arm64", "redis:7=redis amd64"},
		ask:   "app:1", untagged: []string{"app:1"}, deleted: []string{"told/amd64", "told/arm64"},
		stays: []string{"base-amd64: redis:7"},
		left:  []string{"redis:7=redis amd64"},
	},
	{
		rule:  "one platform of an index with two tags: both tags stay and lose it",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64"},
		ask:   "ubuntu:22.04", only: "amd64", deleted: []string{"jammy/amd64"}, remains: []string{"ubuntu:22.04 arm64", "ubuntu:latest arm64"},
		left: []string{"ubuntu:22.04=jammy arm64", "ubuntu:latest=jammy arm64"},
	},
	{
		rule:  "one platform that is the last: as deleting the tag",
		shelf: []string{"ubuntu:22.04=jammy amd64"},
		ask:   "ubuntu:22.04", only: "amd64", untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy/amd64"},
	},
	{
		rule:  "one platform that is the last, with another tag: refused, says which",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
		ask:   "ubuntu:22.04", only: "amd64", refused: []string{"ubuntu:latest"},
		left: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
	},
	{
		rule:  "one platform that another digest lists too: refused, says which",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64"},
		ask:   "ubuntu:22.04", only: "arm64", refused: []string{"ubuntu@jammy"},
		left: []string{"ubuntu:22.04=jammy-next amd64 arm64", "ubuntu@=jammy amd64 arm64 (dangling)"},
	},
	{
		rule:  "one platform that another digest lists too, with force: it goes from both",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64"},
		ask:   "ubuntu:22.04", only: "arm64", force: true, deleted: []string{"jammy/arm64"}, remains: []string{"ubuntu:22.04 amd64", "ubuntu@jammy amd64"},
		left: []string{"ubuntu:22.04=jammy-next amd64", "ubuntu@=jammy amd64 (dangling)"},
	},
	{
		rule:  "a platform that is not stored",
		shelf: []string{"ubuntu:22.04=jammy amd64"},
		ask:   "ubuntu:22.04", only: "arm64", missing: true,
		left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		rule:  "an image ID, one tag: untagged and deleted",
		shelf: []string{"redis:7=redis amd64", "ubuntu:22.04=jammy amd64"},
		ask:   "id redis/amd64", untagged: []string{"redis:7"}, deleted: []string{"redis/amd64"}, stays: []string{"base-amd64: ubuntu:22.04"},
		left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		rule:  "an image ID, one tag on an index with another platform: that platform stays, and the tag with it",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64"},
		ask:   "id jammy/amd64", deleted: []string{"jammy/amd64"}, remains: []string{"ubuntu:22.04 arm64"},
		left: []string{"ubuntu:22.04=jammy arm64"},
	},
	{
		rule:  "an image ID, no tag",
		shelf: []string{"redis@=redis amd64"},
		ask:   "id redis/amd64", untagged: []string{"redis@redis"}, deleted: []string{"redis/amd64"},
	},
	{
		rule:  "an image ID, two tags: refused, says which",
		shelf: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
		ask:   "id redis/amd64", refused: []string{"redis:7", "redis:latest"},
		left: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
	},
	{
		rule:  "an image ID, two tags, with force: all of them go",
		shelf: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
		ask:   "id redis/amd64", force: true, untagged: []string{"redis:7", "redis:latest"}, deleted: []string{"redis/amd64"},
	},
	{
		rule:  "an image ID in several repositories: refused, says which, digests without a tag too",
		shelf: []string{"redis:7=redis amd64", "mirror.example.com/redis@=redis amd64"},
		ask:   "id redis/amd64", refused: []string{"redis:7", "mirror.example.com/redis@redis"},
		left: []string{"redis:7=redis amd64", "mirror.example.com/redis@=redis amd64 (by digest)"},
	},
	{
		rule:  "an image ID in several repositories, with force: it goes from all, what else they hold stays",
		shelf: []string{"redis:7=redis amd64", "mirror.example.com/stack:1=nested amd64 arm64"},
		ask:   "id redis/amd64", force: true, untagged: []string{"redis:7"}, deleted: []string{"redis/amd64"}, remains: []string{"mirror.example.com/stack:1 arm64"},
		left: []string{"mirror.example.com/stack:1=nested arm64"},
	},
	{
		rule:  "an index within an index goes with it",
		shelf: []string{"stack:1=nested amd64 arm64 arm"},
		ask:   "stack:1", untagged: []string{"stack:1"}, deleted: []string{"nested/amd64", "nested/arm64", "nested/arm"},
	},
	{
		rule:  "an image that is stored by its own digest too stays when the index goes",
		shelf: []string{"stack:1=nested amd64 arm64", "redis@=redis amd64"},
		ask:   "stack:1", untagged: []string{"stack:1"}, deleted: []string{"nested/arm64"}, stays: []string{"redis: redis@redis"},
		left: []string{"redis@=redis amd64 (by digest)"},
	},
	{
		rule:  "a blob that is config and layer at once goes as one",
		shelf: []string{"odd:1=odd amd64"},
		ask:   "odd:1", untagged: []string{"odd:1"}, deleted: []string{"odd/amd64"},
	},

	// Pins. They play the part of docker's containers.
	{
		rule:  "docker: image is being used by running container; here the pin says who and why",
		shelf: []string{"ubuntu:22.04=jammy amd64", "pin ubuntu:22.04 the build agents run it"},
		ask:   "ubuntu:22.04", refused: []string{"ubuntu@jammy"}, says: "ubuntu:22.04 is pinned by mira: the build agents run it",
		left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		rule:  "docker rmi -f with a running container: untagged only; here, deleted, since product.md lets force delete what is pinned",
		shelf: []string{"ubuntu:22.04=jammy amd64", "pin ubuntu:22.04 the build agents run it"},
		ask:   "ubuntu:22.04", force: true, untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy/amd64"},
	},
	{
		rule:  "docker: one of two tags of an image that a container uses is untagged",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64", "pin ubuntu:latest "},
		ask:   "ubuntu:latest", untagged: []string{"ubuntu:latest"}, remains: []string{"ubuntu:22.04 amd64"},
		left: []string{"ubuntu:22.04=jammy amd64"},
	},
	{
		rule:  "both tags of what is pinned: docker takes the first and refuses the second; here both stay, since one plan has no order",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64", "pin ubuntu:latest "},
		ask:   "ubuntu:latest + ubuntu:22.04", refused: []string{"ubuntu@jammy", "ubuntu@jammy"},
		items: []string{"ubuntu:latest: pinned: ubuntu@jammy", "ubuntu:22.04: pinned: ubuntu@jammy"}, says: "ubuntu:latest is pinned by mira",
		left: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
	},
	{
		rule:  "one platform of what is pinned",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "pin ubuntu:22.04 "},
		ask:   "ubuntu:22.04", only: "arm64", refused: []string{"ubuntu@jammy"}, says: "linux/arm64 of ubuntu:22.04 is pinned by mira",
		left: []string{"ubuntu:22.04=jammy amd64 arm64"},
	},
	{
		rule:  "docker: by ID, an image that a container uses",
		shelf: []string{"redis:7=redis amd64", "pin redis:7 cache"},
		ask:   "id redis/amd64", refused: []string{"redis@redis"}, says: "is pinned by mira: cache",
		left: []string{"redis:7=redis amd64"},
	},
	{
		rule:  "what is pinned in one repository goes from another",
		shelf: []string{"redis:7=redis amd64", "mirror.example.com/redis:7=redis amd64", "pin redis:7 cache"},
		ask:   "mirror.example.com/redis:7", untagged: []string{"mirror.example.com/redis:7"}, stays: []string{"redis: redis:7"},
		left: []string{"redis:7=redis amd64"},
	},
	{
		rule:  "a pin stays with the digest that a tag moved away from",
		shelf: []string{"ubuntu:22.04=jammy amd64", "pin ubuntu:22.04 ", "ubuntu:22.04=jammy-next amd64"},
		ask:   "ubuntu@jammy", refused: []string{"ubuntu@jammy"}, says: "is pinned by mira",
		left: []string{"ubuntu:22.04=jammy-next amd64", "ubuntu@=jammy amd64 (dangling)"},
	},

	// Bases. Docker has the rule for what was built here, and untags all the same; here it is for what was pulled, and a
	// tag is all there is of an image: it stays until the images on it are gone, or somebody forces it.
	{
		rule:  "docker: image has dependent child images; here by layers, and for a tag too",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64"},
		ask:   "ubuntu:22.04", refused: []string{"postgres:15"}, says: "ubuntu:22.04 is the base of postgres:15",
		left: []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64"},
	},
	{
		rule:  "docker: dependent child images cannot be forced; here they can, since their layers stay",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres amd64"},
		ask:   "ubuntu:22.04", force: true, untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy/amd64", "jammy/arm64"},
		stays: []string{"base-amd64: postgres:15", "jammy-amd64: postgres:15"},
		left:  []string{"postgres:15=postgres amd64"},
	},
	{
		rule:  "a base for another platform only",
		shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres arm64"},
		ask:   "ubuntu:22.04", untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy/amd64"},
		left: []string{"postgres:15=postgres arm64"},
	},
	{
		rule:  "one platform of a base, the one that nothing is built on",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "postgres:15=postgres arm64"},
		ask:   "ubuntu:22.04", only: "amd64", deleted: []string{"jammy/amd64"}, remains: []string{"ubuntu:22.04 arm64"},
		left: []string{"ubuntu:22.04=jammy arm64", "postgres:15=postgres arm64"},
	},
	{
		rule:  "by ID, a base",
		shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
		ask:   "id jammy/amd64", refused: []string{"postgres:15"}, says: "is the base of postgres:15",
		left: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
	},
	{
		rule:  "docker: one of two tags of a base is untagged",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64", "postgres:15=postgres amd64"},
		ask:   "ubuntu:latest", untagged: []string{"ubuntu:latest"}, remains: []string{"ubuntu:22.04 amd64"},
		left: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
	},
	{
		rule:  "the same layers are no base of each other",
		shelf: []string{"ubuntu:22.04=jammy amd64", "mine:1=copy amd64"},
		ask:   "ubuntu:22.04", untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy/amd64"},
		stays: []string{"base-amd64: mine:1", "jammy-amd64: mine:1"},
		left:  []string{"mine:1=copy amd64"},
	},
	{
		rule:  "a base by the annotation base.digest, of the index that lists it",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "mine:1=squashed amd64"},
		ask:   "ubuntu:22.04", refused: []string{"mine:1"}, says: "ubuntu:22.04 is the base of mine:1",
		left: []string{"ubuntu:22.04=jammy amd64 arm64", "mine:1=squashed amd64"},
	},
	{
		rule:  "a base by the annotation is one of its platform only",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "mine:1=squashed amd64"},
		ask:   "ubuntu:22.04", only: "arm64", deleted: []string{"jammy/arm64"}, remains: []string{"ubuntu:22.04 amd64"},
		left: []string{"ubuntu:22.04=jammy amd64", "mine:1=squashed amd64"},
	},

	// Several at once. Docker takes them one after the other; here they are one plan.
	{
		rule:  "docker rmi A B: both tags of a digest, and the image with the second",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
		ask:   "ubuntu:22.04 + ubuntu:latest", untagged: []string{"ubuntu:22.04", "ubuntu:latest"}, deleted: []string{"jammy/amd64"},
	},
	{
		rule:  "docker rmi A no-such B: the others go, and it says which is missing",
		shelf: []string{"ubuntu:22.04=jammy arm64", "redis:7=redis amd64"},
		ask:   "redis:7 + no-such:1 + ubuntu:22.04", untagged: []string{"redis:7", "ubuntu:22.04"}, deleted: []string{"redis/amd64", "jammy/arm64"},
		items: []string{"redis:7: goes", "no-such:1: missing: ", "ubuntu:22.04: goes"},
	},
	{
		rule: "docker rmi no-such none: an error",
		ask:  "no-such:1 + none:1", missing: true,
	},
	{
		rule:  "docker rmi A A: the second one is missing there; here it is asked for once",
		shelf: []string{"redis:7=redis amd64"},
		ask:   "redis:7 + redis:7", untagged: []string{"redis:7"}, deleted: []string{"redis/amd64"},
	},
	{
		rule:  "a base and what is built on it, whatever their order",
		shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
		ask:   "ubuntu:22.04 + postgres:15", untagged: []string{"ubuntu:22.04", "postgres:15"}, deleted: []string{"jammy/amd64", "postgres/amd64"},
	},
	{
		rule:  "a base stays with what is built on it, which is pinned; the rest goes",
		shelf: []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64", "redis:7=redis amd64", "pin postgres:15 orders"},
		ask:   "ubuntu:22.04 + redis:7 + postgres:15", untagged: []string{"redis:7"}, deleted: []string{"redis/amd64"},
		stays: []string{"base-amd64: postgres:15, ubuntu:22.04"},
		items: []string{"ubuntu:22.04: base: postgres:15", "redis:7: goes", "postgres:15: pinned: postgres@postgres"},
		left:  []string{"ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
	},
	{
		rule:    "a base of a base stays with what is built on it, which is pinned",
		shelf:   []string{"base:1=base amd64", "ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64", "pin postgres:15 "},
		ask:     "base:1 + ubuntu:22.04 + postgres:15",
		items:   []string{"base:1: base: postgres:15", "ubuntu:22.04: base: postgres:15", "postgres:15: pinned: postgres@postgres"},
		refused: []string{"postgres:15", "postgres:15", "postgres@postgres"},
		left:    []string{"base:1=base amd64", "ubuntu:22.04=jammy amd64", "postgres:15=postgres amd64"},
	},
	{
		rule:  "docker: a digest and its only tag; the digest alone would be refused",
		shelf: []string{"ubuntu:22.04=jammy amd64"},
		ask:   "ubuntu@jammy + ubuntu:22.04", untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy/amd64"},
	},
	{
		rule:  "a digest and one of its two tags: the other one stands in the way of the digest",
		shelf: []string{"ubuntu:22.04=jammy amd64", "ubuntu:latest=jammy amd64"},
		ask:   "ubuntu@jammy + ubuntu:22.04", untagged: []string{"ubuntu:22.04"}, remains: []string{"ubuntu:latest amd64"},
		items: []string{"ubuntu@jammy: referenced: ubuntu:latest", "ubuntu:22.04: goes"},
		left:  []string{"ubuntu:latest=jammy amd64"},
	},
	{
		rule:  "an image ID with two tags, and one of them: the other one is what it stands for",
		shelf: []string{"redis:7=redis amd64", "redis:latest=redis amd64"},
		ask:   "id redis/amd64 + redis:7", untagged: []string{"redis:7", "redis:latest"}, deleted: []string{"redis/amd64"},
	},
	{
		rule:  "an image ID in two repositories, and the tag in one of them",
		shelf: []string{"redis:7=redis amd64", "mirror.example.com/redis:7=redis amd64"},
		ask:   "mirror.example.com/redis:7 + id redis/amd64", untagged: []string{"redis:7", "mirror.example.com/redis:7"}, deleted: []string{"redis/amd64"},
	},
	{
		rule:  "every platform of a digest, one by one: as deleting its tag",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64"},
		ask:   "ubuntu:22.04/amd64 + ubuntu:22.04/arm64", untagged: []string{"ubuntu:22.04"}, deleted: []string{"jammy/amd64", "jammy/arm64"},
	},
	{
		rule:  "every platform of a digest that has another tag: refused, says which",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64"},
		ask:   "ubuntu:22.04/amd64 + ubuntu:22.04/arm64", refused: []string{"ubuntu:latest", "ubuntu:latest"},
		items: []string{"ubuntu:22.04/amd64: referenced: ubuntu:latest", "ubuntu:22.04/arm64: referenced: ubuntu:latest"},
		left:  []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:latest=jammy amd64 arm64"},
	},
	{
		rule:  "a platform that two digests list, asked for in both",
		shelf: []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:next=jammy-next amd64 arm64"},
		ask:   "ubuntu:22.04/arm64 + ubuntu:next/arm64", deleted: []string{"jammy/arm64"}, remains: []string{"ubuntu:22.04 amd64", "ubuntu:next amd64"},
		left: []string{"ubuntu:22.04=jammy amd64", "ubuntu:next=jammy-next amd64"},
	},
	{
		rule:  "with force, what is missing is still said",
		shelf: []string{"redis:7=redis amd64", "pin redis:7 "},
		ask:   "redis:7 + no-such:1", force: true, untagged: []string{"redis:7"}, deleted: []string{"redis/amd64"},
		items: []string{"redis:7: goes", "no-such:1: missing: "},
	},
}

func TestDeletingFollowsTheRules(t *testing.T) {
	for _, tt := range deletions {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			s.fill(tt.shelf)
			s.Settle()
			before := diskBytes(s.files())
			asked := s.removal(tt)
			plan, err := s.PlanRemoval(t.Context(), asked)
			if tt.missing {
				if image.KindOf(err) != image.NotFound {
					t.Fatalf("error %v, want not found", err)
				}
				s.check(tt.left)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s.checkPlan(tt, plan)
			done, err := s.Remove(t.Context(), asked, plan.Fingerprint, "noa")
			refused := tt.refused != nil
			if conflict := image.KindOf(err) == image.Conflict; conflict != refused || err != nil && !conflict {
				t.Fatalf("carrying it out: %v", err)
			}
			if done.Plan.Fingerprint != plan.Fingerprint || done.ID != 0 {
				t.Errorf("another plan was carried out:\n got %+v\nwant %+v", done, plan)
			}
			s.check(tt.left)
			if freed := before - diskBytes(s.files()); freed != plan.Totals.Freed {
				t.Errorf("%d bytes left the disk, the plan said %d", freed, plan.Totals.Freed)
			}
		})
	}
}

func diskBytes(files map[image.Digest]int64) (total int64) {
	for _, n := range files {
		total += n
	}
	return total
}

// removal reads what a row asks for.
func (s *testShelf) removal(tt deletion) image.Removal {
	s.t.Helper()
	asked := image.Removal{Force: tt.force}
	for words := range strings.SplitSeq(tt.ask, " + ") {
		asked.Items = append(asked.Items, s.item(words, tt.only))
	}
	return asked
}

// item reads one thing that is asked for: "ubuntu:22.04", "ubuntu:22.04/amd64", "ubuntu@jammy" or "id jammy/amd64".
func (s *testShelf) item(words, only string) (item image.RemovalItem) {
	s.t.Helper()
	if id, ok := strings.CutPrefix(words, "id "); ok {
		name, architecture, _ := strings.Cut(id, "/")
		item.ID = s.id(name, architecture)
		return item
	}
	for _, architecture := range []string{"amd64", "arm64"} {
		if name, ok := strings.CutSuffix(words, "/"+architecture); ok {
			words, only = name, architecture
		}
	}
	if only != "" {
		item.Platform = image.Platform{OS: "linux", Architecture: only}
	}
	name, source, byDigest := strings.Cut(words, "@")
	ref, err := image.ParseRepositoryReference(name)
	if err != nil {
		s.t.Fatal(err)
	}
	if item.Reference = ref; byDigest {
		item.Reference.Digest = s.build(source).Digest()
	}
	return item
}

// itemWords gives an item as item reads it.
func (s *testShelf) itemWords(item image.RemovalItem) string {
	switch {
	case item.ID != "":
		return "id " + s.nameOf(item.ID)
	case item.Platform != image.Platform{}:
		return s.word(item.Reference) + "/" + item.Platform.Architecture
	}
	return s.word(item.Reference)
}

// checkPlan holds what the plan says against a row, in any order.
func (s *testShelf) checkPlan(tt deletion, plan image.RemovalPlan) {
	s.t.Helper()
	var untagged, deleted, stays, remains, by []string
	for _, ref := range plan.Untagged {
		untagged = append(untagged, s.word(ref))
	}
	for _, i := range plan.Deleted {
		deleted = append(deleted, strings.TrimSuffix(s.nameOf(i.ID), "/"+i.Platform.Architecture)+"/"+i.Platform.Architecture)
	}
	for _, b := range plan.Stays {
		stays = append(stays, s.nameOf(b.Digest)+": "+s.wordAll(b.UsedBy))
		if b.Users != len(b.UsedBy) {
			s.t.Errorf("%s stays for %d references, and %d are named", s.nameOf(b.Digest), b.Users, len(b.UsedBy))
		}
	}
	for _, r := range plan.Remains {
		words := s.word(r.Reference)
		for _, p := range r.Platforms {
			words += " " + p.Architecture
		}
		remains = append(remains, words)
	}
	var items, sentences []string
	for _, i := range plan.Items {
		words := s.itemWords(i.Item)
		if i.Refusal == nil {
			items = append(items, words+": goes")
			continue
		}
		items = append(items, words+": "+string(i.Refusal.Reason)+": "+s.wordAll(i.Refusal.By))
		if i.Refusal.Count != len(i.Refusal.By) {
			s.t.Errorf("%s is refused for %d references, and %d are named", words, i.Refusal.Count, len(i.Refusal.By))
		}
		sentences = append(sentences, i.Refusal.Text.String())
		for _, ref := range i.Refusal.By {
			by = append(by, s.word(ref))
			if i.Refusal.Reason != image.RefusedPinned && !strings.Contains(i.Refusal.Text.String(), ref.Familiar()) {
				s.t.Errorf("refusal %q does not name %s", i.Refusal.Text, ref.Familiar())
			}
		}
	}
	if tt.items != nil && !slices.Equal(items, tt.items) {
		s.t.Errorf("items\n got %q\nwant %q", items, tt.items)
	}
	if said := strings.Join(sentences, "\n"); !strings.Contains(said, tt.says) {
		s.t.Errorf("refusals %q, want %q", said, tt.says)
	}
	if tt.refused == nil {
		by = nil // some of several, as items tells
	}
	for _, part := range []struct {
		name      string
		got, want []string
	}{
		{"untagged", untagged, tt.untagged}, {"deleted", deleted, tt.deleted}, {"stays", stays, tt.stays}, {"remains", remains, tt.remains}, {"refused for", by, tt.refused},
	} {
		slices.Sort(part.got)
		want := slices.Sorted(slices.Values(part.want))
		if !slices.Equal(part.got, want) {
			s.t.Errorf("%s\n got %q\nwant %q", part.name, part.got, want)
		}
	}
	if plan.Refused() != (tt.refused != nil) {
		s.t.Errorf("refusals %q", sentences)
	}
}

// word gives a reference with the name of its digest.
func (s *testShelf) word(ref image.Reference) string {
	if ref.Digest != "" {
		return ref.Repository.Familiar() + "@" + s.nameOf(ref.Digest)
	}
	return ref.Familiar()
}

func (s *testShelf) wordAll(refs []image.Reference) string {
	words := make([]string, len(refs))
	for i, ref := range refs {
		words[i] = s.word(ref)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func tagRef(t *testing.T, s string) image.Reference {
	t.Helper()
	ref, err := image.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestAPlanThatNoLongerHoldsIsNotCarriedOut(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	asked := image.Remove(image.RemovalItem{Reference: tagRef(t, "ubuntu:22.04")})
	shown, err := s.PlanRemoval(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	s.pull("mine:1=copy amd64") // now the layers are shared
	refused, err := s.Remove(t.Context(), asked, shown.Fingerprint, "noa")
	now := refused.Plan
	if image.KindOf(err) != image.Conflict {
		t.Fatalf("error %v, want a conflict", err)
	}
	if len(now.Stays) != 2 || now.Totals.Freed >= shown.Totals.Freed {
		t.Errorf("the plan that came back is not the one that holds now: %+v", now)
	}
	s.check([]string{"mine:1=copy amd64", "ubuntu:22.04=jammy amd64"})
	if _, err := s.Remove(t.Context(), asked, now.Fingerprint, "noa"); err != nil {
		t.Fatal(err)
	}
	s.check([]string{"mine:1=copy amd64"})
}

func TestAPlanDoesNotChangeByItself(t *testing.T) {
	s := newShelf(t)
	for _, words := range []string{"ubuntu:22.04=jammy amd64 arm64", "ubuntu:22.04=jammy-next amd64 arm64", "postgres:15=postgres amd64 arm64", "redis:7=redis amd64"} {
		s.pull(words)
	}
	asked := image.Remove(image.RemovalItem{Reference: tagRef(t, "ubuntu:22.04")})
	first, err := s.PlanRemoval(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, err := s.PlanRemoval(t.Context(), asked); err != nil || again.Fingerprint != first.Fingerprint {
			t.Fatalf("the same question has another plan (%v):\n%+v\n%+v", err, again, first)
		}
	}
}

func TestADeletedTagKeepsItsHistory(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	ref := tagRef(t, "ubuntu:22.04")
	if _, err := s.remove(t.Context(), image.Remove(image.RemovalItem{Reference: ref})); err != nil {
		t.Fatal(err)
	}
	events, err := s.TagHistory(t.Context(), ref.Repository, ref.Tag)
	if err != nil || len(events) != 2 {
		t.Fatalf("history %+v (%v), want two events", events, err)
	}
	if e := events[0]; e.Event != TagDeleted || e.By != "noa" || e.Old != s.build("jammy").Digest() || e.OldStored || e.New != "" || e.At.IsZero() {
		t.Errorf("newest event %+v", e)
	}
}

func TestWhatIsPulledAgainBeforeItsFilesWentStays(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	if _, err := s.remove(t.Context(), image.Remove(image.RemovalItem{Reference: tagRef(t, "ubuntu:22.04")})); err != nil {
		t.Fatal(err)
	}
	s.pull("ubuntu:latest=jammy amd64")
	s.check([]string{"ubuntu:latest=jammy amd64"})
}

func TestFilesThatARunningPullHoldsStay(t *testing.T) {
	s := newShelf(t)
	s.pull("ubuntu:22.04=jammy amd64")
	layer, err := s.layers["base-amd64"].Content()
	if err != nil {
		t.Fatal(err)
	}
	release := s.Hold([]image.Digest{layer.Digest})
	if _, err := s.remove(t.Context(), image.Remove(image.RemovalItem{Reference: tagRef(t, "ubuntu:22.04")})); err != nil {
		t.Fatal(err)
	}
	s.Settle()
	files := s.files()
	if len(files) != 1 || files[layer.Digest] != layer.Size {
		t.Errorf("files %v, want the layer that is held and no other", files)
	}
	s.pull("redis:7=redis amd64")
	release()
	s.check([]string{"redis:7=redis amd64"})
}

// Each look-up of a plan goes by an index: a scan of 100,000 tags, or of their layers, would show at once. Rows that are
// asked for one after the other must not be sorted first, either: the base of the whole shelf has all of it.
func TestAPlanLooksUpWhatItNeeds(t *testing.T) {
	s := newShelf(t)
	queries := map[string]int{belowQuery: 1, aboveQuery: 2, tagsQuery: 2, pinsQuery: 1, usedQuery: 2, chainsQuery: 1, builtQuery: 1, namingQuery: 1} // by the number of their arguments
	for _, query := range usersQueries {
		queries[query] = 1
	}
	for query, n := range queries {
		sorts := query == belowQuery // what is below one digest is not much
		plan, err := rowsOf(t.Context(), s.Store.read, scanPlan, `EXPLAIN QUERY PLAN `+query, []any{`["sha256:00"]`, 1, 1}[:n]...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for _, line := range plan {
			scanned, isScan := strings.CutPrefix(line, "SCAN ")
			known := slices.ContainsFunc([]string{"j VIRTUAL", "json_each VIRTUAL", "up", "down", "CONSTANT ROW", "(subquery"}, func(of string) bool { return strings.HasPrefix(scanned, of) })
			if isScan && !known || strings.Contains(line, "B-TREE") && !sorts {
				t.Errorf("%s\n%s", query, line)
			}
		}
	}
}
