package record

import (
	"cmp"
	"context"
	"database/sql"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/database"
)

// mostLines bounds one page.
const mostLines = 1000

const selectLines = `SELECT r.id, r.at, r.since, r.times,
	r.actor_kind, r.actor_id, coalesce(b.name, r.actor_name), b.name IS NULL,
	r.via, r.credential, r.address, r.request, r.action, r.repository, r.tag, r.digest,
	r.about_kind, r.about_id, coalesce(a.name, r.about_name), a.name IS NULL, r.outcome, r.detail
	FROM record r LEFT JOIN people b ON b.id = r.actor_id LEFT JOIN people a ON a.id = r.about_id`

func scanLine(rows *sql.Rows) (l shelf.Line, err error) {
	var at, since int64
	var byFormer, aboutFormer bool
	err = rows.Scan(&l.ID, &at, &since, &l.Times, &l.By.Kind, &l.By.Former, &l.By.Name, &byFormer,
		&l.From.Via, &l.From.Credential, &l.From.Address, &l.From.Request, &l.Action, &l.What.Repository, &l.What.Tag,
		&l.What.Digest, &l.About.Kind, &l.About.Former, &l.About.Name, &aboutFormer, &l.Outcome, &l.Detail)
	l.At, l.Since = database.FromMillis(at), database.FromMillis(since)
	if !byFormer {
		l.By.Former = 0
	}
	if !aboutFormer {
		l.About.Former = 0
	}
	return l, err
}

// One returns one line; image.NotFound where there is none.
func (r *Record) One(ctx context.Context, id int64) (l shelf.Line, err error) {
	err = r.db.View(ctx, func(tx *sql.Tx) error {
		lines, err := database.RowsOf(ctx, tx, scanLine, selectLines+` WHERE r.id = ?`, id)
		switch {
		case err != nil:
			return err
		case len(lines) == 0:
			return image.Errorf(image.NotFound, "the record has no line %d", id).
				Suggest("Lines go when they are older than the record is kept.")
		}
		l = lines[0]
		return nil
	})
	return l, err
}

// Lines returns a page of the lines that q chooses, newest first.
func (r *Record) Lines(ctx context.Context, q shelf.LineQuery) (lines []shelf.Line, err error) {
	err = r.db.View(ctx, func(tx *sql.Tx) error {
		query, args, err := sqlOf(ctx, tx, q)
		if err == nil {
			lines, err = database.RowsOf(ctx, tx, scanLine, query, args...)
		}
		return err
	})
	if q.After != 0 {
		slices.Reverse(lines)
	}
	return lines, err
}

// Export returns all lines that q chooses, newest first. It reads them page by page, so that it holds up no writer
// however slowly they are taken.
func (r *Record) Export(ctx context.Context, q shelf.LineQuery) iter.Seq2[shelf.Line, error] {
	q.Limit, q.After = mostLines, 0
	return func(yield func(shelf.Line, error) bool) {
		for {
			lines, err := r.Lines(ctx, q)
			if err != nil {
				yield(shelf.Line{}, err)
				return
			}
			for _, l := range lines {
				if !yield(l, nil) {
					return
				}
			}
			if len(lines) < mostLines {
				return
			}
			q.Before = lines[len(lines)-1].ID
		}
	}
}

// sqlOf returns the query for a page.
func sqlOf(ctx context.Context, tx *sql.Tx, q shelf.LineQuery) (query string, args []any, err error) {
	var where []string // <> '' where an index has it
	must := func(condition string, values ...any) { where, args = append(where, condition), append(args, values...) }
	for _, party := range []struct{ name, column string }{{q.By, "actor"}, {q.About, "about"}} {
		if party.name == "" {
			continue
		}
		id, name, err := partyNamed(ctx, tx, party.name)
		if err != nil {
			return "", nil, err
		}
		must(`r.`+party.column+`_id = ? AND r.`+party.column+`_name = ?`, id, name)
		if party.column == "about" {
			must(`r.about_kind <> ''`)
		}
	}
	if len(q.Actions) > 0 {
		actions := make([]any, len(q.Actions))
		for i, a := range q.Actions {
			actions[i] = a
		}
		must(`r.action IN (?`+strings.Repeat(`, ?`, len(actions)-1)+`)`, actions...)
	}
	if q.Repository != "" {
		must(`r.repository <> ''`)
		if prefix, _, wild := strings.Cut(q.Repository, "*"); wild {
			must(`r.repository >= ? AND r.repository < ?`, prefix, prefix+"\U0010FFFF")
			must(`r.repository GLOB ?`, pattern(q.Repository))
		} else {
			must(`r.repository = ?`, q.Repository)
		}
	}
	if q.Credential != "" {
		must(`r.credential <> '' AND r.credential = ?`, q.Credential)
	}
	if q.Request != "" {
		must(`r.request <> '' AND r.request = ?`, q.Request)
	}
	if !q.From.IsZero() {
		must(`r.at >= ?`, database.Millis(q.From))
	}
	if !q.Until.IsZero() {
		must(`r.at < ?`, database.Millis(q.Until))
	}
	if q.Troubled {
		must(`r.outcome <> 'done'`)
	}
	if q.Before != 0 {
		must(`(r.at, r.id) < (SELECT at, id FROM record WHERE id = ?)`, q.Before)
	}
	order := `r.at DESC, r.id DESC`
	if q.After != 0 {
		must(`(r.at, r.id) > (SELECT at, id FROM record WHERE id = ?)`, q.After)
		order = `r.at, r.id`
	}
	query = selectLines
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, ` AND `)
	}
	limit := min(cmp.Or(max(q.Limit, 0), mostLines), mostLines)
	return query + ` ORDER BY ` + order + ` LIMIT ?`, append(args, limit), nil
}

// partyNamed returns how lines have the party called name.
func partyNamed(ctx context.Context, tx *sql.Tx, name string) (id int64, kept string, err error) {
	if n, ok := strings.CutPrefix(name, "former member "); ok {
		if id, err := strconv.ParseInt(n, 10, 64); err == nil {
			return id, "", nil
		}
	}
	if id, err = number(ctx, tx, name); id != 0 || err != nil {
		return id, "", err
	}
	return 0, name, nil
}

// pattern returns a text with * as GLOB has it.
func pattern(s string) string { return strings.NewReplacer("[", "[[]", "?", "[?]").Replace(s) }
