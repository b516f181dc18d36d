-- +goose Up

-- Who said what a tag points to: an archive that somebody sent, or the registry of its name. Of the tags that are there the
-- history tells.
ALTER TABLE tags ADD COLUMN uploaded INTEGER NOT NULL DEFAULT 0 CHECK (uploaded IN (0, 1));

UPDATE tags SET uploaded = 1 WHERE EXISTS (
    SELECT 1 FROM repositories r
    JOIN tag_history h ON h.id = (
        SELECT max(id) FROM tag_history WHERE repository = r.name AND tag = tags.name AND new_digest = tags.digest AND event IN ('pulled', 'moved'))
    JOIN pulls p ON p.id = h.pull_id AND p.reference = ''
    WHERE r.id = tags.repository_id);

CREATE INDEX tags_uploaded ON tags (repository_id, digest) WHERE uploaded = 1;
