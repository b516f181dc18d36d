package imagepage

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

func TestOnlyWebAddressesBecomeLinks(t *testing.T) {
	for value, want := range map[string]bool{
		"https://github.com/org/app": true, "http://example.com": true,
		"javascript:alert(1)": false, "data:text/html,x": false, "//example.com": false, "https://": false, "ftp://example.com": false,
		"https://user:pw@example.com": false, "https://example.com/\u202e": false, "https://a b": false, " https://example.com": false,
		"https://example.com/" + strings.Repeat("a", 3000): false,
	} {
		if got := webAddress(value) != ""; got != want {
			t.Errorf("%.40q is a link: %v", value, got)
		}
	}
}

func TestHealthChecksAreWordedForPeople(t *testing.T) {
	ctx := t.Context()
	h := &image.Healthcheck{Test: []string{"CMD", "curl", "a b"}, Interval: 10e9, Timeout: 1500e6, StartPeriod: 60e9, Retries: 3}
	if got := healthTest(ctx, h); got != "curl 'a b'" {
		t.Errorf("test %q", got)
	}
	if got, want := healthTimes(ctx, h), "every 10 s · time-out 1.5s · start period 1 min · unhealthy after 3 failures"; got != want {
		t.Errorf("times %q, want %q", got, want)
	}
	for _, c := range []struct {
		test []string
		want string
	}{{nil, "inherited from the base image"}, {[]string{"NONE"}, "switched off"}, {[]string{"CMD-SHELL", "a || b"}, "a || b"}, {[]string{"odd", "x"}, "odd x"}} {
		if got := healthTest(ctx, &image.Healthcheck{Test: c.test}); got != c.want {
			t.Errorf("%v is worded %q", c.test, got)
		}
	}
}

func TestAListOfVeryManyLinesIsCutOffAndCounted(t *testing.T) {
	c := &image.Config{}
	for i := range maxPairs + 7 {
		c.Config.Env = append(c.Config.Env, "NAME"+strconv.Itoa(i)+"=x")
	}
	got := rendered(t, t.Context(), ConfigSection(ConfigView{Config: c}))
	if n := strings.Count(got, "<tr>"); n != maxPairs+1 || !strings.Contains(got, "7 more are not shown") {
		t.Errorf("%d rows", n)
	}
}

func TestManyPlatformsAreFoldedAndTheCurrentOneStaysInView(t *testing.T) {
	var all []PlatformChoice
	for i := range 12 {
		all = append(all, PlatformChoice{Name: strconv.Itoa(i), Stored: i == 11, Current: i == 10})
	}
	shown, folded := foldChoices(all)
	var names []string
	for _, c := range shown {
		names = append(names, c.Name)
	}
	if got, want := strings.Join(names, " "), "11 0 1 2 3 4 10"; got != want || len(folded) != 5 {
		t.Errorf("in view: %s, want %s; %d folded", got, want, len(folded))
	}
	seen := map[string]bool{}
	for _, c := range append(shown, folded...) {
		seen[c.Name] = true
	}
	if len(seen) != 12 {
		t.Errorf("%d of 12 platforms are left", len(seen))
	}
	if shown, folded := foldChoices(all[:8]); len(shown) != 8 || folded != nil {
		t.Errorf("of eight, %d are in view", len(shown))
	}
}
