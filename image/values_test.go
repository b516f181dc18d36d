package image

import (
	"strings"
	"testing"
)

func TestJSONOfAGreatManyValuesIsRefusedBeforeItIsRead(t *testing.T) {
	many := "[" + strings.Repeat("{},", MaxValues) + "{}]"
	for name, raw := range map[string]string{"an index": `{"manifests":` + many + `}`,
		"a manifest": `{"config":{},"layers":` + many + `}`} {
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

func TestJSONNestedDeeperThan100LevelsIsRefusedWhereItComesIn(t *testing.T) {
	nested := func(levels int) string {
		return `"x":` + strings.Repeat("[", levels) + "1" + strings.Repeat("]", levels)
	}
	manifest := func(levels int) []byte {
		return []byte(`{"mediaType":"` + MediaTypeDockerManifest + `","config":{"digest":"` + string(DigestOf(nil)) +
			`"},"layers":[],` + nested(levels) + `}`)
	}
	config := func(levels int) []byte { return []byte(`{"rootfs":{},` + nested(levels) + `}`) }
	parsers := map[string]func(levels int) error{
		"a manifest":     func(n int) error { _, err := ParseDocument("", manifest(n)); return err },
		"an attestation": func(n int) error { _, err := ParseAttestation("", manifest(n)); return err },
		"a config":       func(n int) error { _, err := ParseConfig(config(n), &Manifest{}); return err },
		"any document":   func(n int) error { return CheckJSON(config(n)) },
	}
	for name, parse := range parsers {
		if err := parse(MaxNesting - 1); err != nil { // the object around is a level too
			t.Errorf("%s of %d levels: %v", name, MaxNesting, err)
		}
		for _, levels := range []int{MaxNesting, 6000, 1 << 20} {
			if err := parse(levels); KindOf(err) != Corrupt || !strings.Contains(err.Error(), "nested deeper than 100 levels") {
				t.Errorf("%s with %d levels more: %v", name, levels, err)
			}
		}
	}
	// What is stored already is still read.
	if _, err := ParseStoredDocument("", manifest(6000)); err != nil {
		t.Error(err)
	}
	if _, err := ParseStoredConfig(config(6000), &Manifest{}); err != nil {
		t.Error(err)
	}
	// A level is none inside a text, and a web page has none.
	for _, raw := range []string{`{"x":"` + strings.Repeat(`\"[{`, 1000) + `"}`, "<script>" + strings.Repeat("{[", 1000),
		""} {
		if err := CheckNesting([]byte(raw)); err != nil {
			t.Errorf("%.40s: %v", raw, err)
		}
	}
}

func TestValuesAreCountedOutsideOfTexts(t *testing.T) {
	for raw, want := range map[string]int{``: 0, `{}`: 1, `[1,2,3]`: 3, `{"a":[1,{"b":2}]}`: 4, `["a,b","[\"{\\",1]`: 3,
		`"`: 0, `"\`: 0} {
		if n := CountValues([]byte(raw)); n != want {
			t.Errorf("%s has %d values, want %d", raw, n, want)
		}
	}
}
