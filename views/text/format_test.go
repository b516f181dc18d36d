package text

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/docker/go-units"
)

func korean() context.Context {
	return WithLocale(context.Background(), Locale{Lang: Korean})
}

func TestSizesAreDockersWithASpace(t *testing.T) {
	for _, tt := range []struct {
		n    int64
		want string
	}{
		{-1, "–"}, {0, "0 B"}, {1, "1 B"}, {999, "999 B"}, {1000, "1 kB"}, {4208, "4.208 kB"},
		{152_345_678, "152.3 MB"}, {61_000_000, "61 MB"}, {999_949, "999.9 kB"}, {999_950, "1 MB"}, {999_999_999, "1 GB"},
		{3_100_000_000, "3.1 GB"}, {1 << 62, "4.612 EB"},
	} {
		if got := HumanSize(tt.n); got != tt.want {
			t.Errorf("HumanSize(%d) = %q, want %q", tt.n, got, tt.want)
		}
	}
	for _, n := range []int64{7, 4208, 77_900_000, 1_234_567_890} {
		if got, docker := strings.ReplaceAll(HumanSize(n), " ", ""), units.HumanSize(float64(n)); got != docker {
			t.Errorf("HumanSize(%d) = %q, docker says %q", n, got, docker)
		}
	}
}

func TestRates(t *testing.T) {
	for rate, want := range map[float64]string{0: "0 B/s", -5: "0 B/s", 41_234_567: "41.23 MB/s"} {
		if got := HumanRate(rate); got != want {
			t.Errorf("HumanRate(%v) = %q, want %q", rate, got, want)
		}
	}
}

func TestExactBytesAreGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 152345678: "152,345,678", -1234: "-1,234"} {
		if got := Grouped(n); got != want {
			t.Errorf("Grouped(%d) = %q, want %q", n, got, want)
		}
	}
	if got := ExactBytes(context.Background(), 152345678); got != "152,345,678 bytes" {
		t.Error(got)
	}
	if got := ExactBytes(korean(), -1); got != "크기를 알 수 없음" {
		t.Error(got)
	}
}

func TestPercentSays100OnlyWhenAllIsThere(t *testing.T) {
	for _, tt := range []struct {
		part, whole int64
		want        int
	}{{0, 0, 0}, {0, 10, 0}, {5, 0, 100}, {999, 1000, 99}, {1000, 1000, 100}, {1001, 1000, 100}, {-1, 10, 0}, {1 << 61, 1 << 62, 50}} {
		if got := Percent(tt.part, tt.whole); got != tt.want {
			t.Errorf("Percent(%d, %d) = %d, want %d", tt.part, tt.whole, got, tt.want)
		}
	}
}

func TestAgesAreDockers(t *testing.T) {
	at := time.Date(2024, 1, 3, 5, 32, 10, 0, time.UTC)
	ctx := WithLocale(context.Background(), Locale{Now: at})
	for d := time.Duration(0); d < 5*365*24*time.Hour; d = d*21/20 + 300*time.Millisecond {
		if got, want := HumanAge(ctx, at.Add(-d)), units.HumanDuration(d)+" ago"; got != want {
			t.Errorf("%v: %q, docker says %q", d, got, want)
		}
	}
}

func TestAgesInKorean(t *testing.T) {
	at := time.Date(2024, 1, 3, 5, 32, 10, 0, time.UTC)
	ctx := WithLocale(context.Background(), Locale{Lang: Korean, Now: at})
	for d, want := range map[time.Duration]string{
		0: "방금 전", -time.Hour: "방금 전", 5 * time.Second: "5초 전", 90 * time.Second: "약 1분 전",
		2 * time.Hour: "2시간 전", 13 * 24 * time.Hour: "13일 전", 3 * 365 * 24 * time.Hour: "3년 전",
	} {
		if got := HumanAge(ctx, at.Add(-d)); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestAnUnknownTimeIsADash(t *testing.T) {
	for _, got := range []string{HumanAge(context.Background(), time.Time{}), AbsoluteTime(time.Time{}), Minutely(time.Time{})} {
		if got != "–" {
			t.Errorf("%q", got)
		}
	}
}

func TestAbsoluteTimesAreUTC(t *testing.T) {
	at := time.Date(2023, 12, 21, 14, 32, 10, 0, time.FixedZone("KST", 9*3600))
	if got := AbsoluteTime(at); got != "2023-12-21 05:32:10 UTC" {
		t.Error(got)
	}
	if got := Minutely(at); got != "2023-12-21 05:32" {
		t.Error(got)
	}
}

func TestDurationsHaveTwoUnitsAtMost(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		-time.Second:                             {"0 s", "0초"},
		0:                                        {"0 s", "0초"},
		200 * time.Millisecond:                   {"under 1 s", "1초 미만"},
		2 * time.Second:                          {"2 s", "2초"},
		time.Minute:                              {"1 min", "1분"},
		125 * time.Second:                        {"2 min 5 s", "2분 5초"},
		15*time.Minute + 20*time.Second:          {"15 min", "15분"},
		3 * time.Hour:                            {"3 h", "3시간"},
		3*time.Hour + 20*time.Minute + time.Hour: {"4 h 20 min", "4시간 20분"},
	} {
		if got := HumanDuration(context.Background(), d); got != want[0] {
			t.Errorf("%v: %q, want %q", d, got, want[0])
		}
		if got := HumanDuration(korean(), d); got != want[1] {
			t.Errorf("%v: %q, want %q", d, got, want[1])
		}
	}
}

func TestPlatformsAreShortInLists(t *testing.T) {
	for platform, want := range map[string]string{
		"linux/amd64": "amd64", "linux/arm64": "arm64", "linux/arm/v7": "arm/v7",
		"windows/amd64": "windows/amd64", "windows(10.0.17763.1)/amd64": "windows/amd64", "wasip1/wasm": "wasip1/wasm", "": "", ")(": ")(",
	} {
		if got := ShortPlatform(platform); got != want {
			t.Errorf("ShortPlatform(%q) = %q, want %q", platform, got, want)
		}
	}
}

func TestDigestsAreShortAsDockers(t *testing.T) {
	for d, want := range map[string]string{
		"sha256:391a00ec7caca2282ad0db623c27f03bab803975c9e3942a24e974f07142d5d6": "391a00ec7cac", "391a00ec7caca228": "391a00ec7cac", "sha256:39": "39", "": "",
	} {
		if got := ShortDigest(d); got != want {
			t.Errorf("ShortDigest(%q) = %q, want %q", d, got, want)
		}
	}
}
