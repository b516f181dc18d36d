package image

import (
	"fmt"
	"net/url"
	"runtime"
	"strings"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Platform is os/architecture[/variant], normalised as containerd does, so that linux/arm64/v8 and
// linux/arm64 are equal with ==. OSVersion is any text: the images of Windows and of Homebrew differ in nothing else.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
	OSVersion    string `json:"os_version,omitempty"`
}

// ParsePlatform reads "linux/arm64", "linux/arm/v7", "arm64", "windows(10.0.17763)/amd64". Errors are
// of kind Invalid.
func ParsePlatform(s string) (Platform, error) {
	p, err := parsePlatform(strings.TrimSpace(s))
	known := PlatformOf(p)
	if err != nil || known == (Platform{}) {
		return Platform{}, Errorf(Invalid, "%q is not a platform", Shorten(s)).Because(err).
			Suggest("A platform is os/architecture[/variant], such as linux/amd64 or linux/arm/v7.")
	}
	return known, nil
}

// parsePlatform reads the form of String. A version may also be written as it is.
func parsePlatform(s string) (ocispec.Platform, error) {
	system, rest, versioned := strings.Cut(s, "(")
	end := strings.LastIndexByte(rest, ')')
	if !versioned || end < 0 {
		return platforms.Parse(s)
	}
	version, err := url.PathUnescape(rest[:end])
	if err != nil {
		return ocispec.Platform{}, err
	}
	p, err := platforms.Parse(system + rest[end+1:])
	p.OSVersion = version
	return p, err
}

// maxPlatform bounds the text of a platform, in bytes.
const maxPlatform = 256

// PlatformOf normalises the platform of a descriptor or a config, which is hostile: one that ParsePlatform
// could not read back from its String, in addresses and in the database, is no platform and gives the zero
// value. An OS version alone that is too long is left out.
func PlatformOf(p ocispec.Platform) Platform {
	n := platforms.Normalize(p)
	known := Platform{OS: n.OS, Architecture: n.Architecture, Variant: n.Variant, OSVersion: n.OSVersion}
	if !known.readable() {
		known.OSVersion = ""
	}
	if !known.readable() {
		return Platform{}
	}
	return known
}

// readable reports whether the platform is the one that its String names.
func (p Platform) readable() bool {
	s := p.String()
	if len(s) > maxPlatform {
		return false
	}
	read, err := parsePlatform(s)
	n := platforms.Normalize(read)
	return err == nil && p == Platform{OS: n.OS, Architecture: n.Architecture, Variant: n.Variant, OSVersion: n.OSVersion}
}

// ServerPlatform is linux on this server's architecture: what is pulled when nobody chooses and nothing
// is configured.
func ServerPlatform() Platform {
	return PlatformOf(ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH})
}

// Known reports whether it is a platform, and neither the unknown/unknown of attestations nor a missing one.
func (p Platform) Known() bool {
	return p.OS != "" && p.OS != "unknown" && p.Architecture != "" && p.Architecture != "unknown"
}

// String returns os[(version)]/architecture[/variant], the form that ParsePlatform reads and that addresses carry. Of a
// version, what is neither a letter, a digit nor one of _.- stands as a percent sign and two hex digits.
func (p Platform) String() string {
	if p == (Platform{}) {
		return ""
	}
	plain := platforms.FormatAll(ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant})
	if p.OSVersion == "" {
		return plain
	}
	system, rest, _ := strings.Cut(plain, "/")
	return system + "(" + escapeVersion(p.OSVersion) + ")/" + rest
}

// escapeVersion makes one word of an OS version, whatever is in it.
func escapeVersion(version string) string {
	var b strings.Builder
	for _, c := range []byte(version) {
		if c == '_' || c == '.' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// StoredPlatform reads what String wrote; the zero Platform where that is none.
func StoredPlatform(s string) Platform {
	p, err := ParsePlatform(s)
	if err != nil {
		return Platform{}
	}
	return p
}

// Answers returns how well a platform is what was asked for: 3 exactly, 1 when only the OS version is left open, 0 not
// at all. In between is room for preferring what is stored.
func (p Platform) Answers(want Platform) int {
	open := p
	open.OSVersion = ""
	switch want {
	case p:
		return 3
	case open:
		return 1
	}
	return 0
}
