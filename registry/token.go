package registry

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
)

// tokenFailure is why there is no token: a statusError, an error of the network, or what is wrong with the answer. It
// is the token server's failure and nobody's sign-in, unless that is what its status says.
type tokenFailure struct {
	host string
	what image.Text // what came instead, with a status that is a success; else empty
	err  error
}

// Error implements error.
func (f *tokenFailure) Error() string {
	if !f.what.Empty() {
		return fmt.Sprintf("get a token from %s: got %s", f.host, f.what)
	}
	return fmt.Sprintf("get a token from %s: %v", f.host, f.err)
}

// Unwrap returns the cause.
func (f *tokenFailure) Unwrap() error { return f.err }

// Lasts reports whether asking again will not help: what is no token is none the next time.
func (f *tokenFailure) Lasts() bool {
	var status *response.StatusError
	if errors.As(f.err, &status) {
		return status.Lasts()
	}
	return !f.what.Empty()
}

// leaks reports whether a redirected request for a token would hand a secret over: out of TLS, or in its body to
// another host. regclient looks at other requests' redirects, and net/http sends both on.
func leaks(origin, out *http.Request) bool {
	return origin.URL.Scheme == "https" && out.URL.Scheme != "https" || out.Body != nil && out.URL.Host != origin.URL.Host
}

// readToken reads a token server's answer and puts the token in its place, in the form that regclient reads. The text
// says what there is instead of one.
func readToken(resp *http.Response) (instead image.Text, err error) {
	raw, err := response.ReadBody(resp, maxTokenBody)
	if errors.Is(err, response.ErrTooLarge) {
		return image.Textf("more than %d bytes", maxTokenBody), nil
	}
	if err != nil {
		return image.Text{}, err
	}
	if plain, ok := response.Inflated(resp.Header, raw, maxTokenBody); ok {
		raw = plain
	}
	var answer struct {
		Token   any     `json:"token"`
		Access  any     `json:"access_token"`
		Expires seconds `json:"expires_in"`
		Issued  any     `json:"issued_at"`
		Refresh any     `json:"refresh_token"`
	}
	trimmed := strings.TrimSpace(string(raw))
	wrong := json.Unmarshal(raw, &answer)
	access, _ := answer.Access.(string)
	token, _ := answer.Token.(string)
	refresh, _ := answer.Refresh.(string)
	token = cmp.Or(strings.TrimSpace(access), strings.TrimSpace(token))
	said, _ := answer.Issued.(string)
	issued, _ := time.Parse(time.RFC3339Nano, said) // else regclient counts from now
	switch {
	case trimmed == "":
		return image.Textf("nothing"), nil
	case wrong != nil && (strings.HasPrefix(trimmed, "<") || response.MediaType(resp.Header) == "text/html"):
		return image.Textf("a web page"), nil
	case errors.Is(wrong, errNoNumber):
		return image.Textf("JSON whose expires_in is no number"), nil
	case wrong != nil:
		return image.Textf("something that is no JSON"), nil
	case token == "":
		return image.Textf("JSON that holds none"), nil
	case strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return image.Textf("one that cannot be sent"), nil
	}
	//nolint:gosec // it is the answer to the client in this process that asked for the token, and goes nowhere else
	out, err := json.Marshal(struct {
		Token   string    `json:"token"`
		Expires int       `json:"expires_in,omitempty"`
		Issued  time.Time `json:"issued_at,omitzero"`
		Refresh string    `json:"refresh_token,omitempty"`
	}{token, int(answer.Expires), issued, refresh})
	if err != nil {
		return image.Text{}, err
	}
	response.SetBody(resp, out)
	resp.StatusCode, resp.Status = http.StatusOK, "200 OK" // some say 201
	return image.Text{}, nil
}

// errNoNumber says that a token's time to live is a text, say: docker takes no such token either (distribution's
// client decodes expires_in as an integer).
var errNoNumber = errors.New("expires_in is no number")

// seconds is a number of seconds, with or without a fraction; 0 where it is none that makes sense.
type seconds int

// UnmarshalJSON implements json.Unmarshaler.
func (s *seconds) UnmarshalJSON(raw []byte) error {
	const most = 365 * 24 * 60 * 60
	if c := raw[0]; c != '-' && c != 'n' && (c < '0' || c > '9') {
		return errNoNumber
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if *s = 0; err == nil && n > 0 {
		*s = seconds(min(n, most))
	}
	return nil
}
