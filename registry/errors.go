package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/regclient/regclient/types/errs"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/outbound"
	"github.com/stowage/stowage/registry/response"
)

// RateLimit is the cause of an error of kind RateLimited.
type RateLimit struct {
	Until time.Time // when the registry takes requests again; zero where it did not say
	Err   error
}

// Error implements error.
func (e *RateLimit) Error() string { return "rate limited: " + e.Err.Error() }

// Unwrap returns the registry's answer.
func (e *RateLimit) Unwrap() error { return e.Err }

// RetryAt returns Until, for those who look for an error with this method and do not import this package.
func (e *RateLimit) RetryAt() time.Time { return e.Until }

func wrongDigest(s subject, got image.Digest) error {
	return image.Errorf(image.Corrupt, "%s sent something else for %s: its digest is %s", s.host(), s.name(), got).
		Suggest("Try again. If it happens again, a proxy or the registry itself alters what it serves.")
}

// ErrNotThis is the cause of an error where something answered, but not the service that was asked for.
var ErrNotThis = errors.New("this is not such a service's answer")

// ExplainSearch makes of what went wrong below HTTP, when a search service at host[:port] was asked, an image.Error, or
// gives back the context's error.
func (h Host) ExplainSearch(ctx context.Context, at string, err error) error {
	h.API = at
	return h.explain(ctx, subjectOfSearch(h.Name), &exchange{}, err)
}

// explain makes of whatever went wrong an image.Error in plain words, or gives back the context's error.
func (h Host) explain(ctx context.Context, s subject, ex *exchange, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, errs.ErrHTTPRedirectRefused) {
		return h.ledAstray(err)
	}
	var guarded *outbound.ForbiddenAddress
	if errors.As(err, &guarded) {
		return guarded.Explain(h.Name, h.API)
	}
	var known *image.Error
	if errors.As(err, &known) {
		return known
	}
	var failure *tokenFailure
	var status *response.StatusError
	switch {
	case errors.As(err, &failure):
		return h.explainToken(s, failure)
	case errors.As(err, &status):
		return h.explainStatus(s, status)
	case ex.refused(err):
		return h.refused(s, ex.refusal, ex.unanswerable, err)
	}
	return h.explainNetwork(s, err)
}

func (h Host) explainStatus(s subject, status *response.StatusError) error {
	switch code := status.Code; {
	case code == http.StatusTooManyRequests || status.Name == "TOOMANYREQUESTS":
		return h.rateLimited(status)
	case code == http.StatusUnauthorized, code == http.StatusForbidden && asksForSignIn(status):
		return h.refused(s, status.Words, image.Text{}, status)
	case status.Gone():
		return h.notFound(s, status)
	case status.Name == "NAME_INVALID" || status.Name == "TAG_INVALID" || status.Name == "DIGEST_INVALID":
		return image.Errorf(image.Invalid, "%s does not accept %s: %s", h.Name, s.name(), status.Words).Because(status)
	case status.Astray:
		return image.Errorf(image.Unavailable, "%s redirects %s to a page of %s, which answers %d %s", h.Name, s.name(),
			status.Host, code, http.StatusText(code)).
			Because(status).Suggest("Check the registry's address: a proxy or a sign-in page may stand in front of it.")
	case slices.Contains(forbidding, code):
		return h.forbidden(s, status)
	case status.HTML && status.Words != "":
		return image.Errorf(image.Unavailable, "%s answers with a web page (%d %s: %s), not as a registry does", status.Host,
			code, http.StatusText(code), status.Words).
			Because(status).Suggest("Check the registry's address: a proxy or a sign-in page may stand in front of it.")
	case status.HTML:
		return image.Errorf(image.Unavailable, "%s answers with a web page (%d %s), not as a registry does", status.Host,
			code, http.StatusText(code)).
			Because(status).Suggest("Check the registry's address: a proxy or a sign-in page may stand in front of it.")
	}
	e := image.Errorf(image.Unavailable, "%s cannot serve %s now: %s answers %d %s", h.Name, s.name(), status.Host,
		status.Code, http.StatusText(status.Code))
	if status.Words != "" {
		e = image.Errorf(image.Unavailable, "%s cannot serve %s now: %s answers %d %s: %s",
			h.Name, s.name(), status.Host, status.Code, http.StatusText(status.Code), status.Words)
	}
	return e.Because(status).Suggest("Try again later, or ask whoever runs %s.", h.Name)
}

