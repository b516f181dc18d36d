package handlers

import (
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// pasted takes off what comes along when a reference is copied from a command line, a Dockerfile or a compose
// file: "docker pull X", "FROM X AS y", "image: X", quotes around it, a comma behind it. platform is that of
// a --platform option among it; empty if there is none. What it does not know stays as it is, "from scratch" too:
// only what is surely a line of a Dockerfile is one.
func pasted(text string) (reference, platform string) {
	text = unquoted(text)
	words := strings.Fields(text)
	if len(words) < 2 {
		return text, ""
	}
	rest, last, sure := words, false, true // last: nothing may follow the reference
	switch first := unquoted(words[0]); {
	case isCommand(words, "pull"):
		rest, last = words[2:], true
	case isCommand(words, "image", "pull"):
		rest, last = words[3:], true
	case strings.EqualFold(first, "FROM"):
		rest, sure = words[1:], first == "FROM"
	case first == "-" && len(words) > 2 && isImageKey(words[1]):
		rest, last = words[2:], true
	case isImageKey(words[0]):
		rest, last = words[1:], true
	default:
		return text, ""
	}
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		name, value, joined := strings.Cut(rest[0], "=")
		rest = rest[1:]
		if name != "--platform" {
			continue // the others take no value: --quiet, --all-tags, …
		}
		if !joined && len(rest) > 0 {
			value, rest = rest[0], rest[1:]
		}
		if !strings.Contains(value, "$") { // a Dockerfile's variable is settled when it is built
			platform = unquoted(value)
		}
	}
	named := len(rest) == 3 && !last && strings.EqualFold(rest[1], "AS")
	if len(rest) != 1 && !named {
		return text, ""
	}
	if !sure && !named && platform == "" && !strings.ContainsAny(rest[0], ":/@") {
		return text, ""
	}
	return unquoted(rest[0]), platform
}

// pastedAllTags tells whether a pasted command asks for all tags of a repository.
func pastedAllTags(text string) bool {
	words := strings.Fields(unquoted(text))
	if !isCommand(words, "pull") && !isCommand(words, "image", "pull") {
		return false
	}
	return slices.Contains(words, "--all-tags") || slices.Contains(words, "-a") || slices.Contains(words, "--all-tags=true")
}

// isCommand tells whether words begin with docker or podman and the given subcommand, with something after it.
func isCommand(words []string, sub ...string) bool {
	if len(words) < len(sub)+2 || words[0] != "docker" && words[0] != "podman" {
		return false
	}
	for i, s := range sub {
		if words[i+1] != s {
			return false
		}
	}
	return true
}

// isImageKey tells whether a word is the key of an image in YAML or JSON.
func isImageKey(word string) bool {
	key, found := strings.CutSuffix(word, ":")
	return found && unquoted(key) == "image"
}

// unquoted takes spaces, a comma behind it and matching quotes around it off a text.
func unquoted(s string) string {
	for {
		t := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), ","))
		if n := len(t); n >= 2 && t[0] == t[n-1] && strings.IndexByte("\"'`", t[0]) >= 0 && strings.Count(t, t[:1]) == 2 {
			t = t[1 : n-1]
		}
		if t == s {
			return t
		}
		s = t
	}
}

// hubHost is where people look at Docker Hub; its registry is another host.
const hubHost = "hub.docker.com"

// hubPage gives the name of the image that a page of Docker Hub is about: of hub.docker.com/_/postgres or
// hub.docker.com/r/bitnami/redis/tags, with or without a scheme. name is empty for its other pages.
func hubPage(s string) (name string, ok bool) {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
	host, path, _ := strings.Cut(s, "/")
	if !strings.EqualFold(host, hubHost) {
		return "", false
	}
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	parts := strings.Split(path, "/")
	switch {
	case len(parts) >= 2 && parts[0] == "_":
		name = parts[1]
	case len(parts) >= 3 && (parts[0] == "r" || parts[0] == "layers"):
		name = parts[1] + "/" + parts[2]
	}
	if ref, err := image.ParseRepositoryReference(name); err != nil || ref.Tag != "" || ref.Digest != "" || ref.Repository.Host() != "docker.io" {
		return "", true // not the name of an image there
	}
	return name, true
}

// webPage is the error of a page of Docker Hub in the place of a reference.
func webPage(s, name string) error {
	e := image.Errorf(image.Invalid, "%.100q is the address of a web page, not an image reference", s)
	if name == "" {
		return e.Suggest("Type a name such as postgres:15 or ghcr.io/org/app:1.2.")
	}
	return e.Suggest("Type the name of the image: %s", name)
}
