package cleanup

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/views/marks"
	"github.com/stowage/stowage/views/ui"
)

const foreign = `"><script>alert(1)</script><img src=x onerror=alert(1)> style="x"`

func drawn(t *testing.T, ctx context.Context, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(ctx, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHostileTextInPlansAndPinsStaysText(t *testing.T) {
	ref := image.Reference{Repository: foreign, Tag: foreign}
	pin := shelf.Pin{Reference: ref, Note: foreign, By: foreign, At: time.Unix(1, 0)}
	plan := shelf.RemovalPlan{
		Asked: shelf.Removal{Items: []shelf.RemovalItem{{Reference: ref}, {ID: foreign}}},
		Items: []shelf.PlanItem{
			{Item: shelf.RemovalItem{Reference: ref}, Refusal: &shelf.Refusal{Reason: shelf.RefusedPinned, Pin: &pin}},
			{Item: shelf.RemovalItem{ID: foreign}, Refusal: &shelf.Refusal{Reason: shelf.RefusedBase, By: []image.Reference{ref}, Count: 2}},
			{Item: shelf.RemovalItem{Reference: ref}, Refusal: &shelf.Refusal{Reason: shelf.RefusedMissing, Text: image.Plain(foreign)}},
		},
		Untagged: []image.Reference{ref}, Deleted: []shelf.PlanImage{{ID: foreign, Platform: image.Platform{OS: foreign}}},
		Blobs: []shelf.PlanBlob{{Digest: foreign, Kind: foreign}}, Stays: []shelf.PlanBlob{{Digest: foreign, Kind: "layer", UsedBy: []image.Reference{ref}, Users: 2, Held: true}},
		Remains: []shelf.PlanRemains{{Reference: ref, Platforms: []image.Platform{{OS: foreign}}}},
		Totals:  shelf.PlanTotals{Items: 4, Refused: 3, Untagged: 2, Images: 2, Blobs: 2, Stays: 2, Remains: 2},
	}
	selection := DeleteView{Plan: plan, Many: true, Action: foreign, Cancel: foreign, Back: foreign, Force: foreign, Skipped: []Skipped{{Name: foreign, Why: image.Plain(foreign)}}}
	for name, c := range map[string]templ.Component{
		"PlanDetails":   PlanDetails(plan),
		"DeletePage":    DeletePage(ui.Chrome{}, selection),
		"DeleteSummary": DeleteSummary(selection, nil),
		"RemovalsList":  RemovalsList([]shelf.Deletion{{ID: 1, By: foreign, Names: []image.Reference{ref}, IDs: []image.Digest{foreign}, Items: 9}}, foreign),
		"PinsList":      PinsList([]shelf.Pin{pin}, 2, foreign),
		"PinBadge":      marks.PinBadge(),
	} {
		got := drawn(t, t.Context(), c)
		if strings.Contains(got, "<script>") || strings.Contains(got, "<img") || strings.Contains(got, ` style="x"`) {
			t.Errorf("%s lets markup through:\n%s", name, got)
		}
	}
}
