package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
)

const (
	maxServiceBody = 4 << 20          // bytes of one answer
	searchLimit    = 15 * time.Second // for one answer, with its wait for a turn, redirects and fallback
	hubPatience    = 6 * time.Second  // with Docker Hub's own search, before the fallback is taken
	hubURL         = "https://hub.docker.com"
	hubV1URL       = "https://index.docker.io"
	quayHost       = "quay.io"
)

// searcher is a way of searching one registry. Errors are image.Errors, or the context's; those that say that
// the answer is not such a service's wrap errNotThis.
type searcher interface {
	// find gives a page, counted from 1, of at most size repositories, best match first.
	find(ctx context.Context, text string, page, size int) (found, error)
	// window is how many pages of which size filters and orders of our own look at.
	window() (pages, size int)
	// details gives what is known of a repository's tags whose names contain a text; nil where nothing is.
	details(ctx context.Context, path, contains string) (map[string]TagDetail, error)
}

// found is what a search service answers.
type found struct {
	kind    SearchKind
	hits    []Hit
	total   int // negative where it is not said
	more    bool
	read    int // names of the catalog; 0 for a service
	partial bool
	reading bool
}

// errNotThis is the cause of an error where something answered, but not the service that was asked for.
var errNotThis = errors.New("this is not such a service's answer")

// service is where a registry's search answers, and as whom it is asked.
type service struct {
	client *Client
	host   string     // the registry, as in references
	base   *url.URL   // where it answers; may have a path
	home   *url.URL   // scheme and host of the registry itself, which alone gets the login; nil: nobody does
	login  credential // the zero value: nobody's
}

// serviceOf finds out where a registry's search answers.
func (c *Client) serviceOf(ctx context.Context, host string, kind SearchKind) (service, error) {
	s := service{client: c, host: host}
	base := ""
	switch listed, _ := c.Find(host); {
	case listed.SearchURL != "":
		base = listed.SearchURL
	case kind == SearchHub && host == dockerHub:
		base = hubURL
	case kind == SearchV1 && host == dockerHub:
		base = hubV1URL
	case kind == SearchQuay && host == quayHost && listed.Address == "": // else its search moves with it
		base = "https://" + quayHost
	}
	if base == "" || kind == SearchHarbor || kind == SearchV1 && host != dockerHub {
		u, err := c.upstream(ctx, subjectOfSearch(host))
		if err != nil {
			return s, err
		}
		s.login, s.home = u.login, &url.URL{Scheme: u.scheme, Host: u.api}
		if base == "" {
			base = s.home.String()
		}
	}
	var err error
	if s.base, err = url.Parse(strings.TrimSuffix(base, "/")); err != nil {
		return s, image.Errorf(image.Invalid, "the search of %s cannot be at %q", host, clean(base)).Because(err)
	}
	return s, nil
}

// get asks for one JSON document below the base. The path is escaped already.
func (s service) get(ctx context.Context, path string, query url.Values, into any) error {
	u, err := url.Parse(s.base.String() + path)
	if err != nil {
		return fmt.Errorf("ask the search of %s: %w", s.host, err)
	}
	u.RawQuery = query.Encode()
	g := s.client.services.gates.of(u.Host)
	leave, err := g.enter(ctx, s.host)
	if err != nil {
		return s.explain(ctx, err)
	}
	defer leave()
	raw, err := s.send(ctx, u)
	var status *statusError
	switch {
	case err == nil:
	case errors.As(err, &status):
		err = s.explainStatus(status)
		if status.code == http.StatusTooManyRequests {
			g.shut(err, status.until)
		}
		return err
	default:
		return s.explain(ctx, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return s.notUnderstood(err)
	}
	return nil
}

// send carries out a request, following its redirects: a few, never from TLS to plain HTTP, and with the login
// for the registry alone.
func (s service) send(ctx context.Context, u *url.URL) ([]byte, error) {
	by := []string{s.base.Host}
	for range maxRedirects + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Accept-Encoding", "identity")
		req.Header.Set("User-Agent", s.client.opts.UserAgent)
		if s.home != nil && s.login.password != "" && u.Host == s.home.Host && u.Scheme == s.home.Scheme {
			req.SetBasicAuth(s.login.user, s.login.password)
		}
		resp, err := s.client.led(ctx, u, by...).RoundTrip(req)
		if err != nil {
			return nil, &url.Error{Op: "Get", URL: u.Scheme + "://" + u.Host, Err: err}
		}
		if resp.StatusCode < 300 || resp.StatusCode >= 400 || resp.Header.Get("Location") == "" {
			return s.receive(req, resp)
		}
		_ = resp.Body.Close()
		next, err := u.Parse(resp.Header.Get("Location"))
		if err != nil || next.Host == "" || next.User != nil || next.Scheme != "https" && next.Scheme != u.Scheme || s.client.base(next).guard.inward(ctx, u, next) {
			return nil, image.Errorf(image.Unavailable, "%s redirects to an address that is not allowed", s.host).
				Because(errNotThis).Suggest("A registry may not lead from TLS to plain HTTP, nor from outside to this machine.")
		}
		u = next
		by = append(by, u.Host)
	}
	return nil, image.Errorf(image.Unavailable, "%s redirects in a circle, or too often", s.host).Because(errNotThis)
}

