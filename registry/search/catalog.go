package search

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stowage/stowage/registry"
)

// catalogSearch searches the names that a registry lists (/v2/_catalog). That is no part of the distribution-spec and
// often switched off, and it has neither search nor descriptions.
type catalogSearch struct {
	catalogs *catalogs
	host     string
}

func (c *Client) catalog(host string) catalogSearch {
	return catalogSearch{catalogs: &c.catalogs, host: host}
}

func (c catalogSearch) window() (pages, size int) { return 1, 300 }

func (c catalogSearch) find(ctx context.Context, text string, page, size int) (found, error) {
	r := c.catalogs.reading(c.host)
	patience := time.NewTimer(c.catalogs.patience)
	defer patience.Stop()
	select {
	case <-r.done:
	case <-ctx.Done():
		return found{}, ctx.Err()
	case <-patience.C:
		if r.earlier != nil {
			break // a minute old, but whole
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
	r := c.catalogs.peek(c.host)
	if r == nil {
		return found{}, false
	}
	now := r.state()
	return c.among(now, text, page, size), now.err == nil && (now.whole || now.count > 0)
}

// among searches names.
func (c catalogSearch) among(now nameList, text string, page, size int) found {
	matching, total := matches(now.pages, text, page*size)
	f := found{
		kind: registry.SearchCatalog, total: total, more: total > page*size,
		read: now.count, partial: !now.whole, reading: now.reading,
	}
	if !now.whole {
		f.total = -1
	}
	for _, name := range pageOf(matching, page, size) {
		if hit, ok := hitOf(c.host, lenientText(name)); ok {
			f.hits = append(f.hits, hit)
		}
	}
	return f
}

func (c catalogSearch) details(context.Context, string, string) (map[string]TagDetail, error) {
	return nil, nil
}

// matches returns the names that contain each word of a text, without regard to case: those that are the text
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

// rankOf returns how well a name matches; negative where it does not. Names are in lower case.
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
