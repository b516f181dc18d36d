package handlers

import (
	"bufio"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
)

// imageIDs answers a list that is asked for as text/plain: the image ID of each row on all pages, one a line, as docker images -q
// prints them; one ID on two lines where two tags have it. What is wrong with the address is said in a line, too.
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
	err = h.store.EachImageID(c.Request().Context(), q, func(id image.Digest) error {
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

// JSONError answers with an error for programs, in the words that a pull's answer has it in. An internal one is not told.
func JSONError(c echo.Context, status int, e *image.Error) error {
	said := struct {
		Error  string     `json:"error"`
		Kind   image.Kind `json:"kind,omitzero"`
		Advice string     `json:"advice,omitzero"`
	}{Error: e.Message, Kind: e.Kind, Advice: e.Suggestion}
	if said.Error == "" || e.Kind == image.Internal {
		said.Error = strings.ToLower(http.StatusText(status))
	}
	return c.JSON(status, said)
}

// PlainError answers with an error in words, for people at a terminal. An internal one is not told.
func PlainError(c echo.Context, status int, e *image.Error) error { return plainError(c, status, e) }

// plainError is PlainError with more lines.
func plainError(c echo.Context, status int, e *image.Error, lines ...string) error {
	text := e.Message
	if text == "" || e.Kind == image.Internal {
		text = strings.ToLower(http.StatusText(status))
	}
	if e.Suggestion != "" {
		text += ". " + e.Suggestion
	}
	c.Response().Header().Set(echo.HeaderXContentTypeOptions, "nosniff")
	return c.String(status, strings.Join(append([]string{text}, lines...), "\n")+"\n")
}
