-- +goose Up

-- The page of updates lists the tags of a state.
CREATE INDEX listing_update ON listing (update_state, name, id);
