package storage

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// keepers gives the references, not going themselves, that reach manifests, each once: the first few, tags before digests,
// and how many there are.
func (p *planner) keepers(manifests []image.Digest, few int) (blockers, error) {
	if err := p.findKeepers(manifests); err != nil {
		return blockers{}, err
	}
	seen := map[rootKey]bool{}
	var refs []image.Reference
	count := 0
	for _, m := range manifests {
		for _, k := range p.kept[m] {
			if r := p.byKey[k.root.key()]; seen[k.root.key()] || r != nil && r.dropped {
				continue
			} else if r != nil && r.untags > 0 {
				var err error
				if k.refs, k.count, err = p.tagsLeft(r, namedBlockers); err != nil {
					return blockers{}, err
				}
			}
			seen[k.root.key()] = true
			if k.count == 0 {
				k.refs, k.count = []image.Reference{k.root.reference()}, 1
			}
			refs = append(refs, k.refs...)
			count += k.count
		}
	}
	slices.SortFunc(refs, func(x, y image.Reference) int { // tags say more than digests
		return cmp.Or(cmp.Compare(len(x.Digest), len(y.Digest)), strings.Compare(x.String(), y.String()))
	})
	return blockers{refs: refs[:min(len(refs), few)], count: count}, nil
}

// keeperOf is a root that reaches a manifest: its first references by tag, and how many it has.
type keeperOf struct {
	root  root
	refs  []image.Reference
	count int
}

// keepersQuery is aboveQuery with the first tags of each root, as JSON, and how many it has.
const keepersQuery = aboveRoots + `SELECT up.bottom, d.repository_id, r.name, d.digest,
	(SELECT count(*) FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id),
	(SELECT json_group_array(name) FROM (SELECT name FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id ORDER BY name LIMIT ?3))
	FROM up CROSS JOIN repository_digests d ON d.digest = up.digest CROSS JOIN repositories r ON r.id = d.repository_id LIMIT ?2`

// findKeepers finds roots that reach manifests. The layers of a plan mostly have the same users, so what was found is
// kept.
func (p *planner) findKeepers(manifests []image.Digest) error {
	var unknown []image.Digest
	for _, m := range manifests {
		if _, known := p.kept[m]; !known {
			p.kept[m] = nil
			unknown = append(unknown, m)
		}
	}
	limit := -1
	if len(p.roots) <= fewAsked { // an image that is everywhere must not hold up a deletion
		limit = countedUsers + len(unknown)*(len(p.roots)+1)
	}
	return inChunks(unknown, chunkSize, func(list string) error {
		return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var bottom image.Digest
			var k keeperOf
			var tags []byte
			if err := rows.Scan(&bottom, &k.root.repo, &k.root.name, &k.root.digest, &k.count, &tags); err != nil {
				return true, err
			}
			var names []string
			if err := json.Unmarshal(tags, &names); err != nil {
				return true, fmt.Errorf("read the tags of %s: %w", k.root.digest, err)
			}
			for _, name := range names {
				k.refs = append(k.refs, image.Reference{Repository: k.root.name, Tag: name})
			}
			p.kept[bottom] = append(p.kept[bottom], k)
			return false, nil
		}, keepersQuery, list, limit, namedBlockers)
	})
}
