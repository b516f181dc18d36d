package views

import "github.com/stowage/stowage/image"

// DamagedView is the list of damaged blobs on the Storage page.
type DamagedView struct {
	Blobs []DamagedBlob
	Total int
}

// DamagedBlob is a blob whose file is not what was stored, and what needs it.
type DamagedBlob struct {
	Digest image.Digest
	URL    string // of its page; empty where it has none
	Size   int64
	Needs  []Link // a few references, to where each is pulled again
	More   bool   // there are more
}
