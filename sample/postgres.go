package sample

import (
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// postgresRelease is one version of postgres.
type postgresRelease struct {
	major, full string // 15, 15.14-1.pgdg12+1
	created     time.Time
	server      int64 // kB of the server's layer, uncompressed, on amd64
}

// postgresIndex follows the official image: 25 history entries, 13 of which made a layer.
func (s *shelf) postgresIndex(r postgresRelease, platforms ...v1.Platform) Index {
	bin := "/usr/lib/postgresql/" + r.major + "/bin"
	path := "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:" + bin
	return Index{Attest: true, Entries: images(func(m machine) Image {
		layer := func(name string, files ...[]File) *Layer {
			return s.layer(m, "postgres-"+name, func() []File {
				var all []File
				for _, f := range files {
					all = append(all, f...)
				}
				return all
			})
		}
		install := func(name, version string, kB int64, programs ...string) []File {
			return m.install("bookworm", name, version, kB, programs...)
		}
		return Image{
			Created: r.created,
			Config: Config{ImageConfig: v1.ImageConfig{
				ExposedPorts: ports("5432/tcp"), Volumes: ports("/var/lib/postgresql/data"), StopSignal: "SIGINT",
				Entrypoint: words("docker-entrypoint.sh"), Cmd: words("postgres"),
				Env: []string{path, "GOSU_VERSION=1.17", "LANG=en_US.utf8", "PG_MAJOR=" + r.major, "PG_VERSION=" + r.full,
					"PGDATA=/var/lib/postgresql/data"},
			}},
			Packages: append([]Package{{"postgresql-" + r.major, r.full}, {"gosu", "1.17"}, {"libnss-wrapper", "1.1.13-1"}},
				debianPackages...),
			Steps: spaced(2, steps(s.debianSteps(m), []Step{
				run("set -eux; \tgroupadd -r postgres --gid=999; \tuseradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql --shell=/bin/bash postgres; \tinstall --verbose --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql",
					layer("user", []File{passwd("postgres:x:999:999::/var/lib/postgresql:/bin/bash"), group("postgres:x:999:"),
						{Name: "var/lib/postgresql/", Mode: 0o1777, UID: 999, GID: 999}})),
				run("set -ex; \tapt-get update; \tapt-get install -y --no-install-recommends gnupg less; \trm -rf /var/lib/apt/lists/*",
					layer("gnupg", install("gnupg", "2.2.40-1.1", 330, "usr/bin/gpg", "usr/bin/gpg-agent", "usr/bin/dirmngr"),
						install("less", "590-2.1", 60, "usr/bin/less"))),
				set("ENV GOSU_VERSION=1.17"),
				run("set -eux; \tsavedAptMark=\"$(apt-mark showmanual)\"; \tapt-get update; \tapt-get install -y --no-install-recommends ca-certificates wget; \tdpkgArch=\"$(dpkg --print-architecture | awk -F- '{ print $NF }')\"; \twget -O /usr/local/bin/gosu \"https://github.com/tianon/gosu/releases/download/$GOSU_VERSION/gosu-$dpkgArch\"; \tchmod +x /usr/local/bin/gosu; \tgosu --version; \tgosu nobody true",
					layer("gosu", []File{m.program("bookworm", "usr/local/bin/gosu", 190)})),
				run("set -eux; \tapt-get update; apt-get install -y --no-install-recommends locales; rm -rf /var/lib/apt/lists/*; \techo 'en_US.UTF-8 UTF-8' >> /etc/locale.gen; \tlocale-gen; \tlocale -a | grep 'en_US.utf8'",
					layer("locales", install("locales", "2.36-9+deb12u8", 420, "usr/sbin/locale-gen"),
						[]File{Text("etc/locale.gen", "en_US.UTF-8 UTF-8\n"),
							Data("usr/lib/locale/locale-archive", "bookworm", 300_000)})),
				set("ENV LANG=en_US.utf8"),
				run("set -eux; \tapt-get update; \tapt-get install -y --no-install-recommends libnss-wrapper xz-utils zstd; \trm -rf /var/lib/apt/lists/*",
					layer("nss", install("nss-wrapper", "1.1.13-1", 40), install("xz-utils", "5.4.1-0.2", 80, "usr/bin/xz"),
						install("zstd", "1.5.4+dfsg2-5", 160, "usr/bin/zstd"))),
				run("mkdir /docker-entrypoint-initdb.d", layer("initdb", []File{Dir("docker-entrypoint-initdb.d")})),
				run("set -ex; \tkey='B97B0AFCAA1A47F044F244A07FCC7D46ACCC4CF8'; \texport GNUPGHOME=\"$(mktemp -d)\"; \tmkdir -p /usr/local/share/keyrings/; \tgpg --batch --keyserver keyserver.ubuntu.com --recv-keys \"$key\"; \tgpg --batch --export --armor \"$key\" > /usr/local/share/keyrings/postgres.gpg.asc; \tgpgconf --kill all; \trm -rf \"$GNUPGHOME\"",
					layer("key", []File{Dir("usr/local/share/keyrings"),
						Data("usr/local/share/keyrings/postgres.gpg.asc", "bookworm", 5_000)})),
				set("ENV PG_MAJOR=" + r.major),
				set("ENV " + path),
				set("ENV PG_VERSION=" + r.full),
				run("set -ex; \texport PYTHONDONTWRITEBYTECODE=1; \tdpkgArch=\"$(dpkg --print-architecture)\"; \taptRepo=\"[ signed-by=/usr/local/share/keyrings/postgres.gpg.asc ] http://apt.postgresql.org/pub/repos/apt/ bookworm-pgdg main $PG_MAJOR\"; \tapt-get update; \tapt-get install -y --no-install-recommends postgresql-common; \tsed -ri 's/#(create_main_cluster) .*$/\\1 = false/' /etc/postgresql-common/createcluster.conf; \tapt-get install -y --no-install-recommends \"postgresql-$PG_MAJOR=$PG_VERSION\"; \tpostgres --version",
					layer("server-"+r.full, install("postgresql-"+r.major, r.full, r.server, bin[1:]+"/postgres", bin[1:]+"/psql",
						bin[1:]+"/pg_dump", bin[1:]+"/initdb"),
						install("llvm15", "1:15.0.6-4+b1", 500),
						[]File{{Name: "usr/share/postgresql/" + r.major + "/postgresql.conf.sample", Size: 28_000, Seed: "conf"}})),
				run("set -eux; \tdpkg-divert --add --rename --divert \"/usr/share/postgresql/postgresql.conf.sample.dpkg\" \"/usr/share/postgresql/$PG_MAJOR/postgresql.conf.sample\"; \tcp -v /usr/share/postgresql/postgresql.conf.sample.dpkg /usr/share/postgresql/postgresql.conf.sample; \tsed -ri \"s!^#?(listen_addresses)\\s*=\\s*\\S+.*!\\1 = '*'!\" /usr/share/postgresql/postgresql.conf.sample",
					layer("conf-"+r.major, []File{
						Data("usr/share/postgresql/postgresql.conf.sample", "conf", 28_000),
						Data("usr/share/postgresql/postgresql.conf.sample.dpkg", "conf", 28_000),
						Whiteout("usr/share/postgresql/" + r.major + "/postgresql.conf.sample"),
						Symlink("usr/share/postgresql/"+r.major+"/postgresql.conf.sample", "../postgresql.conf.sample"),
					})),
				run("install --verbose --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql",
					layer("run", []File{{Name: "run/postgresql/", Mode: 0o3777, UID: 999, GID: 999}})),
				set("ENV PGDATA=/var/lib/postgresql/data"),
				run("install --verbose --directory --owner postgres --group postgres --mode 1777 \"$PGDATA\"",
					layer("data", []File{{Name: "var/lib/postgresql/data/", Mode: 0o1777, UID: 999, GID: 999}})),
				set("VOLUME [/var/lib/postgresql/data]"),
				copied("docker-entrypoint.sh docker-ensure-initdb.sh /usr/local/bin/", layer("entrypoint", []File{
					{Name: "usr/local/bin/docker-entrypoint.sh", Mode: 0o775,
						Body: "#!/usr/bin/env bash\nset -Eeo pipefail\nexec \"$@\"\n"},
					Program("usr/local/bin/docker-ensure-initdb.sh", "bookworm", 11_000),
				})),
				set(`ENTRYPOINT ["docker-entrypoint.sh"]`),
				set("STOPSIGNAL SIGINT"),
				set("EXPOSE map[5432/tcp:{}]"),
				set(`CMD ["postgres"]`),
			})),
		}
	}, platforms...)}
}

func (s *shelf) postgres() []Entry {
	pg15 := postgresRelease{"15", "15.14-1.pgdg12+1", Date("2026-11-10T05:32:18.441908112Z"), 2_500}
	pg16 := postgresRelease{"16", "16.10-1.pgdg12+1", Date("2026-11-10T05:41:03.007711905Z"), 2_620}
	return []Entry{
		{"library/postgres", words("15 15.14 15-bookworm"),
			s.postgresIndex(pg15, linuxAMD64, linuxARM7, linuxARM64, linux386, linuxPPC64LE, linuxS390X)},
		{"library/postgres", words("16 16.10 latest"), s.postgresIndex(pg16, linuxAMD64, linuxARM64)},
	}
}
