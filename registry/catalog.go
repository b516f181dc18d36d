package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/regclient/regclient/scheme"

	"github.com/stowage/stowage/registry/response"
)

// catalogPage is how many names of a catalog are asked for at a time: the most that the distribution registry gives.
const catalogPage = 1000

// CatalogPage is one page of the names that a registry lists.
type CatalogPage struct {
	Names []string
	Size  int      // bytes of the answer
	URL   *url.URL // where it came from
	Next  *url.URL // nil at the end
}

// CatalogPage asks a registry for one page of its names (/v2/_catalog): the first, or the one that the page before
// links to. Errors are image.Errors, or the context's; those that say that the answer is no such list wrap ErrNotThis.
func (c *Client) CatalogPage(ctx context.Context, host string, page *url.URL) (CatalogPage, error) {
	ask := func(limit int) (*exchange, error) {
		return c.upstreams.ask(ctx, subjectOfSearch(host), kindCatalog, func(ctx context.Context, u *upstream) error {
			exchangeOf(ctx).next = page
			_, err := u.rc.RepoList(ctx, host, scheme.WithRepoLimit(limit))
			return err
		})
	}
	ex, err := ask(catalogPage)
	var status *response.StatusError
	if page == nil && errors.As(err, &status) && status.Code == http.StatusBadRequest {
		ex, err = ask(0) // it gives fewer at a time, and says so in this way
	}
	if err != nil {
		return CatalogPage{}, err
	}
	var answer struct {
		Repositories names `json:"repositories"`
	}
	if err := json.Unmarshal(ex.raw, &answer); err != nil || !answer.Repositories.said {
		return CatalogPage{}, fmt.Errorf("%w: no list of repositories", ErrNotThis)
	}
	next, err := response.NextLink(ex.header, ex.url, host)
	return CatalogPage{answer.Repositories.all, len(ex.raw), ex.url, next}, err
}

// names are the strings of an array, of which null and what is no string is left out.
type names struct {
	all  []string
	said bool // there is an array, or null in its place
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(raw []byte) error {
	*n = names{}
	if string(raw) == "null" {
		n.said = true
		return nil
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	n.said = true
	n.all = make([]string, 0, len(list))
	for _, name := range list {
		if name != nil {
			n.all = append(n.all, *name)
		}
	}
	return nil
}
