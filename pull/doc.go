// Package pull brings images from registries onto the shelf. A pull is a Job: a shared object with an address, that
// everybody who asks for the same thing joins.
//
//	Pull ──► queued ──► resolving ──► pulling ──► done | failed | cancelled
//	                    HEAD, index,  blobs, each fetched once for all
//	                    manifests     running jobs; then one Record
//
// With an image comes what the index lists about it (attestations), as far as it can be had: it never fails a pull.
//
// A pull of all tags lists them and does so for one tag after the other in one job, each recorded as soon as it is
// whole; a Survey tells beforehand what that would cost.
//
// The package sees the registries through Source and the storage through Shelf. A Queue runs a bounded number of jobs.
// What a reference points to, and what is to be brought of it, is found out by pull/resolve; the blobs come by
// pull/fetch, which runs a bounded number of downloads for all jobs, resumes what an earlier attempt left and tries
// again where that may help. What is on disk after a failure, a cancel or a crash stays there and is not fetched again.
//
// Progress is state, not deltas: a Subscribe'd channel holds the newest Job, so a slow reader skips states and never
// holds a worker up.
package pull
