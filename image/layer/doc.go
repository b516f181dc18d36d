// Package layer reads layer blobs: the compressed tar archives an image is made of.
//
// A layer is identified twice. Its digest is the sha256 of the blob as the registry serves it; its diff ID
// is the sha256 of the uncompressed tar, every byte of it, and is what an image's config lists under
// rootfs.diff_ids (OCI image spec, config.md, "Layer DiffID"). Only reading the whole blob proves that the two
// belong together, and the same pass yields what docker would call the layer's size.
//
// Everything here works on an io.Reader, once, front to back, and treats what it reads as hostile: time is bounded by
// Limits and the context, memory by the constants and limits described at Inspect.
package layer
