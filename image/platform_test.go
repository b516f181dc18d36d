package image

import (
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The rows are containerd's: docker-images.md, "Platform strings".
func TestPlatformsAreNormalisedAsContainerdDoes(t *testing.T) {
	for in, want := range map[string]string{
		"linux/arm64/v8": "linux/arm64", "linux/arm64/8": "linux/arm64", "linux/aarch64": "linux/arm64", "linux/arm64": "linux/arm64",
		"linux/arm": "linux/arm/v7", "linux/armhf": "linux/arm/v7", "linux/arm/7": "linux/arm/v7", "linux/armel": "linux/arm/v6",
		"linux/amd64/v1": "linux/amd64", "linux/x86_64": "linux/amd64", "linux/amd64/v2": "linux/amd64/v2",
		"linux/i386": "linux/386", "macos/arm64": "darwin/arm64", "LINUX/AMD64": "linux/amd64",
		"windows(10.0.17763)/amd64": "windows(10.0.17763)/amd64",
	} {
		p, err := ParsePlatform(in)
		if err != nil || p.String() != want {
			t.Errorf("%q is %q, %v; want %q", in, p, err, want)
			continue
		}
		if again, err := ParsePlatform(p.String()); err != nil || again != p {
			t.Errorf("%q does not survive a round trip: %v, %v", in, again, err)
		}
	}
}

func TestAPlatformThatCannotBeReadBackIsNone(t *testing.T) {
	for _, p := range []ocispec.Platform{
		{OS: "linux", Architecture: "amd64 linux/arm64"}, {OS: "linux", Architecture: "..", Variant: "v1"}, {OS: "linux", Architecture: "amd64", Variant: "v2 x"},
		{OS: "linux", Architecture: "amd64/v3"}, {OS: "windows(1)", Architecture: "amd64"}, {OS: "linux", Architecture: strings.Repeat("a", 1<<20)},
		{OS: "linux", Architecture: "<b>"}, {OS: "linux"}, {OS: "lin\nux", Architecture: "amd64"},
	} {
		if got := PlatformOf(p); got != (Platform{}) {
			t.Errorf("%.60q is %.60q", p, got)
		}
	}
	if got := PlatformOf(ocispec.Platform{OS: "windows", Architecture: "amd64", OSVersion: strings.Repeat("a", 1000)}); got.String() != "windows/amd64" {
		t.Errorf("a very long OS version gives %q", got)
	}
	if _, err := ParsePlatform("linux/" + strings.Repeat("a", 1000)); KindOf(err) != Invalid {
		t.Errorf("a very long one gives %v", err)
	}
}

func TestAnyOSVersionTellsPlatformsApart(t *testing.T) {
	for version, want := range map[string]string{
		"10.0.17763": "windows(10.0.17763)/amd64", "macOS 12.6": "windows(macOS%2012.6)/amd64", "10.0 17763) linux/amd64": "windows(10.0%2017763%29%20linux%2Famd64)/amd64",
		"1+win32k": "windows(1%2Bwin32k)/amd64", "50%": "windows(50%25)/amd64", "(": "windows(%28)/amd64", "日": "windows(%E6%97%A5)/amd64", "\n": "windows(%0A)/amd64",
	} {
		p := PlatformOf(ocispec.Platform{OS: "windows", Architecture: "amd64", OSVersion: version})
		if p.OSVersion != version || p.String() != want {
			t.Errorf("%q is %q, written %q; want %q", version, p.OSVersion, p, want)
		}
		if again, err := ParsePlatform(p.String()); err != nil || again != p {
			t.Errorf("%q does not survive a round trip: %v, %v", version, again, err)
		}
	}
	if p, err := ParsePlatform("darwin(macOS 12.6)/arm64"); err != nil || p.OSVersion != "macOS 12.6" {
		t.Errorf("a version as people type it: %+v, %v", p, err)
	}
	for _, in := range []string{"windows(%zz)/amd64", "windows(1/amd64", "windows)1(/amd64"} {
		if _, err := ParsePlatform(in); KindOf(err) != Invalid {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestUnknownPlatformsAreRefused(t *testing.T) {
	for _, in := range []string{"", "linux/*", "a/b/c/d", "foo", "linux/<script>"} {
		if _, err := ParsePlatform(in); KindOf(err) != Invalid {
			t.Errorf("%q: %v", in, err)
		}
	}
}
