package golden

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Outline returns what people read, choose and follow on a page, a line a block: links with their addresses, forms with
// where they go, fields with their values, what the mouse shows and what assistive technology and htmx are told.
// Styles, icons and what opens only when it is asked for are not in it. Of several parts, each is the element with an
// ID or a label.
func Outline(page string, parts ...string) (string, error) {
	body := &html.Node{Type: html.ElementNode, DataAtom: atom.Body, Data: "body"}
	nodes, err := html.ParseFragment(strings.NewReader(page), body)
	if err != nil {
		return "", fmt.Errorf("parse the page: %w", err)
	}
	for _, n := range nodes {
		body.AppendChild(n)
	}
	var o outline
	if len(parts) == 0 {
		o.node(body)
	}
	for _, part := range parts {
		found := find(body, part)
		if found == nil {
			return "", fmt.Errorf("the page has no element with the ID or the label %q", part)
		}
		o.node(found)
	}
	o.end()
	return strings.Join(o.lines, "\n") + "\n", nil
}

func find(root *html.Node, name string) *html.Node {
	for n := range root.Descendants() {
		if attribute(n, "id") == name || attribute(n, "aria-label") == name {
			return n
		}
	}
	return nil
}

type outline struct {
	lines []string
	line  strings.Builder
	inRow int // cells stand beside one another
}

// inline are the elements that do not begin a line.
var inline = []string{
	"a", "abbr", "b", "bdi", "button", "code", "em", "i", "input", "kbd", "label", "mark", "meter", "option", "progress",
	"q", "s",
	"small", "span", "strong", "time", "var", "wbr",
}

func (o *outline) end() {
	if s := strings.Join(strings.Fields(o.line.String()), " "); s != "" {
		o.lines = append(o.lines, s)
	}
	o.line.Reset()
}

func (o *outline) node(n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		o.line.WriteString(n.Data)
		return
	case n.Type != html.ElementNode, n.Data == "svg", n.Data == "script", n.Data == "style", has(n, "popover"):
		return
	case n.Data == "pre":
		o.verbatim(n)
		return
	}
	block := o.inRow == 0 && !slices.Contains(inline, n.Data)
	switch {
	case block:
		o.end()
	case n.Data == "td" || n.Data == "th":
		o.line.WriteString(" | ")
	case !slices.Contains(inline, n.Data):
		o.line.WriteString(" ")
	}
	if n.Data == "tr" {
		o.inRow++
	}
	o.begin(n)
	for c := range n.ChildNodes() {
		o.node(c)
	}
	if n.Data == "a" {
		o.line.WriteString("](" + attribute(n, "href") + ")")
	}
	if n.Data == "button" {
		o.line.WriteString(")")
	}
	if title := attribute(n, "title"); title != "" && n.Data != "input" {
		o.line.WriteString(" {" + title + "}")
	}
	if n.Data == "tr" {
		o.inRow--
	}
	if block {
		o.end()
	}
}

// verbatim writes a block as its lines are.
func (o *outline) verbatim(n *html.Node) {
	o.end()
	o.begin(n)
	o.end()
	var text strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			text.WriteString(c.Data)
		}
	}
	for line := range strings.Lines(text.String()) {
		o.lines = append(o.lines, "    "+strings.TrimRight(line, " \n"))
	}
}

// told are the attributes that say something to programs: to assistive technology, to htmx and to the page's own
// script.
var told = []string{
	"role", "aria-sort", "aria-current", "aria-selected", "aria-expanded", "aria-busy", "aria-live", "aria-controls",
	"data-state",
	"hx-post", "hx-trigger", "hx-sse:connect", "hx-sse:close",
}

// begin writes what an element says by itself.
func (o *outline) begin(n *html.Node) {
	if id := attribute(n, "id"); id != "" && n.Data != "input" {
		o.line.WriteString("#" + id + " ")
	}
	switch n.Data {
	case "a":
		o.line.WriteString("[")
	case "button":
		o.line.WriteString(" (")
	case "form":
		method := strings.ToUpper(attribute(n, "method"))
		if method == "" {
			method = "GET"
		}
		o.line.WriteString("form " + method + " " + attribute(n, "action"))
		o.end()
	case "input", "select", "textarea", "option":
		o.field(n)
	case "progress", "meter":
		o.line.WriteString(" <" + n.Data + " " + attribute(n, "value") + " of " + attribute(n, "max") + ">")
	}
	for _, name := range told {
		if value := attribute(n, name); value != "" && value != "none" && value != "false" {
			o.line.WriteString(" [" + name + "=" + value + "] ")
		}
	}
	if label := attribute(n, "aria-label"); label != "" && label != attribute(n, "title") {
		o.line.WriteString(" «" + label + "» ")
	}
}

// field writes a field of a form: its name, value and state.
func (o *outline) field(n *html.Node) {
	said := []string{n.Data}
	if kind := attribute(n, "type"); kind != "" {
		said[0] = kind
	}
	if name := attribute(n, "name"); name != "" || n.Data == "option" {
		said = append(said, name+"="+attribute(n, "value"))
	}
	for _, state := range []string{"checked", "selected", "disabled", "required", "autofocus"} {
		if has(n, state) {
			said = append(said, state)
		}
	}
	o.line.WriteString(" <" + strings.Join(said, " ") + "> ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}
