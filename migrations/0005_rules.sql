-- +goose Up

-- What docker's rules ask of an image beyond its layers: read from its config and manifest when it is recorded, and
-- for images of older versions at the next start (facts says how much has been read).
ALTER TABLE images ADD COLUMN facts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE images ADD COLUMN base_digest TEXT NOT NULL DEFAULT ''; -- annotation org.opencontainers.image.base.digest
ALTER TABLE image_layers ADD COLUMN chain_id BLOB; -- of the diff IDs up to this layer (image-spec config.md), 32 bytes; NULL until it was read
CREATE INDEX images_without_facts ON images (manifest_digest) WHERE facts = 0;
CREATE INDEX images_base ON images (base_digest) WHERE base_digest <> '';
CREATE INDEX image_layers_chain ON image_layers (chain_id);

-- The labels of an image's config that a filter can ask for.
CREATE TABLE image_labels (
    manifest_digest TEXT NOT NULL REFERENCES images (manifest_digest) ON DELETE CASCADE,
    key             TEXT NOT NULL,
    value           TEXT NOT NULL,
    PRIMARY KEY (manifest_digest, key)
) STRICT, WITHOUT ROWID;

-- Digests that somebody marked as in use. A pin stays with the digest when a tag moves on.
CREATE TABLE pins (
    repository_id INTEGER NOT NULL,
    digest        TEXT NOT NULL,
    note          TEXT NOT NULL,
    pinned_by     TEXT NOT NULL,
    pinned_at     INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest),
    FOREIGN KEY (repository_id, digest) REFERENCES repository_digests (repository_id, digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What the registry said of a stored tag when it was last asked. Whether an update is available follows from
-- upstream_digest and the tag's own digest, so that a pull settles it.
CREATE TABLE tag_checks (
    repository_id   INTEGER NOT NULL,
    tag             TEXT NOT NULL,
    answer          TEXT NOT NULL CHECK (answer IN ('digest', 'gone', 'unknown')),
    upstream_digest TEXT NOT NULL,         -- '' unless answer is digest
    method          TEXT NOT NULL CHECK (method IN ('HEAD', 'pull')), -- how it was asked
    checked_at      INTEGER NOT NULL,
    problem         TEXT NOT NULL,         -- why the answer is unknown: an image.Text as JSON; else ''
    PRIMARY KEY (repository_id, tag),
    FOREIGN KEY (repository_id, tag) REFERENCES tags (repository_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_checks_oldest ON tag_checks (checked_at);

-- The list shows both.
ALTER TABLE listing ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1));
ALTER TABLE listing ADD COLUMN update_state TEXT NOT NULL DEFAULT '' CHECK (update_state IN ('', 'current', 'available', 'gone', 'unknown')); -- '' where nobody asked

-- A tag that somebody deleted can come back by undoing it.
CREATE TABLE tag_history_new (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    repository TEXT NOT NULL,
    tag        TEXT NOT NULL,
    event      TEXT NOT NULL CHECK (event IN ('pulled', 'moved', 'deleted', 'restored')),
    old_digest TEXT NOT NULL,
    new_digest TEXT NOT NULL,
    at         INTEGER NOT NULL,
    by         TEXT NOT NULL,
    pull_id    INTEGER
) STRICT;
INSERT INTO tag_history_new SELECT * FROM tag_history;
DROP TABLE tag_history;
ALTER TABLE tag_history_new RENAME TO tag_history;
CREATE INDEX tag_history_tag ON tag_history (repository, tag, id);

-- Deletions that can still be undone: what was deleted, as rows, and the blobs whose files wait to be swept.
CREATE TABLE removals (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    by      TEXT NOT NULL,
    until   INTEGER NOT NULL,              -- from when on its files are swept
    summary TEXT NOT NULL                  -- what it was, for people: JSON
) STRICT;
CREATE INDEX removals_until ON removals (until);

CREATE TABLE removed_rows (
    removal_id INTEGER NOT NULL REFERENCES removals (id) ON DELETE CASCADE,
    part       INTEGER NOT NULL,           -- in the order in which they go back
    of         TEXT NOT NULL,              -- the table that they were in
    rows       TEXT NOT NULL,              -- JSON
    PRIMARY KEY (removal_id, part)
) STRICT, WITHOUT ROWID;

-- Blobs that no row needs any more and whose files are still on disk. One that is stored again waits no longer.
CREATE TABLE waiting_blobs (
    digest   TEXT PRIMARY KEY,
    size     INTEGER NOT NULL,
    sweep_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_blobs_sweep ON waiting_blobs (sweep_at);

ALTER TABLE totals ADD COLUMN waiting_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN waiting_bytes INTEGER NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE TRIGGER waiting_blob_stored AFTER INSERT ON blobs BEGIN
    DELETE FROM waiting_blobs WHERE digest = NEW.digest;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER totals_waiting_added AFTER INSERT ON waiting_blobs BEGIN
    UPDATE totals SET waiting_count = waiting_count + 1, waiting_bytes = waiting_bytes + NEW.size;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER totals_waiting_removed AFTER DELETE ON waiting_blobs BEGIN
    UPDATE totals SET waiting_count = waiting_count - 1, waiting_bytes = waiting_bytes - OLD.size;
END;
-- +goose StatementEnd
