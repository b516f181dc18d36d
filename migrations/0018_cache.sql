-- +goose Up

-- What was read from registries and is not stored is kept in files of the folder cache.
DROP TABLE kept_documents;
DROP TABLE kept_total;
