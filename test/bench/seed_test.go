//go:build linux

package bench

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// seedShelf writes the rows of n tags into the database of a server that has ended. The files of the images are left
// out: no list reads them.
func seedShelf(t *testing.T, data string, n int) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(data, "stowage.db")+
		"?_txlock=immediate&_synchronous=OFF&_cache_size=-256000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() // after Commit it does nothing
	s := seeder{t: t, tx: tx, statements: map[string]*sql.Stmt{}, random: rand.New(rand.NewPCG(1, uint64(n)))}
	for done, repository := 0, 0; done < n; repository++ {
		tags := min(n-done, 1+s.random.IntN(80))
		s.repository(repository, tags)
		done += tags
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// seeder writes rows as a pull does.
type seeder struct {
	t          *testing.T
	tx         *sql.Tx
	statements map[string]*sql.Stmt
	random     *rand.Rand
	digests    uint64
}

func (s *seeder) exec(query string, args ...any) {
	s.t.Helper()
	prepared := s.statements[query]
	if prepared == nil {
		var err error
		if prepared, err = s.tx.Prepare(query); err != nil {
			s.t.Fatal(err)
		}
		s.statements[query] = prepared
	}
	if _, err := prepared.Exec(args...); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

func (s *seeder) digest() string {
	s.digests++
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("seed"), s.digests))
	return "sha256:" + hex.EncodeToString(sum[:])
}

var (
	seedOfficial = []string{"ubuntu", "debian", "postgres", "nginx", "redis", "golang", "node", "python", "alpine",
		"mariadb", "rabbitmq", "traefik"}
	seedHosts = []string{"ghcr.io", "quay.io", "registry.example.com", "harbor.corp.example.org:8443", "docker.io"}
	seedTeams = []string{"platform", "payments", "observability", "data", "identity", "mobile", "search", "billing",
		"logistics", "edge"}
	seedServices = []string{"api", "worker", "gateway", "frontend", "migrator", "exporter", "scheduler", "proxy",
		"operator", "postgres-backup", "ingest", "notifier"}
	seedPlatforms = []string{"linux/amd64", "linux/amd64", "linux/amd64 linux/arm64", "linux/amd64 linux/arm64",
		"linux/arm64", "linux/amd64 linux/arm/v7 linux/arm64"}
	seedStages   = []string{"ci", "staging", "production"}
	seedUpdates  = []string{"", "", "", "current", "current", "current", "available", "gone", "unknown"}
	seedVariants = []string{"", "", "", "-alpine", "-slim", "-rc1", "-bookworm"}
)

// repository writes one repository: an official image for the first ones, then those of teams.
func (s *seeder) repository(number, tags int) {
	name, familiar := "", ""
	if number < len(seedOfficial) {
		familiar = seedOfficial[number]
		name = "docker.io/library/" + familiar
	} else {
		pick := func(from []string) string { return from[s.random.IntN(len(from))] }
		host := pick(seedHosts)
		path := fmt.Sprintf("%s/%s-%d", pick(seedTeams), pick(seedServices), number)
		name, familiar = host+"/"+path, host+"/"+path
		if host == "docker.io" {
			familiar = path
		}
	}
	s.exec(`INSERT INTO repositories (id, name, familiar) VALUES (?, ?, ?)`, number+1, name, familiar)
	for i := range tags {
		tag := fmt.Sprintf("%d.%d.%d%s", 1+i/24, i/4%6, i%4, seedVariants[s.random.IntN(len(seedVariants))])
		if i == tags-1 {
			tag = "latest"
		}
		s.image(number+1, name, familiar, tag)
	}
}

// image writes one tag with an image of its own.
func (s *seeder) image(repository int, name, familiar, tag string) {
	manifest, config := s.digest(), s.digest()
	created := benchEpoch.Add(-time.Duration(s.random.Int64N(int64(3 * 365 * 24 * time.Hour)))).UnixMilli()
	pulled := benchEpoch.Add(-time.Duration(s.random.Int64N(int64(300 * 24 * time.Hour)))).UnixMilli()
	size := int64(1<<20) << s.random.IntN(9) * (100 + s.random.Int64N(100)) / 100
	unpacked := size * (200 + s.random.Int64N(100)) / 100
	platforms := seedPlatforms[s.random.IntN(len(seedPlatforms))]
	shown := "linux/amd64"
	if platforms == "linux/arm64" {
		shown = platforms
	}
	for digest, bytes := range map[string]int64{manifest: 1800 + s.random.Int64N(4000), config: 3000 +
		s.random.Int64N(9000)} {
		s.exec(`INSERT INTO blobs (digest, size, stored_at) VALUES (?, ?, ?)`, digest, bytes, pulled)
	}
	s.exec(`INSERT INTO manifests (digest, kind, media_type) VALUES (?, 'manifest',
		'application/vnd.oci.image.manifest.v1+json')`, manifest)
	s.exec(`INSERT INTO images (manifest_digest, config_digest, platform, created, size, layers, unpacked, facts,
		stored_at) VALUES (?, ?, ?, ?, ?, 8, ?, 1, ?)`,
		manifest, config, shown, created, size, unpacked, pulled)
	s.exec(`INSERT INTO repository_digests (repository_id, digest, pulled_at, pulled_by)
		VALUES (?, ?, ?, 'bench')`, repository, manifest, pulled)
	s.exec(`INSERT INTO tags (repository_id, name, digest, pulled_at, pulled_by) VALUES (?, ?, ?, ?, 'bench')
		ON CONFLICT DO UPDATE SET digest = excluded.digest`, repository, tag, manifest, pulled)
	s.exec(`INSERT INTO tag_history (repository, tag, event, old_digest, new_digest, at, by)
		VALUES (?, ?, 'pulled', '', ?, ?, 'bench')`, name, tag, manifest, pulled)
	s.labels(manifest, repository)
	reason, shownTag, listed := "tag", tag, familiar+":"+tag
	if s.random.IntN(20) == 0 { // the tag moved on
		reason, shownTag, listed = "dangling", "", familiar+"@"+manifest
	}
	update := ""
	if shownTag != "" {
		update = seedUpdates[s.random.IntN(len(seedUpdates))]
	}
	s.exec(`INSERT INTO listing (repository_id, digest, tag, reason, name, image_id, platform, platforms, created,
		pulled_at, size, unpacked, total_size, broken, pinned, update_state)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?)`,
		repository, manifest, shownTag, reason, listed, config, shown, platforms, created, pulled, size, unpacked, size,
		s.random.IntN(50) == 0, update)
}

// labels writes what half of the images say of themselves: what all have alike, and what none has like another.
func (s *seeder) labels(manifest string, repository int) {
	if s.random.IntN(2) == 0 {
		return
	}
	for key, value := range map[string]string{
		"stage": seedStages[s.random.IntN(len(seedStages))], "team": seedTeams[repository%len(seedTeams)],
		"org.opencontainers.image.revision": manifest[7:47], "org.opencontainers.image.source": "https://git.example.com/" +
			seedTeams[repository%len(seedTeams)],
	} {
		s.exec(`INSERT INTO image_labels (manifest_digest, key, value) VALUES (?, ?, ?)`, manifest, key, value)
	}
}
