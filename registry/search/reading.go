package search

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stowage/stowage/guard"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/response"
	"github.com/stowage/stowage/share"
)

// Limits on catalogs. What is beyond them is not searched.
const (
	catalogPages = 1000    // answers to follow by Link
	catalogNames = 200_000 // of one registry
	catalogBytes = 8 << 20 // of one registry's names
	// bytes of all answers of one registry, with what is no name and what is there twice
	catalogAnswers  = 32 << 20
	catalogsBytes   = 32 << 20         // of all registries' names
	catalogsKept    = 64               // registries
	catalogReaders  = 4                // registries read at a time; each other finds a place beside those that are slow
	catalogMost     = 16               // up to so many
	catalogLife     = time.Minute      // after which names are read anew
	catalogPause    = 5 * time.Second  // after a failure
	offLife         = 10 * time.Minute // that there is none
	catalogTime     = 2 * time.Minute  // for one reading
	catalogPatience = 2 * time.Second  // for which a search waits for the rest of a list; then it goes by what there is
)

// catalogs are the registries' lists of names. They are read in the background, so that a search need not wait for the
// end of a long one.
type catalogs struct {
	registries Registries
	patience   time.Duration // see catalogPatience
	now        func() time.Time
	readers    *share.Places

	mu     sync.Mutex
	byHost map[string]*reading
}

// reading is one registry's list, on its way or read.
type reading struct {
	first   chan struct{} // closed when there is a page or the end
	done    chan struct{} // closed at the end
	earlier *nameList     // the whole list from before, which counts until done; nil where there is none

	mu    sync.Mutex
	list  nameList
	begun sync.Once // closes first
	ended time.Time
	used  time.Time
}

// nameList is what there is of a list.
type nameList struct {
	pages   []string // names, one on a line; only ever appended to
	count   int      // names
	bytes   int
	whole   bool
	reading bool // there may be more soon
	err     error
}

func newCatalogs(registries Registries) catalogs {
	return catalogs{
		registries: registries, patience: catalogPatience, now: time.Now, byHost: map[string]*reading{},
		readers: share.New(share.Rules{Usual: catalogReaders, PerHost: 1, Most: catalogMost}),
	}
}

// reading returns a registry's list, beginning to read it where it is not there or too old.
func (c *catalogs) reading(host string) *reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	old := c.byHost[host]
	if old != nil && old.fresh(now) {
		return old
	}
	r := &reading{first: make(chan struct{}), done: make(chan struct{}), list: nameList{reading: true}, used: now}
	if old != nil {
		if last := old.state(); last.whole && last.err == nil {
			r.earlier = &last
		}
	}
	c.byHost[host] = r
	go c.read(host, r)
	return r
}

// peek returns a registry's list, if there is one.
func (c *catalogs) peek(host string) *reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byHost[host]
}

// fresh reports whether a list is being read or has been just now, and notes that it is used.
func (r *reading) fresh(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until := r.ended.Add(catalogLife)
	var limit *registry.RateLimit
	switch {
	case errors.As(r.list.err, &limit):
		until = pauseUntil(r.ended, limit.Until)
	case image.KindOf(r.list.err) == image.NotFound:
		until = r.ended.Add(offLife)
	case r.list.err != nil:
		until = r.ended.Add(catalogPause)
	}
	r.used = now
	return r.list.reading || now.Before(until)
}

// state returns what has been read so far, or the list from before while that is whole and this one is not.
func (r *reading) state() nameList {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list.reading && r.earlier != nil {
		return *r.earlier
	}
	return r.list
}

// read reads a list to its end, whether or not anybody still waits.
func (c *catalogs) read(host string, r *reading) {
	ctx, cancel := context.WithTimeout(context.Background(), catalogTime)
	defer cancel()
	whole := false
	free, err := c.readers.Take(ctx, share.Key{Host: host})
	if err == nil {
		err = guard.Do(func() (err error) { whole, err = c.readPages(ctx, host, r); return err })
		free()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = image.Errorf(image.Unavailable, "%s takes too long to list its repositories", host).Because(err).
			Suggest("Try again later, or type the whole name of an image.")
	}
	r.mu.Lock()
	r.list.whole, r.list.reading, r.ended = whole, false, c.now()
	if err != nil {
		r.list = nameList{err: err}
	}
	r.mu.Unlock()
	r.begun.Do(func() { close(r.first) })
	close(r.done)
	c.trim()
}

