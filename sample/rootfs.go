package sample

import (
	"fmt"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// The platforms of the library, spelled as the official images spell them.
var (
	linuxAMD64   = v1.Platform{OS: "linux", Architecture: "amd64"}
	linux386     = v1.Platform{OS: "linux", Architecture: "386"}
	linuxARM5    = v1.Platform{OS: "linux", Architecture: "arm", Variant: "v5"}
	linuxARM7    = v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	linuxARM64   = v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	linuxPPC64LE = v1.Platform{OS: "linux", Architecture: "ppc64le"}
	linuxS390X   = v1.Platform{OS: "linux", Architecture: "s390x"}
)

// machine is what differs between architectures: the folder of shared libraries, and how dense the code is.
type machine struct {
	platform v1.Platform
	deb      string // Debian's name of the architecture
	triplet  string
	density  int64 // size of programs in percent of amd64's
}

func machineOf(p v1.Platform) machine {
	m := machine{platform: p, deb: p.Architecture, density: 100}
	switch PlatformString(p) {
	case "linux/386":
		m.deb, m.triplet, m.density = "i386", "i386-linux-gnu", 103
	case "linux/arm/v5":
		m.deb, m.triplet, m.density = "armel", "arm-linux-gnueabi", 90
	case "linux/arm/v7":
		m.deb, m.triplet, m.density = "armhf", "arm-linux-gnueabihf", 84
	case "linux/arm64/v8":
		m.triplet, m.density = "aarch64-linux-gnu", 96
	case "linux/ppc64le":
		m.deb, m.triplet, m.density = "ppc64el", "powerpc64le-linux-gnu", 112
	case "linux/s390x":
		m.triplet, m.density = "s390x-linux-gnu", 98
	default:
		m.triplet = "x86_64-linux-gnu"
	}
	return m
}

// seed makes generated content differ between architectures and releases.
func (m machine) seed(release string) string { return release + "/" + PlatformString(m.platform) }

// bytes is a size in kB, adjusted to the architecture.
func (m machine) bytes(kB int64) int64 { return kB * 10 * m.density }

// program and library are files of a package; sizes are in kB, uncompressed, on amd64.
func (m machine) program(release, name string, kB int64) File {
	return Program(name, m.seed(release), m.bytes(kB))
}

func (m machine) library(release, name string, kB int64) File {
	return Data("usr/lib/"+m.triplet+"/"+name, m.seed(release), m.bytes(kB))
}

// install is what installing a Debian package adds: programs or a library, documents and dpkg's own records.
func (m machine) install(release, name, version string, kB int64, programs ...string) []File {
	files := []File{
		Dir("usr/share/doc/" + name),
		Text("usr/share/doc/"+name+"/copyright",
			"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: "+name+"\n"),
	}
	share := kB
	for i, p := range programs {
		part := share / 2
		if i == len(programs)-1 {
			part = share
		}
		share -= part
		files = append(files, m.program(release, p, part))
	}
	if len(programs) == 0 {
		files = append(files, m.library(release, "lib"+name+".so.1.0", kB),
			Symlink("usr/lib/"+m.triplet+"/lib"+name+".so.1", "lib"+name+".so.1.0"))
	}
	list := make([]string, 0, len(files))
	for _, f := range files {
		list = append(list, "/"+strings.TrimSuffix(f.Name, "/"))
	}
	return append(files, Text("var/lib/dpkg/info/"+name+".list", "/.\n"+strings.Join(list, "\n")+"\n"),
		Text("var/lib/dpkg/info/"+name+".md5sums", fmt.Sprintf("%032x  %s\n", kB, list[len(list)-1])),
		Text("var/lib/dpkg/status.d/"+name,
			fmt.Sprintf("Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\nInstalled-Size: %d\n", name,
				m.deb, version, kB)))
}

// passwd is the accounts file with further lines.
func passwd(more ...string) File {
	return Text("etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nbin:x:2:2:bin:/bin:/usr/sbin/nologin\n"+
		"www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"+
		lines(more))
}

func group(more ...string) File {
	return Text("etc/group", "root:x:0:\ndaemon:x:1:\nbin:x:2:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n"+lines(more))
}

func lines(more []string) string {
	var b strings.Builder
	for _, l := range more {
		b.WriteString(l + "\n")
	}
	return b.String()
}

// rootfs is a small Debian-like root file system; size is the rough total in kB, uncompressed, on amd64.
func (m machine) rootfs(release, osRelease string, size int64) []File {
	files := []File{}
	for _, d := range []string{"boot", "dev", "etc", "etc/apt", "etc/apt/sources.list.d", "etc/default", "etc/ssl", "home",
		"media", "mnt", "opt", "proc", "root", "run", "srv", "sys",
		"usr", "usr/bin", "usr/lib", "usr/lib/" + m.triplet, "usr/local", "usr/local/bin", "usr/local/lib", "usr/local/sbin",
		"usr/sbin", "usr/share", "usr/share/doc",
		"usr/share/zoneinfo", "var", "var/cache", "var/cache/apt", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info", "var/log",
		"var/log/apt"} {
		files = append(files, Dir(d))
	}
	files = append(files, File{Name: "tmp/", Mode: 0o1777}, File{Name: "var/tmp/", Mode: 0o1777},
		Symlink("bin", "usr/bin"), Symlink("lib", "usr/lib"), Symlink("sbin", "usr/sbin"), Symlink("var/run", "/run"),
		Text("etc/os-release", osRelease), Text("etc/hostname", "localhost\n"),
		Text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
		passwd(), group(), File{Name: "etc/shadow", Body: "root:*:19700:0:99999:7:::\n", Mode: 0o640, GID: 42},
		Text("root/.bashrc", "# ~/.bashrc: executed by bash(1) for non-login shells.\n"), Symlink("etc/mtab", "/proc/mounts"),
		Symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
		Data("var/log/apt/history.log", m.seed(release), 2_000), Data("var/log/dpkg.log", m.seed(release), 6_000),
		Data("usr/share/zoneinfo/Etc/UTC", "tz", 118))
	for _, f := range []struct {
		name  string
		share int64 // of size, in thousandths
	}{
		{"usr/bin/bash", 140}, {"usr/bin/perl", 190}, {"usr/bin/dpkg", 40}, {"usr/bin/apt-get", 12}, {"usr/bin/tar", 50},
		{"usr/bin/ls", 16}, {"usr/bin/cp", 17},
		{"usr/bin/grep", 22}, {"usr/bin/sed", 14}, {"usr/bin/find", 25}, {"usr/bin/mount", 8}, {"usr/sbin/useradd", 16},
		{"usr/lib/" + m.triplet + "/libc.so.6", 200},
		{"usr/lib/" + m.triplet + "/libcrypto.so.3", 170}, {"usr/lib/" + m.triplet + "/libstdc++.so.6", 80},
	} {
		files = append(files, m.program(release, f.name, size*f.share/1000))
	}
	return append(files, Hardlink("usr/bin/perl5.36.0", "usr/bin/perl"), Symlink("usr/bin/sh", "bash"),
		File{Name: "usr/bin/su", Mode: 0o4755, Size: m.bytes(12), Seed: m.seed(release) + "su"})
}
