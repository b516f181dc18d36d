package storage

import (
	"context"
	"database/sql"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// The states of a layer.
const (
	layerPending  = "pending"
	layerVerified = "verified"
	layerBroken   = "broken"
)

const layerColumns = `l.digest, coalesce(l.unpacked, -1), coalesce(l.entries, -1), l.problem, (SELECT count(DISTINCT
	u.manifest_digest) FROM image_layers u WHERE u.layer_digest = l.digest)`

// ImageLayers returns an image's layers, base first.
func (s *Images) ImageLayers(ctx context.Context, manifest image.Digest) ([]shelf.Layer, error) {
	return database.RowsOf(ctx, s.db, func(rows *sql.Rows) (l shelf.Layer, err error) {
		return l, rows.Scan(&l.Digest, &l.Unpacked, &l.Entries, database.TextColumn{Text: &l.Problem}, &l.Users, &l.DiffID,
			&l.MediaType, &l.Size, &l.CreatedBy)
	}, `SELECT `+layerColumns+`, il.diff_id, il.media_type, il.size, il.created_by
		FROM image_layers il JOIN layers l ON l.digest = il.layer_digest WHERE il.manifest_digest = ?
		ORDER BY il.position`, manifest)
}

// Layer returns a layer by its digest and the images that use it, at most limit of them. NotFound where it
// is not stored.
func (s *Images) Layer(ctx context.Context, d image.Digest,
	limit int) (l shelf.Layer, users []shelf.LayerUser, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT `+layerColumns+`, l.diff_id, b.size,
			coalesce((SELECT media_type FROM image_layers WHERE layer_digest = l.digest LIMIT 1), ''),
			coalesce((SELECT created_by FROM image_layers WHERE layer_digest = l.digest LIMIT 1), '')
			FROM layers l JOIN blobs b ON b.digest = l.digest WHERE l.digest = ?`, d).
			Scan(&l.Digest, &l.Unpacked, &l.Entries, database.TextColumn{Text: &l.Problem}, &l.Users, &l.DiffID, &l.Size,
				&l.MediaType, &l.CreatedBy)
		if err != nil {
			return database.NotFound(err, "no layer %s is stored", d)
		}
		type use struct {
			manifest  image.Digest
			position  int
			createdBy string
		}
		uses, err := database.RowsOf(ctx, tx,
			func(rows *sql.Rows) (u use, err error) { return u, rows.Scan(&u.manifest, &u.position, &u.createdBy) },
			`SELECT manifest_digest, min(position), created_by FROM image_layers WHERE layer_digest = ?
				GROUP BY manifest_digest LIMIT ?`, d, limit)
		if err != nil {
			return err
		}
		for _, u := range uses {
			images, err := database.RowsOf(ctx, tx, scanImage, `SELECT `+imageColumns+` FROM images i
				WHERE i.manifest_digest = ?`, u.manifest)
			if err != nil {
				return err
			}
			refs, _, err := referencesOf(ctx, tx, u.manifest, 5)
			if err != nil {
				return err
			}
			img := images[0]
			if len(refs) > 0 {
				if img, err = asCalled(ctx, tx, img, refs[0]); err != nil {
					return err
				}
			}
			users = append(users, shelf.LayerUser{Image: img, Position: u.position, CreatedBy: u.createdBy, References: refs})
		}
		return nil
	})
	return l, users, err
}
