package main

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// page is an answer of the server, as a browser without scripting gets it.
type page struct {
	t      *testing.T
	status int
	header http.Header
	url    *url.URL
	body   string
	root   *html.Node
}

// get fetches a path as it is, redirects followed.
func (s *stowage) get(path string) (status int, body string) {
	s.t.Helper()
	p := s.page(path)
	return p.status, p.body
}

// page fetches a page.
func (s *stowage) page(path string) *page {
	s.t.Helper()
	return s.send(http.MethodGet, path, nil, nil)
}

// post sends a form as the server's own pages do, and gives the page that it leads to.
func (s *stowage) post(path string, form url.Values) *page {
	s.t.Helper()
	return s.send(http.MethodPost, path, form, map[string]string{"Origin": s.url, "Sec-Fetch-Site": "same-origin"})
}

// send makes a request; the header "Host" is the request's. A GET that says nothing of where it comes from is one by the
// address bar.
func (s *stowage) send(method, path string, form url.Values, header map[string]string) *page {
	s.t.Helper()
	if form != nil {
		all := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
		maps.Copy(all, header)
		header = all
	}
	return s.sendBody(method, path, strings.NewReader(form.Encode()), header)
}

// sendBody is send with any body.
func (s *stowage) sendBody(method, path string, body io.Reader, header map[string]string) *page {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodGet {
		req.Header.Set("Sec-Fetch-Site", "none")
	}
	for k, v := range header {
		if req.Header.Set(k, v); v == "" {
			req.Header.Del(k)
		}
	}
	if host := header["Host"]; host != "" {
		req.Host = host
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Jar: jar}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("read %s: %v", path, err)
	}
	p := &page{t: s.t, status: resp.StatusCode, header: resp.Header, url: resp.Request.URL, body: string(answer)}
	if p.root, err = html.Parse(strings.NewReader(p.body)); err != nil {
		s.t.Fatalf("parse %s: %v", path, err)
	}
	return p
}

// all gives the elements that match, in the order of the page.
func (p *page) all(match func(*html.Node) bool) []*html.Node {
	var found []*html.Node
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			found = append(found, n)
		}
	}
	return found
}

// attribute gives an element's attribute, empty where it has none.
func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is what the main part of the page says, with white space made single spaces.
func (p *page) text() string {
	main := p.all(func(n *html.Node) bool { return n.Data == "main" })
	if len(main) == 0 {
		return p.body
	}
	var b strings.Builder
	for n := range main[0].Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			b.WriteString(n.Data)
		} else if n.Type == html.ElementNode && !slices.Contains([]string{"a", "b", "code", "span", "wbr"}, n.Data) {
			b.WriteString(" ") // text in blocks of their own does not run together
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// says fails the test unless the page has a status and its main part holds every part, whether or not a sentence
// begins there.
func (p *page) says(status int, parts ...string) {
	p.t.Helper()
	if p.status != status {
		p.t.Errorf("%s: status %d, want %d: %s", p.url, p.status, status, p.text())
	}
	for _, part := range parts {
		if !strings.Contains(strings.ToLower(p.text()), strings.ToLower(part)) {
			p.t.Errorf("%s does not say %q but: %s", p.url, part, p.text())
		}
	}
}

// links are the addresses that the main part of the page leads to, each once.
func (p *page) links(prefix string) []string {
	var found []string
	for _, main := range p.all(func(n *html.Node) bool { return n.Data == "main" }) {
		for n := range main.Descendants() {
			if href := attribute(n, "href"); n.Data == "a" && strings.HasPrefix(href, prefix) && !slices.Contains(found, href) {
				found = append(found, href)
			}
		}
	}
	return found
}

// shelf is what the Images page lists.
func (s *stowage) shelf() []string {
	s.t.Helper()
	p := s.page("/images")
	if p.status != http.StatusOK {
		s.t.Fatalf("GET /images: %d %s", p.status, p.text())
	}
	return p.links("/images/")
}

// pull asks for a pull and gives the path of its page.
func (s *stowage) pull(ref string, platforms ...string) string {
	s.t.Helper()
	p := s.post("/pulls", url.Values{"ref": {ref}, "platform": platforms})
	if p.status != http.StatusOK || !strings.HasPrefix(p.url.Path, "/pulls/") {
		s.t.Fatalf("pull %s: %d at %s: %s", ref, p.status, p.url, p.text())
	}
	return p.url.Path
}

// pullState is the state that a pull's page shows.
func (p *page) pullState() string {
	for _, n := range p.all(func(n *html.Node) bool { return attribute(n, "id") == "pull" }) {
		return attribute(n, "data-state")
	}
	return ""
}

// await waits until a pull's page satisfies a test. It looks at the page whenever the pull's events bring something.
func (s *stowage) await(pull, what string, done func(*page) bool) *page {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var last *page
	for ctx.Err() == nil {
		events := s.events(ctx, pull)
		for more := true; more; {
			last = s.page(pull)
			if done(last) {
				events.close()
				return last
			}
			more = events.next()
		}
		events.close()
		if last = s.page(pull); done(last) {
			return last
		}
		if final := last.pullState(); final == "done" || final == "failed" || final == "cancelled" {
			s.t.Fatalf("%s is %s before it was %s: %s", pull, final, what, last.text())
		}
	}
	s.t.Fatalf("%s did not come to be %s: %s", pull, what, last.text())
	return nil
}

// awaitState waits until a pull is in a state.
func (s *stowage) awaitState(pull, state string) *page {
	s.t.Helper()
	return s.await(pull, state, func(p *page) bool { return p.pullState() == state })
}

// stream is a pull's Server-Sent Events.
type stream struct {
	body  io.ReadCloser
	lines *bufio.Scanner
}

// events connects to a pull's events.
func (s *stowage) events(ctx context.Context, pull string) *stream {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+pull+"/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	e := &stream{body: resp.Body, lines: bufio.NewScanner(resp.Body)}
	e.lines.Buffer(nil, 4<<20)
	return e
}

// next waits for the end of the next event; false at the end of the stream.
func (e *stream) next() bool {
	for data := false; e.lines.Scan(); {
		switch line := e.lines.Text(); {
		case strings.HasPrefix(line, "data:"):
			data = true
		case line == "" && data:
			return true
		}
	}
	return false
}

func (e *stream) close() { _ = e.body.Close() }

// layer is what a pull's page says about its nth layer, and how many bytes of it are on disk.
func (p *page) layer(n int) (text, bytes string) {
	for _, row := range p.all(func(e *html.Node) bool { return attribute(e, "id") == "layer-"+strconv.Itoa(n) }) {
		for e := range row.Descendants() {
			switch {
			case e.Data == "progress":
				bytes = attribute(e, "value")
			case e.Type == html.TextNode:
				text += " " + e.Data
			}
		}
	}
	return strings.Join(strings.Fields(text), " "), bytes
}
