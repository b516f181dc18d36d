package distribution

import (
	"net/http"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

// listedAs is an image that an index lists for another platform than its config has.
type listedAs struct {
	sample.Image
	platform v1.Platform
}

func (l listedAs) Build() (sample.Built, error) {
	b, err := l.Image.Build()
	b.Descriptor.Platform = &l.platform
	return b, err
}

func TestWhatAnIndexListsIsServedWhateverTheConfigsSay(t *testing.T) {
	s := newShelf(t)
	mac := func(version string) v1.Platform {
		return v1.Platform{OS: "darwin", Architecture: "arm64", OSVersion: version}
	}
	b := s.pull("bottle:1", sample.Index{Entries: []sample.Source{
		listedAs{made("amd64", "twelve"), mac("macOS 12.6")}, listedAs{made("amd64", "thirteen"), mac("macOS 13.5")},
		listedAs{made("amd64", "wrong"), v1.Platform{OS: "linux", Architecture: "arm64"}},
	}}, "darwin(macOS 12.6)/arm64", "darwin(macOS 13.5)/arm64", "linux/arm64")
	for _, m := range b.Children {
		if got := s.get("library/bottle/manifests/" + string(m.Digest())); got.status != http.StatusOK || string(got.body) != string(m.Body) {
			t.Errorf("%s: %d %s", m.Digest(), got.status, got.body)
		}
	}
	if got := s.get("library/bottle/manifests/1"); got.status != http.StatusOK || string(got.body) != string(b.Body) {
		t.Errorf("the index: %d %s", got.status, got.body)
	}
}
