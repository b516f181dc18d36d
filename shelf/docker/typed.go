package docker

import (
	"strings"
	"unicode"

	"github.com/stowage/stowage/image"
)

// Bounds of what is typed or pasted, in bytes.
const (
	MaxPaste     = 4096 // of a text with a reference in it, such as a command line
	MaxReference = 600  // of a reference; no valid one is as long
)

// CheckText refuses what is longer than any name, and no command that holds one.
func CheckText(text string) error {
	if len(text) <= MaxReference || len(text) <= MaxPaste && len(ReadPaste(text).Name) <= MaxReference {
		return nil
	}
	return image.Errorf(image.Invalid, "the text is longer than %d bytes (q)", MaxReference).
		Suggest("Type a name such as postgres:15 or ghcr.io/org/app:1.2.")
}

// NoImage returns the error of what was pasted and is about no image. A command is not repeated: it may hold a
// password.
func NoImage(s string) error {
	if !strings.ContainsFunc(s, unicode.IsSpace) {
		return webPage(s)
	}
	return image.Errorf(image.Invalid, "this command names no image").
		Suggest("Paste one that does, such as docker pull postgres:15, or type a name.")
}

// webPage returns the error of a page in the web, in the place of a reference, that is about no image.
func webPage(s string) error {
	return image.Errorf(image.Invalid, "%.100q is the address of a web page, not an image reference",
		image.WithoutUserInfo(s)).
		Suggest("Type a name such as postgres:15 or ghcr.io/org/app:1.2.")
}

// LikeReference reports whether a text is meant as a reference: it has a tag, a digest, a scheme or a host. What ends
// where one of these would begin is still being typed, and a host with a port alone is none.
func LikeReference(name string) bool {
	if scheme, rest, found := strings.Cut(name, "://"); found && scheme != "" {
		return rest != ""
	}
	if strings.HasSuffix(name, "/") || strings.HasSuffix(name, ":") || strings.HasSuffix(name, "@") {
		return false
	}
	if strings.Contains(name, "@") {
		return true
	}
	first, path, below := strings.Cut(name, "/")
	isHost := first == "localhost" || strings.Contains(first, ".")
	before, port, colon := strings.Cut(first, ":")
	if !below {
		hostPort := image.IsPort(port) && (before == "localhost" || isHost)
		return colon && !hostPort
	}
	return colon || isHost || strings.Contains(path, ":")
}

// IsWords reports whether a text can be no name: it has spaces, or letters that no name has.
func IsWords(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsSpace(r) })
}

// SearchWords returns what is searched for where a text is no reference: what is still to follow it is left out.
func SearchWords(name string) string { return strings.TrimRight(name, ":@") }

// ParseReference reads a reference that somebody typed. Errors are of kind Invalid.
func ParseReference(s string) (image.Reference, error) {
	if err := checkReference(s); err != nil {
		return image.Reference{}, err
	}
	return image.ParseReference(s)
}

// ParseRepository reads a reference that is to have neither tag nor digest, as docker pull --all-tags takes it. Errors
// are of kind Invalid.
func ParseRepository(s string) (image.Repository, error) {
	if err := checkReference(s); err != nil {
		return "", err
	}
	ref, err := image.ParseRepositoryReference(s)
	if err != nil {
		return "", err
	}
	if ref.Tag != "" || ref.Digest != "" { // docker's own words
		return "", image.Errorf(image.Invalid, "tag can't be used with --all-tags/-a").
			Suggest("Leave the tag or the digest out: %s", ref.Repository.Familiar())
	}
	return ref.Repository, nil
}

// checkReference refuses what is not worth reading as a reference.
func checkReference(s string) error {
	if len(s) > MaxReference {
		return image.Errorf(image.Invalid, "the reference has %d characters, more than any reference has", len(s)).
			Suggest("Type a name such as postgres:15 or ghcr.io/org/app:1.2.")
	}
	if p, ok := ReadWebPage(strings.TrimSpace(s)); ok && p.NoImage {
		return webPage(p.Name)
	}
	return nil
}
