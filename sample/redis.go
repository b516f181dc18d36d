package sample

import v1 "github.com/opencontainers/image-spec/specs-go/v1"

// redisIndex is redis in a compression; the zstd layers hold the same files, so their diff IDs are equal.
func (s *shelf) redisIndex(c Compression) Index {
	return Index{Entries: images(func(m machine) Image { return s.redisImage(m, c) }, linuxAMD64, linuxARM7, linuxARM64)}
}

func (s *shelf) redisImage(m machine, c Compression) Image {
	im := Image{
		Created: Date("2026-10-03T01:22:38.660211504Z"),
		Config: Config{ImageConfig: v1.ImageConfig{
			ExposedPorts: ports("6379/tcp"), Volumes: ports("/data"), WorkingDir: "/data",
			Entrypoint: words("docker-entrypoint.sh"), Cmd: words("redis-server"),
			Env: []string{pathEnv, "GOSU_VERSION=1.17", "REDIS_VERSION=7.4.1"},
		}},
		Steps: spaced(2, steps(s.debianSteps(m), []Step{
			run("set -eux; \tgroupadd -r -g 999 redis; \tuseradd -r -g redis -u 999 redis",
				s.layer(m, "redis-user", func() []File {
					return []File{passwd("redis:x:999:999::/home/redis:/bin/sh"), group("redis:x:999:")}
				})),
			set("ENV GOSU_VERSION=1.17"),
			run("set -eux; \tapt-get update; \tapt-get install -y --no-install-recommends tzdata; \twget -O /usr/local/bin/gosu ...; \tgosu nobody true", s.layer(m, "redis-gosu", func() []File {
				return []File{m.program("bookworm", "usr/local/bin/gosu", 190), Data("usr/share/zoneinfo/tzdata.zi", "tz", 106_000)}
			})),
			set("ENV REDIS_VERSION=7.4.1"),
			run("set -eux; \tsavedAptMark=\"$(apt-mark showmanual)\"; \tapt-get install -y --no-install-recommends gcc libc6-dev libssl-dev make; \tmake -C /usr/src/redis -j \"$(nproc)\" all; \tmake -C /usr/src/redis install; \trm -r /usr/src/redis; \tredis-server --version", s.layer(m, "redis", func() []File {
				return []File{
					m.program("bookworm", "usr/local/bin/redis-server", 920), m.program("bookworm", "usr/local/bin/redis-cli", 260),
					m.program("bookworm", "usr/local/bin/redis-benchmark", 210),
					Symlink("usr/local/bin/redis-check-aof", "redis-server"), Symlink("usr/local/bin/redis-sentinel", "redis-server"),
					Hardlink("usr/local/bin/redis-check-rdb", "usr/local/bin/redis-server"),
				}
			})),
			run("mkdir /data && chown redis:redis /data",
				s.layer(m, "redis-data", func() []File { return []File{{Name: "data/", UID: 999, GID: 999}} })),
			set("VOLUME [/data]"), set("WORKDIR /data"),
			copied("docker-entrypoint.sh /usr/local/bin/", s.layer(m, "redis-entrypoint", func() []File {
				return []File{Program("usr/local/bin/docker-entrypoint.sh", "redis", 661)}
			})),
			set(`ENTRYPOINT ["docker-entrypoint.sh"]`), set("EXPOSE map[6379/tcp:{}]"), set(`CMD ["redis-server"]`),
		})),
	}
	if c != Gzip {
		for i, step := range im.Steps {
			if step.Layer != nil {
				im.Steps[i].Layer = s.as(step.Layer, c)
			}
		}
	}
	return im
}

// as is a layer in another compression, made once for each pair.
func (s *shelf) as(l *Layer, c Compression) *Layer {
	key := conversion{l, c}
	if s.converted[key] == nil {
		s.converted[key] = l.As(c)
	}
	return s.converted[key]
}

func (s *shelf) redis() []Entry {
	return []Entry{
		{"library/redis", words("7 7.4 7.4.1 latest"), s.redisIndex(Gzip)},
		{"library/redis", words("7-zstd"), s.redisIndex(Zstd)},
	}
}
