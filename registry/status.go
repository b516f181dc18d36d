package registry

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxWait bounds what Retry-After can ask for. Docker Hub's window is six hours.
const maxWait = 24 * time.Hour

// statusError is an answer that is no success.
type statusError struct {
	code    int    // HTTP status
	host    string // who answered: the registry, or where it redirects to, or its token server
	name    string // the first error's code (distribution-spec "Error Codes"), such as MANIFEST_UNKNOWN
	message string // its words, see reasonOf; cleaned
	html    bool
	token   bool      // the answer is a token server's
	astray  bool      // a redirect led to it that is not about what was asked for, such as a sign-in page
	until   time.Time // from Retry-After; zero where there is none
}

// Error implements error.
func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s answers %d %s: %s %s", e.host, e.code, http.StatusText(e.code), e.name, e.message))
}

// Lasts tells that the same answer will come to the same request: what was refused is not asked for again. A request
// that took too long (408), came too early (425) or was one of too many (429) may be answered another time.
func (e *statusError) Lasts() bool {
	switch e.code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.code >= 400 && e.code < 500 || e.code == http.StatusNotImplemented
}

// gone tells that the registry itself does not have what was asked for, and no proxy before it.
func (e *statusError) gone() bool {
	return (e.code == http.StatusNotFound || e.code == http.StatusGone) && !e.token && !e.html && !e.astray
}

// statusError reads what an answer says about its failure. The body is read, bounded, and stays readable.
func (t *transport) statusError(req *http.Request, resp *http.Response) *statusError {
	e := &statusError{
		code:  resp.StatusCode,
		host:  clean(req.URL.Host),
		html:  mediaTypeOf(resp.Header) == "text/html",
		until: retryAfter(resp.Header, time.Now()),
	}
	if origin, hops := redirectedFrom(req); hops > 0 {
		e.astray = strings.Contains(origin.URL.Path, "/manifests/") && !strings.Contains(req.URL.Path, "/manifests/")
	}
	raw, err := readBody(resp, maxErrorBody)
	if err != nil {
		resp.Body = http.NoBody
		return e
	}
	if plain, ok := inflated(resp.Header, raw, maxErrorBody); ok {
		raw = plain
	}
	e.name, e.message = reasonOf(mediaTypeOf(resp.Header), raw)
	e.name = clean(e.name)
	for _, secret := range t.secretsOf(req) {
		e.message = strings.ReplaceAll(e.message, secret, "…")
	}
	e.message = cleanTo(e.message, maxReason)
	return e
}

// secretsOf gives what a registry could echo in an error and nobody should read: the password, the
// identity token and the request's own Authorization.
func (t *transport) secretsOf(req *http.Request) []string {
	_, token, found := strings.Cut(req.Header.Get("Authorization"), " ")
	if !found || token == "" {
		return t.secrets
	}
	return append([]string{token}, t.secrets...)
}

// retryAfter reads Retry-After, seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Time {
	value := strings.TrimSpace(h.Get("Retry-After"))
	until, err := http.ParseTime(value)
	if seconds, numErr := strconv.ParseInt(value, 10, 64); numErr == nil && seconds > 0 {
		until, err = now.Add(time.Duration(min(seconds, int64(maxWait/time.Second)))*time.Second), nil
	}
	if err != nil || !until.After(now) {
		return time.Time{}
	}
	if latest := now.Add(maxWait); until.After(latest) {
		return latest
	}
	return until
}

// clean makes hostile text fit for a message: one line, printable, short. Unprintable are also the format
// characters that turn the direction of writing.
func clean(s string) string { return cleanTo(s, 200) }

// cleanTo is clean for a text of at most so many characters.
func cleanTo(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimSpace(s) {
		if n++; n > most {
			b.WriteRune('…')
			break
		}
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}
