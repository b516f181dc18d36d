package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stowage/stowage/image"
)

// carryOut deletes a plan's rows: what refers first, what is referred to after it. Within the window they are kept for
// an undo, and the files wait that long; without one the files may go at once.
func (s *Store) carryOut(ctx context.Context, tx *sql.Tx, p *planner, by string, window time.Duration) (id int64, until time.Time, err error) {
	c := carrying{ctx: ctx, tx: tx, store: s, p: p, by: by, at: millis(s.now())}
	sweep := c.at
	if window > 0 {
		until = fromMillis(c.at + window.Milliseconds())
		sweep = millis(until)
		if id, err = c.keepRows(until); err != nil {
			return 0, time.Time{}, fmt.Errorf("keep what is deleted: %w", err)
		}
	}
	for _, step := range []func() error{
		c.untag, c.dropRoots,
		func() error { return c.delete(`DELETE FROM images WHERE manifest_digest`, digestsOf(p.going)) },
		func() error { return c.delete(`DELETE FROM layers WHERE digest`, p.layers) },
		func() error { return c.delete(`DELETE FROM attestations WHERE digest`, p.attestations) },
		func() error { return c.delete(`DELETE FROM manifests WHERE digest`, digestsOf(p.going)) },
		func() error { return c.delete(`DELETE FROM manifests WHERE digest`, p.indexes) },
		func() error { return c.wait(sweep) },
		func() error { return c.delete(`DELETE FROM blobs WHERE digest`, p.blobs) },
		c.relist,
	} {
		if err := step(); err != nil {
			return 0, time.Time{}, err
		}
	}
	return id, until, nil
}

// carrying is a plan that is being carried out.
type carrying struct {
	ctx   context.Context
	tx    *sql.Tx
	store *Store
	p     *planner
	by    string
	at    int64
}

// delete runs a statement that ends in the digest of what it deletes.
func (c *carrying) delete(statement string, digests []image.Digest) error {
	return inChunks(digests, chunkSize, func(list string) error {
		_, err := c.tx.ExecContext(c.ctx, statement+` IN (SELECT value FROM json_each(?))`, list)
		return err
	})
}

