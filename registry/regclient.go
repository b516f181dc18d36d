package registry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/regclient/regclient"
	"github.com/regclient/regclient/config"
	"github.com/regclient/regclient/scheme/reg"
	"github.com/regclient/regclient/types/errs"
	"github.com/regclient/regclient/types/ref"

	"github.com/stowage/stowage/image"
)

// regclient does references, sign-ins, redirects and the pages of tags. Where it hinders, the ways around it are here
// and in transport.go. Each could go if regclient changed:
//
// - It returns neither the headers nor the bytes of an answer as they came, nor who answered: an exchange travels in
// the
//     context and brings them back. It would have to return the answer beside what it made of it.
//   - It takes no range of a blob: a 206 is made to look like a 200. BlobGet would have to take an offset.
// - It asks for tokens without the request's context, one at a time for a host: await leaves such a request behind.
// Its
//     auth package would have to take the context.
//   - It keeps quiet about why there is no token: the transport remembers. The error would have to wrap the cause.
//   - It waits and tries again by itself, as Retry-After says: a status becomes an error before it sees that, and its
//     delay is next to nothing. It would have to take "never".
// - It knows no pages of a catalog: the transport asks for the page's address in place of its own. RepoList would have
//     to take one.
// - It warns in the log of what ends in an error here: all that it logs is turned down to debug. It would have to
// leave
//     that to whoever gets the error.

// newRegclient makes the one client of regclient's that speaks to a host. One for each has a configuration of its own,
// which can be thrown away with what regclient remembers.
func newRegclient(opts Options, h Host, t http.RoundTripper) *regclient.RegClient {
	settings := config.Host{
		Name:          h.Name,
		Hostname:      h.API,
		TLS:           config.TLSEnabled,
		User:          h.login.User,
		Pass:          h.login.Password,
		Token:         h.login.Token,
		ReqConcurrent: int64(opts.Concurrency + spareRequests), // regclient's own default is 3
		RepoAuth:      true,                                    // else a token asks for every repository ever used
	}
	if h.Scheme == "http" {
		settings.TLS = config.TLSDisabled
	}
	return regclient.New(
		regclient.WithConfigHost(settings),
		regclient.WithUserAgent(opts.UserAgent),
		regclient.WithSlog(debugLogger(opts.Logger)),
		regclient.WithRegOpts(
			reg.WithHTTPClient(&http.Client{Transport: t}),
			// 1 is the fewest: one try, and one more after a challenge. With the delay next to nothing, a
			// failure does not hold up what others ask of the same host.
			reg.WithRetryLimit(1),
			reg.WithDelay(time.Nanosecond, time.Nanosecond),
		),
	)
}

// regRef builds regclient's reference from fields that image.ParseReference has proved. Its own parser is
// not used: that one also reads ocidir:// and would open folders on this machine.
func regRef(r image.Reference) ref.Ref {
	return ref.Ref{
		Scheme:     "reg",
		Reference:  r.String(),
		Registry:   r.Repository.Host(),
		Repository: r.Repository.Path(),
		Tag:        r.Tag,
		Digest:     string(r.Digest),
	}
}

// requestKind says what an exchange is after.
type requestKind int

const (
	kindManifest requestKind = iota
	kindTags
	kindBlob
	kindCatalog
)

// exchange travels in a request's context, down through regclient to the transport, and brings back what
// regclient does not hand out. It is used by one goroutine at a time.
type exchange struct {
	kind    requestKind
	subject subject
	offset  int64 // a blob's first byte wanted; 0 once the registry would not have it
	size    int64 // a blob's size

	challenged   bool        // the last answer was 401
	refusal      string      // what the last 401 said
	unanswerable image.Text  // why the last 401 can be answered by nobody; empty where it can
	header       http.Header // of the success
	length       int64       // Content-Length of the success; -1 where there was none
	raw          []byte      // a manifest's bytes, or those of a page of a catalog
	start        int64       // where a blob's body begins
	next         *url.URL    // the page of a catalog that is asked for; nil for the first
	url          *url.URL    // where the success came from
	listing      listing
}

// listing is what was seen of a list of tags.
type listing struct {
	pages  map[string]bool
	linked bool // one of the pages led to another
	bytes  int
}

// complete reports whether a manifest, or the head of one, arrived whole, whatever regclient makes of it: what
// counts as a manifest is for package image to say. So did a page of a catalog, which is read by ourselves.
func (ex *exchange) complete() bool {
	return (ex.kind == kindManifest || ex.kind == kindCatalog) && ex.header != nil
}

// refused reports whether err means 401, or no token to be had, and nothing below HTTP.
func (ex *exchange) refused(err error) bool {
	var below *url.Error // regclient also calls a token server out of reach unauthorized
	return (ex.challenged || errors.Is(err, errs.ErrHTTPUnauthorized)) && !errors.As(err, &below)
}

type exchangeKey struct{}

func withExchange(ctx context.Context, ex *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, ex)
}

func exchangeOf(ctx context.Context) *exchange {
	ex, _ := ctx.Value(exchangeKey{}).(*exchange)
	return ex
}

func limitOf(kind requestKind) int {
	if kind == kindTags || kind == kindCatalog {
		return maxTagPage
	}
	return image.MaxManifestSize
}

// leaveAfter is how long a request has to notice that its context has ended.
const leaveAfter = time.Second

// await runs f. Where f goes on although ctx has ended it is left behind, with the error of ctx; what it
// gives later goes to late. regclient asks for tokens without the request's context, one at a time for a
// host, so a token server that hangs would hold up everybody, also those who have given up.
func await[T any](ctx context.Context, f func() (T, error), late func(T)) (value T, left bool, err error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, false, r.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(leaveAfter)
	defer grace.Stop()
	select {
	case r := <-done:
		return r.value, false, r.err
	case <-grace.C:
	}
	go func() {
		if r := <-done; r.err == nil {
			late(r.value)
		}
	}()
	return value, true, ctx.Err()
}

// debugLogger logs everything at debug level at most: what regclient warns of ends in an error that the
// caller gets, and a failing registry is no news for the server's operator.
func debugLogger(l *slog.Logger) *slog.Logger { return slog.New(debugHandler{l.Handler()}) }

type debugHandler struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h debugHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.Handler.Enabled(ctx, min(level, slog.LevelDebug))
}

// Handle implements slog.Handler.
func (h debugHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = min(r.Level, slog.LevelDebug)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h debugHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return debugHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h debugHandler) WithGroup(name string) slog.Handler {
	return debugHandler{h.Handler.WithGroup(name)}
}
