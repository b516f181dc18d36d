package image

import (
	"strings"
	"testing"
)

func TestJSONOfAGreatManyValuesIsRefusedBeforeItIsRead(t *testing.T) {
	many := "[" + strings.Repeat("{},", MaxValues) + "{}]"
	for name, raw := range map[string]string{"an index": `{"manifests":` + many + `}`, "a manifest": `{"config":{},"layers":` + many + `}`} {
		if _, err := ParseDocument("", []byte(raw)); KindOf(err) != TooLarge || !strings.Contains(err.Error(), "values") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseConfig([]byte(`{"history":`+many+`}`), &Manifest{}); KindOf(err) != TooLarge {
		t.Errorf("a config: %v", err)
	}
	// What is written in a text is none.
	if _, err := ParseConfig([]byte(`{"comment":"`+strings.Repeat(`\"[{,`, MaxValues)+`"}`), &Manifest{}); err != nil {
		t.Error(err)
	}
}

func TestValuesAreCountedOutsideOfTexts(t *testing.T) {
	for raw, want := range map[string]int{``: 0, `{}`: 1, `[1,2,3]`: 3, `{"a":[1,{"b":2}]}`: 4, `["a,b","[\"{\\",1]`: 3, `"`: 0, `"\`: 0} {
		if n := CountValues([]byte(raw)); n != want {
			t.Errorf("%s has %d values, want %d", raw, n, want)
		}
	}
}
