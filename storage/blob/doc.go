// Package blob keeps content-addressed files in an OCI image layout (image-spec, image-layout.md).
//
// The folder looks like this, and is a valid image layout at every moment, so that other tools can read it:
//
//	oci-layout             the layout's version
//	index.json             what the layout holds; replaced whole by WriteIndex
//	blobs/sha256/<hex>     whole, verified, read-only blobs
//	ingest/<hex>.partial   half-fetched blobs, continued by the next Writer
//	ingest/upload-<n>/     what somebody sends, until it is proved; gone at the next Open
//	damaged/<hex>          the mark of a blob that was found damaged; there once one was
//	stowage.reserve        the ballast: blocks that are given up when the volume is full
//
// A blob gets its name under blobs only after its size and its sha256 are proved and its bytes are on the
// disk, by one rename. A crash therefore leaves the whole blob or a partial, never a wrong file under blobs.
// What it may leave besides is a blob that nobody knows of: Walk finds those.
//
// Whoever writes blobs goes through one account of the volume's room: what is going to be written is reserved before
// its first byte comes, a reserve stays free for the caller's own files, and every megabyte somebody looks whether it
// does.
//
// Blobs never change, so readers need no locks. One process owns the folder at a time; holding a lock
// against a second one is the caller's work.
package blob
