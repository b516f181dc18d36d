-- +goose Up

-- Counts what changes the sums of the Storage page, which are worked out only after something changed. The rows of
-- the list are written anew with every change of tags, digests and platforms.
ALTER TABLE totals ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE TRIGGER changes_row_added AFTER INSERT ON listing BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_row_removed AFTER DELETE ON listing BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_layer_unpacked AFTER UPDATE OF state ON layers BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_pinned AFTER INSERT ON pins BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_unpinned AFTER DELETE ON pins BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_waiting_added AFTER INSERT ON waiting_blobs BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER changes_waiting_removed AFTER DELETE ON waiting_blobs BEGIN
    UPDATE totals SET changes = changes + 1;
END;
-- +goose StatementEnd
