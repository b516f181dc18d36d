package docker

import (
	"regexp"
	"strings"

	"github.com/mattn/go-shellwords"

	"github.com/stowage/stowage/image"
)

// Paste is what a text that somebody pasted names. The zero value names nothing.
type Paste struct {
	// Name is the reference as it stands there, which need not be a valid one, or the whole text where it is no command,
	// no line of a file and no web page.
	Name string
	// Platform is the one that goes with it, as it stands there; empty where there is none.
	Platform string
	// AllTags reports whether a command asks for every tag of a repository.
	AllTags bool
	// Repository reports whether the text is a web page about a repository and about none of its tags.
	Repository bool
	// NoImage reports whether the text is a page of a site of images that is about no image, or a command of docker's or
	// of its like, with flags, that names none.
	NoImage bool
	// Along reports whether something stood around the name.
	Along bool
}

// ReadPaste finds the image in what people copy: a command line of docker, podman, skopeo and their like, a line of a
// Dockerfile, a key of a YAML or JSON file, the address of a page on Docker Hub, Quay, GitHub or the ECR gallery,
// quotes around it, a comma behind it. What it does not know stays as it is, "from scratch" too: only what is surely a
// line of a Dockerfile is one.
func ReadPaste(text string) Paste {
	plain := unquoted(text)
	for _, read := range []func(string) (Paste, bool){ReadWebPage, readCommandLine, readDockerfile, readYAML} {
		if p, ok := read(plain); ok {
			p.Along = true
			return p
		}
	}
	return Paste{Name: plain, NoImage: isCommand(plain)}
}

// certain reports whether a text is a reference for sure and not a word: it has a tag, a digest or a path.
func certain(name string) bool { return strings.ContainsAny(name, ":/@") }

// readDockerfile reads a FROM line, or a COPY --from of an image.
func readDockerfile(line string) (Paste, bool) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return Paste{}, false
	}
	if words[0] == "COPY" || words[0] == "ADD" {
		for _, w := range words[1:] {
			if name, ok := strings.CutPrefix(w, "--from="); ok && certain(name) {
				return Paste{Name: unquoted(name)}, true
			}
		}
	}
	if !strings.EqualFold(words[0], "FROM") {
		return Paste{}, false
	}
	var p Paste
	rest := words[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "--") {
		value, ok := strings.CutPrefix(rest[0], "--platform=")
		if ok && !strings.Contains(value, "$") { // a variable is settled when the image is built
			p.Platform = unquoted(value)
		}
		rest = rest[1:]
	}
	named := len(rest) == 3 && strings.EqualFold(rest[1], "AS")
	if len(rest) != 1 && !named {
		return Paste{}, false
	}
	if words[0] != "FROM" && !named && p.Platform == "" && !certain(rest[0]) {
		return Paste{}, false
	}
	p.Name = unquoted(rest[0])
	return p, true
}

// readYAML reads a line with the key image, alone or among keys before it and what follows, as it comes when several
// lines are pasted into one.
func readYAML(line string) (Paste, bool) {
	words := strings.Fields(line)
	at := -1
	for i, w := range words {
		switch {
		case at < 0 && isImageKey(w):
			at = i
		case at < 0 && w != "-" && !strings.HasSuffix(w, ":"):
			return Paste{}, false // a sentence
		case at >= 0 && isImageKey(w):
			return Paste{}, false // several images
		}
	}
	if at < 0 || at+1 == len(words) {
		return Paste{}, false
	}
	name := unquoted(words[at+1])
	rest := words[at+2:]
	if alone := len(rest) == 0 && (at == 0 || at == 1 && words[0] == "-"); !alone && !certain(name) {
		return Paste{}, false
	}
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "#") && rest[0] != "-" && !strings.HasSuffix(rest[0], ":") {
		return Paste{}, false
	}
	return Paste{Name: name}, true
}

// isImageKey reports whether a word is the key of an image in YAML or JSON.
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

// maxCommands is how many commands of one line are looked at: a && b | c.
const maxCommands = 8

// continued finds what goes on with a command in the next line, where a page has joined the lines or not: a backslash,
// in PowerShell a backtick, in cmd a caret, by itself.
var continued = regexp.MustCompile("\\\\\r?\n|(^|\\s)[\\\\`^](\\s|$)")

// readCommandLine reads the first command of a line that names an image.
func readCommandLine(line string) (Paste, bool) {
	runes := []rune(strings.ReplaceAll(continued.ReplaceAllString(line, " "), "\n", ";"))
	for range maxCommands {
		parser := shellwords.NewParser()
		words, err := parser.Parse(string(runes))
		if err != nil {
			return Paste{}, false
		}
		if p, ok := readCommand(words); ok {
			return p, true
		}
		if parser.Position < 0 || parser.Position >= len(runes) {
			return Paste{}, false
		}
		runes = runes[parser.Position+1:]
	}
	return Paste{}, false
}

// joinedPlatform puts a platform together from its parts, as podman and skopeo take them.
func joinedPlatform(os, architecture, variant string) string {
	if architecture == "" {
		return ""
	}
	if os == "" {
		os = "linux"
	}
	return image.Platform{OS: os, Architecture: architecture, Variant: variant}.String()
}
