package pulls

import (
	"fmt"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/pulls"
)

func TestPlatformsToTickAreThoseThatCanBeAskedFor(t *testing.T) {
	windows := make([]image.Platform, 0, 60)
	for i := range 60 {
		windows = append(windows, image.Platform{OS: "windows", Architecture: "amd64", OSVersion: fmt.Sprintf("10.0.%d", 10000+i)})
	}
	amd64, arm64 := image.Platform{OS: "linux", Architecture: "amd64"}, image.Platform{OS: "linux", Architecture: "arm64"}
	arm := image.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	hostile := image.Platform{OS: "linux\u202e<b>", Architecture: "amd64"}
	choices, further := platformChoices(append(windows, hostile, arm64, amd64), []image.Platform{arm}, amd64)
	if len(choices) != maxChoices || further != 60+3-maxChoices {
		t.Errorf("%d choices and %d further", len(choices), further)
	}
	if choices[0] != (pulls.PlatformBox{Platform: "linux/amd64", Default: true}) || choices[1] != (pulls.PlatformBox{Platform: "linux/arm/v7", Ticked: true}) || choices[2].Platform != "linux/arm64" {
		t.Errorf("%+v", choices[:3])
	}
	if alone, _ := platformChoices(nil, nil, amd64); len(alone) != 1 || !alone[0].Ticked {
		t.Errorf("%+v", alone)
	}
}
