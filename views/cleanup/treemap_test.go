package cleanup

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/shelf"
)

// mixes are sizes that a treemap has to cope with, largest first.
func mixes() map[string][]int64 {
	random := rand.New(rand.NewPCG(4, 4))
	many := make([]int64, 400)
	for i := range many {
		many[i] = 1 + random.Int64N(1<<random.IntN(40))
	}
	slices.SortFunc(many, func(a, b int64) int { return int(max(-1, min(1, b-a))) })
	return map[string][]int64{
		"one": {7}, "two": {3, 1}, "equal": {5, 5, 5, 5, 5, 5, 5}, "the paper's": {6, 6, 4, 3, 2, 2, 1},
		"one giant": {1 << 50, 3, 2, 1}, "steps": {1 << 40, 1 << 30, 1 << 20, 1 << 10, 1}, "many": many,
	}
}

func TestTheTilesOfATreemapHaveAreasInProportion(t *testing.T) {
	whole := box{X: 10, Y: 20, W: 720, H: 360}
	for name, sizes := range mixes() {
		var sum int64
		for _, n := range sizes {
			sum += n
		}
		for i, b := range squarify(sizes, whole) {
			want := float64(sizes[i]) / float64(sum) * whole.W * whole.H
			if got := b.W * b.H; math.Abs(got-want) > 1e-6*whole.W*whole.H {
				t.Errorf("%s: tile %d has an area of %g, want %g", name, i, got, want)
			}
		}
	}
}

func TestTheTilesOfATreemapFillTheBoxWithoutOverlap(t *testing.T) {
	whole := box{X: 10, Y: 20, W: 720, H: 360}
	for name, sizes := range mixes() {
		boxes := squarify(sizes, whole)
		if len(boxes) != len(sizes) {
			t.Fatalf("%s: %d tiles for %d sizes", name, len(boxes), len(sizes))
		}
		var area float64
		for i, b := range boxes {
			area += b.W * b.H
			const slack = 1e-6
			if b.W < 0 || b.H < 0 || b.X < whole.X-slack || b.Y < whole.Y-slack || b.right() > whole.right()+slack || b.bottom() > whole.bottom()+slack {
				t.Errorf("%s: tile %d is outside: %+v", name, i, b)
			}
			for j, o := range boxes[:i] {
				if min(b.right(), o.right())-max(b.X, o.X) > slack && min(b.bottom(), o.bottom())-max(b.Y, o.Y) > slack {
					t.Errorf("%s: tiles %d and %d overlap: %+v, %+v", name, j, i, o, b)
				}
			}
		}
		if math.Abs(area-whole.W*whole.H) > 1e-6*whole.W*whole.H {
			t.Errorf("%s: the tiles fill %g of %g", name, area, whole.W*whole.H)
		}
	}
}

func TestTheTilesOfATreemapAreNearSquares(t *testing.T) {
	// The paper's example, in its box of 6 by 4: no tile is longer than three times its width.
	for i, b := range squarify([]int64{6, 6, 4, 3, 2, 2, 1}, box{W: 6, H: 4}) {
		if ratio := max(b.W/b.H, b.H/b.W); ratio > 3.01 {
			t.Errorf("tile %d is %g by %g", i, b.W, b.H)
		}
	}
}

func TestRoundedTilesStillTouch(t *testing.T) {
	boxes := squarify(mixes()["many"], box{W: mapWidth, H: mapHeight})
	for i, b := range boxes {
		r := b.tenths()
		for j, o := range boxes[:i] {
			q := o.tenths()
			if min(r.right(), q.right())-max(r.X, q.X) > 1e-9 && min(r.bottom(), q.bottom())-max(r.Y, q.Y) > 1e-9 {
				t.Fatalf("tiles %d and %d overlap: %+v, %+v", j, i, q, r)
			}
		}
	}
}

