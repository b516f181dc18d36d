package image

import "strings"

// TagsContaining returns the tags whose names contain text, whatever the case, in a slice of its own and in their
// order.
func TagsContaining(tags []string, text string) []string {
	matching := make([]string, 0, len(tags))
	text = strings.ToLower(text)
	for _, t := range tags {
		if strings.Contains(strings.ToLower(t), text) {
			matching = append(matching, t)
		}
	}
	return matching
}
