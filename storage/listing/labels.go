package listing

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
)

// The labels of a row are those of each of its stored platforms, equal ones once: for each platform their number in two
// bytes, and for each label a hash of its key and one of key and value. The hashes are of 64 bits and seeded anew at
// each start, so nobody can make two labels that are taken for each other.

// LabelHash is what a label is found by.
type LabelHash struct{ key, pair uint64 }

const labelBytes = 16

func (x *Index) labelHash(l image.Label) LabelHash {
	return LabelHash{maphash.String(x.seed, l.Key), maphash.Comparable(x.seed, [2]string{l.Key, l.Value})}
}

// wantedLabel is a label that is asked for.
type wantedLabel struct {
	LabelHash
	any bool
}

// labelled reports whether any platform of a row has all labels.
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

// JoinLabels writes the labels of a row, for Row.Labels, from those of each of its platforms.
func JoinLabels(platforms [][]LabelHash) string {
	sets := map[string]bool{}
	for _, p := range platforms {
		sets[encodeLabels(p)] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(sets)), "")
}

// encodeLabels writes the labels of one platform: no more than maxLabels of them are kept.
func encodeLabels(labels []LabelHash) string {
	b := make([]byte, 0, 2+labelBytes*len(labels))
	b = binary.BigEndian.AppendUint16(b, uint16(len(labels)))
	for _, l := range labels {
		b = binary.BigEndian.AppendUint64(b, l.key)
		b = binary.BigEndian.AppendUint64(b, l.pair)
	}
	return string(b)
}
