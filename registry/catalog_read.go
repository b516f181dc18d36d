package registry

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/regclient/regclient/scheme"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/share"
)

// Limits on catalogs. What is beyond them is not searched.
const (
	catalogPage    = 1000             // names asked for at a time: the most that the distribution registry gives
	catalogPages   = 1000             // answers to follow by Link
	catalogNames   = 200_000          // of one registry
	catalogBytes   = 8 << 20          // of one registry's names
	catalogAnswers = 32 << 20         // bytes of all answers of one registry, with what is no name and what is there twice
	catalogsBytes  = 32 << 20         // of all registries' names
	catalogsKept   = 64               // registries
	catalogReaders = 4                // registries read at a time; each other finds a place beside those that are slow
	catalogMost    = 16               // up to so many
	catalogLife    = time.Minute      // after which names are read anew
	catalogPause   = 5 * time.Second  // after a failure
	offLife        = 10 * time.Minute // that there is none
	catalogTime    = 2 * time.Minute  // for one reading
)

// catalogs are the registries' lists of names. They are read in the background, so that a search need not wait
// for the end of a long one.
type catalogs struct {
	patience time.Duration // see catalogPatience
	now      func() time.Time
	readers  *share.Places

	mu     sync.Mutex
	byHost map[string]*catalogReading
}

// catalogReading is one registry's list, on its way or read.
type catalogReading struct {
	first chan struct{} // closed when there is a page or the end
	done  chan struct{} // closed at the end

	mu     sync.Mutex
	before *nameList // what was there before, until this list is whole
	nameList
	whole bool
	err   error
	ended time.Time
	used  time.Time
}

// nameList is a list of names, some of them in each piece, one on a line. It is only ever appended to.
type nameList struct {
	lists []string
	count int // names
	bytes int
}

// catalogState is what there is of a list.
type catalogState struct {
	nameList
	whole   bool
	reading bool // there may be more soon
	err     error
}

// reading gives a registry's list, beginning to read it where it is not there or too old.
func (c *catalogs) reading(client *Client, host string) *catalogReading {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	old := c.byHost[host]
	if old != nil && old.fresh(now) {
		old.use(now)
		return old
	}
	r := &catalogReading{first: make(chan struct{}), done: make(chan struct{}), used: now}
	if old != nil {
		if last := old.state(); last.whole && last.err == nil {
			r.before = &last.nameList
		}
	}
	c.byHost[host] = r
	go c.read(client, host, r)
	return r
}

// peek gives a registry's list, if there is one.
func (c *catalogs) peek(host string) *catalogReading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byHost[host]
}

// fresh tells a list that is being read or has been just now.
func (r *catalogReading) fresh(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until := r.ended.Add(catalogLife)
	var limit *RateLimit
	switch {
	case errors.As(r.err, &limit):
		if until = limit.Until; until.IsZero() {
			until = r.ended.Add(shortPause)
		} else if latest := r.ended.Add(longestStop); until.After(latest) {
			until = latest
		}
	case image.KindOf(r.err) == image.NotFound:
		until = r.ended.Add(offLife)
	case r.err != nil:
		until = r.ended.Add(catalogPause)
	}
	return r.ended.IsZero() || now.Before(until)
}

func (r *catalogReading) use(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used = now
}

// state gives what has been read so far.
func (r *catalogReading) state() catalogState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return catalogState{nameList: r.nameList, whole: r.whole, reading: r.ended.IsZero(), err: r.err}
}

// earlier gives the names that were there before this reading; false where it has ended, or is the first.
func (r *catalogReading) earlier() (catalogState, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.before == nil {
		return catalogState{}, false
	}
	return catalogState{nameList: *r.before, whole: true}, true
}

// read reads a list to its end, whether or not anybody still waits.
func (c *catalogs) read(client *Client, host string, r *catalogReading) {
	ctx, cancel := context.WithTimeout(context.Background(), catalogTime)
	defer cancel()
	whole := false
	free, err := c.readers.Take(ctx, share.Key{Host: host})
	if err == nil {
		whole, err = safely(ctx, func(ctx context.Context) (bool, error) { return c.readPages(ctx, client, host, r) })
		free()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = image.Errorf(image.Unavailable, "%s takes too long to list its repositories", host).Because(err).
			Suggest("Try again later, or type the whole name of an image.")
	}
	r.mu.Lock()
	r.whole, r.err, r.ended, r.before = whole, err, c.now(), nil
	if err != nil {
		r.nameList = nameList{}
	}
	r.mu.Unlock()
	r.begun()
	close(r.done)
	c.trim()
}

