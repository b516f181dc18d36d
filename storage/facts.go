package storage

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/storage/database"
)

// Bounds of what filters can ask for of one image: a config is hostile, and may hold megabytes of labels.
const (
	maxLabels     = 500
	maxLabelKey   = 512  // bytes; a longer key is not found
	maxLabelValue = 4096 // bytes; a longer value is found by its key alone
)

// writeFacts keeps what docker's rules ask of an image beyond its layers: labels, the image that it says it is built
// on, and the chain IDs by which images with the same first layers are found.
func writeFacts(ctx context.Context, tx *sql.Tx, manifest image.Digest, annotations map[string]string,
	config *image.Config) error {
	kept := 0
	for _, key := range slices.Sorted(maps.Keys(config.Config.Labels)) {
		value := config.Config.Labels[key]
		if kept == maxLabels {
			break
		}
		if len(key) > maxLabelKey {
			continue
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO image_labels (manifest_digest, key, value) VALUES (?, ?, ?)
			ON CONFLICT DO NOTHING`,
			manifest, key, value[:min(len(value), maxLabelValue)])
		if err != nil {
			return err
		}
		kept++
	}
	chain := identity.ChainIDs(append([]image.Digest{}, config.RootFS.DiffIDs...))
	for i, id := range chain {
		raw, err := hex.DecodeString(id.Encoded())
		if err != nil {
			return fmt.Errorf("chain ID of layer %d: %w", i+1, err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE image_layers SET chain_id = ? WHERE manifest_digest = ?
			AND position = ?`, raw, manifest, i); err != nil {
			return err
		}
	}
	base, err := image.ParseDigest(annotations[ocispec.AnnotationBaseImageDigest])
	if err != nil {
		base = "" // none, or one that names nothing here
	}
	_, err = tx.ExecContext(ctx, `UPDATE images SET base_digest = ?, facts = 1 WHERE manifest_digest = ?`, base, manifest)
	return err
}

// factsAtOnce is how many images' facts are read from disk in one transaction.
const factsAtOnce = 200

// older brings the rows that an older version wrote up to date.
type older struct {
	db     *database.DB
	images *Images
	lists  *Lists
	log    *slog.Logger
}

// readFacts fills in the facts of images that an older version recorded. An image whose files cannot be read is left
// out, and tried again at the next start.
func (s older) readFacts(ctx context.Context) error {
	after, count := image.Digest(""), 0
	for {
		manifests, err := database.RowsOf(ctx, s.db, database.ScanDigest,
			`SELECT manifest_digest FROM images WHERE facts = 0 AND manifest_digest > ?
				ORDER BY manifest_digest LIMIT ?`, after, factsAtOnce)
		if err != nil || len(manifests) == 0 {
			if count > 0 {
				s.log.Info("read labels and bases of images that an older version recorded", "images", count)
			}
			return err
		}
		err = s.db.Tend(ctx, "", func(tx *sql.Tx) error {
			for _, d := range manifests {
				doc, config, err := s.images.readImage(ctx, d)
				if err != nil {
					s.log.Warn("read an image's config", "manifest", d, "error", err)
					continue
				}
				if err := writeFacts(ctx, tx, d, doc.Manifest.Annotations, config); err != nil {
					return err
				}
				count++
			}
			return nil
		})
		if err != nil {
			return err
		}
		after = manifests[len(manifests)-1]
	}
}

// readImage reads a stored image's manifest and config from disk.
func (s *Images) readImage(ctx context.Context, manifest image.Digest) (image.Document, *image.Config, error) {
	doc, err := s.Document(ctx, manifest)
	if err != nil {
		return image.Document{}, nil, err
	}
	if doc.Manifest == nil {
		return image.Document{}, nil, image.Errorf(image.Corrupt, "%s is no image manifest", manifest)
	}
	raw, err := s.blobs.ReadAll(doc.Manifest.Config.Digest, image.MaxConfigSize)
	if err != nil {
		return image.Document{}, nil, err
	}
	config, err := image.ParseStoredConfig(raw, doc.Manifest)
	return doc, config, err
}
