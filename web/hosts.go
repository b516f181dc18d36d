package web

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// hosts are the names under which the server answers. A page elsewhere could have its own name resolve to this server
// and then read everything here (DNS rebinding); its requests still come with that name.
type hosts struct {
	loopback bool
	names    map[string]bool
}

func newHosts(o Options) hosts {
	h := hosts{loopback: o.Loopback, names: map[string]bool{}}
	for _, name := range o.Hosts {
		h.names[bareHost(name)] = true
	}
	if u, err := url.Parse(o.ExternalURL); err == nil && u.Host != "" {
		h.names[bareHost(u.Host)] = true
	}
	return h
}

// answers reports whether a request with that Host is answered: under a loopback name and the names that the operator
// gave and, on the network, under any IP address. A rebound page has a name, and behind a mapped port the server does
// not know its own address.
func (h hosts) answers(host string) bool {
	name := bareHost(host)
	if isLoopbackName(name) || h.names[name] {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil && !h.loopback
}

// bareHost returns host[:port] without its port, brackets and final dot, in lower case.
func bareHost(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

func isLoopbackName(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// isProbe reports whether a path is one that probes and scrapes ask for, by whatever name they have for the server.
func isProbe(path string) bool {
	switch path {
	case "/healthz", "/readyz", "/metrics":
		return true
	}
	return false
}

// only lets requests through that name this server, for the pages and the registry API alike. What it answers to others
// shows nothing of the shelf: whoever rebinds a name can read it.
func (h hosts) only(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.answers(r.Host) || isProbe(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		log.Info("a request for another host is refused", "host", fmt.Sprintf("%.100s", r.Host), "method", r.Method,
			"path", loggedPath(r.URL), "remote", echo.ExtractIPDirect()(r))
		h.refuse(w, r)
	})
}

// refuse says that the server does not go by the request's Host: as a page to browsers, in the registry API's form to
// its clients, and else as text.
func (h hosts) refuse(w http.ResponseWriter, r *http.Request) {
	const status = http.StatusMisdirectedRequest
	e := h.unknown(r.Host)
	safe(w.Header())
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case isAPI(r.URL.Path):
		plainError(w, status, "DENIED", e.Message+". "+e.Suggestion)
	case strings.Contains(r.Header.Get("Accept"), "text/html") && !page.PlainText(r):
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		ctx := text.WithLocale(r.Context(), text.Locale{Lang: text.NegotiateLang("", r.Header.Get("Accept-Language"))})
		_ = ui.BareErrorPage(ui.NewErrorView(ctx, status, e)).Render(ctx, w) // nobody is left to be told
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintln(w, e.Message+". "+e.Suggestion) // nobody is left to be told
	}
}

// unknown is the error about a Host that is none of the server's.
func (h hosts) unknown(host string) *image.Error {
	name := bareHost(host)
	if !page.IsHostName(name) {
		name = "NAME"
	}
	e := image.Errorf(image.Forbidden, "this server does not answer under the name %.80q", host)
	if h.loopback {
		return e.Suggest("Open it as http://localhost or http://127.0.0.1 with its port. Whoever runs it can allow the name: --host %s", name)
	}
	return e.Suggest("Open it by its IP address. Whoever runs it can allow the name: --host %s", name)
}
