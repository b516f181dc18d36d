package ui

import (
	"context"

	"github.com/stowage/stowage/views/text"
)

// withMore adds a line that counts what a list of a plan leaves out.
func WithMore(ctx context.Context, lines []PlanLine, kind PlanKind, total int) []PlanLine {
	if more := total - len(lines); more > 0 {
		lines = append(lines, PlanLine{Kind: kind, What: Text(text.T(ctx, "delete.more", text.Count, more)), Size: -1})
	}
	return lines
}
