-- +goose Up

-- totals.changes is the number of the newest write: each one takes the next. Caches, plans and the list in memory say of
-- which change they are. What only some writes touch says which of them was the last.
ALTER TABLE totals ADD COLUMN listed_at INTEGER NOT NULL DEFAULT 0; -- the change that touched the list last
ALTER TABLE totals ADD COLUMN counted_at INTEGER NOT NULL DEFAULT 0; -- that touched the sums of the Storage page last
UPDATE totals SET changes = changes + 1;
UPDATE totals SET listed_at = changes, counted_at = changes;

-- Which rows of the list were written or removed, and by which change. The server answers the list from memory and reads
-- here what changed since it last looked. Only the newest are kept: who is further behind reads the whole list anew.
DROP TABLE listing_changes;
CREATE TABLE listing_changes (
    seq    INTEGER PRIMARY KEY,
    change INTEGER NOT NULL,
    id     INTEGER NOT NULL -- of the row of listing, which may be gone
) STRICT;
CREATE INDEX listing_changes_change ON listing_changes (change);
INSERT INTO listing_changes (change, id) SELECT changes, 0 FROM totals; -- nothing that comes after it was left out

-- +goose StatementBegin
CREATE TRIGGER listing_changes_trimmed AFTER INSERT ON listing_changes WHEN NEW.seq % 1000 = 0 BEGIN
    DELETE FROM listing_changes WHERE seq <= NEW.seq - 20000;
END;
-- +goose StatementEnd

DROP TRIGGER listing_row_added;
DROP TRIGGER listing_row_changed;
DROP TRIGGER listing_row_removed;
DROP TRIGGER changes_row_added;
DROP TRIGGER changes_row_removed;
DROP TRIGGER changes_layer_unpacked;
DROP TRIGGER changes_pinned;
DROP TRIGGER changes_unpinned;
DROP TRIGGER changes_waiting_added;
DROP TRIGGER changes_waiting_removed;
-- +goose StatementBegin
CREATE TRIGGER listing_row_added AFTER INSERT ON listing BEGIN
    INSERT INTO listing_changes (change, id) SELECT changes, NEW.id FROM totals;
    UPDATE totals SET listed_at = changes, counted_at = changes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER listing_row_changed AFTER UPDATE ON listing BEGIN
    INSERT INTO listing_changes (change, id) SELECT changes, NEW.id FROM totals;
    UPDATE totals SET listed_at = changes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER listing_row_removed AFTER DELETE ON listing BEGIN
    INSERT INTO listing_changes (change, id) SELECT changes, OLD.id FROM totals;
    UPDATE totals SET listed_at = changes, counted_at = changes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER counted_layer_unpacked AFTER UPDATE OF state ON layers BEGIN
    UPDATE totals SET counted_at = changes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER counted_pinned AFTER INSERT ON pins BEGIN
    UPDATE totals SET counted_at = changes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER counted_unpinned AFTER DELETE ON pins BEGIN
    UPDATE totals SET counted_at = changes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER counted_waiting_added AFTER INSERT ON waiting_blobs BEGIN
    UPDATE totals SET counted_at = changes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER counted_waiting_removed AFTER DELETE ON waiting_blobs BEGIN
    UPDATE totals SET counted_at = changes;
END;
-- +goose StatementEnd
