package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/registry/outbound"
)

// registriesLimit bounds the file of --registries, in bytes.
const registriesLimit = 1 << 20

// entryKeys are the keys of an entry of the file, as docs/configuration.md lists them.
var entryKeys = []string{"name", "label", "address", "tls", "ca", "credentials", "hosts", "search", "search-url",
	"mirror-of"}

// registries reads --registries and --registry. What the entries mean is checked by registry.New.
func (f flags) registries() ([]registry.Entry, error) {
	var list []registry.Entry
	if f.Registries != "" {
		var err error
		if list, err = readRegistries(f.Registries); err != nil {
			return nil, err
		}
	}
	for _, value := range f.Registry {
		l, err := parseRegistry(value)
		if err != nil {
			return nil, err
		}
		l.At = "--registry"
		list = append(list, l)
	}
	for i, l := range list {
		for _, other := range list[:i] {
			if sameHost(l.Host, other.Host) {
				return nil, image.Errorf(image.Invalid, "registry %s is given twice: %s and %s", l.Host, other.At, l.At).
					Suggest("Leave one of the two out.")
			}
		}
	}
	return list, nil
}

// sameHost reports whether two names mean one registry.
func sameHost(a, b string) bool {
	normal := func(s string) string {
		if s = strings.ToLower(strings.TrimSpace(s)); s == "index.docker.io" {
			return "docker.io"
		}
		return s
	}
	return normal(a) == normal(b)
}

// parseRegistry reads NAME or NAME=URL.
func parseRegistry(value string) (registry.Entry, error) {
	name, address, given := strings.Cut(value, "=")
	l := registry.Entry{Host: strings.TrimSpace(name)}
	if l.Host == "" || strings.Contains(l.Host, "://") {
		return l, image.Errorf(image.Invalid, "--registry %q does not begin with the name of a registry", value).
			Suggest("Give NAME or NAME=URL, such as registry.example.com or harbor.example.com=http://10.0.0.5:8080.")
	}
	if !given {
		return l, nil
	}
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return l, image.Errorf(image.Invalid, "--registry %s: %q is not the address of a registry", l.Host, address).
			Suggest("An address is http:// or https:// and a host, with a port where it needs one. http means without TLS.")
	}
	l.Address, l.TLS = u.Host, outbound.TLSVerify
	if u.Scheme == "http" {
		l.TLS = outbound.TLSOff
	}
	return l, nil
}

// readRegistries reads the file of --registries. Errors name the file and the line.
func readRegistries(file string) ([]registry.Entry, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--registries: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, registriesLimit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("--registries: %w", err)
	}
	r := registriesFile{name: file}
	if len(text) > registriesLimit {
		return nil, image.Errorf(image.Invalid, "--registries: %s is larger than 1 MiB", file)
	}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil {
			return nil, image.Errorf(image.Invalid, "%s:%d: not YAML: %s", file, at.GetToken().Position.Line, at.GetMessage())
		}
		return nil, fmt.Errorf("%s: not YAML: %w", file, err)
	}
	var list []registry.Entry
	for _, doc := range parsed.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.CommentGroupType {
			continue // nothing but comments
		}
		err := r.mapping(doc.Body, []string{"registries"}, "", func(_ string, value ast.Node) error {
			entries, err := r.entries(value)
			list = append(list, entries...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// registriesFile reads the syntax tree, rather than into a struct, so that each complaint has its line.
type registriesFile struct{ name string }

func (r registriesFile) wrong(at ast.Node, what image.Text) *image.Error {
	return image.Errorf(image.Invalid, "%s:%d: %s", r.name, at.GetToken().Position.Line, what)
}

// mapping calls read for each key, which must be a known one. where says whose keys they are.
func (r registriesFile) mapping(node ast.Node, known []string, where string,
	read func(key string, value ast.Node) error) error {
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return r.wrong(node, image.Textf("expected keys: %s", strings.Join(known, ", ")))
	}
	for _, v := range values {
		key := v.Key.GetToken().Value
		if !slices.Contains(known, key) {
			return r.wrong(v.Key, image.Textf("unknown key %q%s", key, where)).
				Suggest("The known keys are: %s.", strings.Join(known, ", "))
		}
		if err := read(key, v.Value); err != nil {
			return err
		}
	}
	return nil
}

// sequence returns the items of a list; none where the value is empty.
func (r registriesFile) sequence(key string, node ast.Node) ([]ast.Node, error) {
	switch n := node.(type) {
	case *ast.SequenceNode:
		return n.Values, nil
	case *ast.NullNode:
		return nil, nil
	}
	return nil, r.wrong(node, image.Textf("%s: expected a list", key))
}

// scalar returns a value as it is written; empty where there is none.
func (r registriesFile) scalar(key string, node ast.Node) (string, error) {
	switch node.(type) {
	case *ast.NullNode:
		return "", nil
	case *ast.StringNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		return node.GetToken().Value, nil
	}
	return "", r.wrong(node, image.Textf("%s: expected a text", key))
}

func (r registriesFile) entries(node ast.Node) ([]registry.Entry, error) {
	items, err := r.sequence("registries", node)
	if err != nil {
		return nil, err
	}
	list := make([]registry.Entry, 0, len(items))
	for _, item := range items {
		l := registry.Entry{At: fmt.Sprintf("%s:%d", r.name, item.GetToken().Position.Line)}
		err := r.mapping(item, entryKeys, " of a registry",
			func(key string, value ast.Node) error { return r.entry(&l, key, value) })
		if err != nil {
			return nil, err
		}
		if l.Host == "" {
			return nil, r.wrong(item, image.Textf("a registry without a name"))
		}
		list = append(list, l)
	}
	return list, nil
}

// entry sets what one key says.
func (r registriesFile) entry(l *registry.Entry, key string, node ast.Node) error {
	if key == "hosts" {
		items, err := r.sequence(key, node)
		if err != nil {
			return err
		}
		for _, item := range items {
			host, err := r.scalar(key, item)
			if err != nil {
				return err
			}
			l.Hosts = append(l.Hosts, host)
		}
		return nil
	}
	value, err := r.scalar(key, node)
	if err != nil {
		return err
	}
	switch key {
	case "name":
		l.Host = value
	case "label":
		l.Label = value
	case "address":
		l.Address = value
	case "tls":
		l.TLS = outbound.TLSMode(value)
		return oneOf(r, node, key, l.TLS, outbound.TLSVerify, outbound.TLSSkip, outbound.TLSOff)
	case "ca":
		if l.CAFile = value; value != "" && !filepath.IsAbs(value) {
			l.CAFile = filepath.Join(filepath.Dir(r.name), value)
		}
	case "credentials":
		l.Credentials = value
	case "search":
		if value == "auto" {
			return nil
		}
		l.Search = registry.SearchKind(value)
		return oneOf(r, node, key, l.Search, "auto", registry.SearchHub, registry.SearchQuay, registry.SearchHarbor,
			registry.SearchV1, registry.SearchCatalog, registry.SearchOff)
	case "search-url":
		l.SearchURL = value
	case "mirror-of":
		l.MirrorOf = value
	}
	return nil
}

// oneOf checks a value that is one of a few words, or empty.
func oneOf[T ~string](r registriesFile, node ast.Node, key string, value T, words ...T) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	list := make([]string, 0, len(words))
	for _, w := range words {
		list = append(list, string(w))
	}
	return r.wrong(node, image.Textf("%s: %q is none of %s", key, value, strings.Join(list, ", ")))
}
