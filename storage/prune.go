package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
)

// Digests that a prune chooses from, in the order of their names. A digest that somebody asked for is not dangling,
// whatever docker says.
const (
	danglingQuery = `SELECT d.repository_id, r.name, d.digest, d.by_digest, 0, '', EXISTS (SELECT 1 FROM pins p WHERE p.repository_id = d.repository_id AND p.digest = d.digest)
		FROM repositories r CROSS JOIN repository_digests d ON d.repository_id = r.id
		WHERE d.by_digest = 0 AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id) ORDER BY r.name, d.digest`
	everyQuery = `SELECT d.repository_id, r.name, d.digest, d.by_digest, (SELECT count(*) FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id),
		coalesce((SELECT min(t.name) FROM tags t WHERE t.digest = d.digest AND t.repository_id = d.repository_id), ''),
		EXISTS (SELECT 1 FROM pins p WHERE p.repository_id = d.repository_id AND p.digest = d.digest)
		FROM repositories r CROSS JOIN repository_digests d ON d.repository_id = r.id ORDER BY r.name, d.digest`
)

// planPrune plans a prune.
func (s *Store) planPrune(ctx context.Context, q querier, asked image.Prune) (*planner, error) {
	p := s.newPlanner(ctx, q)
	p.plan.Prune, p.prune = &asked, true
	query := danglingQuery
	if asked.All {
		query = everyQuery
	}
	var chosen []*wanted
	err := eachRow(ctx, q, func(rows *sql.Rows) (bool, error) {
		r := &rootPlan{whole: 1}
		w := &wanted{kind: wantedRoot, root: r}
		r.wanted = []*wanted{w}
		var tag string
		err := rows.Scan(&r.repo, &r.name, &r.digest, &r.byDigest, &r.tags, &tag, &r.pinned)
		if w.item.Reference = r.reference(); tag != "" {
			w.item.Reference = image.Reference{Repository: r.name, Tag: tag}
		}
		chosen = append(chosen, w)
		return false, err
	}, query)
	if err != nil {
		return nil, err
	}
	if !asked.Until.IsZero() || len(asked.Labels)+len(asked.NotLabels) > 0 {
		if chosen, err = p.filter(chosen, asked); err != nil {
			return nil, err
		}
	}
	if !asked.Unused.IsZero() {
		if chosen, err = p.unused(chosen, asked.Unused); err != nil {
			return nil, err
		}
	}
	for _, w := range chosen {
		p.items = append(p.items, w)
		p.have(w.root)
	}
	return p, p.work()
}

// filter takes those of the digests that a prune's filters let through. Docker's image is one platform; where a digest
// has several, each of them has to be let through, so that nothing goes that docker would keep.
func (p *planner) filter(chosen []*wanted, asked image.Prune) ([]*wanted, error) {
	var tops []image.Digest
	platforms := map[image.Digest][]Image{}
	for _, w := range chosen {
		if _, known := platforms[w.root.digest]; !known {
			platforms[w.root.digest] = nil
			tops = append(tops, w.root.digest)
		}
	}
	err := eachBelow(p.ctx, p.q, tops, func(b below) {
		if !b.isIndex {
			platforms[b.top] = append(platforms[b.top], b.image)
		}
	})
	if err != nil {
		return nil, err
	}
	labels, err := p.labels(platforms, asked)
	if err != nil {
		return nil, err
	}
	has := func(i Image, l image.Label) bool {
		value, has := labels[i.Manifest][l.Key]
		return has && (l.Any || value == l.Value)
	}
	until := spanOf(time.Time{}, asked.Until)
	return slices.DeleteFunc(chosen, func(w *wanted) bool {
		images := platforms[w.root.digest]
		return len(images) == 0 || slices.ContainsFunc(images, func(i Image) bool {
			return !asked.Until.IsZero() && !until.holds(millis(i.Created)) ||
				slices.ContainsFunc(asked.Labels, func(l image.Label) bool { return !has(i, l) }) ||
				slices.ContainsFunc(asked.NotLabels, func(l image.Label) bool { return has(i, l) })
		})
	}), nil
}

// labels gives the values of the labels that a prune asks about, by manifest and key.
func (p *planner) labels(platforms map[image.Digest][]Image, asked image.Prune) (map[image.Digest]map[string]string, error) {
	var keys []string
	for _, l := range slices.Concat(asked.Labels, asked.NotLabels) {
		keys = append(keys, l.Key)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	wanted, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("write the keys of labels: %w", err)
	}
	var manifests []image.Digest
	for _, images := range platforms {
		for _, i := range images {
			manifests = append(manifests, i.Manifest)
		}
	}
	labels := map[image.Digest]map[string]string{}
	err = inChunks(manifests, chunkSize, func(list string) error {
		return eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var manifest image.Digest
			var key, value string
			err := rows.Scan(&manifest, &key, &value)
			if labels[manifest] == nil {
				labels[manifest] = map[string]string{}
			}
			labels[manifest][key] = value
			return false, err
		}, `SELECT l.manifest_digest, l.key, l.value FROM json_each(?1) m CROSS JOIN json_each(?2) k CROSS JOIN image_labels l ON l.manifest_digest = m.value AND l.key = k.value`,
			list, string(wanted))
	})
	return labels, err
}
