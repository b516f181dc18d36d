package storage

import (
	"database/sql"
	"encoding/hex"

	"github.com/stowage/stowage/image"
)

// builtOn identifies the images that have exactly these layers, for a platform: what others with the same first layers
// are built on.
type builtOn struct {
	chain    string // the chain ID of the last layer, 32 bytes
	platform image.Platform
}

// usersOf are images that are built on others which would go, by manifest.
type usersOf map[*imagePlan][]image.Digest

// bases refuses to delete an image on which images are built that stay: its diff IDs are the first ones of theirs, or
// their config names it as their base. The first time, everything that goes is asked about; after that, only what
// turned out to stay is.
func (p *planner) bases() error {
	if !p.based {
		p.based, p.back = true, nil
		if err := p.findChains(); err != nil {
			return err
		}
		users := usersOf{}
		if err := p.findBuilt(users); err != nil {
			return err
		}
		if err := p.findNaming(users); err != nil {
			return err
		}
		if err := p.refuseBases(users); err != nil {
			return err
		}
	}
	for len(p.back) > 0 {
		back := p.back
		p.back = nil
		users := usersOf{}
		if err := p.findBasesOf(back, users); err != nil {
			return err
		}
		if err := p.refuseBases(users); err != nil {
			return err
		}
	}
	return nil
}

// refuseBases refuses the items because of which bases go. The images of the plan keep the order.
func (p *planner) refuseBases(users usersOf) error {
	if len(users) == 0 {
		return nil
	}
	for _, base := range p.images {
		if len(users[base]) == 0 || !base.going {
			continue
		}
		b, err := p.keepers(users[base], namedBlockers)
		if err != nil {
			return err
		}
		for _, w := range p.behind(base) {
			p.refuse(w, b.refusal(image.RefusedBase, image.Textf("%s is the base of %s", w.name(), b.text())))
		}
	}
	return nil
}

// findChains notes what the images that go have for layers.
func (p *planner) findChains() error {
	p.chains = map[builtOn][]*imagePlan{}
	var going []image.Digest
	for _, i := range p.images {
		if i.going && i.Layers > 0 {
			going = append(going, i.Manifest)
		}
	}
	return inChunks(sorted(going), chunkSize, func(list string) error {
		return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var manifest image.Digest
			var chain []byte
			if err := rows.Scan(&manifest, &chain); err != nil {
				return true, err
			}
			i := p.nodes[manifest].image
			key := builtOn{string(chain), i.Platform}
			if p.chains[key] == nil {
				p.chainOrder = append(p.chainOrder, key)
			}
			p.chains[key] = append(p.chains[key], i)
			return false, nil
		}, `SELECT i.manifest_digest, il.chain_id FROM json_each(?) j CROSS JOIN images i ON i.manifest_digest = j.value
			CROSS JOIN image_layers il ON il.manifest_digest = i.manifest_digest AND il.position = i.layers - 1 WHERE il.chain_id IS NOT NULL`, list)
	})
}

// builtQuery gives the images that have more layers than those that a list of chain IDs is of.
const builtQuery = `SELECT j.key, i.manifest_digest, i.platform FROM json_each(?) j CROSS JOIN image_layers il ON il.chain_id = unhex(j.value)
	CROSS JOIN images i ON i.manifest_digest = il.manifest_digest AND i.layers > il.position + 1`

// findBuilt finds the images that stay whose first layers are all the layers of one that goes.
func (p *planner) findBuilt(users usersOf) error {
	chains := make([]string, len(p.chainOrder))
	for i, key := range p.chainOrder {
		chains[i] = hex.EncodeToString([]byte(key.chain))
	}
	size, limit := chunkSize, most(len(chains))
	if len(chains) <= fewAsked {
		size = 1 // so that a base of everything is not looked at in full
	}
	done := 0
	return inChunks(chains, size, func(list string) error {
		found := make([]int, size)
		first := done
		done += size
		return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var at int
			var manifest image.Digest
			var platform string
			if err := rows.Scan(&at, &manifest, &platform); err != nil {
				return true, err
			}
			key := p.chainOrder[first+at]
			if storedPlatform(platform) != key.platform || !p.stays(manifest) {
				return false, nil
			}
			if found[at]++; found[at] <= limit {
				for _, base := range p.chains[key] {
					users[base] = append(users[base], manifest)
				}
			}
			return size == 1 && found[at] == limit, nil
		}, builtQuery, list)
	})
}

