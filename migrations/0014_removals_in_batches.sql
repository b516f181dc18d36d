-- +goose Up

-- A large deletion is carried out in batches, and undone in batches. One that was cut off in the middle is undone at the
-- next start. Its kept rows are numbered by their batch times 1,000,000.
ALTER TABLE removals ADD COLUMN whole INTEGER NOT NULL DEFAULT 1 CHECK (whole IN (0, 1)); -- 0: a part of it has been done, or undone
CREATE INDEX removals_in_part ON removals (id) WHERE whole = 0;
