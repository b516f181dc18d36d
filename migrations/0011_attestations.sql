-- +goose Up

-- Manifests that describe images: bills of materials, provenance. They are no images and no manifests of the tables
-- above; each is there for the images that it describes, and goes with the last of them.
CREATE TABLE attestations (
    digest     TEXT PRIMARY KEY REFERENCES blobs (digest),
    media_type TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which stored images an attestation is there for: an index said so when they were pulled.
CREATE TABLE image_attestations (
    manifest_digest    TEXT NOT NULL REFERENCES images (manifest_digest) ON DELETE CASCADE,
    attestation_digest TEXT NOT NULL REFERENCES attestations (digest),
    PRIMARY KEY (manifest_digest, attestation_digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_attestations_attestation ON image_attestations (attestation_digest);

-- Every blob of an attestation, all of them on disk: at 0 its manifest, at 1 its config, and then its statements.
CREATE TABLE attestation_blobs (
    attestation_digest TEXT NOT NULL REFERENCES attestations (digest) ON DELETE CASCADE,
    position           INTEGER NOT NULL,
    blob_digest        TEXT NOT NULL REFERENCES blobs (digest),
    predicate          TEXT NOT NULL,      -- what a statement is about, a URI; '' where it is none or does not say
    PRIMARY KEY (attestation_digest, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX attestation_blobs_blob ON attestation_blobs (blob_digest);
