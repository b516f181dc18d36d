package page

import (
	"net/http"

	"github.com/stowage/stowage/image"
)

// statuses maps each kind of failure to the HTTP status of the page that tells of it. A registry that
// wants a sign-in is no 401: the browser's own sign-in has nothing to do with it, and a 401 without
// WWW-Authenticate would be wrong.
var statuses = map[image.Kind]int{
	image.Internal:     http.StatusInternalServerError,
	image.Invalid:      http.StatusBadRequest,
	image.NotFound:     http.StatusNotFound,
	image.NoPlatform:   http.StatusNotFound,
	image.Unauthorized: http.StatusForbidden,
	image.SignIn:       http.StatusUnauthorized,
	image.Forbidden:    http.StatusForbidden,
	image.RateLimited:  http.StatusTooManyRequests,
	image.Unavailable:  http.StatusBadGateway,
	image.NotImage:     http.StatusUnprocessableEntity,
	image.Corrupt:      http.StatusBadGateway,
	image.TooLarge:     http.StatusUnprocessableEntity,
	image.Conflict:     http.StatusConflict,
	image.DiskFull:     http.StatusInsufficientStorage,
	image.ReadOnly:     http.StatusInsufficientStorage,
	image.Damaged:      http.StatusInternalServerError,
	image.Cancelled:    http.StatusConflict,
}

// Status returns the HTTP status for a kind of failure. It is the one place that maps them.
func Status(kind image.Kind) int {
	if s, ok := statuses[kind]; ok {
		return s
	}
	return http.StatusInternalServerError
}