// forbidding are the statuses of a registry that has what is asked for and does not hand it out: it is not paid for, in
// quarantine, against a policy, under lock, against a law.
var forbidding = []int{
	http.StatusPaymentRequired, http.StatusForbidden, http.StatusPreconditionFailed, http.StatusLocked,
	http.StatusUnavailableForLegalReasons,
}

// signInWords are what registries say when they mean that somebody else may have it. A reason of another kind, such as
// a quarantine, is no matter of a sign-in.
var signInWords = regexp.MustCompile(
	`(?i)sign[ -]?in|log[ -]?(ged )?in|authenti|authori[sz]|credential|password|anonymous|access.*denied|denied.*access|insufficient.scope|permission|^(denied|forbidden|access ?denied|.*403 forbidden)\.?$`)

func asksForSignIn(status *response.StatusError) bool {
	return status.Words == "" || signInWords.MatchString(status.Words)
}

func (h Host) forbidden(s subject, status *response.StatusError) error {
	e := image.Errorf(image.Forbidden, "%s does not hand out %s: %d %s", h.Name, s.name(), status.Code,
		http.StatusText(status.Code))
	if status.Words != "" {
		e = image.Errorf(image.Forbidden, "%s does not hand out %s: %d %s: %s", h.Name, s.name(), status.Code,
			http.StatusText(status.Code), status.Words)
	}
	e = e.Because(status)
	if status.Code == http.StatusForbidden && !h.login.Known() {
		return h.SigningIn(e.Suggest("Ask whoever runs %s. If an account may have it, run %s as the user that this server runs as.", h.Name, h.LoginCommand()))
	}
	return e.Suggest("Ask whoever runs %s.", h.Name)
}

func (h Host) notFound(s subject, status *response.StatusError) error {
	if s.blob.Digest != "" {
		if elsewhere := keptElsewhere(s); elsewhere != nil {
			return elsewhere.Because(status)
		}
		return image.Errorf(image.NotFound, "%s has no %s", h.Name, s.name()).Because(status).
			Suggest("The registry lost part of the image: ask whoever pushed it to push it again.")
	}
	said := saidOf(status)
	hub := h.Name == image.DockerHub // other registries' names hold the host
	if status.Name == "NAME_UNKNOWN" || s.ref.Tag == "" && s.ref.Digest == "" {
		if said == "" {
			said = "name unknown"
		}
		e := image.Errorf(image.NotFound, "repository %s not found: %s", s.ref.Repository.Familiar(), said)
		if hub {
			e = image.Errorf(image.NotFound, "repository %s not found on docker.io: %s", s.ref.Repository.Familiar(), said)
		}
		return e.Because(status).Suggest("Check the name.")
	}
	if said == "" {
		said = "manifest unknown"
	}
	e := image.Errorf(image.NotFound, "manifest for %s not found: %s", s.name(), said)
	if hub {
		e = image.Errorf(image.NotFound, "manifest for %s not found on docker.io: %s", s.name(), said)
	}
	e = e.Because(status)
	if s.ref.Digest != "" {
		return e.Suggest("Check the name and the digest: the registry may have deleted it.")
	}
	return e.Suggest("Check the name and the tag.")
}

// saidOf returns what an answer says in the form of docker's: the code in words, and the message where it says more.
func saidOf(status *response.StatusError) string {
	said := strings.ToLower(strings.ReplaceAll(status.Name, "_", " "))
	switch {
	case said == "":
		return status.Words
	case status.Words == "" || strings.EqualFold(status.Words, said):
		return said
	case strings.HasPrefix(strings.ToLower(status.Words), said):
		return status.Words
	}
	return said + ": " + status.Words
}

