package shelf

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

// Page is an answer of the server, as a browser without scripting gets it.
type Page struct {
	t      *testing.T
	Status int
	Header http.Header
	URL    *url.URL
	Body   string
	root   *html.Node
}

// Get fetches a path as it is, redirects followed.
func (s *Server) Get(path string) (status int, body string) {
	s.T.Helper()
	p := s.Page(path)
	return p.Status, p.Body
}

// Page fetches a page.
func (s *Server) Page(path string) *Page {
	s.T.Helper()
	return s.Send(http.MethodGet, path, nil, nil)
}

// Post sends a form as the server's own pages do, and gives the page that it leads to.
func (s *Server) Post(path string, form url.Values) *Page {
	s.T.Helper()
	return s.Send(http.MethodPost, path, form, map[string]string{"Origin": s.URL, "Sec-Fetch-Site": "same-origin"})
}

// Send makes a request; the header "Host" is the request's. A GET that says nothing of where it comes from is one by
// the address bar.
func (s *Server) Send(method, path string, form url.Values, header map[string]string) *Page {
	s.T.Helper()
	if form != nil {
		all := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
		maps.Copy(all, header)
		header = all
	}
	return s.SendBody(method, path, strings.NewReader(form.Encode()), header)
}

// SendBody is send with any body.
func (s *Server) SendBody(method, path string, body io.Reader, header map[string]string) *Page {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		s.T.Fatal(err)
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
		s.T.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Jar: jar}
	resp, err := client.Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.T.Fatalf("read %s: %v", path, err)
	}
	p := &Page{t: s.T, Status: resp.StatusCode, Header: resp.Header, URL: resp.Request.URL, Body: string(answer)}
	if p.root, err = html.Parse(strings.NewReader(p.Body)); err != nil {
		s.T.Fatalf("parse %s: %v", path, err)
	}
	return p
}

// All returns the elements that match, in the order of the page.
func (p *Page) All(match func(*html.Node) bool) []*html.Node {
	var found []*html.Node
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			found = append(found, n)
		}
	}
	return found
}

// Attribute returns an element's Attribute, empty where it has none.
func Attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Text is what the main part of the page says, with white space made single spaces.
func (p *Page) Text() string {
	main := p.All(func(n *html.Node) bool { return n.Data == "main" })
	if len(main) == 0 {
		return p.Body
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

// Says fails the test unless the page has a status and its main part holds every part, whether or not a sentence
// begins there.
func (p *Page) Says(status int, parts ...string) {
	p.t.Helper()
	if p.Status != status {
		p.t.Errorf("%s: status %d, want %d: %s", p.URL, p.Status, status, p.Text())
	}
	for _, part := range parts {
		if !strings.Contains(strings.ToLower(p.Text()), strings.ToLower(part)) {
			p.t.Errorf("%s does not say %q but: %s", p.URL, part, p.Text())
		}
	}
}

// Links are the addresses that the main part of the page leads to, each once.
func (p *Page) Links(prefix string) []string {
	var found []string
	for _, main := range p.All(func(n *html.Node) bool { return n.Data == "main" }) {
		for n := range main.Descendants() {
			if href := Attribute(n, "href"); n.Data == "a" && strings.HasPrefix(href, prefix) && !slices.Contains(found, href) {
				found = append(found, href)
			}
		}
	}
	return found
}

// Images is what the Images page lists.
func (s *Server) Images() []string {
	s.T.Helper()
	p := s.Page("/images")
	if p.Status != http.StatusOK {
		s.T.Fatalf("GET /images: %d %s", p.Status, p.Text())
	}
	return p.Links("/images/")
}

// Pull asks for a pull and gives the path of its page.
func (s *Server) Pull(ref string, platforms ...string) string {
	s.T.Helper()
	p := s.Post("/pulls", url.Values{"ref": {ref}, "platform": platforms})
	if p.Status != http.StatusOK || !strings.HasPrefix(p.URL.Path, "/pulls/") {
		s.T.Fatalf("pull %s: %d at %s: %s", ref, p.Status, p.URL, p.Text())
	}
	return p.URL.Path
}

// PullState is the state that a pull's page shows.
func (p *Page) PullState() string {
	for _, n := range p.All(func(n *html.Node) bool { return Attribute(n, "id") == "pull" }) {
		return Attribute(n, "data-state")
	}
	return ""
}

// Await waits until a pull's page satisfies a test. It looks at the page whenever the pull's events bring something.
func (s *Server) Await(pull, what string, done func(*Page) bool) *Page {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), Patience)
	defer cancel()
	var last *Page
	for ctx.Err() == nil {
		events := s.Events(ctx, pull)
		for more := true; more; {
			last = s.Page(pull)
			if done(last) {
				events.Close()
				return last
			}
			more = events.Next()
		}
		events.Close()
		if last = s.Page(pull); done(last) {
			return last
		}
		if final := last.PullState(); final == "done" || final == "failed" || final == "cancelled" {
			s.T.Fatalf("%s is %s before it was %s: %s", pull, final, what, last.Text())
		}
	}
	s.T.Fatalf("%s did not come to be %s: %s", pull, what, last.Text())
	return nil
}

