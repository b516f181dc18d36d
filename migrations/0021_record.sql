-- +goose Up

-- Who did what, line by line. Lines are written with what they tell of, in its transaction, and then stay as they are.
CREATE TABLE record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    since INTEGER NOT NULL, -- when what repeated began; else at
    times INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id INTEGER NOT NULL, -- of a person with an account, whose name stands in people only; else 0
    actor_name TEXT NOT NULL, -- empty where actor_id is not 0
    via TEXT NOT NULL,
    credential TEXT NOT NULL, -- which session or token it was, nothing that is secret of it
    address TEXT NOT NULL,
    request TEXT NOT NULL,
    action TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    about_kind TEXT NOT NULL, -- the person, robot, group or registry that it is about, as the actor is named
    about_id INTEGER NOT NULL,
    about_name TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    detail TEXT NOT NULL,
    CHECK (actor_id = 0 OR actor_name = ''),
    CHECK (about_id = 0 OR about_name = '')
) STRICT;

-- The orders of the page: everything, and by each filter, newest first.
CREATE INDEX record_at ON record (at);
CREATE INDEX record_actor ON record (actor_id, actor_name, at);
CREATE INDEX record_about ON record (about_id, about_name, at) WHERE about_kind <> '';
CREATE INDEX record_action ON record (action, at);
CREATE INDEX record_repository ON record (repository, at) WHERE repository <> '';
CREATE INDEX record_credential ON record (credential, at) WHERE credential <> '';
CREATE INDEX record_request ON record (request, at) WHERE request <> '';
CREATE INDEX record_troubled ON record (at) WHERE outcome <> 'done';

-- Until when lines have gone for their age.
CREATE TABLE record_age (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pruned_before INTEGER NOT NULL
) STRICT;
INSERT INTO record_age (id, pruned_before) VALUES (1, 0);

-- Nothing in the record is ever changed, and only what is old goes. The newest day stays whatever is asked for.
-- +goose StatementBegin
CREATE TRIGGER record_is_not_changed BEFORE UPDATE ON record BEGIN
    SELECT raise(ABORT, 'the record is not changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER record_is_not_replaced BEFORE INSERT ON record WHEN EXISTS (SELECT 1 FROM record WHERE id = new.id) BEGIN
    SELECT raise(ABORT, 'the record is not changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER record_keeps_what_is_new BEFORE DELETE ON record
WHEN old.at >= (SELECT pruned_before FROM record_age) BEGIN
    SELECT raise(ABORT, 'the record is not shortened');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER record_age_is_old BEFORE UPDATE ON record_age
WHEN new.pruned_before > (SELECT max(at) FROM record) - 86400000 BEGIN
    SELECT raise(ABORT, 'the record is not shortened');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER record_age_stays BEFORE DELETE ON record_age BEGIN
    SELECT raise(ABORT, 'the record is not shortened');
END;
-- +goose StatementEnd
