-- +goose Up

-- The database is an index over the data folder; blobs on disk are the truth. Digests are
-- "sha256:<hex>". Times are milliseconds since 1970 UTC. Sizes are bytes.

CREATE TABLE repositories (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,         -- canonical: docker.io/library/ubuntu
    familiar TEXT NOT NULL                 -- as docker shows it: ubuntu
) STRICT;

-- Every blob whose file the shelf needs: indexes, manifests, configs and layers. Their original bytes
-- are the file blobs/sha256/<hex>.
CREATE TABLE blobs (
    digest    TEXT PRIMARY KEY,
    size      INTEGER NOT NULL CHECK (size >= 0),
    stored_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE manifests (
    digest     TEXT PRIMARY KEY REFERENCES blobs (digest),
    kind       TEXT NOT NULL CHECK (kind IN ('index', 'manifest')),
    media_type TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What an index lists, stored or not. Attestations and entries that are no images are kept apart by kind.
CREATE TABLE index_entries (
    index_digest TEXT NOT NULL REFERENCES manifests (digest) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    digest       TEXT NOT NULL,
    media_type   TEXT NOT NULL,
    size         INTEGER NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('image', 'index', 'attestation', 'other')),
    platform     TEXT NOT NULL,            -- normalised os/architecture[/variant]; '' where the index does not say
    describes    TEXT NOT NULL DEFAULT '', -- an attestation's subject
    PRIMARY KEY (index_digest, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX index_entries_digest ON index_entries (digest);

-- One platform's manifest, config and layers, all of them on disk.
CREATE TABLE images (
    manifest_digest TEXT PRIMARY KEY REFERENCES manifests (digest),
    config_digest   TEXT NOT NULL REFERENCES blobs (digest), -- the image ID
    platform        TEXT NOT NULL,
    created         INTEGER,               -- from the config; NULL where it does not say
    size            INTEGER NOT NULL,      -- compressed layers
    layers          INTEGER NOT NULL,
    unpacked        INTEGER,               -- as docker counts SIZE; NULL until each layer was unpacked
    broken          TEXT NOT NULL DEFAULT '', -- why it cannot be used; '' when nothing is known against it
    stored_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX images_config ON images (config_digest);

CREATE TABLE layers (
    digest   TEXT PRIMARY KEY REFERENCES blobs (digest),
    state    TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'verified', 'broken')),
    diff_id  TEXT NOT NULL DEFAULT '',     -- proved by unpacking; '' until then
    unpacked INTEGER,                      -- bytes as docker counts them
    entries  INTEGER,                      -- files, directories, links in the tar
    problem  TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX layers_pending ON layers (digest) WHERE state = 'pending';

-- Layers of an image, base first, with the diff ID that its config claims and the history entry that made
-- it. The whole history, with the steps that made no layer, is in the config.
CREATE TABLE image_layers (
    manifest_digest TEXT NOT NULL REFERENCES images (manifest_digest) ON DELETE CASCADE,
    position        INTEGER NOT NULL,
    layer_digest    TEXT NOT NULL REFERENCES layers (digest),
    diff_id         TEXT NOT NULL,
    size            INTEGER NOT NULL,
    media_type      TEXT NOT NULL,
    created_by      TEXT NOT NULL,
    PRIMARY KEY (manifest_digest, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_layers_layer ON image_layers (layer_digest);

-- Which digests a repository knows, and why: a tag points at it, somebody asked for exactly it
-- (by_digest), or, when neither holds any more, it is dangling.
CREATE TABLE repository_digests (
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    digest        TEXT NOT NULL REFERENCES manifests (digest),
    by_digest     INTEGER NOT NULL DEFAULT 0 CHECK (by_digest IN (0, 1)),
    pulled_at     INTEGER NOT NULL,
    pulled_by     TEXT NOT NULL,
    PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_digests_digest ON repository_digests (digest);

CREATE TABLE tags (
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    name          TEXT NOT NULL,
    digest        TEXT NOT NULL,
    pulled_at     INTEGER NOT NULL,
    pulled_by     TEXT NOT NULL,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES repository_digests (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_digest ON tags (digest, repository_id);

-- Where a tag pointed, from the first pull on. It outlives the tag and its repository, so it names both.
CREATE TABLE tag_history (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    repository TEXT NOT NULL,
    tag        TEXT NOT NULL,
    event      TEXT NOT NULL CHECK (event IN ('pulled', 'moved', 'deleted')),
    old_digest TEXT NOT NULL,
    new_digest TEXT NOT NULL,
    at         INTEGER NOT NULL,
    by         TEXT NOT NULL,
    pull_id    INTEGER
) STRICT;
CREATE INDEX tag_history_tag ON tag_history (repository, tag, id);

CREATE TABLE pulls (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    reference  TEXT NOT NULL,
    state      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    job        TEXT NOT NULL               -- the whole job as JSON, its layers included
) STRICT;
CREATE INDEX pulls_id ON pulls (id); -- counting them must not read the jobs
CREATE INDEX pulls_unfinished ON pulls (id) WHERE state NOT IN ('done', 'failed', 'cancelled');

-- The rows of the Images page, one for a tag and one for a digest without a tag, written with every change
-- of what they show. Sorting, filtering and paging 100,000 of them must not join anything.
CREATE TABLE listing (
    id            INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    digest        TEXT NOT NULL,
    tag           TEXT NOT NULL,           -- '' for a digest without a tag
    reason        TEXT NOT NULL CHECK (reason IN ('tag', 'by digest', 'dangling')),
    name          TEXT NOT NULL,           -- familiar reference: ubuntu:22.04
    image_id      TEXT NOT NULL,           -- of the platform shown
    platform      TEXT NOT NULL,           -- the platform shown
    platforms     TEXT NOT NULL,           -- all stored ones, in the index's order, joined by blanks
    created       INTEGER NOT NULL,        -- -62135596800000, the year 1, where unknown
    pulled_at     INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    unpacked      INTEGER NOT NULL,        -- -1 until known
    total_size    INTEGER NOT NULL,        -- of all stored platforms together
    broken        TEXT NOT NULL
) STRICT;
CREATE INDEX listing_name ON listing (name, id);
CREATE INDEX listing_digest ON listing (repository_id, digest);
CREATE INDEX listing_repository ON listing (repository_id, name, id);
CREATE INDEX listing_by_digest ON listing (digest);
CREATE INDEX listing_image_id ON listing (image_id, name, id);
CREATE INDEX listing_platforms ON listing (platforms, name, id);
CREATE INDEX listing_created ON listing (created, name, id);
CREATE INDEX listing_pulled ON listing (pulled_at, name, id);
CREATE INDEX listing_size ON listing (size, name, id);
CREATE INDEX listing_unpacked ON listing (unpacked, name, id);

-- Sums that every page shows, kept by triggers so that no page counts.
CREATE TABLE totals (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    rows_listed INTEGER NOT NULL,
    blob_count  INTEGER NOT NULL,
    blob_bytes  INTEGER NOT NULL,
    repositories INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0, 0);

-- +goose StatementBegin
CREATE TRIGGER totals_blob_added AFTER INSERT ON blobs BEGIN
    UPDATE totals SET blob_count = blob_count + 1, blob_bytes = blob_bytes + NEW.size;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER totals_blob_removed AFTER DELETE ON blobs BEGIN
    UPDATE totals SET blob_count = blob_count - 1, blob_bytes = blob_bytes - OLD.size;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER totals_row_added AFTER INSERT ON listing BEGIN
    UPDATE totals SET rows_listed = rows_listed + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER totals_row_removed AFTER DELETE ON listing BEGIN
    UPDATE totals SET rows_listed = rows_listed - 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER totals_repository_added AFTER INSERT ON repositories BEGIN
    UPDATE totals SET repositories = repositories + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER totals_repository_removed AFTER DELETE ON repositories BEGIN
    UPDATE totals SET repositories = repositories - 1;
END;
-- +goose StatementEnd
