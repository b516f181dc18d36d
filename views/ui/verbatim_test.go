package ui

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stowage/stowage/views/text"
)

func TestForeignTextCannotHideOrReorderAnything(t *testing.T) {
	ctx := t.Context()
	for given, want := range map[string]string{
		"plain":                 "<bdi>plain</bdi>",
		"<script>&\"":           "<bdi>&lt;script&gt;&amp;&#34;</bdi>",
		"a\u202egnp.exe":        `<bdi>a<span class="text-warning">\u202e</span>gnp.exe</bdi>`,
		"\x1b[31mred":           `<bdi><span class="text-warning">\x1b</span>[31mred</bdi>`,
		"a\r\nb\tc":             "<bdi>a<span class=\"text-warning\">\\r</span>\nb\tc</bdi>",
		"zero\u200b\ufeffwidth": `<bdi>zero<span class="text-warning">\u200b\ufeff</span>width</bdi>`,
		"bad\xffbyte \ufffd":    "<bdi>bad<span class=\"text-warning\">\\xff</span>byte \ufffd</bdi>",
		"한국어 \u200dand joiners": "<bdi>한국어 \u200dand joiners</bdi>",
	} {
		if got := rendered(t, ctx, Verbatim(given)); got != want {
			t.Errorf("%q is shown as %s, want %s", given, got, want)
		}
	}
	if got := text.Visible("a\u202e<b>"); got != `a\u202e<b>` {
		t.Errorf("as plain text: %q", got)
	}
}

func TestForeignTextIsCutOffAndCounted(t *testing.T) {
	got := rendered(t, t.Context(), Verbatim(strings.Repeat("한", MaxVerbatim)))
	shown := strings.Count(got, "한")
	if shown*3 > MaxVerbatim || shown*3 < MaxVerbatim-3 {
		t.Errorf("%d characters are shown", shown)
	}
	if rest := text.Grouped(int64(MaxVerbatim*3 - shown*3)); !strings.Contains(got, rest+" bytes more") {
		t.Errorf("the page does not say that %s bytes are left out", rest)
	}
}

func TestJSONMeansTheSameWithHiddenCharactersEscaped(t *testing.T) {
	in, err := json.Marshal("a\u202eb \u200b\U000e0041 \u200d plain")
	if err != nil {
		t.Fatal(err)
	}
	out, changed := visibleJSON(in)
	if !changed || strings.ContainsAny(string(out), "\u202e\u200b\U000e0041") {
		t.Errorf("hidden characters stay: %s", out)
	}
	var a, b string
	if err := json.Unmarshal(out, &b); err != nil || json.Unmarshal(in, &a) != nil || a != b {
		t.Errorf("%s means %q, not %q: %v", out, b, a, err)
	}
	if same, changed := visibleJSON([]byte("{\r\n\t\"a\": 1}")); changed || string(same) != "{\r\n\t\"a\": 1}" {
		t.Errorf("plain JSON became %q", same)
	}
}

func TestDocumentsAreIndentedOnlyWhereTheyAreOneLine(t *testing.T) {
	for _, c := range []struct {
		raw, want string
		indented  bool
	}{
		{`{"b":1.0,"a":"\u003c"}`, "{\n  \"b\": 1.0,\n  \"a\": \"\\u003c\"\n}", true},
		{"{\"b\":1}\n", "{\n  \"b\": 1\n}\n", true},
		{"{\n   \"b\" :1}", "{\n   \"b\" :1}", false},
		{"not json", "not json", false},
	} {
		if got, indented := readable([]byte(c.raw)); string(got) != c.want || indented != c.indented {
			t.Errorf("%q is shown as %q, %v", c.raw, got, indented)
		}
	}
}
