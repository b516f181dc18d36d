package storage

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// Attestations returns what is stored about images, by their manifests, in the order of the digests.
func (s *Images) Attestations(ctx context.Context, manifests ...image.Digest) ([]shelf.StoredAttestation, error) {
	if len(manifests) == 0 {
		return nil, nil
	}
	list, err := database.ListFor(manifests)
	if err != nil {
		return nil, err
	}
	return database.RowsOf(ctx, s.db, func(rows *sql.Rows) (a shelf.StoredAttestation, err error) {
		var predicates []byte
		if err := rows.Scan(&a.Of, &a.Digest, &a.MediaType, &a.Size, &predicates); err != nil {
			return a, err
		}
		return a, json.Unmarshal(predicates, &a.Predicates)
	}, `SELECT ia.manifest_digest, a.digest, a.media_type,
			(SELECT sum(b.size) FROM attestation_blobs ab CROSS JOIN blobs b ON b.digest = ab.blob_digest
			WHERE ab.attestation_digest = a.digest),
			(SELECT json_group_array(predicate) FROM (SELECT predicate FROM attestation_blobs
			WHERE attestation_digest = a.digest AND position > 1 ORDER BY position))
		FROM json_each(?) j CROSS JOIN image_attestations ia ON ia.manifest_digest = j.value
		CROSS JOIN attestations a ON a.digest = ia.attestation_digest
		ORDER BY j.key, a.digest`, list)
}

// Attestation returns the original bytes of a stored attestation's manifest; NotFound where it is not stored.
func (s *Images) Attestation(ctx context.Context, d image.Digest) (image.Attestation, error) {
	var mediaType string
	err := s.db.QueryRowContext(ctx, `SELECT media_type FROM attestations WHERE digest = ?`, d).Scan(&mediaType)
	if err != nil {
		return image.Attestation{}, database.NotFound(err, "no attestation %s is stored", d)
	}
	raw, err := s.blobs.ReadAll(d, image.MaxAttestationManifest)
	if err != nil {
		return image.Attestation{}, err
	}
	return image.ParseStoredAttestation(mediaType, raw)
}

// attestations writes what describes an image, the image's own row being there.
func (r recorder) attestations(p shelf.PulledImage) error {
	for _, a := range p.Attestations {
		if err := r.attestation(a); err != nil {
			return err
		}
		_, err := r.exec(`INSERT INTO image_attestations (manifest_digest, attestation_digest) VALUES (?, ?)
			ON CONFLICT DO NOTHING`, p.Document.Digest, a.Digest)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r recorder) attestation(a image.Attestation) error {
	all := append([]image.Descriptor{a.Descriptor()}, a.Blobs()...)
	for _, d := range all {
		if err := r.blob(d); err != nil {
			return err
		}
	}
	isNew, err := r.exec(`INSERT INTO attestations (digest, media_type) VALUES (?, ?)
		ON CONFLICT DO NOTHING`, a.Digest, a.MediaType)
	if err != nil || !isNew {
		return err
	}
	for i, d := range all {
		predicate := ""
		if i > 1 {
			predicate = image.PredicateOf(d)
		}
		_, err := r.exec(`INSERT INTO attestation_blobs (attestation_digest, position, blob_digest, predicate)
			VALUES (?, ?, ?, ?)`, a.Digest, i, d.Digest, predicate)
		if err != nil {
			return err
		}
	}
	return nil
}