// keptElsewhere returns the error of a layer that registries do not have by its own media type or addresses, such as
// the base of a Windows image; nil for any other.
func keptElsewhere(s subject) *image.Error {
	foreign := strings.Contains(s.blob.MediaType, ".foreign.") || strings.Contains(s.blob.MediaType, ".nondistributable.")
	if !foreign && len(s.blob.URLs) == 0 {
		return nil
	}
	e := image.Errorf(image.NotFound, "layer %s of %s is a foreign one, which its registry does not keep",
		image.ShortDigest(s.blob.Digest), s.ref.Repository.Familiar())
	if len(s.blob.URLs) > 0 {
		e = image.Errorf(image.NotFound, "layer %s of %s is a foreign one, which its registry does not keep: it lies at %s",
			image.ShortDigest(s.blob.Digest), s.ref.Repository.Familiar(), response.Clean(s.blob.URLs[0]))
	}
	return e.Suggest("Ask whoever pushed the image to push that layer along. Such layers are mostly the bases of Windows images.")
}

// refused explains 401 and 403. Docker Hub gives the same answer for a private repository and for none,
// hence docker's own words.
func (h Host) refused(s subject, said string, unanswerable image.Text, err error) error {
	repo := s.ref.Repository.Familiar()
	login := h.LoginCommand()
	switch {
	case !unanswerable.Empty():
		e := image.Errorf(image.Unauthorized, "%s wants a sign-in for %s, and %s", h.Name, repo, unanswerable)
		if said != "" {
			e = image.Errorf(image.Unauthorized, "%s wants a sign-in for %s, and %s: %s", h.Name, repo, unanswerable, said)
		}
		return e.Because(err).Suggest("Ask whoever runs %s how docker is to sign in there.", h.Name)
	case !h.login.Known() && h.loginProblem != nil:
		return image.Errorf(image.Unauthorized, "%s wants a sign-in for %s, and docker's credentials cannot be read: %s",
			h.Name, repo, h.loginProblem.Text()).
			Because(err).Suggest("%s Images that need no sign-in can be pulled nevertheless.", h.loginProblem.Advice())
	case h.hub() && !h.login.Known():
		e := image.Errorf(image.NotFound, "pull access denied for %s: it does not exist on Docker Hub, or needs a sign-in",
			repo)
		return h.SigningIn(e.Because(err).
			Suggest("Check the name. For a private repository run %s as the user that this server runs as.", login))
	case !h.login.Known():
		e := image.Errorf(image.Unauthorized, "%s wants a sign-in for %s", h.Name, repo)
		if said != "" {
			e = image.Errorf(image.Unauthorized, "%s wants a sign-in for %s: %s", h.Name, repo, said)
		}
		return h.SigningIn(e.Because(err).
			Suggest("Run %s as the user that this server runs as: credentials come from docker's config.json.", login))
	}
	e := image.Errorf(image.Unauthorized, "%s refuses the stored sign-in for %s", h.Name, repo)
	if said != "" {
		e = image.Errorf(image.Unauthorized, "%s refuses the stored sign-in for %s: %s", h.Name, repo, said)
	}
	return e.Because(err).
		Suggest("Run %s again as the user that this server runs as, or ask for access to %s. It may also not exist.", login,
			repo)
}

