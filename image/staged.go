package image

// Staged is a file that somebody sent and that is kept apart from the shelf.
type Staged struct {
	Number int // its name
	Digest Digest
	Size   int64
}

// Unpacked is what unpacking a layer found.
type Unpacked struct {
	// DiffID is the sha256 of the uncompressed tar, including what follows its end marker.
	DiffID Digest
	// UnpackedSize is the layer's part of the SIZE that `docker images` shows, in bytes.
	UnpackedSize int64
	// Entries counts the tar's entries: files, directories, links, devices and whiteouts.
	Entries int64
}
