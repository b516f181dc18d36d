-- +goose Up

-- How often clients were given what is stored, and when last. Counts go with the tag or the document that they are of.

-- By a tag, whatever it pointed to.
CREATE TABLE handed_tags (
    repository_id INTEGER NOT NULL,
    tag           TEXT NOT NULL,
    count         INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    PRIMARY KEY (repository_id, tag),
    FOREIGN KEY (repository_id, tag) REFERENCES tags (repository_id, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- An index or a manifest under a repository, one that an index lists included: in all, and of that what was asked for by
-- the digest itself.
CREATE TABLE handed_digests (
    repository_id  INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest         TEXT NOT NULL REFERENCES manifests (digest) ON DELETE CASCADE,
    count          INTEGER NOT NULL,
    last_at        INTEGER NOT NULL,
    direct         INTEGER NOT NULL,
    direct_last_at INTEGER NOT NULL,       -- 0: never
    PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX handed_digests_digest ON handed_digests (digest);

-- Since when it is counted: what is older on the shelf may have been handed out before.
CREATE TABLE handed_since (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    at   INTEGER NOT NULL
) STRICT;

-- The list shows them: of a tag what was asked for by it or by the digest that it points to.
ALTER TABLE listing ADD COLUMN handed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE listing ADD COLUMN handed_direct INTEGER NOT NULL DEFAULT 0; -- of them, by the digest
ALTER TABLE listing ADD COLUMN handed_at INTEGER NOT NULL DEFAULT 0;     -- 0: never
