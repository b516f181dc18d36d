package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/storage/database"
)

const (
	recentPulls = 500  // among which those are looked for that brought a broken image: unpacking follows soon
	brokenRoots = 1000 // digests under which one is looked for
)

// brokenAs returns what is wrong with images that a pull brought under a digest.
func brokenAs(ctx context.Context, q database.Querier, d image.Digest,
	platforms []image.Platform) (*image.Error, error) {
	images, err := reachableImages(ctx, q, d)
	if err != nil {
		return nil, err
	}
	for _, i := range images {
		if !i.Broken.Empty() && (len(platforms) == 0 || slices.Contains(platforms, i.Platform)) {
			return image.Errorf(image.Corrupt, "the image is stored and broken: %s", i.Broken).
				Suggest("Ask its author to push it again; delete it here when nobody needs it."), nil
		}
	}
	return nil, nil
}

// settledJob returns a job as it is to be kept: one that is done and has brought what is known to be broken has failed.
func settledJob(ctx context.Context, tx *sql.Tx, j job.Job) (job.Job, error) {
	// of thousands of tags none is looked at where nothing is broken at all
	if j.Kind() == job.PullAll && j.State == job.Done {
		var broken bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM images WHERE broken <> '')`).
			Scan(&broken); err != nil || !broken {
			return j, err
		}
	}
	var failure error
	j, _ = j.Break(func(d image.Digest, platforms []image.Platform) *image.Error {
		why, err := brokenAs(ctx, tx, d, platforms)
		failure = errors.Join(failure, err)
		return why
	})
	return j, failure
}

// breakPulls makes the pulls that brought an image, which turns out broken, pulls that failed. Older ones are left:
// their pages look for themselves.
func breakPulls(ctx context.Context, tx *sql.Tx, manifest image.Digest) error {
	roots, err := rootsOf(ctx, tx, manifest, brokenRoots)
	if err != nil {
		return err
	}
	digests := make([]image.Digest, len(roots))
	for i, r := range roots {
		digests[i] = r.Digest
	}
	list, err := json.Marshal(digests)
	if err != nil {
		return fmt.Errorf("write a list of digests: %w", err)
	}
	jobs, err := database.RowsOf(ctx, tx, scanJob, `SELECT `+jobColumns+` FROM pulls WHERE id > (SELECT max(id)
		FROM pulls) - ?1 AND state = 'done'
		AND EXISTS (SELECT 1 FROM json_each(?2) d WHERE instr(job, d.value) > 0
		OR instr(tags, d.value) > 0)`, recentPulls, string(list))
	if err != nil {
		return err
	}
	for _, j := range jobs {
		settled, err := settledJob(ctx, tx, j)
		if err != nil {
			return err
		}
		if settled.State != j.State {
			if err := putJob(ctx, tx, settled); err != nil {
				return err
			}
		}
	}
	return nil
}
