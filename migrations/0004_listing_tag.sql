-- +goose Up

-- One tag among thousands on the same digest has its row written without a look at the others'.
DROP INDEX listing_digest;
CREATE INDEX listing_digest ON listing (repository_id, digest, tag);
