-- +goose Up

-- A large deletion is carried out in batches, and undone in batches. One that was cut off in the middle is undone at the
-- next start. Its kept rows are numbered by their batch times 1,000,000.
ALTER TABLE removals ADD COLUMN whole INTEGER NOT NULL DEFAULT 1 CHECK (whole IN (0, 1)); -- 0: a part of it has been done, or undone
CREATE INDEX removals_in_part ON removals (id) WHERE whole = 0;

-- A plan of a deletion holds while totals.changes is as it was. These change a plan without changing the list.

-- +goose StatementBegin
CREATE TRIGGER changes_digest_added AFTER INSERT ON repository_digests BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_digest_changed AFTER UPDATE OF by_digest, pulled_at ON repository_digests BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_digest_removed AFTER DELETE ON repository_digests BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_tag_added AFTER INSERT ON tags BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_tag_moved AFTER UPDATE OF digest ON tags BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_tag_removed AFTER DELETE ON tags BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_image_added AFTER INSERT ON images BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_image_described AFTER INSERT ON image_attestations BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
