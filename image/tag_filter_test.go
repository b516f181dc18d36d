package image_test

import (
	"slices"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestTagsAreChosenByAPartOfTheirNameWhateverTheCase(t *testing.T) {
	tags := []string{"RELEASE.2026-04-01", "latest", "15-Alpine", "release-1"}
	for text, want := range map[string][]string{
		"":        tags,
		"release": {"RELEASE.2026-04-01", "release-1"},
		"ALPINE":  {"15-Alpine"},
		"none":    {},
	} {
		got := image.TagsContaining(tags, text)
		if !slices.Equal(got, want) {
			t.Errorf("%q chooses %q, want %q", text, got, want)
		}
	}
	if got := image.TagsContaining(tags, ""); &got[0] == &tags[0] {
		t.Error("the list that comes back is the one that went in")
	}
}
