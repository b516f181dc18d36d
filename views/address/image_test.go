package address

import (
	"net/url"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestAnImagesAddressIsReadAndWrittenAlike(t *testing.T) {
	for path, want := range map[string]Image{
		"/images/docker.io/library/ubuntu":               {Ref: reference(t, "ubuntu")},
		"/images/docker.io/library/ubuntu:22.04":         {Ref: reference(t, "ubuntu:22.04")},
		"/images/docker.io/library/ubuntu:22.04/history": {Ref: reference(t, "ubuntu:22.04"), Section: SectionHistory},
		"/images/localhost:5000/history":                 {Ref: reference(t, "localhost:5000/history")},
		"/images/quay.io:443/layers":                     {Ref: reference(t, "quay.io:443/layers")},
		"/images/quay.io/team/layers:1":                  {Ref: reference(t, "quay.io/team/layers:1")},
		"/images/sha256:174c8c134b2a":                    {ID: "174c8c134b2a"},
		"/images/sha256:174c8c134b2a/config":             {ID: "174c8c134b2a", Section: SectionConfig},
	} {
		a, err := ParseImage(path)
		if err != nil || a != want || a.String() != path {
			t.Errorf("%s: %+v (%v), written as %s", path, a, err, a)
		}
	}
}

func TestAFamiliarFormHasTheCanonicalAddress(t *testing.T) {
	for path, want := range map[string]string{
		"/images/ubuntu":             "/images/docker.io/library/ubuntu",
		"/images/ubuntu:22.04/":      "/images/docker.io/library/ubuntu:22.04",
		"/images/team/app:1/inspect": "/images/docker.io/team/app:1/inspect",
	} {
		if a, err := ParseImage(path); err != nil || a.String() != want {
			t.Errorf("%s: %s (%v), want %s", path, a, err, want)
		}
	}
}

func TestHexDigitsAloneMayBeAnID(t *testing.T) {
	for path, want := range map[string]bool{
		"/images/174c8c134b2a": true, "/images/174c8c134b2a/config": true, "/images/174c8c134b2a/other": false,
		"/images/ubuntu": false, "/images/abc/174c8c": false,
	} {
		if digits, s, ok := ParseDigits(path); ok != want {
			t.Errorf("%s: %q %q %t", path, digits, s, ok)
		}
	}
}

func reference(t testing.TB, s string) image.Reference {
	t.Helper()
	ref, err := image.ParseRepositoryReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func FuzzAnImagesAddressSurvivesARoundTrip(f *testing.F) {
	const digest = "sha256:174c8c134b2a174c8c134b2a174c8c134b2a174c8c134b2a174c8c134b2a1234"
	for _, path := range []string{
		"/images/ubuntu", "/images/ubuntu:22.04/layers", "/images/localhost:5000/layers", "/images/sha256:17/pin",
		"/images/[::1]:5000/app@" + digest, "/images/x:1/history/layers",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		a, err := ParseImage(path)
		if err != nil {
			return
		}
		written, err := url.Parse(a.String())
		if err != nil {
			t.Fatalf("%q is written as %q: %v", path, a, err)
		}
		if again, err := ParseImage(written.Path); err != nil || again != a {
			t.Errorf("%q is %+v; written as %q it is %+v (%v)", path, a, a, again, err)
		}
	})
}