// begun lets those go on who wait for the first page.
func (r *catalogReading) begun() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.first:
	default:
		close(r.first)
	}
}

// readPages follows the pages. It gives false where the list is longer than is read.
func (c *catalogs) readPages(ctx context.Context, client *Client, host string, r *catalogReading) (whole bool, err error) {
	seed := maphash.MakeSeed()
	seen := map[uint64]struct{}{} // of names, by their hashes: a tenth of the memory
	pages := map[string]bool{}
	var page catalogAnswer
	answers, guessed, linked := 0, false, false // whether the page was asked for without a link; whether there are links
	for range catalogPages {
		var status *statusError
		if page, err = client.catalogPage(ctx, host, page.next); guessed && errors.As(err, &status) && status.Lasts() {
			return true, nil // it does not go on from a name, so that was all
		}
		if err != nil {
			return false, err
		}
		var list strings.Builder
		room, count := true, len(seen)
		for _, name := range page.names {
			hash := maphash.String(seed, name)
			if _, twice := seen[hash]; twice || !validPath(host, name) {
				continue
			}
			if room = len(seen) < catalogNames && r.bytes+list.Len()+len(name) < catalogBytes; !room {
				break
			}
			seen[hash] = struct{}{}
			list.WriteString(name)
			list.WriteByte('\n')
		}
		r.add(strings.Clone(list.String()), len(seen)-count)
		c.trim()
		answers += page.size
		linked = linked || page.next != nil
		if guessed = !linked && fullPage(len(page.names)) && len(seen) > count; guessed {
			page.next = pageAfter(page.at, page.names[len(page.names)-1])
		}
		switch {
		case !room || page.next == nil:
			return room, nil
		case answers > catalogAnswers:
			return false, nil
		case pages[page.next.String()] && guessed:
			return true, nil
		case pages[page.next.String()]:
			return false, image.Errorf(image.Unavailable, "%s lists its repositories in a circle", host).
				Suggest("Ask whoever runs %s, or type the whole name of an image.", host)
		}
		pages[page.next.String()] = true
	}
	return false, nil
}

func (r *catalogReading) add(list string, count int) {
	r.mu.Lock()
	if list != "" {
		r.lists, r.bytes, r.count = append(r.lists, list), r.bytes+len(list), r.count+count
	}
	r.mu.Unlock()
	r.begun()
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
			total += r.bytes
			if r.before != nil {
				total += r.before.bytes
			}
			if !r.ended.IsZero() && (oldest == "" || r.used.Before(used)) {
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

// catalogAnswer is one page of a catalog.
type catalogAnswer struct {
	names []string
	size  int      // bytes of the answer
	at    *url.URL // where it came from
	next  *url.URL // nil at the end
}

// catalogPage asks for one page: the first, or the one that the page before links to.
func (c *Client) catalogPage(ctx context.Context, host string, next *url.URL) (catalogAnswer, error) {
	ask := func(limit int) (*exchange, error) {
		return c.ask(ctx, subjectOfSearch(host), kindCatalog, func(ctx context.Context, u *upstream) error {
			exchangeOf(ctx).next = next
			_, err := u.rc.RepoList(ctx, host, scheme.WithRepoLimit(limit))
			return err
		})
	}
	ex, err := ask(catalogPage)
	var status *statusError
	if next == nil && errors.As(err, &status) && status.code == http.StatusBadRequest {
		ex, err = ask(0) // it gives fewer at a time, and says so in this way
	}
	if err != nil {
		return catalogAnswer{}, c.catalogError(host, err)
	}
	var answer struct {
		Repositories looseNames `json:"repositories"`
	}
	if err := json.Unmarshal(ex.raw, &answer); err != nil || !answer.Repositories.said {
		return catalogAnswer{}, catalogOff(host).Because(notThis(errors.New("no list of repositories")))
	}
	next, err = nextLink(ex.header, ex.url, host)
	return catalogAnswer{answer.Repositories.all, len(ex.raw), ex.url, next}, err
}

// looseNames is a looseList of strings without its bound, read in one go.
type looseNames struct {
	all  []string
	said bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *looseNames) UnmarshalJSON(raw []byte) error {
	*n = looseNames{}
	if string(raw) == "null" {
		n.said = true
		return nil
	}
	var names []*string
	if json.Unmarshal(raw, &names) != nil {
		return nil
	}
	n.said = true
	n.all = make([]string, 0, len(names))
	for _, name := range names {
		if name != nil {
			n.all = append(n.all, *name)
		}
	}
	return nil
}

// validPath tells whether a name can be a repository's: components of lower-case letters and digits with single
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