// each runs a statement for each root, which it gets as ?1 and ?2 before args.
func (c *carrying) each(roots []*rootPlan, statement string, args ...any) error {
	if len(roots) == 0 {
		return nil
	}
	stmt, err := c.tx.PrepareContext(c.ctx, statement)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, r := range roots {
		if _, err := stmt.ExecContext(c.ctx, append([]any{r.repo, r.digest}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// untag takes tags from roots that stay, and forgets that somebody asked for a digest.
func (c *carrying) untag() error {
	for _, w := range c.p.untagged {
		if _, err := c.tx.ExecContext(c.ctx, `DELETE FROM tags WHERE repository_id = ? AND name = ?`, w.root.repo, w.item.Reference.Tag); err != nil {
			return err
		}
		err := c.store.writeHistory(c.ctx, c.tx, TagEvent{Repository: w.root.name, Tag: w.item.Reference.Tag, Event: TagDeleted, Old: w.root.digest, At: fromMillis(c.at), By: c.by})
		if err != nil {
			return err
		}
	}
	return c.each(c.p.forgotten, `UPDATE repository_digests SET by_digest = 0 WHERE repository_id = ? AND digest = ?`)
}

// dropRoots deletes roots with their tags, and repositories that know nothing any more.
func (c *carrying) dropRoots() error {
	err := c.each(c.p.dropped, `INSERT INTO tag_history (repository, tag, event, old_digest, new_digest, at, by)
		SELECT r.name, t.name, '`+TagDeleted+`', t.digest, '', ?3, ?4 FROM tags t JOIN repositories r ON r.id = t.repository_id
		WHERE t.repository_id = ?1 AND t.digest = ?2 ORDER BY t.name`, c.at, c.by)
	if err != nil {
		return err
	}
	for _, statement := range []string{
		`DELETE FROM tags WHERE repository_id = ? AND digest = ?`,
		`DELETE FROM repository_digests WHERE repository_id = ? AND digest = ?`,
		`DELETE FROM listing WHERE repository_id = ? AND digest = ?`,
	} {
		if err := c.each(c.p.dropped, statement); err != nil {
			return err
		}
	}
	return inChunks(c.repositories(), chunkSize, func(list string) error {
		if _, err := c.tx.ExecContext(c.ctx, forgetHanded, list); err != nil {
			return err
		}
		_, err := c.tx.ExecContext(c.ctx, `DELETE FROM repositories WHERE id IN (SELECT value FROM json_each(?))
			AND NOT EXISTS (SELECT 1 FROM repository_digests WHERE repository_id = repositories.id)`, list)
		return err
	})
}

// forgetHanded forgets how often repositories handed out what they no longer lead to; the rest goes with its tag or document.
const forgetHanded = `DELETE FROM handed_digests WHERE repository_id IN (SELECT value FROM json_each(?))
	AND NOT EXISTS (WITH RECURSIVE up (digest) AS (VALUES (handed_digests.digest)` + upRest + `
		SELECT 1 FROM up JOIN repository_digests d ON d.repository_id = handed_digests.repository_id AND d.digest = up.digest)`

// repositories lists the repositories that roots are dropped from, each once.
func (c *carrying) repositories() (ids []int64) {
	seen := map[int64]bool{}
	for _, r := range c.p.dropped {
		if !seen[r.repo] {
			seen[r.repo] = true
			ids = append(ids, r.repo)
		}
	}
	return ids
}

// wait notes that the files of the blobs that go are to be swept.
func (c *carrying) wait(sweep int64) error {
	return inChunks(c.p.blobs, chunkSize, func(list string) error {
		_, err := c.tx.ExecContext(c.ctx, `INSERT INTO waiting_blobs (digest, size, sweep_at) SELECT digest, size, ?2 FROM blobs WHERE digest IN (SELECT value FROM json_each(?1))
			ON CONFLICT DO UPDATE SET sweep_at = excluded.sweep_at`, list, sweep)
		return err
	})
}

// relist brings the list up to date for the roots that stay.
func (c *carrying) relist() error {
	for _, w := range c.p.untagged {
		if err := c.store.refreshTagListing(c.ctx, c.tx, w.root.repo, w.root.digest, w.item.Reference.Tag); err != nil {
			return err
		}
	}
	for _, r := range c.p.touched {
		if err := c.store.refreshListing(c.ctx, c.tx, r.repo, r.digest); err != nil {
			return err
		}
	}
	return nil
}

// summary is what people are told of a removal that can be undone.
type summary struct {
	Prune  bool              `json:"prune"`
	Names  []image.Reference `json:"names"`
	IDs    []image.Digest    `json:"ids"`
	Items  int               `json:"items"`
	Images int               `json:"images"`
	Freed  int64             `json:"freed"`
}

// namedInSummary is how many references, and image IDs, a summary names.
const namedInSummary = 5

func summaryOf(plan image.RemovalPlan) summary {
	s := summary{Prune: plan.Prune != nil, Items: plan.Totals.Items - plan.Totals.Refused, Images: plan.Totals.Images, Freed: plan.Totals.Freed}
	name := func(ref image.Reference) {
		if len(s.Names) < namedInSummary {
			s.Names = append(s.Names, ref)
		}
	}
	for _, byTag := range []bool{true, false} {
		for _, ref := range plan.Untagged {
			if (ref.Tag != "") == byTag {
				name(ref)
			}
		}
	}
	for _, item := range plan.Items {
		switch {
		case item.Refusal != nil || s.Prune:
		case item.Item.ID != "" && len(s.IDs) < namedInSummary:
			s.IDs = append(s.IDs, item.Item.ID)
		case len(plan.Untagged) == 0 && item.Item.ID == "": // a platform
			name(item.Item.Reference)
		}
	}
	return s
}

func (c *carrying) keepRows(until time.Time) (id int64, err error) {
	told, err := json.Marshal(summaryOf(c.p.plan))
	if err != nil {
		return 0, err
	}
	res, err := c.tx.ExecContext(c.ctx, `INSERT INTO removals (at, by, until, summary) VALUES (?, ?, ?, ?)`, c.at, c.by, millis(until), string(told))
	if err != nil {
		return 0, err
	}
	if id, err = res.LastInsertId(); err != nil {
		return 0, err
	}
	return id, c.keepParts(id)
}
