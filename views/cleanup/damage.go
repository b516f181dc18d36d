package cleanup

import (
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// DamagedView is the list of damaged blobs on the Storage page.
type DamagedView struct {
	Blobs []shelf.DamagedBlob
	Total int
}

// platformNames joins the names of platforms for a note beside a link.
func platformNames(platforms []image.Platform) string {
	names := make([]string, len(platforms))
	for i, p := range platforms {
		names[i] = p.String()
	}
	return strings.Join(names, " ")
}
