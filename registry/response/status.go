package response

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxWait bounds what Retry-After can ask for. Docker Hub's window is six hours.
const MaxWait = 24 * time.Hour

// MaxErrorBody bounds what is read of an answer that is no success, in bytes.
const MaxErrorBody = 256 << 10

// StatusError is an answer that is no success.
type StatusError struct {
	Code   int    // HTTP status
	Host   string // who answered: the registry, or where it redirects to, or its token server
	Name   string // the first error's code (distribution-spec "Error Codes"), such as MANIFEST_UNKNOWN
	Words  string // see reasonOf; cleaned
	HTML   bool
	Token  bool      // the answer is a token server's
	Astray bool      // a redirect led to it that is not about what was asked for, such as a sign-in page
	Until  time.Time // from Retry-After; zero where there is none
}

// Error implements error.
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s answers %d %s: %s %s", e.Host, e.Code, http.StatusText(e.Code), e.Name,
		e.Words))
}

// Lasts reports that the same answer will come to the same request: what was refused is not asked for again. A request
// that took too long (408), came too early (425) or was one of too many (429) may be answered another time.
func (e *StatusError) Lasts() bool {
	switch e.Code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Code >= 400 && e.Code < 500 || e.Code == http.StatusNotImplemented
}

// Gone reports that the registry itself does not have what was asked for, and no proxy before it.
func (e *StatusError) Gone() bool {
	return (e.Code == http.StatusNotFound || e.Code == http.StatusGone) && !e.Token && !e.HTML && !e.Astray
}

// ReadStatus reads what an answer says about its failure, which secrets are taken out of. The body is read, bounded,
// and stays readable.
func ReadStatus(req *http.Request, resp *http.Response, secrets ...string) *StatusError {
	e := &StatusError{
		Code:  resp.StatusCode,
		Host:  Clean(req.URL.Host),
		HTML:  MediaType(resp.Header) == "text/html",
		Until: retryAfter(resp.Header, time.Now()),
	}
	if origin, hops := RedirectedFrom(req); hops > 0 {
		e.Astray = strings.Contains(origin.URL.Path, "/manifests/") && !strings.Contains(req.URL.Path, "/manifests/")
	}
	raw, err := ReadBody(resp, MaxErrorBody)
	if err != nil {
		resp.Body = http.NoBody
		return e
	}
	if plain, ok := Inflated(resp.Header, raw, MaxErrorBody); ok {
		raw = plain
	}
	e.Name, e.Words = reasonOf(MediaType(resp.Header), raw)
	e.Name = Clean(e.Name)
	for _, secret := range secretsOf(req, secrets) {
		e.Words = strings.ReplaceAll(e.Words, secret, "…")
	}
	e.Words = cleanTo(e.Words, maxReason)
	return e
}

// secretsOf adds the request's own Authorization to the secrets that a host could echo in an error and nobody should
// read.
func secretsOf(req *http.Request, secrets []string) []string {
	_, token, found := strings.Cut(req.Header.Get("Authorization"), " ")
	if !found || token == "" {
		return secrets
	}
	return append([]string{token}, secrets...)
}

// retryAfter reads Retry-After, seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Time {
	value := strings.TrimSpace(h.Get("Retry-After"))
	until, err := http.ParseTime(value)
	if seconds, numErr := strconv.ParseInt(value, 10, 64); numErr == nil && seconds > 0 {
		until, err = now.Add(time.Duration(min(seconds, int64(MaxWait/time.Second)))*time.Second), nil
	}
	if err != nil || !until.After(now) {
		return time.Time{}
	}
	if latest := now.Add(MaxWait); until.After(latest) {
		return latest
	}
	return until
}
