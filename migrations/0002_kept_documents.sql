-- +goose Up

-- Indexes and manifests that were read from a registry and are not stored, by digest, so that nobody asks a
-- registry for them twice: reading them counts against its allowance. It is a cache: nothing refers to it, a
-- sweep or a rebuild of the other tables ignores it, and it may be emptied at any time.
CREATE TABLE kept_documents (
    digest     TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    raw        BLOB NOT NULL,              -- the original bytes
    read_at    INTEGER NOT NULL,
    used_at    INTEGER NOT NULL            -- to the day or so; the longest unused go first
) STRICT;
CREATE INDEX kept_documents_used ON kept_documents (used_at);

-- What the documents take, kept by triggers so that nothing counts. A row costs some 300 bytes beside its document.
CREATE TABLE kept_total (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO kept_total VALUES (1, 0);

-- +goose StatementBegin
CREATE TRIGGER kept_total_added AFTER INSERT ON kept_documents BEGIN
    UPDATE kept_total SET bytes = bytes + length(NEW.raw) + 300;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER kept_total_removed AFTER DELETE ON kept_documents BEGIN
    UPDATE kept_total SET bytes = bytes - length(OLD.raw) - 300;
END;
-- +goose StatementEnd
