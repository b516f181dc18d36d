-- +goose Up

-- The page of updates counts the tags in each state and lists those of one.
CREATE INDEX listing_update ON listing (update_state, name, id) WHERE tag <> '';
DROP INDEX tag_checks_oldest;
