package archives

import (
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
)

func TestTheFileOfAnArchiveHasASafeName(t *testing.T) {
	for want, r := range map[string]request{
		"ubuntu_22.04_linux-amd64.tar":             {Things: []address.Image{{Ref: image.Reference{Repository: "docker.io/library/ubuntu", Tag: "22.04"}}}, Platforms: []image.Platform{{OS: "linux", Architecture: "amd64"}}},
		"localhost_5000_team_app_1.tar":            {Things: []address.Image{{Ref: image.Reference{Repository: "localhost:5000/team/app", Tag: "1"}}}},
		"app_1_windows_10.0.17763.1432_-amd64.tar": {Things: []address.Image{{Ref: image.Reference{Repository: "docker.io/library/app", Tag: "1"}}}, Platforms: []image.Platform{{OS: "windows", Architecture: "amd64", OSVersion: "10.0.17763.1432"}}},
		"image_174c8c134b2a.oci.tar.gz":            {Things: []address.Image{{ID: "174c8c134b2a94b5bb0b37d9a2b6ba0663d82d23ebf62bd51f74a2fd457333da"}}, Format: "oci", Compression: "gzip"},
		strings.Repeat("a", mostName) + ".tar":     {Things: []address.Image{{Ref: image.Reference{Repository: image.Repository("example.com/" + strings.Repeat("a", 230)), Tag: "1"}}}},
	} {
		if r.Things[0].Ref.Repository.Host() == "example.com" {
			r.Things[0].Ref.Repository = image.Repository("docker.io/library/" + strings.Repeat("a", 230))
		}
		if got := fileName(r, nil); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
