package storage

import (
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/stowage/stowage/image"
)

// Uses from ?1 on, of digests under repositories. A tag's uses are its digest's, and a platform's those of what lists it.
const (
	handedSince = `SELECT repository_id, digest, last_at FROM handed_digests WHERE last_at >= ?1
		UNION ALL SELECT t.repository_id, t.digest, h.last_at FROM handed_tags h CROSS JOIN tags t ON t.repository_id = h.repository_id AND t.name = h.tag WHERE h.last_at >= ?1`
	pulledSince = `SELECT repository_id, digest, pulled_at FROM repository_digests WHERE pulled_at >= ?1
		UNION ALL SELECT repository_id, digest, pulled_at FROM tags WHERE pulled_at >= ?1`
)

// unused takes out of the chosen digests those that were used since a moment, and notes when and how.
func (p *planner) unused(chosen []*wanted, since time.Time) ([]*wanted, error) {
	use, err := p.usesSince(since)
	if err != nil {
		return nil, err
	}
	under := map[image.Digest][]*rootPlan{}
	var tops []image.Digest
	for _, w := range chosen {
		if under[w.root.digest] == nil {
			tops = append(tops, w.root.digest)
		}
		under[w.root.digest] = append(under[w.root.digest], w.root)
	}
	if len(use.handed) > 0 {
		err := eachBelow(p.ctx, p.q, sorted(tops), func(b below) {
			for _, r := range under[b.top] {
				if at, ok := use.handed[rootKey{r.repo, b.digest}]; ok && b.digest != b.top {
					use.handed[r.key()] = max(use.handed[r.key()], at)
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(chosen, func(w *wanted) bool {
		how, at := use.of(w.root.key())
		if how == "" {
			return false
		}
		p.plan.Totals.Used++
		keep(&p.plan.Used, image.PlanUse{Reference: w.item.Reference, How: how, At: fromMillis(at)})
		return true
	}), nil
}

// usedSince is what was used since a moment: when last, in milliseconds.
type usedSince struct {
	handed, pulled map[rootKey]int64
	uncounted      int64 // since when it is counted, where that is later; else 0
}

func (p *planner) usesSince(since time.Time) (use usedSince, err error) {
	read := func(query string) (map[rootKey]int64, error) {
		found := map[rootKey]int64{}
		return found, eachRow(p.ctx, p.q, func(rows *sql.Rows) (bool, error) {
			var key rootKey
			var at int64
			err := rows.Scan(&key.repo, &key.digest, &at)
			found[key] = max(found[key], at)
			return false, err
		}, query, millis(since))
	}
	handed, handedErr := read(handedSince)
	pulled, pulledErr := read(pulledSince)
	var counted int64
	err = errors.Join(handedErr, pulledErr, p.q.QueryRowContext(p.ctx, `SELECT at FROM handed_since`).Scan(&counted))
	if counted <= millis(since) {
		counted = 0
	}
	return usedSince{handed, pulled, counted}, err
}

// of tells how a root was used, and when last; empty where it was not.
func (u usedSince) of(key rootKey) (how image.Use, at int64) {
	if at, ok := u.handed[key]; ok {
		return image.UseHandedOut, at
	}
	if at, ok := u.pulled[key]; ok {
		return image.UsePulled, at
	}
	if u.uncounted != 0 {
		return image.UseUncounted, u.uncounted
	}
	return "", 0
}
