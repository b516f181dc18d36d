package record

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
)

var (
	kim  = shelf.Party{Kind: image.ActorPerson, Name: "kim"}
	mira = shelf.Party{Kind: image.ActorPerson, Name: "mira"}
	ci   = shelf.Party{Kind: image.ActorRobot, Name: "ci"}

	stranger = shelf.Party{Kind: image.ActorAnonymous, Name: "192.0.2.1"}
)

// fixture is a record in a database of its own, with a clock.
type fixture struct {
	*Record
	t  *testing.T
	at time.Time
}

func newRecord(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	blobs, err := blob.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	db, err := database.Open(t.Context(), dir, blobs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &fixture{t: t, at: time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)}
	f.Record = New(db, func() time.Time { return f.at })
	for _, name := range []string{"kim", "mira"} {
		f.exec(`INSERT INTO people (name, made_at, made_by) VALUES (?, 1, '')`, name)
	}
	return f
}

func (f *fixture) exec(query string, args ...any) {
	f.t.Helper()
	if err := f.try(query, args...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) try(query string, args ...any) error {
	return f.db.Note(f.t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(f.t.Context(), query, args...)
		return err
	})
}

// note writes a line, a second after the one before.
func (f *fixture) note(l shelf.Line) {
	f.t.Helper()
	f.at = f.at.Add(time.Second)
	if err := f.Note(f.t.Context(), l); err != nil {
		f.t.Fatal(err)
	}
}

// lines returns what q chooses, as numbers of lines.
func (f *fixture) ids(q shelf.LineQuery) string {
	f.t.Helper()
	lines, err := f.Lines(f.t.Context(), q)
	if err != nil {
		f.t.Fatal(err)
	}
	var ids []int64
	for _, l := range lines {
		ids = append(ids, l.ID)
	}
	return strings.Trim(fmt.Sprint(ids), "[]")
}

