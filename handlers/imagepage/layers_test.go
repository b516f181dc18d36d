package imagepage

import (
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

func TestAHistoryOfVeryManyStepsIsCutOffButNoLayerIs(t *testing.T) {
	steps := make([]image.Step, maxQuiet+500)
	for i := range steps {
		steps[i].Layer = -1
	}
	steps[len(steps)-1].Layer = 0
	v := layersView(steps, make([]shelf.Layer, 1))
	if len(v.Steps) != maxQuiet+1 || v.Hidden != 499 || v.Steps[maxQuiet].Number != 1 || v.History != len(steps) {
		t.Errorf("%d steps are shown and %d hidden of %d", len(v.Steps), v.Hidden, v.History)
	}
}
