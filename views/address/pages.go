package address

import (
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
)

// Pages whose address says nothing but where they are.
const (
	StoragePath     = "/storage"
	SweepPath       = "/storage/sweep"      // frees what waits to be deleted
	UnfinishedPath  = "/storage/unfinished" // frees what unfinished pulls have left
	UpdatesPath     = "/updates"
	CancelPath      = "/updates/cancel" // ends a run of checks
	HelpPath        = "/help"
	PreferencesPath = "/preferences"
	MoveDemoTagPath = "/demo/move-tag"
)

// layersPath begins the address of a layer.
const layersPath = "/layers/"

// Layer returns the address of a layer.
func Layer(d image.Digest) string { return layersPath + path(string(d)) }

// IsLayer reports whether an address is a layer's.
func IsLayer(address string) bool { return strings.HasPrefix(address, layersPath) }

// ParseLayer reads the path of a layer's address, without its escapes. Errors are of kind Invalid.
func ParseLayer(path string) (image.Digest, error) {
	return image.ParseDigest(strings.TrimPrefix(path, layersPath))
}

// Undo returns the address that undoes a removal.
func Undo(removal int64) string { return "/removals/" + strconv.FormatInt(removal, 10) + "/undo" }

// ParseRemoval reads the number of a removal from its address. Errors are of kind NotFound.
func ParseRemoval(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return 0, image.Errorf(image.NotFound, "there is no deletion %.40q", id)
	}
	return n, nil
}
