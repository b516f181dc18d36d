package address

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
)

// codec reads the path and the query of an address of one kind, and returns what writes it again.
type codec func(path string, said url.Values) (fmt.Stringer, error)

// fixed is the address of a page, as its text.
type fixed string

func (f fixed) String() string { return string(f) }

var codecs = map[string]codec{
	"list": func(path string, said url.Values) (fmt.Stringer, error) {
		if path != ImagesPath {
			repository, err := ParseImage(path)
			if err != nil {
				return nil, err
			}
			path = repository.Base().String()
		}
		s, err := ParseList(path, said, false)
		if err == nil && (s.Typed != "" || !s.Tidy(strings.TrimPrefix(s.String(), path+"?"))) {
			err = fmt.Errorf("%q is not tidy", s)
		}
		return s, err
	},
	"search": func(_ string, said url.Values) (fmt.Stringer, error) { return ParseSearch(said) },
	"prune": func(_ string, said url.Values) (fmt.Stringer, error) {
		p, err := ParsePrune(said, time.Unix(1_700_000_000, 0))
		if err == nil && p.Problem != nil {
			err = p.Problem
		}
		return p.Typed, err
	},
	"pull form": func(_ string, said url.Values) (fmt.Stringer, error) {
		f := ParsePullForm(said)
		f.Pasted = false
		return f, nil
	},
	"pull": func(path string, said url.Values) (fmt.Stringer, error) {
		return ParsePull(path[len(PullsPath)+1:], said)
	},
	"pulls": func(_ string, said url.Values) (fmt.Stringer, error) {
		n, err := ParsePulls(said)
		return fixed(Pulls(n)), err
	},
	"layer": func(path string, _ url.Values) (fmt.Stringer, error) {
		d, err := ParseLayer(path)
		return fixed(Layer(d)), err
	},
	"delete": func(path string, said url.Values) (fmt.Stringer, error) {
		of, err := sectioned(path, said)
		if err != nil {
			return nil, err
		}
		d, err := ParseDelete(said)
		d.Of = of.Base().For(of.Platform)
		return d, err
	},
	"delete many": func(_ string, said url.Values) (fmt.Stringer, error) {
		d, _, err := ParseDeleteMany(said)
		return d, err
	},
	"archive": func(path string, said url.Values) (fmt.Stringer, error) {
		of, err := sectioned(path, nil)
		if err != nil {
			return nil, err
		}
		a, err := ParseArchive(said)
		a.Of, a.Chosen = of.Base(), false
		return a, err
	},
	"archive of several": func(_ string, said url.Values) (fmt.Stringer, error) {
		a, err := ParseArchive(said)
		if err != nil {
			return nil, err
		}
		a.Chosen = false
		a.Things, err = ParseThings(said)
		return a, err
	},
	"image": func(path string, said url.Values) (fmt.Stringer, error) { return imageFor(path, said) },
	"manifest": func(path string, said url.Values) (fmt.Stringer, error) {
		of, err := sectioned(path, said)
		return ParseManifest(of, said), err
	},
	"inspect": func(path string, said url.Values) (fmt.Stringer, error) {
		of, err := sectioned(path, said)
		return ParseInspect(of, said), err
	},
	"history": func(path string, said url.Values) (fmt.Stringer, error) {
		of, err := sectioned(path, said)
		if err != nil {
			return nil, err
		}
		return ParseHistory(of, said)
	},
	"changes": func(path string, said url.Values) (fmt.Stringer, error) {
		of, err := ParseImage(path)
		if err != nil {
			return nil, err
		}
		return ParseChanges(of, said)
	},
}

func imageFor(path string, said url.Values) (Image, error) {
	a, err := ParseImage(path)
	if err != nil {
		return a, err
	}
	a.Platform, err = Platform(said)
	return a, err
}

// sectioned is imageFor of what has sections: a repository has none.
func sectioned(path string, said url.Values) (Image, error) {
	a, err := imageFor(path, said)
	if err == nil && a.IsRepository() {
		err = image.Errorf(image.Invalid, "a repository has no sections")
	}
	return a, err
}

const (
	d1 = "sha256:174c8c134b2a174c8c134b2a174c8c134b2a174c8c134b2a174c8c134b2a1234"
	d2 = "sha256:274c8c134b2a174c8c134b2a174c8c134b2a174c8c134b2a174c8c134b2a1234"
)

