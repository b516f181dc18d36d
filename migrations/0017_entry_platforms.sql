-- +goose Up

-- What an index lists is what its image is called there: index_entries.platform counts, and images.platform, what the config
-- says, only where the entry is silent. Platforms were kept without the OS versions that hold other than letters, digits,
-- _, . and -, and the list had each image under one platform alone. So the indexes here are read anew when the server starts.
CREATE TABLE unread_indexes (
    digest TEXT PRIMARY KEY REFERENCES manifests (digest) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO unread_indexes SELECT digest FROM manifests WHERE kind = 'index';
