package docker

import (
	"strings"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/text/width"

	"github.com/stowage/stowage/image"
)

// HistoryRow is a line of `docker history`.
type HistoryRow struct {
	ID        image.Digest // of the image in the first line; empty in the others, which docker calls <missing>
	Created   time.Time
	CreatedBy string
	Size      int64 // bytes as docker counts them; negative while unknown
	Comment   string
}

// History returns what `docker history` shows of an image, newest first: entries that are not empty_layer take the
// sizes of the layers in order, base first, and layers beyond the history are not shown (moby,
// daemon/images/image_history.go).
func History(id image.Digest, c *image.Config, sizes []int64) []HistoryRow {
	rows := make([]HistoryRow, len(c.History))
	for i, s := range c.Steps()[:len(c.History)] {
		row := HistoryRow{CreatedBy: s.CreatedBy, Comment: s.Comment}
		if s.Created != nil {
			row.Created = *s.Created
		}
		if s.Layer >= 0 && s.Layer < len(sizes) {
			row.Size = sizes[s.Layer]
		}
		rows[len(rows)-1-i] = row
	}
	if len(rows) > 0 {
		rows[0].ID = id
	}
	return rows
}

const (
	historyCut  = 45 // columns of CREATED BY (docker/cli, cli/command/image/formatter_history.go)
	minColumn   = 10 // columns of a column with its gap, and of the gap (docker/cli, cli/command/formatter/formatter.go)
	columnGap   = 3
	unknownText = "N/A"
)

// oldestHistory is the time before which docker does not believe a history's dates.
var oldestHistory = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// HistoryTable returns rows as `docker history` prints them, with --no-trunc where whole is true. TooLarge where that
// is more than anybody reads.
func HistoryTable(rows []HistoryRow, whole bool, now time.Time) (string, error) {
	table := [][]string{{"IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"}}
	for _, r := range rows {
		id, by := "<missing>", strings.ReplaceAll(r.CreatedBy, "\t", " ")
		if r.ID != "" {
			id = string(r.ID)
		}
		if !whole {
			if by = cutColumns(by, historyCut); r.ID != "" {
				id = image.ShortDigest(r.ID)
			}
		}
		created, size := unknownText, unknownText
		if !r.Created.Before(oldestHistory) {
			created = units.HumanDuration(now.UTC().Sub(r.Created)) + " ago"
		}
		if r.Size >= 0 {
			size = units.HumanSizeWithPrecision(float64(r.Size), 3)
		}
		table = append(table, []string{id, created, by, size, r.Comment})
	}
	return alignColumns(table)
}

// maxTable bounds the bytes of a table: each cell takes the room of the widest, and a config is hostile.
const maxTable = 16 << 20

// alignColumns writes a table as docker's tabwriter does: each column but the last is as wide as its widest cell and a
// gap.
func alignColumns(table [][]string) (string, error) {
	widths := make([]int, len(table[0])-1)
	for _, row := range table {
		for i := range widths {
			widths[i] = max(widths[i], minColumn, columns(row[i])+columnGap)
		}
	}
	line := 0
	for _, w := range widths {
		line += w
	}
	if line > maxTable/len(table) {
		return "", image.Errorf(image.TooLarge, "the history makes a table of more than %d bytes", maxTable).
			Suggest("The config has it as it was written.")
	}
	var b strings.Builder
	for _, row := range table {
		for i, w := range widths {
			b.WriteString(row[i])
			b.WriteString(strings.Repeat(" ", w-columns(row[i])))
		}
		b.WriteString(row[len(widths)] + "\n")
	}
	return b.String(), nil
}

// cutColumns cuts a text that is wider than a number of columns, and ends it with an ellipsis then, as docker does.
func cutColumns(s string, most int) string {
	if columns(s) <= most {
		return s
	}
	used := 0
	for i, r := range s {
		if used += columnsOf(r); used > most-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// columns returns how many columns of a terminal a text takes, as docker counts: two for wide East Asian characters.
func columns(s string) (n int) {
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
