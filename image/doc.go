// Package image is the vocabulary of Stowage: references, digests, platforms, descriptors, indexes,
// manifests, configs, removal plans and error kinds. It does no I/O and imports nothing else of the
// project, so every other package can speak in its words.
//
// How the words hang together:
//
//	repository  docker.io/library/postgres
//	  tag       15 ─────► index sha256:a2…      (or straight to a manifest)
//	                        ├─ linux/amd64 ───► manifest sha256:3f…
//	                        │                     ├─ config sha256:391a… (its digest is the image ID)
//	                        │                     └─ layers sha256:a1…, sha256:94… (base first)
//	                        ├─ linux/arm64 ───► manifest sha256:77…
//	                        └─ attestation of sha256:3f… (kept apart from the platforms)
//
// References are read by distribution/reference and platforms by containerd/platforms, docker's own
// libraries, so that what a person types means here what it means to docker.
package image