// addresses are of each kind some that are as they are written.
var addresses = map[string][]string{
	"list": {
		"/images", "/images?q=ubuntu&group=repository&page=2", "/images/docker.io/library/ubuntu?digests=1&no-trunc=1",
		"/images?reference=ub%2A:2%3F.04&reference=a&dangling=true&label=stage%3Dci&label=x&before=ubuntu:22.04&since=" + d1 +
			"&until=720h&registry=localhost:5000&platform=linux/arm/v7&update=unchecked&pinned=1&sort=-size",
	},
	"search": {
		"/search", "/search?q=redis&registry=quay.io&official=1&stars=5&sort=stars&limit=10&page=2",
		"/search?repo=postgres&match=15&tags=3&tag=15-alpine", "/search?q=a+b%26c",
	},
	"prune": {"/prune", "/prune?all=1&until=720h&label=stage=ci&label=x&label!=keep&unused=30d"},
	"pull form": {
		"/pull?ref=postgres:15&platform=linux/arm64", "/pull?ref=postgres&all=1&match=15", "/pull?ref=two+words",
		"/pull?ref=a&platform=linux/amd64&chosen=1&find=arm&page=2",
	},
	"pull":        {"/pulls/128", "/pulls/128?lines=3"},
	"pulls":       {"/pulls", "/pulls?page=2"},
	"layer":       {"/layers/" + d1},
	"delete":      {"/images/docker.io/library/ubuntu:22.04/delete?platform=linux/amd64&force=1&back=/images", "/images/" + d1 + "/delete"},
	"delete many": {"/delete?ref=ubuntu:22.04&ref=" + d1 + "&force=1&back=/storage"},
	"archive": {
		"/images/docker.io/library/ubuntu:22.04/archive", "/images/" + d1 + "/archive?platform=linux/amd64&format=oci&compress=gzip",
	},
	"archive of several": {"/archive?image=ubuntu:22.04&image=postgres&image=" + d1 + "&platform=linux/arm/v7"},
	"image":              {"/images/docker.io/library/ubuntu:22.04/config?platform=linux/arm64", "/images/quay.io/team/app@" + d1},
	"manifest":           {"/images/docker.io/library/ubuntu:22.04/manifest?platform=linux/arm64&raw=1&document=index"},
	"inspect":            {"/images/docker.io/library/ubuntu:22.04/inspect?format=%7B%7B.Os%7D%7D&platform=linux/arm64&raw=1"},
	"history":            {"/images/docker.io/library/ubuntu:22.04/history?older=12", "/images/" + d1 + "/history?platform=linux/arm64"},
	"changes":            {"/images/docker.io/library/ubuntu@" + d1 + "/changes?from=" + d2 + "&platform=linux/amd64"},
}

func TestEveryAddressIsReadAndWrittenAlike(t *testing.T) {
	for kind, read := range codecs {
		if len(addresses[kind]) == 0 {
			t.Errorf("no address of a %s", kind)
		}
		for _, want := range addresses[kind] {
			u, err := url.Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			a, err := read(u.Path, u.Query())
			if err != nil || a.String() != want {
				t.Errorf("%s %s: written as %v (%v)", kind, want, a, err)
			}
		}
	}
}

// FuzzAnAddressThatIsReadSurvivesARoundTrip reads any query as each kind: what is read is written, and read again as the
// same.
func FuzzAnAddressThatIsReadSurvivesARoundTrip(f *testing.F) {
	for _, all := range addresses {
		for _, a := range all {
			f.Add(a)
		}
	}
	f.Add("/pull?ref=docker+pull+-a+postgres+--platform+linux/arm64&find=%ff&page=0")
	f.Add("/images?q=docker+images+-f+label%3Da%3Db+'x+y'+--no-trunc&sort=name&page=1")
	f.Add("/search?repo=UPPER&tags=1&stars=00")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse(s)
		if err != nil {
			return
		}
		for kind, read := range codecs {
			path := u.Path
			if kind == "pull" && len(path) <= len(PullsPath) {
				continue
			}
			a, err := read(path, u.Query())
			if err != nil {
				continue
			}
			written, err := url.Parse(a.String())
			if err != nil {
				t.Fatalf("%s %q is written as %q: %v", kind, s, a, err)
			}
			again, err := read(written.Path, written.Query())
			if err != nil || !same(again, a) {
				t.Errorf("%s %q is %+v; written as %q it is %+v (%v)", kind, s, a, a, again, err)
			}
		}
	})
}

// same reports whether two addresses say the same.
func same(a, b fmt.Stringer) bool {
	return a.String() == b.String() && reflect.TypeOf(a) == reflect.TypeOf(b)
}

func TestAFormLeadsBackToAPageOfOursOnly(t *testing.T) {
	for back, want := range map[string]string{
		"": "", "/images?q=a": "/images?q=a", "//evil.example": "/", "https://evil.example": "/", "/a\\b": "/", "/a\r\nb": "/",
	} {
		if got := Back(url.Values{"back": {back}}); got != want {
			t.Errorf("%q leads to %q, want %q", back, got, want)
		}
	}
}

func TestAPlatformGoesWithOneThingOnly(t *testing.T) {
	if _, _, err := ParseDeleteMany(url.Values{"ref": {"a", "b"}, "platform": {"linux/amd64"}}); image.KindOf(err) != image.Invalid {
		t.Error(err)
	}
}
