package cleanup

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stowage/stowage/views/text"
)

// box is a rectangle, in the units of a drawing.
type box struct{ X, Y, W, H float64 }

// right and bottom give the far edges.
func (b box) right() float64  { return b.X + b.W }
func (b box) bottom() float64 { return b.Y + b.H }

// squarify divides a box among sizes, so that each gets an area in proportion and comes near a square (Bruls, Huizing,
// van Wijk: Squarified Treemaps, 2000). The sizes are over zero and the largest come first. The boxes are in their
// order, fill the whole and do not overlap.
func squarify(sizes []int64, whole box) []box {
	var sum float64
	for _, n := range sizes {
		sum += float64(n)
	}
	boxes := make([]box, 0, len(sizes))
	scale := whole.W * whole.H / sum
	for rest := whole; len(boxes) < len(sizes); {
		if rest.W <= 0 || rest.H <= 0 { // the others are so large that rounding leaves nothing
			boxes = append(boxes, box{X: rest.X, Y: rest.Y})
			continue
		}
		row := rowOf(sizes[len(boxes):], scale, min(rest.W, rest.H))
		last := len(boxes)+row == len(sizes)
		var placed []box
		placed, rest = place(sizes[len(boxes):len(boxes)+row], scale, rest, last)
		boxes = append(boxes, placed...)
	}
	return boxes
}

// rowOf returns how many of the sizes go into the next row along a side of that length: as long as the worst of them
// comes no farther from a square.
func rowOf(sizes []int64, scale, side float64) int {
	var area float64
	best := math.Inf(1)
	for i, n := range sizes {
		area += float64(n) * scale
		// The largest of a row, its first, and the smallest, its last, are the ones farthest from a square.
		thick := area / side
		worst := 0.0
		for _, s := range []int64{sizes[0], n} {
			long := float64(s) * scale / thick
			worst = max(worst, thick/long, long/thick)
		}
		if worst > best {
			return i
		}
		best = worst
	}
	return len(sizes)
}

// place lays a row along the shorter side of a box and gives what is left of the box. The last row takes all of it, so
// that no rounding leaves a gap.
func place(sizes []int64, scale float64, in box, last bool) (row []box, rest box) {
	var area float64
	for _, n := range sizes {
		area += float64(n) * scale
	}
	upright := in.W >= in.H // the row is a column at the left
	side := min(in.W, in.H)
	thick := area / side
	if last {
		thick = max(in.W, in.H)
	}
	at := 0.0
	for i, n := range sizes {
		long := float64(n) * scale / thick
		if i == len(sizes)-1 {
			long = side - at
		}
		if upright {
			row = append(row, box{in.X, in.Y + at, thick, long})
		} else {
			row = append(row, box{in.X + at, in.Y, long, thick})
		}
		at += long
	}
	if upright {
		return row, box{in.X + thick, in.Y, in.W - thick, in.H}
	}
	return row, box{in.X, in.Y + thick, in.W, in.H - thick}
}

// tenths rounds the edges of a box to tenths: boxes that touched still do.
func (b box) tenths() box {
	round := func(n float64) float64 { return math.Round(n*10) / 10 }
	x, y := round(b.X), round(b.Y)
	return box{x, y, round(b.right()) - x, round(b.bottom()) - y}
}

// textWidth estimates how wide a text is at a size in pixels, a little on the safe side: letters of Inter are about
// half as wide as high, those of Korean as wide as high.
func textWidth(s string, size float64) float64 {
	width := 0.0
	for _, r := range s {
		switch {
		case r >= 0x1100:
			width++
		case strings.ContainsRune("iljtfrI.,:;/|-'()[] ", r):
			width += 0.4
		case strings.ContainsRune("mwMW@%", r):
			width += 0.95
		default:
			width += 0.62
		}
	}
	return width * size
}

// fitName shortens a repository's name to a width: to what follows its last slash, which tells most, then to the
// beginning of that. It is empty where not even a few letters fit.
func fitName(name string, width, size float64) string {
	if textWidth(name, size) <= width {
		return name
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	if textWidth(name, size) <= width {
		return name
	}
	const fewest = 3
	for utf8.RuneCountInString(name) > fewest {
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
		if short := strings.TrimRight(name, "-._ ") + "…"; textWidth(short, size) <= width {
			return short
		}
	}
	return ""
}

// What a treemap is drawn in: about the pixels that it has on a wide screen, so that its text has the page's size.
const (
	mapWidth  = 720.0
	mapHeight = 360.0
)

// The insides of a tile, in pixels.
const (
	tilePad      = 8.0
	tileName     = 13.0 // size of the letters
	tileSize     = 11.5
	tileOneLine  = 24.0 // height from which on there is room for the name
	tileTwoLines = 42.0 // and for the size below it
)

// mapTile is a tile of the map, with as much text as fits into it.
type mapTile struct {
	MapPart
	box
	Name string // empty where there is no room
	Size string // empty where there is no room
}

// tiles draws the parts.
func tiles(parts []MapPart) []mapTile {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p MapPart) bool { return p.Bytes <= 0 })
	slices.SortStableFunc(parts, func(a, b MapPart) int {
		switch {
		case a.Bytes > b.Bytes:
			return -1
		case a.Bytes < b.Bytes:
			return 1
		}
		return 0
	})
	sizes := make([]int64, len(parts))
	for i, p := range parts {
		sizes[i] = p.Bytes
	}
	drawn := make([]mapTile, len(parts))
	for i, b := range squarify(sizes, box{W: mapWidth, H: mapHeight}) {
		t := mapTile{MapPart: parts[i], box: b.tenths()}
		inside := t.W - 2*tilePad
		if t.H >= tileOneLine {
			t.Name = fitName(t.Label, inside, tileName)
		}
		if size := text.HumanSize(t.Bytes); t.Name != "" && t.H >= tileTwoLines && textWidth(size, tileSize) <= inside {
			t.Size = size
		}
		drawn[i] = t
	}
	return drawn
}
