package storage

import (
	"database/sql"
	"slices"

	"github.com/stowage/stowage/image"
)

// use is a blob of what goes, and how often it is used: by what goes, and by all that is stored.
type use struct {
	digest         image.Digest
	kind           string
	size           int64
	layers, config int  // rows of image_layers and images that go
	document       bool // it is an index or a manifest that goes
	attested       int  // rows of attestation_blobs that go
	stays          bool // something else uses it, in whatever part
	unlisted       bool // the plan has not come to it yet
}

// uses finds the blobs of what goes and lists them, each once, in the order in which a plan has them.
func (p *planner) uses() ([]*use, error) {
	byDigest := map[image.Digest]*use{}
	of := func(d image.Digest, kind string) *use {
		u := byDigest[d]
		if u == nil {
			u = &use{digest: d, kind: kind, unlisted: true}
			byDigest[d] = u
		}
		return u
	}
	layers := make(map[image.Digest][]*use, len(p.going))
	err := inChunks(sorted(digestsOf(p.going)), chunkSize, func(list string) error {
		return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var manifest, layer image.Digest
			err := rows.Scan(&manifest, &layer)
			u := of(layer, "layer")
			u.layers++
			manifest = p.nodes[manifest].digest // one copy in memory
			layers[manifest] = append(layers[manifest], u)
			return false, err
		}, `SELECT manifest_digest, layer_digest FROM json_each(?) j CROSS JOIN image_layers ON manifest_digest = j.value ORDER BY j.key, position`, list)
	})
	if err != nil {
		return nil, err
	}
	described := map[image.Digest][]*use{}
	err = p.attestationUses(of, func(manifest image.Digest, u *use) {
		manifest = p.nodes[manifest].digest
		described[manifest] = append(described[manifest], u)
	})
	if err != nil {
		return nil, err
	}
	var all []*use
	add := func(u *use) {
		if u.unlisted {
			u.unlisted = false
			all = append(all, u)
		}
	}
	for _, i := range p.going {
		document, config := of(i.Manifest, "manifest"), of(i.ID, "config")
		document.document = true
		config.config++
		add(document)
		add(config)
		for _, u := range slices.Concat(layers[i.Manifest], described[i.Manifest]) {
			add(u)
		}
	}
	for _, d := range p.indexes {
		document := of(d, "index")
		document.document = true
		add(document)
	}
	return all, p.count(all, byDigest)
}

// sorted puts digests in the order of the tables, in which looking many up reads each page once.
func sorted(digests []image.Digest) []image.Digest {
	slices.Sort(digests)
	return digests
}

func digestsOf(images []*imagePlan) []image.Digest {
	all := make([]image.Digest, len(images))
	for i, img := range images {
		all[i] = img.Manifest
	}
	return all
}

// usedQuery gives, for a list of blobs, their sizes, how many rows there are that have them as a layer, as a config and as
// part of an attestation, up to ?2, and whether they are an index or a manifest.
const usedQuery = `SELECT b.digest, b.size,
	(SELECT count(*) FROM (SELECT 1 FROM image_layers WHERE layer_digest = j.value LIMIT ?2)),
	(SELECT count(*) FROM (SELECT 1 FROM images WHERE config_digest = j.value LIMIT ?2)),
	(SELECT count(*) FROM (SELECT 1 FROM attestation_blobs WHERE blob_digest = j.value LIMIT ?2)),
	EXISTS (SELECT 1 FROM manifests WHERE digest = j.value)
	FROM json_each(?1) j CROSS JOIN blobs b ON b.digest = j.value`

