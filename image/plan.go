package image

import (
	"encoding/json"
)

// Removal asks for something to be deleted: what Reference names (a tag or a digest), or an image by its
// ID; with a Platform, only that platform's image.
type Removal struct {
	Reference Reference `json:"reference"`
	ID        Digest    `json:"id"`
	Platform  Platform  `json:"platform"` // zero: all
	Force     bool      `json:"force"`
}

// RemovalPlan says exactly what a Removal does. It is computed once, shown, and carried out as shown or
// not at all.
type RemovalPlan struct {
	Asked    Removal       `json:"asked"`
	Untagged []Reference   `json:"untagged"` // tags, and digests that somebody had asked for, that go
	Deleted  []PlanImage   `json:"deleted"`
	Blobs    []PlanBlob    `json:"blobs"` // whose files go, with Deleted's manifests and configs among them
	Stays    []PlanBlob    `json:"stays"` // layers of the deleted images that stay, and for whom
	Remains  []PlanRemains `json:"remains"`
	Refusal  string        `json:"refusal"` // why it is not done without force; empty when it can be done
	By       []Reference   `json:"by"`      // what stands in the way
}

// PlanImage is an image that a plan deletes.
type PlanImage struct {
	Manifest Digest   `json:"manifest"`
	ID       Digest   `json:"id"`
	Platform Platform `json:"platform"`
	Size     int64    `json:"size"` // compressed bytes of its layers, shared or not
}

// PlanBlob is a blob that a plan removes, or that stays because of UsedBy.
type PlanBlob struct {
	Digest Digest      `json:"digest"`
	Kind   string      `json:"kind"` // index, manifest, config, layer
	Size   int64       `json:"size"`
	UsedBy []Reference `json:"used_by"` // a few of them
	Users  int         `json:"users"`   // how many references there are in all
}

// PlanRemains is a reference that stays, with the platforms that stay stored under it.
type PlanRemains struct {
	Reference Reference  `json:"reference"`
	Platforms []Platform `json:"platforms"`
}

// Freed gives the bytes that leave the disk.
func (p RemovalPlan) Freed() int64 {
	var n int64
	for _, b := range p.Blobs {
		n += b.Size
	}
	return n
}

// Fingerprint is equal for equal plans: a plan that was shown is carried out only while it still holds.
func (p RemovalPlan) Fingerprint() Digest {
	b, err := json.Marshal(p)
	if err != nil { // strings, numbers and slices of them always marshal
		panic(err)
	}
	return DigestOf(b)
}