func TestALineHoldsAllThatWasDone(t *testing.T) {
	f := newRecord(t)
	ref, err := image.ParseReference("ghcr.io/acme/api:v2")
	if err != nil {
		t.Fatal(err)
	}
	want := shelf.Line{
		ID: 1, At: f.at, Since: f.at.Add(-time.Hour), Times: 7, By: kim,
		From:   shelf.WayIn{Via: "session", Credential: "session 12", Address: "10.0.0.1", Request: "r1"},
		Action: image.ActionDelete, What: ref, About: ci, Outcome: shelf.Failed, Detail: "the disk is full",
	}
	if err := f.Note(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := f.One(t.Context(), 1); got != want || err != nil {
		t.Errorf("read %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := f.One(t.Context(), 2); image.KindOf(err) != image.NotFound {
		t.Errorf("a line that is not there: %v", err)
	}
}

func TestALineIsWrittenWithWhatItTellsOfOrNotAtAll(t *testing.T) {
	f := newRecord(t)
	failure := errors.New("it failed")
	err := f.db.Note(t.Context(), func(tx *sql.Tx) error {
		if err := f.Append(t.Context(), tx, shelf.Line{By: kim, Action: image.ActionPin}); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) || f.ids(shelf.LineQuery{}) != "" {
		t.Errorf("%v, lines %q", err, f.ids(shelf.LineQuery{}))
	}
}

func TestALineSaysWhereTheRequestCameFrom(t *testing.T) {
	f := newRecord(t)
	from := shelf.WayIn{Via: "token", Credential: "token 3", Address: "10.0.0.9", Request: "r7"}
	if err := f.Note(shelf.WithWayIn(t.Context(), from), shelf.Line{By: ci, Action: image.ActionPull}); err != nil {
		t.Fatal(err)
	}
	l, err := f.One(t.Context(), 1)
	if err != nil || l.From != from || l.Outcome != shelf.Done || l.Times != 1 || !l.At.Equal(f.at) {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestNothingInTheRecordCanBeChanged(t *testing.T) {
	f := newRecord(t)
	f.note(shelf.Line{By: kim, Action: image.ActionDelete})
	f.note(shelf.Line{By: mira, Action: image.ActionDelete})
	before, err := f.Lines(t.Context(), shelf.LineQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`UPDATE record SET actor_id = 2 WHERE id = 1`,
		`UPDATE record SET detail = '' WHERE id = 1`,
		`DELETE FROM record WHERE id = 1`,
		`DELETE FROM record`,
		`INSERT OR REPLACE INTO record SELECT 1, at, since, times, actor_kind, actor_id, actor_name, via, credential, address,
			request, action, repository, tag, digest, about_kind, about_id, about_name, outcome, detail
			FROM record WHERE id = 2`,
		`UPDATE record_age SET pruned_before = 9999999999999`,
		`DELETE FROM record_age`,
	} {
		if err := f.try(query); err == nil || !strings.Contains(err.Error(), "the record is not") {
			t.Errorf("%s: %v", query, err)
		}
	}
	if after, err := f.Lines(t.Context(), shelf.LineQuery{}); !slices.Equal(after, before) || err != nil {
		t.Errorf("now %+v, %v", after, err)
	}
}

func TestWhoWasRemovedIsAFormerMember(t *testing.T) {
	f := newRecord(t)
	f.note(shelf.Line{By: kim, Action: image.ActionPull})
	f.note(shelf.Line{By: mira, Action: image.ActionPersonRole, About: kim})
	f.exec(`UPDATE people SET name = NULL, removed_at = 1 WHERE name = 'kim'`)
	f.exec(`INSERT INTO people (name, made_at, made_by) VALUES ('kim', 2, '')`)
	f.note(shelf.Line{By: kim, Action: image.ActionPin}) // another kim
	lines, err := f.Lines(t.Context(), shelf.LineQuery{})
	if err != nil || len(lines) != 3 {
		t.Fatal(lines, err)
	}
	if lines[0].By != kim || lines[1].About.String() != "former member 1" || lines[2].By.String() != "former member 1" {
		t.Errorf("lines %+v", lines)
	}
	for name, want := range map[string]string{"kim": "3", "former member 1": "1", "mira": "2"} {
		if got := f.ids(shelf.LineQuery{By: name}); got != want {
			t.Errorf("by %s: %s, want %s", name, got, want)
		}
	}
	if got := f.ids(shelf.LineQuery{About: "former member 1"}); got != "2" {
		t.Errorf("about the one who was removed: %s", got)
	}
	var kept int
	err = f.db.View(t.Context(), func(tx *sql.Tx) error {
		const query = `SELECT count(*) FROM record WHERE actor_name || about_name LIKE '%kim%'`
		return tx.QueryRowContext(t.Context(), query).Scan(&kept)
	})
	if kept != 0 || err != nil {
		t.Errorf("%d lines hold the name itself, %v", kept, err)
	}
}

// day writes lines of many kinds.
func (f *fixture) day() {
	f.t.Helper()
	ref := func(s string) image.Reference {
		r, err := image.ParseReference(s)
		if err != nil {
			f.t.Fatal(err)
		}
		return r
	}
	web := shelf.WayIn{Via: "session", Credential: "session 1", Address: "10.0.0.1", Request: "r1"}
	for _, l := range []shelf.Line{
		{By: kim, From: web, Action: image.ActionSignIn, About: kim},
		{By: kim, From: web, Action: image.ActionPull, What: ref("nginx:1")},
		{By: kim, From: web, Action: image.ActionPull, What: ref("ghcr.io/acme/api:v1")},
		{By: ci, Action: image.ActionPull, What: ref("ghcr.io/acme/web:v1"), Outcome: shelf.Failed},
		{By: mira, Action: image.ActionDelete, What: ref("ghcr.io/acme/api:v1")},
		{By: stranger, Action: image.ActionSignIn, Outcome: shelf.Refused, About: mira},
		{By: mira, Action: image.ActionPin, What: ref("nginx:1"), From: shelf.WayIn{Request: "r9"}},
	} {
		f.note(l)
	}
}

func TestLinesAreFoundByEachFilter(t *testing.T) {
	f := newRecord(t)
	begin := f.at
	f.day()
	for _, c := range []struct {
		q    shelf.LineQuery
		want string
	}{
		{shelf.LineQuery{}, "7 6 5 4 3 2 1"},
		{shelf.LineQuery{By: "kim"}, "3 2 1"},
		{shelf.LineQuery{By: "ci"}, "4"},
		{shelf.LineQuery{By: "192.0.2.1"}, "6"},
		{shelf.LineQuery{By: "nobody"}, ""},
		{shelf.LineQuery{About: "mira"}, "6"},
		{shelf.LineQuery{Actions: []image.Action{image.ActionDelete, image.ActionPin}}, "7 5"},
		{shelf.LineQuery{Repository: "ghcr.io/acme/api"}, "5 3"},
		{shelf.LineQuery{Repository: "ghcr.io/acme/*"}, "5 4 3"},
		{shelf.LineQuery{Repository: "*/acme/w*"}, "4"},
		{shelf.LineQuery{Repository: "*"}, "7 5 4 3 2"},
		{shelf.LineQuery{Repository: "ghcr.io/acme/[ab]pi*"}, ""},
		{shelf.LineQuery{Repository: "ghcr.io/acme/?pi*"}, ""},
		{shelf.LineQuery{Credential: "session 1"}, "3 2 1"},
		{shelf.LineQuery{Request: "r9"}, "7"},
		{shelf.LineQuery{From: begin.Add(3 * time.Second), Until: begin.Add(6 * time.Second)}, "5 4 3"},
		{shelf.LineQuery{Troubled: true}, "6 4"},
		{shelf.LineQuery{Troubled: true, Actions: []image.Action{image.ActionPull}}, "4"},
		{shelf.LineQuery{By: "kim", Repository: "docker.io/*", Until: begin.Add(time.Hour)}, "2"},
	} {
		if got := f.ids(c.q); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}

func TestNewLinesDoNotMoveThePagesOfOldOnes(t *testing.T) {
	f := newRecord(t)
	f.day()
	first := f.ids(shelf.LineQuery{Limit: 3})
	f.note(shelf.Line{By: kim, Action: image.ActionSignOut})
	f.at = f.at.Add(-time.Hour) // the clock is put back
	f.note(shelf.Line{By: kim, Action: image.ActionSignIn})
	second, third := f.ids(shelf.LineQuery{Limit: 3, Before: 5}), f.ids(shelf.LineQuery{Limit: 3, Before: 2})
	if first != "7 6 5" || second != "4 3 2" || third != "1 9" {
		t.Errorf("pages %s, %s, %s", first, second, third)
	}
	if got := f.ids(shelf.LineQuery{Limit: 2, After: 4}); got != "6 5" {
		t.Errorf("the lines that came right after: %s", got)
	}
	if got := f.ids(shelf.LineQuery{Before: 99}); got != "" {
		t.Errorf("before a line that is gone: %s", got)
	}
}

func TestExportingReadsEverythingThatTheFilterShows(t *testing.T) {
	f := newRecord(t)
	const all = 2*mostLines + 7
	err := f.db.Note(t.Context(), func(tx *sql.Tx) error {
		for i := range all {
			by := kim
			if i%10 == 0 {
				by = mira
			}
			if err := f.Append(t.Context(), tx, shelf.Line{By: by, Action: image.ActionPull}); err != nil { // all at one time
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	last, n := int64(all+1), 0
	for l, err := range f.Export(t.Context(), shelf.LineQuery{}) {
		if err != nil || l.ID != last-1 {
			t.Fatalf("line %d after %d, %v", l.ID, last, err)
		}
		if last, n = l.ID, n+1; n == 1 {
			f.note(shelf.Line{By: kim, Action: image.ActionPull}) // while it goes on
		}
	}
	if n != all {
		t.Errorf("%d lines of %d", n, all)
	}
	n = 0
	for range f.Export(t.Context(), shelf.LineQuery{By: "mira"}) {
		n++
	}
	if n != all/10+1 {
		t.Errorf("%d lines of mira's", n)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.Export(stopped, shelf.LineQuery{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("nobody wants it any more: %v", err)
		}
	}
}

func TestOldLinesGoAndALineSaysSo(t *testing.T) {
	f := newRecord(t)
	f.day()
	f.at = f.at.Add(40 * 24 * time.Hour)
	f.note(shelf.Line{By: kim, Action: image.ActionPull})
	if gone, err := f.Prune(t.Context(), 30*24*time.Hour); gone != 7 || err != nil {
		t.Fatalf("%d went, %v", gone, err)
	}
	lines, err := f.Lines(t.Context(), shelf.LineQuery{})
	if err != nil || len(lines) != 2 || lines[1].ID != 8 {
		t.Fatalf("left are %+v, %v", lines, err)
	}
	if lines[0].Action != image.ActionRecordPrune || lines[0].Times != 7 {
		t.Errorf("left are %+v, %v", lines, err)
	}
	for range 2 {
		if gone, err := f.Prune(t.Context(), 0); gone != 0 || err != nil { // the last day stays whatever is asked for
			t.Errorf("%d went, %v", gone, err)
		}
	}
}

func TestALongDetailIsCutBetweenCharacters(t *testing.T) {
	f := newRecord(t)
	f.note(shelf.Line{By: kim, Action: image.ActionPull, Detail: "x" + strings.Repeat("가", 1000) + "\xff"})
	l, err := f.One(t.Context(), 1)
	if err != nil || len(l.Detail) != 1000 || l.Detail != "x"+strings.Repeat("가", 333) {
		t.Errorf("%d bytes, %v", len(l.Detail), err)
	}
}

func TestEachFilterHasAnIndex(t *testing.T) {
	f := newRecord(t)
	for want, q := range map[string]shelf.LineQuery{
		"record_at":         {},
		"record_actor":      {By: "kim"},
		"record_about":      {About: "ci"},
		"record_action":     {Actions: []image.Action{image.ActionDelete}},
		"record_repository": {Repository: "ghcr.io/acme/api"},
		"record_credential": {Credential: "session 1"},
		"record_request":    {Request: "r1"},
		"record_troubled":   {Troubled: true},
	} {
		var plan []string
		err := f.db.View(t.Context(), func(tx *sql.Tx) error {
			query, args, err := sqlOf(t.Context(), tx, q)
			if err != nil {
				return err
			}
			plan, err = database.RowsOf(t.Context(), tx, func(rows *sql.Rows) (s string, err error) {
				var id, parent, unused int
				return s, rows.Scan(&id, &parent, &unused, &s)
			}, `EXPLAIN QUERY PLAN `+query, args...)
			return err
		})
		all := strings.Join(plan, "; ")
		used := regexp.MustCompile(`\bUSING INDEX ` + want + `\b`)
		if err != nil || !used.MatchString(all) || strings.Contains(all, "TEMP B-TREE") {
			t.Errorf("%+v is found by %s, %v", q, all, err)
		}
	}
}