// namingQuery gives the images that name one of a list of manifests as their base, or an index that lists it.
const namingQuery = aboveRoots + `SELECT up.bottom, i.manifest_digest FROM up CROSS JOIN images i ON i.base_digest = up.digest AND i.base_digest <> ''
	CROSS JOIN images base ON base.manifest_digest = up.bottom
	WHERE i.manifest_digest <> up.bottom AND (up.digest = up.bottom OR i.platform = base.platform)`

// findNaming finds the images that stay and say that they are built on one that goes, or on an index that lists it.
func (p *planner) findNaming(users usersOf) error {
	var going []image.Digest
	for _, i := range p.images {
		if i.going {
			going = append(going, i.Manifest)
		}
	}
	size, limit := chunkSize, most(len(going))
	if len(going) <= fewAsked {
		size = 1
	}
	return inChunks(sorted(going), size, func(list string) error {
		found := map[image.Digest]int{}
		return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var base, manifest image.Digest
			if err := rows.Scan(&base, &manifest); err != nil {
				return true, err
			}
			if !p.stays(manifest) {
				return false, nil
			}
			if found[base]++; found[base] <= limit {
				i := p.nodes[base].image
				users[i] = append(users[i], manifest)
			}
			return size == 1 && found[base] == limit, nil
		}, namingQuery, list)
	})
}

// findBasesOf finds the images that go and that images which stay after all are built on.
func (p *planner) findBasesOf(back []*imagePlan, users usersOf) error {
	manifests := make([]image.Digest, len(back))
	for i, b := range back {
		manifests[i] = b.Manifest
	}
	add := func(base *imagePlan, manifest image.Digest) {
		if base.going && len(users[base]) < countedUsers {
			users[base] = append(users[base], manifest)
		}
	}
	err := inChunks(manifests, chunkSize, func(list string) error {
		return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var manifest image.Digest
			var chain []byte
			if err := rows.Scan(&manifest, &chain); err != nil {
				return true, err
			}
			for _, base := range p.chains[builtOn{string(chain), p.nodes[manifest].image.Platform}] {
				add(base, manifest)
			}
			return false, nil
		}, `SELECT i.manifest_digest, il.chain_id FROM json_each(?) j CROSS JOIN images i ON i.manifest_digest = j.value
			CROSS JOIN image_layers il ON il.manifest_digest = i.manifest_digest AND il.position < i.layers - 1 WHERE il.chain_id IS NOT NULL`, list)
	})
	if err != nil {
		return err
	}
	named := map[image.Digest][]image.Digest{} // what images say they are built on, and which say so
	var order []image.Digest
	err = inChunks(manifests, chunkSize, func(list string) error {
		return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var manifest, base image.Digest
			err := rows.Scan(&manifest, &base)
			if named[base] == nil {
				order = append(order, base)
			}
			named[base] = append(named[base], manifest)
			return false, err
		}, `SELECT manifest_digest, base_digest FROM images WHERE manifest_digest IN (SELECT value FROM json_each(?)) AND base_digest <> ''`, list)
	})
	if err != nil {
		return err
	}
	return eachBelow(p.ctx, p.q, order, func(b below) {
		n := p.nodes[b.digest]
		if n == nil || n.image == nil {
			return
		}
		for _, manifest := range named[b.top] {
			user := p.nodes[manifest].image
			if user != n.image && (b.top == b.digest || user.Platform == n.image.Platform) {
				add(n.image, manifest)
			}
		}
	})
}
