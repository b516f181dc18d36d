package image

import "strings"

// Label asks for a label of an image's config, as docker's filters do: label=KEY is satisfied by any value,
// label=KEY=VALUE by that one only.
type Label struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Any   bool   `json:"any"` // whatever its value
}

// ParseLabel reads KEY or KEY=VALUE; the value may be empty and may contain further equals signs.
func ParseLabel(s string) (Label, error) {
	key, value, exact := strings.Cut(s, "=")
	if key == "" {
		return Label{}, Errorf(Invalid, "%q is not a label", Shorten(s)).
			Suggest("A label is a key, or a key and a value: stage or stage=ci.")
	}
	return Label{Key: key, Value: value, Any: !exact}, nil
}

// String returns the form that ParseLabel reads.
func (l Label) String() string {
	if l.Any {
		return l.Key
	}
	return l.Key + "=" + l.Value
}
