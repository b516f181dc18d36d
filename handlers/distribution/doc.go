// Package distribution answers the registry API under /v2/ from the shelf, for reading only (OCI distribution-spec,
// "Pull" and "Content Discovery"), so that engines and registry tools pull from it.
//
// What is served is what was stored: original bytes with their media type and digest, in whatever state the index is.
// An index of which only some platforms are stored is served whole; a platform that is not stored is answered
// MANIFEST_UNKNOWN, with the platforms that are. Images that are known to be broken are not served. A blob is served
// under the names only whose images use it.
//
// Repositories have the names they have on the shelf, docker.io/library/ubuntu or ghcr.io/acme/api, and a name without
// a host is read as docker reads it: ubuntu and library/ubuntu are Docker Hub's. So dockerd's registry-mirrors, which
// asks for library/ubuntu, and containerd's hosts.toml, which names the registry as ns, find the same things. See
// names.go for ports.
package distribution
