package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/registry/response"
)

const (
	maxServiceBody = 4 << 20 // bytes of one answer
	maxRedirects   = 5
	searchLimit    = 15 * time.Second // for one answer, with its wait for a turn, redirects and fallback
	hubPatience    = 6 * time.Second  // with Docker Hub's own search, before the fallback is taken
)

// service is where a registry's search answers, and as whom it is asked.
type service struct {
	out      *outbound.Client
	limiters *limiters
	host     registry.Host // found out only where the registry itself is asked: else nobody's login is known
	base     *url.URL      // where it answers; may have a path
}

// get asks for one JSON document below the base. The path is escaped already.
func (s service) get(ctx context.Context, path string, query url.Values, into any) error {
	u, err := url.Parse(s.base.String() + path)
	if err != nil {
		return fmt.Errorf("ask the search of %s: %w", s.host.Name, err)
	}
	u.RawQuery = query.Encode()
	l := s.limiters.of(u.Host)
	leave, err := l.enter(ctx, s.host.Name)
	if err != nil {
		return s.explain(ctx, err)
	}
	defer leave()
	raw, err := s.send(ctx, u)
	var status *response.StatusError
	switch {
	case err == nil:
	case errors.As(err, &status):
		err = s.explainStatus(status)
		if status.Code == http.StatusTooManyRequests {
			l.shut(err, status.Until)
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
	origin := s.out.From(s.base.Host)
	var redirect *http.Response
	for range maxRedirects + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Accept-Encoding", "identity")
		req.Response = redirect
		s.host.SignIn(req)
		resp, err := origin.Do(req)
		if err != nil {
			return nil, &url.Error{Op: "Get", URL: u.Scheme + "://" + u.Host, Err: err}
		}
		if resp.StatusCode < 300 || resp.StatusCode >= 400 || resp.Header.Get("Location") == "" {
			return s.receive(req, resp)
		}
		_ = resp.Body.Close()
		next, err := u.Parse(resp.Header.Get("Location"))
		if err != nil || next.Host == "" || next.User != nil || next.Scheme != "https" && next.Scheme != u.Scheme ||
			s.out.Inward(ctx, u, next) {
			return nil, image.Errorf(image.Unavailable, "%s redirects to an address that is not allowed", s.host.Name).
				Because(registry.ErrNotThis).Suggest(
				"A registry may not lead from TLS to plain HTTP, nor from outside to this machine.")
		}
		u, redirect = next, resp
	}
	return nil, image.Errorf(image.Unavailable, "%s redirects in a circle, or too often", s.host.Name).
		Because(registry.ErrNotThis)
}

// receive reads an answer whole.
func (s service) receive(req *http.Request, resp *http.Response) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		status := response.ReadStatus(req, resp, s.host.Secrets()...)
		_ = resp.Body.Close()
		if status.Code == http.StatusTooManyRequests && status.Until.IsZero() {
			status.Until = hubRetryAfter(resp.Header, time.Now())
		}
		return nil, status
	}
	encoding, media := resp.Header.Get("Content-Encoding"), response.MediaType(resp.Header)
	switch {
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		_ = resp.Body.Close()
		return nil, s.notUnderstood(fmt.Errorf("content encoding %q", encoding))
	case media == "text/html" || media == "application/xhtml+xml":
		_ = resp.Body.Close()
		return nil, s.webPage()
	case media != "" && media != "application/json" && media != "text/json" && media != "text/plain" &&
		!strings.HasSuffix(media, "+json"):
		_ = resp.Body.Close()
		return nil, s.notUnderstood(fmt.Errorf("media type %q", media))
	}
	raw, err := response.ReadBody(resp, maxServiceBody)
	if errors.Is(err, response.ErrTooLarge) {
		return nil, image.Errorf(image.TooLarge, "%s answers a search with more than %d bytes", s.host.Name, maxServiceBody).
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
		if until := time.Unix(seconds, 0); until.After(now) && until.Before(now.Add(response.MaxWait)) {
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
	return s.host.ExplainSearch(ctx, s.base.Host, err)
}

func (s service) explainStatus(status *response.StatusError) error {
	switch code := status.Code; {
	case code == http.StatusTooManyRequests:
		e := image.Errorf(image.RateLimited, "%s allows no more searches for now: its rate limit is reached", s.host.Name)
		if !status.Until.IsZero() {
			e = image.Errorf(image.RateLimited, "%s allows no more searches until %s: its rate limit is reached",
				s.host.Name, status.Until.UTC().Format("2006-01-02 15:04:05 MST"))
		}
		return e.Because(&registry.RateLimit{Until: status.Until, Err: status}).
			Suggest("Wait, or type the whole name of an image: pulling does not need the search.")
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e := image.Errorf(image.Unauthorized, "%s wants a sign-in for its search", s.host.Name)
		if s.host.SignedIn() {
			e = image.Errorf(image.Unauthorized, "%s refuses the stored sign-in for its search", s.host.Name)
		}
		return s.host.SigningIn(e.Because(notThis(status)).
			Suggest("Run %s as the user that this server runs as, or type the whole name of an image.", s.host.LoginCommand()))
	case code >= 500 && code != http.StatusNotImplemented:
		return image.Errorf(image.Unavailable, "the search of %s does not work now: it answers %d %s", s.host.Name, code,
			http.StatusText(code)).
			Because(status).Suggest("Try again later, or type the whole name of an image.")
	case status.HTML:
		return s.webPage()
	}
	return image.Errorf(image.Unavailable, "%s does not know this kind of search: it answers %d %s", s.host.Name,
		status.Code, http.StatusText(status.Code)).
		Because(notThis(status)).Suggest(
		"Check the registry's search in the configuration, or type the whole name of an image.")
}

func (s service) webPage() error {
	return image.Errorf(image.Unavailable, "%s answers a search with a web page", s.host.Name).
		Because(registry.ErrNotThis).
		Suggest("Check the registry's search in the configuration: a proxy or a sign-in page may stand in front of it.")
}

func (s service) notUnderstood(err error) error {
	return image.Errorf(image.Unavailable, "%s answers a search with something that is no list of repositories",
		s.host.Name).
		Because(notThis(err)).Suggest("Check the registry's search in the configuration.")
}

// notFound reports whether the service has no such page or repository.
func notFound(err error) bool {
	var status *response.StatusError
	return errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusBadRequest)
}

// notThis adds registry.ErrNotThis to an error.
func notThis(err error) error { return fmt.Errorf("%w: %w", registry.ErrNotThis, err) }

// shape is the error for a document that lacks what the service's answers have.
func (s service) shape(missing string) error {
	return s.notUnderstood(errors.New(missing + " is missing"))
}

// hit makes a result, or false where the name is none.
func (s service) hit(name lenientText) (Hit, bool) { return hitOf(s.host.Name, name) }
