package storage

import (
	"context"
	"database/sql"
	"encoding/binary"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// The labels of a row are those of each of its stored platforms, equal ones once: for each platform their number in two
// bytes, and for each label a hash of its key and one of key and value. The hashes are of 64 bits and seeded anew at each
// start, so nobody can make two labels that are taken for each other.

// labelHash is what a label is found by.
type labelHash struct{ key, pair uint64 }

const labelBytes = 16

func (x *listIndex) labelHash(key, value string) labelHash {
	return labelHash{maphash.String(x.seed, key), maphash.Comparable(x.seed, [2]string{key, value})}
}

// wantedLabel is a label that is asked for.
type wantedLabel struct {
	labelHash
	any bool
}

// labelled tells whether any platform of a row has all labels.
func labelled(labels string, wanted []wantedLabel) bool {
	for len(labels) > 0 {
		end := 2 + labelBytes*(int(labels[0])<<8|int(labels[1]))
		if hasLabels(labels[2:end], wanted) {
			return true
		}
		labels = labels[end:]
	}
	return false
}

func hasLabels(set string, wanted []wantedLabel) bool {
	for _, w := range wanted {
		found := false
		for at := 0; at < len(set) && !found; at += labelBytes {
			if w.any {
				found = hashAt(set, at) == w.key
			} else {
				found = hashAt(set, at+8) == w.pair
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func hashAt(s string, at int) uint64 {
	return uint64(s[at])<<56 | uint64(s[at+1])<<48 | uint64(s[at+2])<<40 | uint64(s[at+3])<<32 |
		uint64(s[at+4])<<24 | uint64(s[at+5])<<16 | uint64(s[at+6])<<8 | uint64(s[at+7])
}

// allLabels gives the labels of every digest that has some, from the labels up: few of the entries of an index are stored,
// and fewer have labels.
func (x *listIndex) allLabels(ctx context.Context, q querier) (map[image.Digest]string, error) {
	return x.readLabels(ctx, q, `SELECT manifest_digest, key, value FROM image_labels ORDER BY manifest_digest`,
		`WITH RECURSIVE up (manifest, digest) AS (SELECT DISTINCT manifest_digest, manifest_digest FROM image_labels
			UNION SELECT up.manifest, e.index_digest FROM up JOIN index_entries e ON e.digest = up.digest AND e.kind IN ('image', 'index'))
		SELECT digest, manifest FROM up`)
}

// labelsOf gives the labels of the digests of the rows that a query chooses, with its argument.
func (x *listIndex) labelsOf(ctx context.Context, q querier, rows string, arg any) (map[image.Digest]string, error) {
	down := `WITH RECURSIVE down (root, digest) AS (SELECT DISTINCT digest, digest FROM listing WHERE id IN (` + rows + `)
		UNION SELECT down.root, e.digest FROM down JOIN index_entries e ON e.index_digest = down.digest AND e.kind IN ('image', 'index')) `
	return x.readLabels(ctx, q, down+`SELECT il.manifest_digest, il.key, il.value FROM image_labels il
			WHERE il.manifest_digest IN (SELECT digest FROM down) ORDER BY il.manifest_digest`,
		down+`SELECT root, digest FROM down WHERE EXISTS (SELECT 1 FROM image_labels il WHERE il.manifest_digest = down.digest)`, arg)
}

// readLabels reads labels by a query for manifest, key and value, and by one for the digests under which manifests can be
// reached.
func (x *listIndex) readLabels(ctx context.Context, q querier, labels, reach string, args ...any) (map[image.Digest]string, error) {
	sets := map[image.Digest][]labelHash{}
	_, err := rowsOf(ctx, q, func(rows *sql.Rows) (_ struct{}, err error) {
		var manifest image.Digest
		var key, value string
		err = rows.Scan(&manifest, &key, &value)
		sets[manifest] = append(sets[manifest], x.labelHash(key, value))
		return struct{}{}, err
	}, labels, args...)
	if err != nil || len(sets) == 0 {
		return nil, err
	}
	of := map[image.Digest]map[string]bool{}
	_, err = rowsOf(ctx, q, func(rows *sql.Rows) (_ struct{}, err error) {
		var digest, manifest image.Digest
		err = rows.Scan(&digest, &manifest)
		if of[digest] == nil {
			of[digest] = map[string]bool{}
		}
		of[digest][encodeLabels(sets[manifest])] = true
		return struct{}{}, err
	}, reach, args...)
	if err != nil {
		return nil, err
	}
	all := make(map[image.Digest]string, len(of))
	for d, sets := range of {
		all[d] = strings.Join(slices.Sorted(maps.Keys(sets)), "")
	}
	return all, nil
}

// encodeLabels writes the labels of one platform: no more than maxLabels of them are kept.
func encodeLabels(labels []labelHash) string {
	b := make([]byte, 0, 2+labelBytes*len(labels))
	b = binary.BigEndian.AppendUint16(b, uint16(len(labels)))
	for _, l := range labels {
		b = binary.BigEndian.AppendUint64(b, l.key)
		b = binary.BigEndian.AppendUint64(b, l.pair)
	}
	return string(b)
}
