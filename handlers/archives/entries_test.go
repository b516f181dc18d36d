package archives_test

import (
	"net/http"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/pages"
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

func TestThePagesGoByTheIndexAndSayWhereTheConfigDisagrees(t *testing.T) {
	im := func(text string) sample.Image {
		return sample.Image{Platform: pages.Amd64, Steps: []sample.Step{{By: "COPY " + text, Layer: sample.NewLayer(sample.Gzip, sample.Text("a", text))}}}
	}
	shared := im("shared")
	s := pages.NewWith(t, "library/app", map[string]sample.Source{"1": sample.Index{Entries: []sample.Source{
		im("right"), listedAs{im("wrong"), v1.Platform{OS: "linux", Architecture: "arm64"}},
		listedAs{shared, v1.Platform{OS: "linux", Architecture: "s390x"}}, listedAs{shared, v1.Platform{OS: "linux", Architecture: "386"}},
		listedAs{im("mac 12"), v1.Platform{OS: "darwin", Architecture: "arm64", OSVersion: "macOS 12.6"}},
		listedAs{im("mac 13"), v1.Platform{OS: "darwin", Architecture: "arm64", OSVersion: "macOS 13.5"}},
	}}})
	platforms := []string{"linux/amd64", "linux/arm64", "linux/s390x", "linux/386", "darwin(macOS%2012.6)/arm64", "darwin(macOS%2013.5)/arm64"}
	s.Pull("app:1", platforms...)
	const page, misnamed = "/images/docker.io/library/app:1", "The index and the config disagree"
	made := []string{"COPY right", "COPY wrong", "COPY shared", "COPY shared", "COPY mac 12", "COPY mac 13"}
	for i, p := range platforms {
		query := "?platform=" + strings.ReplaceAll(p, "%", "%25")
		shown := s.Get(page + query)
		shown.Is(t, http.StatusOK, made[i])
		if i == 0 {
			shown.Lacks(t, misnamed)
		} else {
			shown.Is(t, http.StatusOK, misnamed, "for "+p+", but its config says linux/amd64")
		}
		s.Get(page+"/inspect"+query).Is(t, http.StatusOK, "amd64")
		s.Get(page+"/delete"+query).Is(t, http.StatusOK, p)
		s.Get("/images"+query).Is(t, http.StatusOK, "/images/docker.io/library/app:1")
		if a := getArchive(s, page+"/archive"+query); len(a.saved) != 1 || len(a.index.Manifests) != 1 || a.index.Manifests[0].Platform == nil || a.index.Manifests[0].Platform.Architecture == "amd64" != (i == 0) {
			t.Errorf("the archive for %s: %+v", p, a.index.Manifests)
		}
	}
	getArchive(s, page+"/archive") // which has each file once
	id := string(s.Target("app:1").Images[1].ID)
	s.Get("/images/"+id).Is(t, http.StatusOK, page+"?platform=linux/arm64")
}