func (h Host) rateLimited(status *response.StatusError) error {
	cause := &RateLimit{Until: status.Until, Err: status}
	e := image.Errorf(image.RateLimited, "%s allows no more requests for now: its rate limit is reached", h.Name)
	if !status.Until.IsZero() {
		e = image.Errorf(image.RateLimited, "%s allows no more requests until %s: its rate limit is reached",
			h.Name, status.Until.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	e = e.Because(cause)
	if h.hub() && !h.login.Known() {
		return h.SigningIn(e.Suggest("Wait, or run docker login as the user that this server runs as: an account has a larger allowance."))
	}
	return e.Suggest("Wait, or ask whoever runs %s for a larger allowance.", h.Name)
}

// ledAstray explains a redirect or a token server that regclient itself does not follow.
func (h Host) ledAstray(err error) error {
	at, err := failingHost(h.API, err)
	e := image.Errorf(image.Forbidden, "%s redirects to an address that is not allowed", h.Name)
	if at != h.API {
		e = image.Errorf(image.Forbidden, "%s leads to %s, which is not allowed", h.Name, at)
	}
	return e.Because(err).Suggest("A registry may not lead from TLS to plain HTTP, nor from outside to this machine.")
}

// explainNetwork explains what went wrong below HTTP.
func (h Host) explainNetwork(s subject, failed error) error {
	at, err := failingHost(h.API, failed)
	name := image.Plain(h.Name)
	var token *tokenFailure
	switch {
	case errors.As(failed, &token):
		name = tokenServer(token.host, h.Name)
	case at != h.API:
		name = image.Textf("%s (at %s)", h.Name, at)
	}
	unavailable := func(format string, args ...any) *image.Error {
		return image.Errorf(image.Unavailable, format, args...).Because(err)
	}
	var dns *net.DNSError
	var timeout net.Error
	problem, untrusted := outbound.CertificateProblem(err)
	switch {
	case untrusted:
		e := unavailable("the certificate of %s is not trusted: %s", name, problem)
		if h.peer.Checks(at) {
			return e.Suggest("Start the server with --registry-ca FILE to trust the registry's authority, or set tls: skip for the registry in the file of --registries to trust any certificate.")
		}
		return e.Suggest("Start the server with --registry-ca FILE to trust the registry's authority, or with --insecure-registry %s to trust any certificate.", at)
	case outbound.SchemeMismatch(err):
		e := unavailable("%s speaks plain HTTP where TLS is expected", name)
		if h.peer.TLS == outbound.TLSVerify && at == h.API {
			return e.Suggest("If you trust the network between, set tls: off for the registry in the file of --registries, or give its address to --registry with http://.")
		}
		return e.Suggest("Start the server with --insecure-registry %s if you trust the network between.", at)
	case errors.As(err, &dns) && dns.IsNotFound:
		return unavailable("there is no host %s", response.Clean(dns.Name)).
			Suggest("Check the registry's name, and this server's DNS.")
	case errors.As(err, &dns):
		return unavailable("the address of %s cannot be looked up now", response.Clean(dns.Name)).
			Suggest("Check this server's DNS and network.")
	case errors.Is(err, syscall.ECONNREFUSED):
		return unavailable("%s refuses connections", name).Suggest("Check that the registry runs, and its port.")
	case errors.Is(err, errStalled):
		return unavailable("%s stopped sending %s half-way", name, s.name())
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return unavailable("%s does not answer in time", name).Suggest("Check this server's network, or try again later.")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE):
		return unavailable("%s closed the connection half-way through %s", name, s.name())
	}
	return unavailable("%s cannot be reached or does not answer as a registry", name).
		Suggest("Check the registry's address and this server's network; the log has the details.")
}

// failingHost returns the host that a request failed at, and the error without its address: that may carry a
// signature in its query.
func failingHost(api string, err error) (string, error) {
	at := api
	for {
		var outer *url.Error
		if !errors.As(err, &outer) {
			return at, err
		}
		if u, parseErr := url.Parse(outer.URL); parseErr == nil && u.Host != "" {
			at = response.Clean(u.Host)
		}
		err = outer.Err
	}
}

var errStalled = errors.New("nothing arrived for too long")

func tokenServer(host, of string) image.Text {
	return image.Textf("%s, the token server of %s,", host, of)
}

// explainToken says what is wrong with a token server, and that it is not with anybody's sign-in.
func (h Host) explainToken(s subject, f *tokenFailure) error {
	name := tokenServer(f.host, h.Name)
	var status *response.StatusError
	errors.As(f.err, &status)
	var e *image.Error
	switch {
	case !f.what.Empty():
		e = image.Errorf(image.Unavailable, "%s does not give a token, but %s", name, f.what)
	case status == nil:
		return h.explainNetwork(s, f)
	case status.Code == http.StatusTooManyRequests || status.Name == "TOOMANYREQUESTS":
		return h.rateLimited(status)
	case status.Code == http.StatusUnauthorized, status.Code == http.StatusForbidden,
		status.Code == http.StatusBadRequest && h.login.Known():
		return h.refused(s, status.Words, image.Text{}, status)
	case status.Words == "" || status.HTML:
		e = image.Errorf(image.Unavailable, "%s answers %d %s instead of a token", name, status.Code,
			http.StatusText(status.Code))
	default:
		e = image.Errorf(image.Unavailable, "%s answers %d %s instead of a token: %s",
			name, status.Code, http.StatusText(status.Code), status.Words)
	}
	return e.Because(f).Suggest("Nobody's sign-in is wrong: ask whoever runs %s, or see whether a proxy stands in between.", h.Name)
}
