-- Why a layer or an image is broken is an image.Text as JSON, so that it is told in the reader's language. What was
-- found before is an English sentence: these layers are unpacked once more, which words it anew.

-- +goose Up
UPDATE layers SET state = 'pending', problem = '' WHERE state = 'broken' OR digest IN (
    SELECT il.layer_digest FROM image_layers il JOIN images i ON i.manifest_digest = il.manifest_digest
    JOIN layers l ON l.digest = il.layer_digest WHERE i.broken <> '' AND l.diff_id <> il.diff_id);
