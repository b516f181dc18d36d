package registry

import (
	"encoding/json"
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
	message string // and its message; cleaned
	html    bool
	token   bool      // the answer is a token server's
	until   time.Time // from Retry-After; zero where there is none
}

// Error implements error.
func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s answers %d %s: %s %s", e.host, e.code, http.StatusText(e.code), e.name, e.message))
}

// statusError reads what an answer says about its failure. The body is read, bounded, and stays readable.
func (t *transport) statusError(req *http.Request, resp *http.Response) *statusError {
	e := &statusError{
		code:  resp.StatusCode,
		host:  clean(req.URL.Host),
		html:  mediaTypeOf(resp.Header) == "text/html",
		until: retryAfter(resp.Header, time.Now()),
	}
	raw, err := readBody(resp, maxErrorBody)
	if err != nil {
		resp.Body = http.NoBody
		return e
	}
	var body struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
		Message string `json:"message"`
		Details string `json:"details"` // Docker Hub's token server
	}
	if json.Unmarshal(raw, &body) != nil {
		return e
	}
	e.message = body.Message + body.Details
	if len(body.Errors) > 0 {
		e.name, e.message = clean(body.Errors[0].Code), body.Errors[0].Message
	}
	for _, secret := range t.secretsOf(req) {
		e.message = strings.ReplaceAll(e.message, secret, "…")
	}
	e.message = clean(e.message)
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
func clean(s string) string {
	const most = 200
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