// receive reads an answer whole.
func (s service) receive(req *http.Request, resp *http.Response) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		t := &transport{secrets: s.login.secrets()}
		status := t.statusError(req, resp)
		_ = resp.Body.Close()
		if status.code == http.StatusTooManyRequests && status.until.IsZero() {
			status.until = hubRetryAfter(resp.Header, time.Now())
		}
		return nil, status
	}
	encoding, media := resp.Header.Get("Content-Encoding"), mediaTypeOf(resp.Header)
	switch {
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		_ = resp.Body.Close()
		return nil, s.notUnderstood(fmt.Errorf("content encoding %q", encoding))
	case media == "text/html" || media == "application/xhtml+xml":
		_ = resp.Body.Close()
		return nil, s.webPage()
	case media != "" && media != "application/json" && media != "text/json" && media != "text/plain" && !strings.HasSuffix(media, "+json"):
		_ = resp.Body.Close()
		return nil, s.notUnderstood(fmt.Errorf("media type %q", media))
	}
	raw, err := readBody(resp, maxServiceBody)
	if errors.Is(err, errTooLarge) {
		return nil, image.Errorf(image.TooLarge, "%s answers a search with more than %d bytes", s.host, maxServiceBody).
			Suggest("Search for more of the name.")
	}
	return raw, err
}

// hubRetryAfter reads what Docker Hub's API sends with a 429 beside or instead of Retry-After: X-Retry-After and
// X-RateLimit-Reset, in seconds since 1970.
func hubRetryAfter(h http.Header, now time.Time) time.Time {
	for _, name := range []string{"X-Retry-After", "X-RateLimit-Reset"} {
		seconds, err := strconv.ParseInt(strings.TrimSpace(h.Get(name)), 10, 64)
		if err != nil || seconds <= 0 {
			continue
		}
		if until := time.Unix(seconds, 0); until.After(now) && until.Before(now.Add(maxWait)) {
			return until
		}
	}
	return time.Time{}
}

// explain makes of what went wrong below HTTP an image.Error, or gives back the context's error when somebody
// gave up.
func (s service) explain(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		ctx, err = context.WithoutCancel(ctx), context.DeadlineExceeded // it is the service that was too slow
	}
	w := s.client.wayTo(s.host)
	w.api = s.base.Host
	return (&upstream{way: w}).explain(ctx, subjectOfSearch(s.host), &exchange{}, err)
}

func (s service) explainStatus(status *statusError) error {
	switch code := status.code; {
	case code == http.StatusTooManyRequests:
		e := image.Errorf(image.RateLimited, "%s allows no more searches for now: its rate limit is reached", s.host)
		if !status.until.IsZero() {
			e = image.Errorf(image.RateLimited, "%s allows no more searches until %s: its rate limit is reached",
				s.host, status.until.UTC().Format("2006-01-02 15:04:05 MST"))
		}
		return e.Because(&RateLimit{Until: status.until, Err: status}).
			Suggest("Wait, or type the whole name of an image: pulling does not need the search.")
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e := image.Errorf(image.Unauthorized, "%s wants a sign-in for its search", s.host)
		if s.login.known() {
			e = image.Errorf(image.Unauthorized, "%s refuses the stored sign-in for its search", s.host)
		}
		w := s.client.wayTo(s.host)
		return w.signingIn(e.Because(notThis(status)).
			Suggest("Run %s as the user that this server runs as, or type the whole name of an image.", w.loginCommand()))
	case code >= 500 && code != http.StatusNotImplemented:
		return image.Errorf(image.Unavailable, "the search of %s does not work now: it answers %d %s", s.host, code, http.StatusText(code)).
			Because(status).Suggest("Try again later, or type the whole name of an image.")
	case status.html:
		return s.webPage()
	}
	return image.Errorf(image.Unavailable, "%s does not know this kind of search: it answers %d %s", s.host, status.code, http.StatusText(status.code)).
		Because(notThis(status)).Suggest("Check the registry's search in the configuration, or type the whole name of an image.")
}

func (s service) webPage() error {
	return image.Errorf(image.Unavailable, "%s answers a search with a web page", s.host).Because(errNotThis).
		Suggest("Check the registry's search in the configuration: a proxy or a sign-in page may stand in front of it.")
}

func (s service) notUnderstood(err error) error {
	return image.Errorf(image.Unavailable, "%s answers a search with something that is no list of repositories", s.host).
		Because(notThis(err)).Suggest("Check the registry's search in the configuration.")
}

// notFound tells that the service has no such page or repository.
func notFound(err error) bool {
	var status *statusError
	return errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusBadRequest)
}

// notThis adds errNotThis to an error.
func notThis(err error) error { return fmt.Errorf("%w: %w", errNotThis, err) }

// shape is the error for a document that lacks what the service's answers have.
func (s service) shape(missing string) error {
	return s.notUnderstood(errors.New(missing + " is missing"))
}

// hit makes a result, or false where the name is none. Names come with and without the host and, from Docker
// Hub, with and without library/.
func (s service) hit(name looseText) (Hit, bool) {
	path := strings.TrimPrefix(string(name), s.host+"/")
	r, err := image.ParseRepositoryReference(s.host + "/" + path)
	if err != nil || r.Tag != "" || r.Digest != "" || r.Repository.Host() != s.host {
		return Hit{}, false
	}
	return Hit{Repository: r.Repository, Stars: -1, Pulls: -1}, true
}

// unique leaves out what is there twice.
func unique(hits []Hit) []Hit {
	seen := make(map[image.Repository]bool, len(hits))
	return slices.DeleteFunc(hits, func(h Hit) bool {
		twice := seen[h.Repository]
		seen[h.Repository] = true
		return twice
	})
}

// pageOf gives a page of a list.
func pageOf[T any](all []T, page, size int) []T {
	from := min((page-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}
