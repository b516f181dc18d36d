package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
)

// Limits on a listing of tags. The largest repositories of Docker Hub have some ten thousand tags.
const (
	maxTagPages = 1000     // answers to follow by Link
	maxTagPage  = 4 << 20  // bytes of one answer
	maxTagBytes = 16 << 20 // bytes of all answers
)

// errPartEncoded says that a part of a blob came in an encoding, which can be undone from the beginning alone.
var errPartEncoded = errors.New("a part of a blob is encoded")

// blobAnswer checks the answer to a request for a blob and makes one for a part look like one for the
// whole, which is all that regclient takes.
func blobAnswer(ex *exchange, req *http.Request, resp *http.Response) error {
	length := ex.size
	ex.start = 0
	if resp.StatusCode == http.StatusPartialContent {
		want := fmt.Sprintf("bytes %d-%d/", ex.offset, ex.size-1)
		got := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Range")))
		total, found := strings.CutPrefix(got, want)
		if !found || total != "*" && total != strconv.FormatInt(ex.size, 10) {
			return image.Errorf(image.Corrupt, "%s sent %q of %s when asked for its bytes from %d to %d",
				response.Clean(req.URL.Host), response.Clean(got), ex.subject.name(), ex.offset, ex.size-1)
		}
		ex.start = ex.offset
		length = ex.size - ex.offset
		resp.StatusCode, resp.Status = http.StatusOK, "200 OK"
		resp.Header.Del("Content-Range")
	}
	if response.EncodedBlob(resp, length, ex.subject.blob.MediaType) {
		if ex.start > 0 {
			return errPartEncoded
		}
		if err := response.Decode(resp); err != nil {
			return image.Errorf(image.Corrupt, "%s sent %s in the encoding %q, and it is not in it",
				ex.subject.host(), ex.subject.name(), response.Coding(resp.Header)).Because(err)
		}
		return nil
	}
	if resp.ContentLength >= 0 && resp.ContentLength != length {
		return image.Errorf(image.Corrupt, "%s sends %d bytes for %s, which is of %d bytes",
			response.Clean(req.URL.Host), resp.ContentLength, ex.subject.name(), length)
	}
	return nil
}

// tagPage checks one answer of a listing: not a page seen before, not one too many, nor at an endless address. The next
// one is named as regclient reads it.
func (ex *exchange) tagPage(api *url.URL, req *http.Request, resp *http.Response, size int) error {
	if ex.listing.pages == nil {
		ex.listing.pages = map[string]bool{}
	}
	page := req.URL.String()
	if len(page) > response.MaxLink {
		return image.Errorf(image.Unavailable, "%s links to a next page that is no address", req.URL.Host)
	}
	if ex.listing.pages[page] {
		return image.Errorf(image.Unavailable, "%s lists the tags of %s in a circle", req.URL.Host, ex.subject.name())
	}
	ex.listing.pages[page] = true
	ex.listing.bytes += size
	if len(ex.listing.pages) > maxTagPages || ex.listing.bytes > maxTagBytes {
		return image.Errorf(image.TooLarge, "%s has more tags than can be listed", ex.subject.name()).
			Suggest("Ask for the tags that you need by name.")
	}
	next, err := response.NextLink(resp.Header, req.URL, ex.subject.host())
	resp.Header.Del("Link")
	if next != nil {
		ex.listing.linked = true
		next.Scheme, next.Host = api.Scheme, api.Host
		resp.Header.Set("Link", "<"+next.String()+`>; rel="next"`)
	}
	return err
}
