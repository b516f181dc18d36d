package sample

import (
	"fmt"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ubuntuRelease is one state of an ubuntu tag.
type ubuntuRelease struct {
	version, name string
	build         string // makes the layer's content differ between builds of one version
	created       time.Time
	size          int64 // kB, uncompressed, on amd64
}

var jammy = ubuntuRelease{"22.04", "Jammy Jellyfish", "1", Date("2026-11-09T11:38:59.637410824Z"), 1_350}

// rolling are the images that the moving tag points at, one after the other.
var rolling = []ubuntuRelease{
	{"26.04", "Resolute Raccoon", "1", Date("2026-09-17T17:53:37.104284018Z"), 1_400},
	{"26.04", "Resolute Raccoon", "2", Date("2026-10-16T06:21:07.912300451Z"), 1_420},
	{"26.10", "Stonking Stingray", "1", Date("2026-11-18T06:19:44.201847632Z"), 1_450},
}

// ubuntuIndex is the index of a release: docker media types, as Docker Hub serves ubuntu, in one layer.
func (s *shelf) ubuntuIndex(r ubuntuRelease) Index {
	osRelease := fmt.Sprintf("PRETTY_NAME=\"Ubuntu %[1]s\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"%[1]s\"\nVERSION=\"%[1]s (%[2]s)\"\nID=ubuntu\nID_LIKE=debian\n", r.version, r.name)
	return Index{Docker: true, Entries: images(func(m machine) Image {
		name := "ubuntu-" + r.version + "-" + r.build
		return Image{
			Docker: true, Created: r.created,
			Config: Config{ImageConfig: v1.ImageConfig{
				Env: []string{pathEnv}, Cmd: words("/bin/bash"),
				Labels: map[string]string{"org.opencontainers.image.ref.name": "ubuntu",
					"org.opencontainers.image.version": r.version},
			}},
			Steps: spaced(0, []Step{
				{By: "/bin/sh -c #(nop)  ARG RELEASE"},
				{By: "/bin/sh -c #(nop)  ARG LAUNCHPAD_BUILD_ARCH"},
				{By: "/bin/sh -c #(nop)  LABEL org.opencontainers.image.ref.name=ubuntu"},
				{By: "/bin/sh -c #(nop)  LABEL org.opencontainers.image.version=" + r.version},
				{
					By:    "/bin/sh -c #(nop) ADD file:2b3b5254f38a790d40e31cb26155609f7fc99ef7bc99eae1e0d67fa9ae605f77 in / ",
					Layer: s.layer(m, name, func() []File { return m.rootfs(name, osRelease, r.size) }),
				},
				{By: `/bin/sh -c #(nop)  CMD ["/bin/bash"]`},
			}),
		}
	}, linuxAMD64, linuxARM7, linuxARM64)}
}

func (s *shelf) ubuntu() []Entry {
	return []Entry{
		{"library/ubuntu", words("22.04 jammy latest"), s.ubuntuIndex(jammy)},
		{MovingRepository, []string{MovingTag}, s.ubuntuIndex(rolling[0])},
	}
}

// Rolling is the index that the moving tag points at in a version from 1 to [RollingVersions].
func Rolling(version int) (Index, error) {
	if version < 1 || version > len(rolling) {
		return Index{}, fmt.Errorf("no version %d of the moving tag: there are versions 1 to %d", version, len(rolling))
	}
	return newShelf().ubuntuIndex(rolling[version-1]), nil
}

// RollingVersions is the number of images that the moving tag can point at.
const RollingVersions = 3
