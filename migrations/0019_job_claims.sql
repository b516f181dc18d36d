-- +goose Up

-- The queue: who works on a job claims it, and whose turn it is is found by its registry and by who asked for it.
ALTER TABLE pulls ADD COLUMN what TEXT NOT NULL DEFAULT ''; -- equal for jobs that want the same; empty where none can join
ALTER TABLE pulls ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE pulls ADD COLUMN requester TEXT NOT NULL DEFAULT '';
ALTER TABLE pulls ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0; -- the session whose process works on it
ALTER TABLE pulls ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0; -- how often it was claimed

CREATE INDEX pulls_what ON pulls (what) WHERE what <> '' AND state NOT IN ('done', 'failed', 'cancelled');

UPDATE pulls SET host = CASE WHEN instr(reference, '/') > 0 THEN substr(reference, 1, instr(reference, '/') - 1) ELSE '' END,
    requester = coalesce(job ->> '$.requesters[0]', '')
WHERE state NOT IN ('done', 'failed', 'cancelled');
