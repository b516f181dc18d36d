package response

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// Challenge is one way of signing in that a 401 offers (RFC 9110, section 11.6.1).
type Challenge struct {
	scheme string // in lower case
	params map[string]string
}

// schemes are names of ways to sign in. Any other word between commas belongs to a value that stands without quotes.
var schemes = []string{
	"basic", "bearer", "digest", "negotiate", "ntlm", "kerberos", "hoba", "mutual", "oauth", "dpop", "gnap", "jwt",
	"token",
	"scram-sha-1", "scram-sha-256", "aws4-hmac-sha256",
}

// challengesOf reads the challenges of an answer, in its order: several headers, several in one, in any case, with and
// without quotes and commas. What is no challenge is left out.
func challengesOf(h http.Header) (all []Challenge) {
	for _, value := range h.Values("WWW-Authenticate") {
		all = append(all, parseChallenges(value)...)
	}
	return all
}

func parseChallenges(s string) (all []Challenge) {
	const blanks = " \t,;"
	key, loose := "", false // the last parameter; whether its value stood without quotes, and may go on
	for s = strings.TrimLeft(s, blanks); s != ""; s = strings.TrimLeft(s, blanks) {
		word, rest := s, ""
		if i := strings.IndexAny(s, blanks+"="); i >= 0 {
			word, rest = s[:i], s[i:]
		}
		name, last := strings.ToLower(word), len(all)-1
		if value, assigned := strings.CutPrefix(strings.TrimLeft(rest, " \t"), "="); assigned {
			key = name
			value, s, loose = cutValue(strings.TrimLeft(value, " \t"))
			if last >= 0 && all[last].params[key] == "" {
				all[last].params[key] = value
			}
			continue
		}
		if loose && last >= 0 && !slices.Contains(schemes, name) {
			all[last].params[key] += "," + word // scope=repository:app:pull,push
		} else {
			all, loose = append(all, Challenge{scheme: name, params: map[string]string{}}), false
		}
		s = rest
	}
	return all
}

// cutValue cuts the value of a parameter off: in quotes of either kind, or up to a blank or a comma.
func cutValue(s string) (value, rest string, loose bool) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		i := strings.IndexAny(s, " \t,")
		if i < 0 {
			i = len(s)
		}
		return s[:i], s[i:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return b.String(), s[i+1:], false
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), "", false
}

// answerable returns the one of the challenges that is answered: by a token where the registry has a token server, else
// by a name and a password. The text says why there is none.
func answerable(all []Challenge) (found Challenge, why image.Text) {
	var others []string
	why = image.Textf("it does not say how to sign in")
	for _, wanted := range []string{"bearer", "basic"} {
		for _, c := range all {
			if c.scheme != wanted {
				continue
			}
			if wanted == "basic" || validRealm(c.params["realm"]) {
				return c, image.Text{}
			}
			why = image.Textf("it names no token server that can be asked")
		}
	}
	for _, c := range all {
		if c.scheme != "bearer" && c.scheme != "basic" && len(others) < 4 && !slices.Contains(others, Clean(c.scheme)) {
			others = append(others, Clean(c.scheme))
		}
	}
	if len(others) > 0 {
		why = image.Textf("it wants a kind of sign-in that is not supported here: %s", strings.Join(others, ", "))
	}
	return Challenge{}, why
}

// validRealm reports whether a token server's address is one: absolute, or relative to the registry's.
func validRealm(realm string) bool {
	u, err := url.Parse(realm)
	return err == nil && realm != "" && u.User == nil &&
		(u.Scheme == "" || u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"))
}

// header writes the challenge in the one form that regclient reads.
func (c Challenge) header() string {
	title := map[string]string{"bearer": "Bearer", "basic": "Basic"}[c.scheme]
	realm := c.params["realm"]
	if realm == "" {
		realm = "registry" // of Basic; regclient wants one
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	value := title + ` realm="` + quoted.Replace(realm) + `"`
	for _, key := range []string{"service", "scope"} {
		if said, there := c.params[key]; there && c.scheme == "bearer" {
			value += "," + key + `="` + quoted.Replace(said) + `"`
		}
	}
	return value
}

// LeaveOneChallenge leaves the one challenge in the headers that can be answered, in the form that regclient reads.
// Where there is none, the text says why.
func LeaveOneChallenge(h http.Header) image.Text {
	c, why := answerable(challengesOf(h))
	h.Del("WWW-Authenticate")
	if why.Empty() {
		h.Set("WWW-Authenticate", c.header())
	}
	return why
}