// AwaitState waits until a pull is in a state.
func (s *Server) AwaitState(pull, state string) *Page {
	s.T.Helper()
	return s.Await(pull, state, func(p *Page) bool { return p.PullState() == state })
}

// Stream is a pull's Server-Sent Events.
type Stream struct {
	body  io.ReadCloser
	Lines *bufio.Scanner
}

// Events connects to a pull's events.
func (s *Server) Events(ctx context.Context, pull string) *Stream {
	s.T.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+pull+"/events", nil)
	if err != nil {
		s.T.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	e := &Stream{body: resp.Body, Lines: bufio.NewScanner(resp.Body)}
	e.Lines.Buffer(nil, 4<<20)
	return e
}

// Next waits for the end of the next event; false at the end of the stream.
func (e *Stream) Next() bool {
	for data := false; e.Lines.Scan(); {
		switch line := e.Lines.Text(); {
		case strings.HasPrefix(line, "data:"):
			data = true
		case line == "" && data:
			return true
		}
	}
	return false
}

func (e *Stream) Close() { _ = e.body.Close() }

// Layer is what a pull's page says about its nth layer, and how many bytes of it are on disk.
func (p *Page) Layer(n int) (text, bytes string) {
	for _, row := range p.All(func(e *html.Node) bool { return Attribute(e, "id") == "layer-"+strconv.Itoa(n) }) {
		for e := range row.Descendants() {
			switch {
			case e.Data == "progress":
				bytes = Attribute(e, "value")
			case e.Type == html.TextNode:
				text += " " + e.Data
			}
		}
	}
	return strings.Join(strings.Fields(text), " "), bytes
}

// Searched is a result as docker search prints it.
type Searched struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Stars       int64  `json:"star_count"`
	Official    bool   `json:"is_official"`
}

// Results are those that the Search page lists. Stars are as people read them.
func (p *Page) Results() (all []struct {
	Searched
	Stars string
}) {
	for _, row := range p.All(func(n *html.Node) bool {
		return n.Data == "li" && strings.Contains(Attribute(n.Parent, "class"), "hits")
	}) {
		var r struct {
			Searched
			Stars string
		}
		for n := range row.Descendants() {
			switch {
			case n.Data == "a" && slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "data-row-link" }):
				if u, err := url.Parse(Attribute(n, "href")); err == nil {
					r.Name = u.Query().Get("repo")
				}
			case n.Data == "p":
				r.Description = TextOf(n)
			case strings.Contains(Attribute(n, "class"), "badge"):
				r.Official = r.Official || TextOf(n) == "Official"
			case n.Data == "span" && n.FirstChild != nil && n.FirstChild.Data == "svg" &&
				Attribute(n.FirstChild, "aria-label") == "Stars":
				r.Stars = TextOf(n)
			}
		}
		all = append(all, r)
	}
	return all
}

func TextOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