func TestTextStandsOnlyOnTilesWithRoomForIt(t *testing.T) {
	parts := []MapPart{
		{Kind: PartRepository, Label: "registry.example.com/observability/very-long-exporter-name-of-somebody", Bytes: 500},
		{Kind: PartRepository, Label: "postgres", Bytes: 4000}, {Kind: PartDangling, Label: "dangling", Bytes: 1}, {Kind: PartWaiting, Bytes: 0},
	}
	drawn := tiles(parts)
	if len(drawn) != 3 {
		t.Fatalf("%d tiles: %+v", len(drawn), drawn)
	}
	if drawn[0].Name != "postgres" || drawn[0].Size != "4 kB" {
		t.Errorf("the largest says %q %q", drawn[0].Name, drawn[0].Size)
	}
	if long := drawn[1]; textWidth(long.Name, tileName) > long.W-2*tilePad || !strings.HasPrefix(long.Name, "very") {
		t.Errorf("the long one says %q in %g", long.Name, long.W)
	}
	if small := drawn[2]; small.Name != "" || small.Size != "" {
		t.Errorf("the smallest, %g by %g, says %q %q", small.W, small.H, small.Name, small.Size)
	}
}

func TestANameIsShortenedToWhatTellsMost(t *testing.T) {
	for _, tt := range []struct {
		name  string
		width float64
		want  string
	}{
		{"ghcr.io/acme/api", 200, "ghcr.io/acme/api"}, {"ghcr.io/acme/api", 60, "api"}, {"postgres-backup", 60, "postgr…"},
		{"postgres", 10, ""}, {"한국어저장소", 60, "한국어…"}, {"", 60, ""},
	} {
		if got := fitName(tt.name, tt.width, tileName); got != tt.want {
			t.Errorf("%q in %g: %q, want %q", tt.name, tt.width, got, tt.want)
		}
	}
}

func TestSmallRepositoriesShareATile(t *testing.T) {
	ctx := context.Background()
	shares := []shelf.RepositoryUsage{{Repository: "docker.io/library/a", Own: 10_000, Tags: 2}, {Repository: "docker.io/library/b", Own: 60}, {Repository: "docker.io/library/c", Own: 10}}
	parts := RepositoryParts(ctx, shares, 97, 500, 11_000)
	want := []MapPart{
		{Kind: PartRepository, Label: "a", Note: "2 tags; what they share with other repositories is not in here.", URL: "/images/docker.io/library/a", Bytes: 10_000},
		{Kind: PartRepository, Label: "b", Note: "0 tags; what they share with other repositories is not in here.", URL: "/images/docker.io/library/b", Bytes: 60},
		{Kind: PartOthers, Label: "other (98 repositories)", URL: "/images?sort=-size", Bytes: 510},
	}
	if !slices.Equal(parts, want) {
		t.Errorf("%+v", parts)
	}
	if parts := RepositoryParts(ctx, shares, 0, 0, 100_000); len(parts) != 2 || parts[1].Label != "other (2 repositories)" || parts[1].Bytes != 70 {
		t.Errorf("%+v", parts)
	}
	if parts := RepositoryParts(ctx, shares[:2], 0, 0, 100_000); len(parts) != 2 || parts[1].Label != "b" {
		t.Errorf("one small one has no tile of its own: %+v", parts)
	}
}

func TestATreemapIsOfLinksWithTitles(t *testing.T) {
	var b strings.Builder
	parts := []MapPart{{Kind: PartRepository, Label: `a"><script>`, URL: "/images/a", Note: "1 tag.", Bytes: 2_000_000}, {Kind: PartShared, Label: "shared", URL: "#largest", Bytes: 1_000_000}}
	if err := treemap(parts).Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<a class="tile-repository" href="/images/a" aria-label="a&#34;&gt;&lt;script&gt;: 2 MB. 1 tag.">`, `<title>`, `<rect x="0" y="0" width="480" height="360">`, `class="tile-shared"`, "1 MB</text>"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it lacks %s\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "<script>") || strings.Contains(b.String(), "style=") {
		t.Error(b.String())
	}
}
