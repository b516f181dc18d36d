package registry

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
)

// catalogSearch searches the names that a registry lists (/v2/_catalog). That is no part of the distribution-spec and
// often switched off, and it has neither search nor descriptions.
type catalogSearch struct {
	client *Client
	host   string
}

// catalogPatience is how long a search waits for the rest of a list. After that it goes by what there is, and
// the list is read on.
const catalogPatience = 2 * time.Second

func (c catalogSearch) window() (pages, size int) { return 1, 300 }

func (c catalogSearch) find(ctx context.Context, text string, page, size int) (found, error) {
	r := c.client.services.catalogs.reading(c.client, c.host)
	patience := time.NewTimer(c.client.services.catalogs.patience)
	defer patience.Stop()
	select {
	case <-r.done:
	case <-ctx.Done():
		return found{}, ctx.Err()
	case <-patience.C:
		if earlier, ok := r.earlier(); ok { // a minute old, but whole
			return c.among(earlier, text, page, size), nil
		}
		select {
		case <-r.first:
		case <-ctx.Done():
			return found{}, ctx.Err()
		}
	}
	now := r.state()
	if now.err != nil {
		return found{}, now.err
	}
	return c.among(now, text, page, size), nil
}

// soFar is find without waiting; false where not a page of the list is there yet.
func (c catalogSearch) soFar(text string, page, size int) (found, bool) {
	r := c.client.services.catalogs.peek(c.host)
	if r == nil {
		return found{}, false
	}
	if earlier, ok := r.earlier(); ok {
		return c.among(earlier, text, page, size), true
	}
	now := r.state()
	return c.among(now, text, page, size), now.err == nil && (now.whole || now.count > 0)
}

// among searches names.
func (c catalogSearch) among(now catalogState, text string, page, size int) found {
	matching, total := matches(now.lists, text, page*size)
	f := found{kind: SearchCatalog, total: total, more: total > page*size, read: now.count, partial: !now.whole, reading: now.reading}
	if !now.whole {
		f.total = -1
	}
	for _, name := range pageOf(matching, page, size) {
		if hit, ok := (service{host: c.host}).hit(looseText(name)); ok {
			f.hits = append(f.hits, hit)
		}
	}
	return f
}

func (c catalogSearch) details(context.Context, string, string) (map[string]TagDetail, error) {
	return nil, nil
}

// matches gives the names that contain each word of a text, without regard to case: those that are the text
// first, whole or in their last part, then those that begin with it, then the others, each as they came. It
// gives the best of them, as many as are wanted or more, and their number. The names are lists, one name on a line.
func matches(lists []string, text string, want int) (best []string, total int) {
	text = strings.ToLower(text)
	words := strings.Fields(text)
	var ranked [3][]string
	for _, list := range lists {
		for name := range strings.Lines(list) {
			name = strings.TrimSuffix(name, "\n")
			if rank := rankOf(name, text, words); rank >= 0 {
				total++
				if len(ranked[rank]) < want {
					ranked[rank] = append(ranked[rank], name)
				}
			}
		}
	}
	return slices.Concat(ranked[:]...), total
}

// rankOf tells how well a name matches; negative where it does not. Names are in lower case.
func rankOf(name, text string, words []string) int {
	for _, word := range words {
		if !strings.Contains(name, word) {
			return -1
		}
	}
	last := name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case name == text || last == text:
		return 0
	case strings.HasPrefix(name, text) || strings.HasPrefix(last, text):
		return 1
	}
	return 2
}

// catalogError puts what went wrong into words: most registries do not have a catalog, or not for everybody.
func (c *Client) catalogError(host string, err error) error {
	var status *statusError
	known := errors.As(err, &status)
	switch {
	case image.KindOf(err) == image.RateLimited:
		return err
	case known && (status.token || status.code == http.StatusUnauthorized || status.code == http.StatusForbidden) && status.code < 500,
		image.KindOf(err) == image.Unauthorized, image.KindOf(err) == image.NotFound && !known:
		w := c.wayTo(host)
		return w.signingIn(image.Errorf(image.Unauthorized, "%s does not let this server list its repositories", host).Because(notThis(err)).
			Suggest("If there is an account that may, run %s as the user that this server runs as. Or type the whole name of an image, such as %s/NAME.",
				w.loginCommand(), host))
	case known && status.code < 500, known && status.code == http.StatusNotImplemented,
		errors.Is(err, errNotThis):
		return catalogOff(host).Because(notThis(err))
	}
	return err
}

func catalogOff(host string) *image.Error {
	return image.Errorf(image.NotFound, "%s has no search, and its catalog is switched off", host).
		Suggest("Type the whole name of an image, such as %s/NAME.", host)
}
