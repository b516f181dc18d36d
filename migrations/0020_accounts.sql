-- +goose Up

-- Who may come in, and with what. Of what is secret only hashes stand here.

CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- used once: the record names by it who was removed
    name TEXT UNIQUE, -- NULL of who was removed, of whom nothing but the number stays
    display TEXT NOT NULL DEFAULT '',
    role TEXT NOT NULL DEFAULT '' CHECK (role IN ('', 'viewer', 'operator', 'admin')), -- empty where groups decide
    groups TEXT NOT NULL DEFAULT '[]', -- as the provider said at the last sign-in
    provider TEXT NOT NULL DEFAULT '', -- who knows them; empty where it is this server
    subject TEXT NOT NULL DEFAULT '', -- as the provider calls them
    password TEXT NOT NULL DEFAULT '', -- a PHC string; empty where they have none
    made_at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    seen_at INTEGER NOT NULL DEFAULT 0,
    disabled_at INTEGER NOT NULL DEFAULT 0,
    removed_at INTEGER NOT NULL DEFAULT 0,
    CHECK ((removed_at = 0) = (name IS NOT NULL)),
    CHECK (removed_at = 0 OR display = '' AND role = '' AND groups = '[]' AND subject = '' AND password = '')
) STRICT;
CREATE UNIQUE INDEX people_subject ON people (provider, subject) WHERE subject <> '';

CREATE TABLE group_roles (
    name TEXT PRIMARY KEY, -- empty: everybody else
    role TEXT NOT NULL CHECK (role IN ('', 'viewer', 'operator', 'admin'))
) STRICT, WITHOUT ROWID;

CREATE TABLE robots (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    grants TEXT NOT NULL, -- what it may, a JSON array of words
    made_at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    disabled_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    secret BLOB NOT NULL UNIQUE, -- SHA-256 of what the cookie holds
    person_id INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    way TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    renew INTEGER NOT NULL DEFAULT 0, -- it is to get a new secret
    before BLOB, -- the secret before, good until before_until for requests under way
    before_until INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sessions_person ON sessions (person_id);
CREATE INDEX sessions_ends ON sessions (ends_at);
CREATE INDEX sessions_before ON sessions (before) WHERE before IS NOT NULL;

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    secret BLOB NOT NULL UNIQUE, -- SHA-256 of the token
    hint TEXT NOT NULL, -- how it begins
    name TEXT NOT NULL,
    person_id INTEGER REFERENCES people (id) ON DELETE CASCADE,
    robot_id INTEGER REFERENCES robots (id) ON DELETE CASCADE,
    role TEXT NOT NULL, -- at most; empty of a robot's
    made_at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    ends_at INTEGER NOT NULL DEFAULT 0,
    used_at INTEGER NOT NULL DEFAULT 0,
    used_address TEXT NOT NULL DEFAULT '',
    used_agent TEXT NOT NULL DEFAULT '',
    CHECK ((person_id IS NULL) <> (robot_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX tokens_person ON tokens (person_id, name) WHERE person_id IS NOT NULL;
CREATE UNIQUE INDEX tokens_robot ON tokens (robot_id, name) WHERE robot_id IS NOT NULL;
CREATE INDEX tokens_ends ON tokens (ends_at) WHERE ends_at > 0;

-- One-time codes: one for each person, and one with which the first administrator comes in.
CREATE TABLE codes (
    person_id INTEGER PRIMARY KEY, -- 0: the first one
    secret BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT;
