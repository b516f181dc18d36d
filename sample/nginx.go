package sample

import v1 "github.com/opencontainers/image-spec/specs-go/v1"

func (s *shelf) nginxConfig(version string) Config {
	return Config{ImageConfig: v1.ImageConfig{
		ExposedPorts: ports("80/tcp"), Entrypoint: words("/docker-entrypoint.sh"),
		Cmd: []string{"nginx", "-g", "daemon off;"}, StopSignal: "SIGQUIT",
		Env:    []string{pathEnv, "NGINX_VERSION=" + version, "NJS_VERSION=0.8.5", "PKG_RELEASE=1~bookworm"},
		Labels: map[string]string{"maintainer": "NGINX Docker Maintainers <docker-maint@nginx.com>"},
	}}
}

// nginxSteps removes files of the base and replaces a directory, so that whiteouts and an opaque directory occur.
func (s *shelf) nginxSteps(m machine) []Step {
	scripts := []File{Dir("docker-entrypoint.d")}
	for _, n := range []string{"10-listen-on-ipv6-by-default.sh", "15-local-resolvers.envsh",
		"20-envsubst-on-templates.sh", "30-tune-worker-processes.sh"} {
		scripts = append(scripts, Program("docker-entrypoint.d/"+n, "nginx", 2_100))
	}
	return []Step{
		set("LABEL maintainer=NGINX Docker Maintainers <docker-maint@nginx.com>"),
		set("ENV NGINX_VERSION=1.27.2"), set("ENV NJS_VERSION=0.8.5"), set("ENV PKG_RELEASE=1~bookworm"),
		run("set -x && groupadd --system --gid 101 nginx && useradd --system --gid nginx --no-create-home --home /nonexistent --comment \"nginx user\" --shell /bin/false --uid 101 nginx && apt-get update && apt-get install --no-install-recommends --no-install-suggests -y nginx gettext-base curl && rm -rf /etc/nginx/conf.d/*.dpkg-* /var/log/apt",
			s.layer(m, "nginx", func() []File {
				files := append(m.install("bookworm", "nginx", "1.27.2-1~bookworm", 620, "usr/sbin/nginx"),
					passwd("nginx:x:101:101:nginx user:/nonexistent:/bin/false"), group("nginx:x:101:"),
					Dir("etc/nginx"), Dir("etc/nginx/conf.d"),
					Text("etc/nginx/nginx.conf", "user  nginx;\nworker_processes  auto;\nerror_log  /var/log/nginx/error.log notice;\nevents {\n    worker_connections  1024;\n}\n"),
					Dir("usr/share/nginx/html"), Text("usr/share/nginx/html/index.html",
						"<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n<h1>Welcome to nginx!</h1>\n"),
					Text("usr/share/nginx/html/50x.html", "<h1>An error occurred.</h1>\n"),
					Symlink("var/log/nginx/access.log", "/dev/stdout"), Symlink("var/log/nginx/error.log", "/dev/stderr"))
				files = append(files, m.install("bookworm", "curl", "7.88.1-10+deb12u7", 390, "usr/bin/curl")...)
				// What the base holds and the command removed.
				return append(files, Whiteout("var/log/apt"), Whiteout("var/log/dpkg.log"))
			})),
		copied("docker-entrypoint.sh /",
			s.layer(m, "nginx-entrypoint", func() []File { return []File{Program("docker-entrypoint.sh", "nginx", 1_620)} })),
		copied("10-listen-on-ipv6-by-default.sh 15-local-resolvers.envsh /docker-entrypoint.d",
			s.layer(m, "nginx-scripts", func() []File { return scripts })),
		run("rm -rf /usr/share/nginx/html && mkdir /usr/share/nginx/html && echo ok > /usr/share/nginx/html/index.html",
			s.layer(m, "nginx-html", func() []File {
				return []File{Dir("usr/share/nginx/html"), Opaque("usr/share/nginx/html"),
					Text("usr/share/nginx/html/index.html", "ok\n")}
			})),
		set(`ENTRYPOINT ["/docker-entrypoint.sh"]`), set("EXPOSE map[80/tcp:{}]"), set("STOPSIGNAL SIGQUIT"),
		set(`CMD ["nginx" "-g" "daemon off;"]`),
	}
}

func (s *shelf) nginx() []Entry {
	nginx := Index{Attest: true, Entries: images(func(m machine) Image {
		return Image{
			Created: Date("2026-10-22T19:21:47.903518443Z"), Config: s.nginxConfig("1.27.2"),
			Steps:    spaced(2, steps(s.debianSteps(m), s.nginxSteps(m))),
			Packages: append([]Package{{"nginx", "1.27.2-1~bookworm"}, {"curl", "7.88.1-10+deb12u7"}}, debianPackages...),
		}
	}, linuxAMD64, linuxARM7, linuxARM64, linux386)}
	alpine := Index{Entries: images(func(m machine) Image {
		return Image{
			Created: Date("2026-10-22T19:30:12.118209771Z"), Config: s.nginxConfig("1.27.2"),
			Steps: spaced(2, steps(s.alpineSteps(m), []Step{
				set("LABEL maintainer=NGINX Docker Maintainers <docker-maint@nginx.com>"), set("ENV NGINX_VERSION=1.27.2"),
				run("set -x && addgroup -g 101 -S nginx && apk add --no-cache nginx=${NGINX_VERSION}-r1",
					s.layer(m, "nginx-alpine", func() []File {
						return []File{m.program("alpine", "usr/sbin/nginx", 540),
							Text("etc/nginx/nginx.conf", "worker_processes auto;\n"),
							passwd("nginx:x:101:101:nginx:/var/cache/nginx:/sbin/nologin")}
					})),
				set("EXPOSE map[80/tcp:{}]"), set("STOPSIGNAL SIGQUIT"), set(`CMD ["nginx" "-g" "daemon off;"]`),
			})),
		}
	}, linuxAMD64, linuxARM7, linuxARM64)}
	return []Entry{
		{"library/nginx", words("1.27 1.27.2 latest stable"), nginx},
		{"library/nginx", words("1.27-alpine"), alpine},
	}
}
