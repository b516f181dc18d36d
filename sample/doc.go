// Package sample builds container images in process. Package fake serves them.
//
// It serves three purposes: "stowage demo" (a first look without any network), the screenshots, and the
// tests. What it builds is real: layers are tars with digests and diff IDs that hold, configs have
// histories, indexes list platforms and attestations in the form that BuildKit writes.
//
//   - [Image], [Index] and [Artifact] are descriptions; Build turns each into a [Built]: exact bytes and digests.
//   - [Library] lists the demo's repositories.
//   - The images in bad.go break a rule each.
//
// Everything is deterministic: times are fixed and file contents come from seeded generators, so that a
// digest is the same in each run of one build of the program.
package sample
