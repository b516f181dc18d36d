-- +goose Up

-- The lines of a pull of all tags, up to 5,000, as JSON: apart from the job, which the list of pulls reads
-- 25 at a time. '' where the pull is of one tag.
ALTER TABLE pulls ADD COLUMN tags TEXT NOT NULL DEFAULT '';
