-- +goose Up

-- Which rows of the list were written or removed, in order. The server answers the list from memory and reads here what
-- changed since it last looked. Only the newest are kept: who is further behind reads the whole list anew.
CREATE TABLE listing_changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- the last one given out is in sqlite_sequence, also when no row is left
    id  INTEGER NOT NULL                   -- of the row of listing, which may be gone
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER listing_row_added AFTER INSERT ON listing BEGIN
    INSERT INTO listing_changes (id) VALUES (NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER listing_row_changed AFTER UPDATE ON listing BEGIN
    INSERT INTO listing_changes (id) VALUES (NEW.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER listing_row_removed AFTER DELETE ON listing BEGIN
    INSERT INTO listing_changes (id) VALUES (OLD.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER listing_changes_trimmed AFTER INSERT ON listing_changes WHEN NEW.seq % 1000 = 0 BEGIN
    DELETE FROM listing_changes WHERE seq <= NEW.seq - 20000;
END;
-- +goose StatementEnd

-- The orders of the list are kept in memory; here they would only make each change dearer.
DROP INDEX listing_name;
DROP INDEX listing_repository;
DROP INDEX listing_image_id;
DROP INDEX listing_platforms;
DROP INDEX listing_created;
DROP INDEX listing_pulled;
DROP INDEX listing_size;
DROP INDEX listing_unpacked;
