package ui

import (
	"bytes"
	"context"
	"html"
	"regexp"
	"strings"
	"testing"
)

const someDigest = "sha256:a2282ad0db623c27f03bab803975c9e3942a24e974f07142d5d69b6b8eaaf9e2"

func highlight(t testing.TB, raw []byte, link func(string) string) string {
	t.Helper()
	var b bytes.Buffer
	if err := HighlightedJSON(raw, link).Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func toLayer(d string) string { return "/layers/" + d }

// shown is what somebody reads or copies of the markup.
func shown(markup string) string {
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(markup, ""))
}

func TestJSONIsColouredByTheKindOfToken(t *testing.T) {
	got := highlight(t, []byte(`{"a\"b" : "c", "n":-1.5e3,"t":[true,null]}`), nil)
	want := `<span class="p">{</span><span class="k">&#34;a\&#34;b&#34;</span> <span class="p">:</span> <span class="s">&#34;c&#34;</span>` +
		`<span class="p">,</span> <span class="k">&#34;n&#34;</span><span class="p">:</span><span class="n">-1.5e3</span><span class="p">,</span>` +
		`<span class="k">&#34;t&#34;</span><span class="p">:[</span><span class="l">true</span><span class="p">,</span><span class="l">null</span><span class="p">]}</span>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDigestsInJSONBecomeLinks(t *testing.T) {
	got := highlight(t, []byte(`{"digest":"`+someDigest+`","ref":"x@`+someDigest+`!"}`), toLayer)
	link := `<a href="/layers/` + someDigest + `">` + someDigest + `</a>`
	if !strings.Contains(got, `<span class="s">&#34;`+link+`&#34;</span>`) || !strings.Contains(got, `x@`+link+`!`) {
		t.Error(got)
	}
	if got := highlight(t, []byte(`"`+someDigest+`"`), func(string) string { return "" }); strings.Contains(got, "<a") {
		t.Errorf("a digest without an address is linked: %s", got)
	}
	if got := highlight(t, []byte(`"`+someDigest+`"`), func(string) string { return "javascript:alert(1)" }); strings.Contains(got, "javascript") {
		t.Errorf("a script is linked: %s", got)
	}
}

func TestHostileJSONStaysText(t *testing.T) {
	for _, raw := range []string{
		`{"<script>alert(1)</script>":"<img src=x onerror=alert(1)>"}`,
		`<script>alert(1)</script>`,
		`{"a":"\u003cscript\u003e`,
		"\xff\xfe<b>\x00",
		`{"x":"</span></pre><script>"}`,
	} {
		got := highlight(t, []byte(raw), toLayer)
		if strings.Contains(got, "<script") || strings.Contains(got, "<img") || strings.Contains(got, "<b>") || strings.Contains(got, "</pre") {
			t.Errorf("%q became %q", raw, got)
		}
	}
}

func TestLargeJSONIsPlain(t *testing.T) {
	raw := []byte(`"` + strings.Repeat("x", maxHighlighted) + `"`)
	if got := highlight(t, raw, toLayer); strings.Contains(got, "<span") {
		t.Error("it is coloured")
	}
}

// Whatever comes in, what is read and copied is what came in.
func FuzzHighlightedJSONShowsWhatItWasGiven(f *testing.F) {
	for _, seed := range []string{``, `{"a":[1,2.5e-3,"x\\\"",true]}`, `{"d":"` + someDigest + `"}`, `{"a":`, `<a href="x">`, "\"\u2028\"", `"\u00e9"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if bytes.ContainsAny(raw, "\x00\r") {
			return // HTML has its own rules for these two
		}
		if got := shown(highlight(t, raw, toLayer)); got != string(raw) {
			t.Errorf("%q is shown as %q", raw, got)
		}
	})
}

func TestJSONOfVeryManyTokensIsColouredAtItsBeginningOnly(t *testing.T) {
	raw := []byte("[" + strings.Repeat("0,", maxTokens) + "0]")
	got := highlight(t, raw, nil)
	if n := strings.Count(got, "<span"); n != maxTokens {
		t.Errorf("%d coloured tokens", n)
	}
	if shown(got) != string(raw) {
		t.Error("the text is another")
	}
}