// readPages follows the pages. It returns false where the list is longer than is read.
func (c *catalogs) readPages(ctx context.Context, host string, r *reading) (whole bool, err error) {
	seen, asked := map[string]bool{}, map[string]bool{} // names; pages
	var page registry.CatalogPage
	answers, guessed, linked := 0, false, false // whether the page was asked for without a link; whether there are links
	for range catalogPages {
		var status *response.StatusError
		page, err = c.registries.CatalogPage(ctx, host, page.Next)
		if guessed && errors.As(err, &status) && status.Lasts() {
			return true, nil // it does not go on from a name, so that was all
		}
		if err != nil {
			return false, c.explain(host, err)
		}
		fresh, room := r.add(host, page.Names, seen)
		c.trim()
		answers += page.Size
		linked = linked || page.Next != nil
		if guessed = !linked && fresh > 0 && response.EndsAsAPage(len(page.Names)); guessed {
			page.Next = response.PageAfter(page.URL, page.Names[len(page.Names)-1])
		}
		switch {
		case !room || page.Next == nil:
			return room, nil
		case answers > catalogAnswers:
			return false, nil
		case asked[page.Next.String()] && guessed:
			return true, nil
		case asked[page.Next.String()]:
			return false, image.Errorf(image.Unavailable, "%s lists its repositories in a circle", host).
				Suggest("Ask whoever runs %s, or type the whole name of an image.", host)
		}
		asked[page.Next.String()] = true
	}
	return false, nil
}

// add adds the names that are new, and returns how many those are; false where there is no room for more.
func (r *reading) add(host string, names []string, seen map[string]bool) (fresh int, room bool) {
	var lines strings.Builder
	before, room := len(seen), true
	for _, name := range names {
		if seen[name] || !validPath(host, name) {
			continue
		}
		if room = len(seen) < catalogNames && r.list.bytes+lines.Len()+len(name) < catalogBytes; !room {
			break
		}
		seen[name] = true
		lines.WriteString(name)
		lines.WriteByte('\n')
	}
	fresh = len(seen) - before
	r.mu.Lock()
	if fresh > 0 {
		r.list.pages, r.list.bytes = append(r.list.pages, strings.Clone(lines.String())), r.list.bytes+lines.Len()
		r.list.count += fresh
	}
	r.mu.Unlock()
	r.begun.Do(func() { close(r.first) })
	return fresh, room
}

// explain puts what went wrong into words: most registries do not have a catalog, or not for everybody.
func (c *catalogs) explain(host string, err error) error {
	var status *response.StatusError
	known := errors.As(err, &status)
	switch {
	case image.KindOf(err) == image.RateLimited:
		return err
	case known && (status.Token || status.Code == http.StatusUnauthorized || status.Code == http.StatusForbidden) &&
		status.Code < 500,
		image.KindOf(err) == image.Unauthorized, image.KindOf(err) == image.NotFound && !known:
		h := c.registries.HostOf(host)
		return h.SigningIn(image.Errorf(image.Unauthorized, "%s does not let this server list its repositories", host).
			Because(notThis(err)).
			Suggest("If there is an account that may, run %s as the user that this server runs as. Or type the whole name of an image, such as %s/NAME.",
				h.LoginCommand(), host))
	case known && status.Code < 500, known && status.Code == http.StatusNotImplemented,
		errors.Is(err, registry.ErrNotThis):
		return image.Errorf(image.NotFound, "%s has no search, and its catalog is switched off", host).Because(notThis(err)).
			Suggest("Type the whole name of an image, such as %s/NAME.", host)
	}
	return err
}

// trim drops lists, the one used least lately first, while there are too many or they are too large together.
func (c *catalogs) trim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		total, oldest := 0, ""
		var used time.Time
		for host, r := range c.byHost {
			r.mu.Lock()
			total += r.list.bytes
			if r.list.reading && r.earlier != nil {
				total += r.earlier.bytes
			}
			if !r.list.reading && (oldest == "" || r.used.Before(used)) {
				oldest, used = host, r.used
			}
			r.mu.Unlock()
		}
		if oldest == "" || total <= catalogsBytes && len(c.byHost) <= catalogsKept {
			return
		}
		delete(c.byHost, oldest)
	}
}

// validPath reports whether a name can be a repository's: components of lower-case letters and digits with single
// separators between, by slashes (distribution-spec "Pulling manifests", <name>).
func validPath(host, name string) bool {
	const most = 255 // bytes of the whole name, as distribution/reference has it
	if len(host)+1+len(name) > most {
		return false
	}
	alnum := func(i int) bool {
		return i >= 0 && i < len(name) && (name[i] >= 'a' && name[i] <= 'z' || name[i] >= '0' && name[i] <= '9')
	}
	for i := 0; i < len(name); {
		if alnum(i) {
			i++
			continue
		}
		end := i + 1
		for end < len(name) && name[end] == name[i] {
			end++
		}
		run := end - i
		switch name[i] {
		case '-':
		case '.', '/':
			if run > 1 {
				return false
			}
		case '_':
			if run > 2 {
				return false
			}
		default:
			return false
		}
		if !alnum(i-1) || !alnum(end) {
			return false
		}
		i = end
	}
	return name != ""
}
