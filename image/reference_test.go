package image

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// The rows are docker's own: docker-images.md, "References".
func TestReferencesAreReadAsDockerReadsThem(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	for _, c := range []struct{ in, canonical, familiar string }{
		{"ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"},
		{" ubuntu \n", "docker.io/library/ubuntu:latest", "ubuntu:latest"},
		{"docker.io/ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"},
		{"index.docker.io/ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"},
		{"library/ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"},
		{"bitnami/redis:7", "docker.io/bitnami/redis:7", "bitnami/redis:7"},
		{"localhost/foo", "localhost/foo:latest", "localhost/foo:latest"},
		{"localhost:5000/foo:1", "localhost:5000/foo:1", "localhost:5000/foo:1"},
		{"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
		{"[0:0::0001]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
		{"[2001:DB8::1]/x", "[2001:db8::1]/x:latest", "[2001:db8::1]/x:latest"},
		{"MyHost/foo", "MyHost/foo:latest", "MyHost/foo:latest"},
		{"a/b/c", "docker.io/a/b/c:latest", "a/b/c:latest"},
		{"docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
		{"registry.example.com", "docker.io/library/registry.example.com:latest", "registry.example.com:latest"},
		{"postgres@sha256:" + hex, "docker.io/library/postgres@sha256:" + hex, "postgres@sha256:" + hex},
		// the digest wins
		{"postgres:15@sha256:" + hex, "docker.io/library/postgres@sha256:" + hex, "postgres@sha256:" + hex},
		{"174c8c134b2a", "docker.io/library/174c8c134b2a:latest", "174c8c134b2a:latest"},
	} {
		ref, err := ParseReference(c.in)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if ref.String() != c.canonical || ref.Familiar() != c.familiar {
			t.Errorf("%q is %s (%s), want %s (%s)", c.in, ref, ref.Familiar(), c.canonical, c.familiar)
		}
		again, err := ParseReference(ref.String())
		if err != nil || again != ref {
			t.Errorf("%q: the canonical form %s reads as %v, %v", c.in, ref, again, err)
		}
	}
}

func TestWrongReferencesSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ in, suggestion string }{
		{"", "Type a name"},
		{"ocidir:///etc", `Leave "ocidir://" out`},
		{"http://registry.example.com/app", `Leave "http://" out`},
		{"Ubuntu", "lower case: try ubuntu"},
		{"docker.io/Library/Nginx", "lower case"},
		{"ubuntu:" + strings.Repeat("x", 200), "at most 128 characters; this one has 200"},
		{"ubuntu:.hidden", "does not begin with a period"},
		{"ubuntu@sha256:123", "64 hex digits; this one has 3"},
		{"ubuntu@md5:123", "sha256: and 64 hex digits"},
		{"../../etc/passwd", "[host/]name"},
		{"ubuntu 22.04", "[host/]name"},
		{strings.Repeat("a/", 150) + "a", "at most 255"},
		{strings.Repeat("ab", 32), "image ID"},
		{"ubuntu:bad:tag", "A tag is made of"},
	} {
		_, err := ParseReference(c.in)
		if KindOf(err) != Invalid {
			t.Errorf("%q: %v is %s, want %s", c.in, err, KindOf(err), Invalid)
			continue
		}
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Suggestion, c.suggestion) {
			t.Errorf("%q suggests %q, want %q in it", c.in, e.Suggestion, c.suggestion)
		} else if len(e.Message) > 300 {
			t.Errorf("%.20q: the message has %d bytes", c.in, len(e.Message))
		}
	}
}

func FuzzAReferenceThatIsReadSurvivesARoundTrip(f *testing.F) {
	for _, s := range []string{"ubuntu", "localhost:5000/a/b:1", "a@sha256:" + strings.Repeat("0", 64), "MyHost/x",
		"[::1]:5000/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseReference(s)
		if err != nil {
			return
		}
		again, err := ParseReference(ref.String())
		if err != nil || again != ref {
			t.Fatalf("%q gives %v, whose canonical form gives %v, %v", s, ref, again, err)
		}
		if familiar, err := ParseReference(ref.Familiar()); err != nil || familiar != ref {
			t.Fatalf("%q gives %v, whose familiar form gives %v, %v", s, ref, familiar, err)
		}
	})
}

func TestOnlyHexDigitsBeginAnImageID(t *testing.T) {
	for in, want := range map[string]string{"174c": "174c", "sha256:174c8c": "174c8c", "174": "174", "1": "1",
		"sha256:a": "a", "": "", "174C": "", "xyzw": "", "sha256:": "", strings.Repeat("a", 65): ""} {
		got, ok := ParseIDPrefix(in)
		if got != want || ok != (want != "") {
			t.Errorf("ParseIDPrefix(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
}

func TestNamesForClientsAreOnesThatTheyTake(t *testing.T) {
	// distribution-spec, "Pulling manifests"
	legal := regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	for _, name := range []string{
		"docker.io/library/ubuntu", "localhost/a", "localhost:5000/a", "registry.example.com:5000/team/a", "10.0.0.7:80/a",
		"[::1]/a", "[::1]:5000/a", "[2001:db8::]:5000/a", "[2001:db8::7]/team/a", "[::ffff:102:304]:1/a", "[fe80::1:2:3:4]/a",
		"[1:2:3:4:5:6:7:8]:65535/a",
	} {
		r, err := ParseRepositoryReference(name)
		if err != nil {
			t.Fatal(err)
		}
		path := r.Repository.AsPath()
		host, rest, _ := strings.Cut(path, "/")
		if back := HostInPath(host) + "/" + rest; !legal.MatchString(path) || back != string(r.Repository) {
			t.Errorf("%s is asked for as %s, which is %s", r.Repository, path, back)
		}
	}
	for _, host := range []string{"a_5000", "x.ipv6-literal.net", "1-2.ipv6-literal.net", "1.2.3.4.ipv6-literal.net",
		"a.test_", "a.test_999999", "a.test_5x"} {
		if got := HostInPath(host); got != host {
			t.Errorf("%s is read as %s", host, got)
		}
	}
}

func TestAPasswordInFrontOfAHostIsInNoMessage(t *testing.T) {
	for text, shown := range map[string]string{
		"https://anna:secret@registry.example.com/app:1": `"https://...@registry.example.com/app:1"`,
		"https://secret@registry.example.com/app":        `"https://...@registry.example.com/app"`,
		"anna:secret@registry.example.com/app":           `"...@registry.example.com/app"`,
		"anna:sec@ret@registry.example.com/app":          `"...@registry.example.com/app"`,
		"UBUNTU@abc":                                     `"UBUNTU@abc"`,
		"ubuntu@sha256:abc":                              `"ubuntu@sha256:abc"`,
		"host:5000/APP@sha256:abc":                       `"host:5000/APP@sha256:abc"`,
	} {
		_, err := ParseReference(text)
		if err == nil || !strings.HasPrefix(err.Error(), shown) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
