package images

import (
	"bufio"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
)

// imageIDs answers a list that is asked for as text/plain: the image ID of each row on all pages, one a line, as docker
// images -q prints them; one ID on two lines where two tags have it. What is wrong with the address is said in a line,
// too.
func (h *Handlers) imageIDs(c echo.Context, path string, repository image.Repository) error {
	res := c.Response()
	res.Header().Set(echo.HeaderCacheControl, "no-store")
	res.Header().Set(echo.HeaderXContentTypeOptions, "nosniff")
	state, err := listState(c, path)
	if err != nil {
		return err
	}
	q, err := h.listQuery(c.Request().Context(), state)
	if err != nil {
		return err
	}
	q.Repository = repository
	res.Header().Set(echo.HeaderContentType, echo.MIMETextPlainCharsetUTF8)
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	out := bufio.NewWriterSize(res, 32<<10)
	err = h.Lists.EachImageID(c.Request().Context(), q, func(id image.Digest) error {
		line := string(id)
		if !state.NoTrunc {
			line = image.ShortDigest(id)
		}
		_, err := out.WriteString(line + "\n")
		return err
	})
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil || res.Committed {
		return err
	}
	res.WriteHeader(http.StatusOK) // no row, no byte
	return nil
}
