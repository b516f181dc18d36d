package sample

import (
	"fmt"
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// acmeRelease is a release of the made-up company's service.
type acmeRelease struct {
	version, revision string
	created           time.Time
	size              int64 // kB of the program, uncompressed, on amd64
	artifacts         bool  // its attestations are in the newer form
}

// apiIndex is a service built on debian's layer, with a history of more than forty entries.
func (s *shelf) apiIndex(r acmeRelease) Index {
	labels := map[string]string{
		"org.opencontainers.image.title": "acme-api", "org.opencontainers.image.version": r.version,
		"org.opencontainers.image.revision":  r.revision,
		"org.opencontainers.image.source":    "https://git.acme.example/platform/api",
		"org.opencontainers.image.licenses":  "Apache-2.0",
		"org.opencontainers.image.base.name": "docker.io/library/debian:12", "com.acme.team": "platform",
		"com.acme.oncall": "#platform-oncall",
	}
	return Index{Attest: true, Artifacts: r.artifacts, Entries: images(func(m machine) Image {
		history := []Step{set("LABEL org.opencontainers.image.title=acme-api"),
			set("LABEL com.acme.team=platform com.acme.oncall=#platform-oncall")}
		for _, p := range []struct {
			name, version string
			kB            int64
		}{
			{"ca-certificates", "20230311", 210}, {"curl", "7.88.1-10+deb12u7", 390}, {"tzdata", "2024b-0+deb12u1", 300},
			{"tini", "0.19.0-1", 24}, {"jq", "1.6-2.1", 60}, {"netcat-openbsd", "1.219-1", 40},
		} {
			history = append(history, run("apt-get update && apt-get install -y --no-install-recommends "+p.name+"="+p.version+
				" && rm -rf /var/lib/apt/lists/*",
				s.layer(m, "acme-"+p.name, func() []File {
					return m.install("bookworm", p.name, p.version, p.kB, "usr/bin/"+p.name)
				})))
		}
		var env []string
		for _, e := range words("APP_ENV=production APP_PORT=8080 APP_LOG_LEVEL=info APP_LOG_FORMAT=json GOMEMLIMIT=512MiB GOGC=100 TZ=UTC LANG=C.UTF-8 DB_MAX_OPEN=32 DB_MAX_IDLE=8 CACHE_TTL=5m HTTP_READ_TIMEOUT=10s HTTP_WRITE_TIMEOUT=30s OTEL_SERVICE_NAME=acme-api OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.05 FEATURE_SEARCH_V2=true FEATURE_BULK_EXPORT=false APP_VERSION=" + r.version) {
			env = append(env, e)
			history = append(history, set("ENV "+e))
		}
		history = append(history,
			set("ARG REVISION="+r.revision), set("ARG TARGETPLATFORM="+PlatformString(m.platform)), set("WORKDIR /srv/api"),
			run("groupadd -g 10001 api && useradd -u 10001 -g api -d /srv/api -s /usr/sbin/nologin api",
				s.layer(m, "acme-user", func() []File {
					return []File{passwd("api:x:10001:10001::/srv/api:/usr/sbin/nologin"), group("api:x:10001:"),
						{Name: "srv/api/", UID: 10001, GID: 10001}}
				})),
			copied("--chown=api:api migrations /srv/api/migrations", s.layer(m, "acme-migrations-"+r.version, func() []File {
				files := []File{Dir("srv/api/migrations")}
				for i := range 24 {
					files = append(files, Text(fmt.Sprintf("srv/api/migrations/%04d_%s.sql", i+1,
						[]string{"accounts", "orders", "invoices", "audit"}[i%4]),
						strings.Repeat("ALTER TABLE t ADD COLUMN c"+fmt.Sprint(i)+" TEXT;\n", 4)))
				}
				return append(files, Text("srv/api/migrations/VERSION", r.version+"\n"))
			})),
			copied("--chown=api:api web/dist /srv/api/public", s.layer(m, "acme-public-"+r.version, func() []File {
				return []File{Dir("srv/api/public"), Text("srv/api/public/index.html", "<!doctype html><title>Acme</title>\n"),
					Data("srv/api/public/app.js", r.version, 410_000), Data("srv/api/public/app.css", r.version, 66_000)}
			})),
			copied("--from=build /out/api /usr/local/bin/api",
				s.layer(m, "acme-api-"+r.version,
					func() []File { return []File{m.program(r.version, "usr/local/bin/api", r.size)} })),
			run("setcap 'cap_net_bind_service=+ep' /usr/local/bin/api && /usr/local/bin/api --version",
				s.layer(m, "acme-cap-"+r.version, func() []File {
					f := m.program(r.version, "usr/local/bin/api", r.size)
					f.Mode = 0o755
					f.PAX = map[string]string{
						"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x04" + strings.Repeat("\x00", 14)}
					return []File{f}
				})),
			copied("deploy/docker-entrypoint.sh /usr/local/bin/",
				s.layer(m, "acme-entrypoint", func() []File {
					return []File{Program("usr/local/bin/docker-entrypoint.sh", "acme", 1_900)}
				})),
			run("ldd /usr/local/bin/api || true", s.layer(m, "acme-nothing", func() []File { return nil })),
			set("USER 10001:10001"), set("EXPOSE map[8080/tcp:{} 9090/tcp:{}]"), set("VOLUME [/srv/api/uploads]"),
			set(`HEALTHCHECK &{["CMD" "curl" "-fsS" "http://127.0.0.1:8080/healthz"] "10s" "2s" "0s" "0s" '\x03'}`),
			set("STOPSIGNAL SIGTERM"), set(`ENTRYPOINT ["tini" "--" "docker-entrypoint.sh"]`), set(`CMD ["api" "serve"]`),
		)
		return Image{
			Created: r.created, Author: "Acme Platform <platform@acme.example>", Packages: debianPackages,
			Annotations: map[string]string{v1.AnnotationCreated: r.created.Format(time.RFC3339), v1.AnnotationVersion: r.version,
				v1.AnnotationRevision: r.revision},
			Config: Config{
				ImageConfig: v1.ImageConfig{
					User: "10001:10001", ExposedPorts: ports("8080/tcp", "9090/tcp"), Env: append([]string{pathEnv}, env...),
					Volumes: ports("/srv/api/uploads"), WorkingDir: "/srv/api",
					Entrypoint: words("tini -- docker-entrypoint.sh"), Cmd: words("api serve"), Labels: labels, StopSignal: "SIGTERM",
				},
				Healthcheck: &Healthcheck{Test: words("CMD curl -fsS http://127.0.0.1:8080/healthz"), Interval: 10 * time.Second,
					Timeout: 2 * time.Second, Retries: 3},
			},
			Steps: spaced(2, steps(s.debianSteps(m), history)),
		}
	}, linuxAMD64, linuxARM64)}
}

func (s *shelf) acme() []Entry {
	node := Index{Entries: images(func(m machine) Image {
		return Image{
			Created: Date("2026-07-14T09:12:51Z"),
			Config: Config{ImageConfig: v1.ImageConfig{User: "nobody", ExposedPorts: ports("9100/tcp"),
				Entrypoint: words("/bin/node_exporter"), Env: []string{pathEnv}}},
			Steps: []Step{
				{By: "BusyBox 1.36.1 (glibc), Debian 12", Layer: s.layer(m, "busybox", func() []File {
					return []File{Dir("bin"), m.program("busybox", "bin/busybox", 280), Hardlink("bin/sh", "bin/busybox"),
						Hardlink("bin/ls", "bin/busybox"), passwd()}
				})},
				set("LABEL maintainer=The Prometheus Authors <prometheus-developers@googlegroups.com>"),
				set("ARG ARCH=" + m.platform.Architecture), set("ARG OS=linux"),
				copied(".build/linux-"+m.platform.Architecture+"/node_exporter /bin/node_exporter",
					s.layer(m, "node-exporter", func() []File { return []File{m.program("1.8.2", "bin/node_exporter", 1_150)} })),
				set("EXPOSE map[9100/tcp:{}]"), set("USER nobody"), set(`ENTRYPOINT ["/bin/node_exporter"]`),
			},
		}
	}, linuxAMD64, linuxARM7, linuxARM64, linuxPPC64LE, linuxS390X)}
	return []Entry{
		{"acme/api", words("v2.14.0 v2 latest"),
			s.apiIndex(acmeRelease{"v2.14.0", "4f0c2a7be1d94c3f8a55", Date("2026-11-20T14:02:11.508113Z"), 1_040, false})},
		{"acme/api", words("v2.13.2"), s.apiIndex(acmeRelease{"v2.13.2", "b81d03e6a9c7245fd012",
			Date("2026-11-06T08:47:30.120034Z"), 1_020, true})},
		{"acme/api", words("v2.12.0"), s.apiIndex(acmeRelease{"v2.12.0", "07c5e9d1f3ab68244e90",
			Date("2026-10-12T16:20:05.993341Z"), 980, false})},
		{"prometheus/node-exporter", words("v1.8.2 latest"), node},
	}
}