// count holds the uses by what goes against all there are. A layer that no image has any more is noted: a hostile image
// can have its blob as config too.
func (p *planner) count(all []*use, byDigest map[image.Digest]*use) error {
	digests := make([]image.Digest, len(all))
	for i, u := range all {
		digests[i] = u.digest
	}
	sorted(digests)
	for len(digests) > 0 {
		some := digests[:min(len(digests), chunkSize)]
		digests = digests[len(some):]
		deepest := 0
		for _, d := range some {
			deepest = max(deepest, byDigest[d].layers, byDigest[d].config, byDigest[d].attested)
		}
		err := inChunks(some, chunkSize, func(list string) error {
			return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
				var digest image.Digest
				var size int64
				var layers, configs, attested int
				var document bool
				if err := rows.Scan(&digest, &size, &layers, &configs, &attested, &document); err != nil {
					return true, err
				}
				u := byDigest[digest]
				u.size = size
				if u.layers > 0 && layers == u.layers {
					p.layers = append(p.layers, u.digest)
				}
				u.stays = layers > u.layers || configs > u.config || attested > u.attested || document && !u.document
				return false, nil
			}, usedQuery, list, deepest+1)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// writeBlobs says which blobs go and which stay, and for whom.
func (p *planner) writeBlobs() error {
	all, err := p.uses()
	if err != nil {
		return err
	}
	var stay []*use
	for _, u := range all {
		if !u.stays {
			p.writeGone(u)
			continue
		}
		p.line("stays %s", u.digest)
		if len(stay) < image.MaxPlanLines-len(p.plan.Stays) {
			stay = append(stay, u)
		} else {
			p.plan.Totals.Stays++
		}
	}
	limit := most(len(stay))
	for _, u := range stay {
		users, err := p.users(u, limit)
		if err != nil {
			return err
		}
		if err := p.addStays(u.blob(), users); err != nil {
			return err
		}
	}
	return nil
}

func (u *use) blob() image.PlanBlob {
	return image.PlanBlob{Digest: u.digest, Kind: u.kind, Size: u.size}
}

// writeGone says that nothing needs a blob any more. Its file stays while a running pull holds it.
func (p *planner) writeGone(u *use) {
	b := u.blob()
	p.blobs = append(p.blobs, b.Digest)
	if p.held[b.Digest] {
		b.Held = true
		p.plan.Totals.Stays++
		keep(&p.plan.Stays, b)
		p.line("held %s", b.Digest)
		return
	}
	p.plan.Totals.Blobs++
	p.plan.Totals.Freed += b.Size
	if b.Kind == "layer" {
		p.plan.Totals.Layers++
	}
	keep(&p.plan.Blobs, b)
	p.line("gone %s %d", b.Digest, b.Size)
}

const (
	shownUsers   = 3   // references that are named for a blob that stays
	countedUsers = 200 // manifests that are asked for theirs: the base of a whole shelf must not hold up a deletion
)

// most gives how many users of each of n blobs or images are looked at: of few, enough to count them.
func most(n int) int { return max(shownUsers, countedUsers/max(1, n/50)) }

// usersQueries give the manifests that have a blob as layer, as config, as themselves, or in what describes them.
var usersQueries = []string{
	`SELECT DISTINCT manifest_digest FROM image_layers WHERE layer_digest = ? ORDER BY manifest_digest`,
	`SELECT manifest_digest FROM images WHERE config_digest = ? ORDER BY manifest_digest`,
	`SELECT digest FROM manifests WHERE digest = ?`,
	`SELECT ia.manifest_digest FROM attestation_blobs ab CROSS JOIN image_attestations ia ON ia.attestation_digest = ab.attestation_digest WHERE ab.blob_digest = ?`,
}

// users gives manifests that stay and have a blob as layer, as config, as themselves or in what describes them, at most
// limit.
func (p *planner) users(u *use, limit int) ([]image.Digest, error) {
	var users []image.Digest
	for _, query := range usersQueries {
		if len(users) == limit {
			break
		}
		err := eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var d image.Digest
			err := rows.Scan(&d)
			if p.stays(d) && !slices.Contains(users, d) {
				users = append(users, d)
			}
			return len(users) == limit, err
		}, query, u.digest)
		if err != nil {
			return nil, err
		}
	}
	return users, nil
}

// stays tells whether an index or a manifest stays.
func (p *planner) stays(d image.Digest) bool {
	n := p.nodes[d]
	switch {
	case n == nil:
		return true
	case n.image != nil:
		return !n.image.going
	}
	return !n.lost()
}

// writeStays notes that a blob stays for the references that reach the manifests that use it.
func (p *planner) writeStays(b image.PlanBlob, users []image.Digest) error {
	p.line("stays %s", b.Digest)
	if len(p.plan.Stays) == image.MaxPlanLines {
		p.plan.Totals.Stays++
		return nil
	}
	return p.addStays(b, users)
}

func (p *planner) addStays(b image.PlanBlob, users []image.Digest) error {
	by, err := p.keepers(users, shownUsers)
	if err != nil {
		return err
	}
	b.UsedBy, b.Users = by.refs, by.count
	p.plan.Totals.Stays++
	keep(&p.plan.Stays, b)
	return nil
}
