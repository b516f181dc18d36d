package sample

import v1 "github.com/opencontainers/image-spec/specs-go/v1"

const bookworm = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
`

const alpine320 = `NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.20.3
PRETTY_NAME="Alpine Linux v3.20"
HOME_URL="https://alpinelinux.org/"
`

var debianPackages = []Package{
	{"apt", "2.6.1"}, {"base-files", "12.4+deb12u7"}, {"bash", "5.2.15-2+b7"}, {"coreutils", "9.1-1"}, {"dpkg", "1.21.22"},
	{"libc6", "2.36-9+deb12u8"},
	{"libssl3", "3.0.14-1~deb12u2"}, {"perl-base", "5.36.0-7+deb12u1"}, {"tar", "1.34+dfsg-1.2+deb12u1"},
	{"zlib1g", "1:1.2.13.dfsg-1"},
}

// debianBase is the layer under debian, postgres, nginx, redis and acme/api.
func (s *shelf) debianBase(m machine) *Layer {
	return s.layer(m, "debian", func() []File { return m.rootfs("bookworm", bookworm, 1_300) })
}

func (s *shelf) debianSteps(m machine) []Step {
	return []Step{
		{By: "/bin/sh -c #(nop) ADD file:3d5b0c4f1cf4ee9c6ac0d6b1c0d8e6a9b7f0a3b7d9a1d2c5f8e7b6a594837261 in / ",
			Layer: s.debianBase(m)},
		{By: `/bin/sh -c #(nop)  CMD ["bash"]`},
	}
}

func (s *shelf) alpineSteps(m machine) []Step {
	return []Step{
		{By: "/bin/sh -c #(nop) ADD file:5758b97d8301c84a204a6e516241275d785a7ade40b2fb99f01fe122482e283a in / ",
			Layer: s.layer(m, "alpine", func() []File {
				return []File{
					Dir("bin"), Dir("etc"), Dir("lib"), Dir("usr/bin"), Dir("var/cache/apk"), Text("etc/os-release", alpine320),
					passwd(),
					m.program("alpine", "bin/busybox", 320), Symlink("bin/sh", "/bin/busybox"), Symlink("bin/ls", "/bin/busybox"),
					m.program("alpine", "lib/libcrypto.so.3", 240), m.program("alpine", "lib/ld-musl.so.1", 150),
					m.program("alpine", "sbin/apk", 60),
				}
			})},
		{By: `/bin/sh -c #(nop)  CMD ["/bin/sh"]`},
	}
}

func (s *shelf) debian() []Entry {
	debian := Index{Attest: true, Entries: images(func(m machine) Image {
		return Image{
			Created: Date("2026-11-04T00:00:00Z"), Packages: debianPackages,
			Config: Config{ImageConfig: v1.ImageConfig{Env: []string{pathEnv}, Cmd: words("bash")}},
			Steps: []Step{{By: "# debian.sh --arch '" + m.deb + "' out/ 'bookworm' '@1793750400'",
				Comment: "debuerreotype 0.15", Layer: s.debianBase(m)}},
		}
	}, linuxAMD64, linuxARM5, linuxARM7, linuxARM64, linux386)}
	alpine := Index{Docker: true, Entries: images(func(m machine) Image {
		return Image{
			Docker: true, Created: Date("2026-10-14T20:52:15.113224Z"), Steps: s.alpineSteps(m),
			Config: Config{ImageConfig: v1.ImageConfig{Env: []string{pathEnv}, Cmd: words("/bin/sh")}},
		}
	}, linuxAMD64, linuxARM7, linuxARM64, linux386)}
	return []Entry{
		{"library/debian", words("12 12.7 bookworm latest"), debian},
		{"library/alpine", words("3.20 3.20.3 3 latest"), alpine},
	}
}
