package people

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage/blob"
	"github.com/stowage/stowage/storage/database"
	"github.com/stowage/stowage/storage/record"
)

// fixture are the tables in a database of their own, with a clock.
type fixture struct {
	*Tables
	t  *testing.T
	at time.Time
}

var root = image.Actor{Kind: image.ActorTerminal, Name: "terminal:0"}

func newTables(t *testing.T) *fixture {
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
	now := func() time.Time { return f.at }
	f.Tables = New(db, record.New(db, now), now)
	return f
}

// add makes accounts by words: "kim admin".
func (f *fixture) add(all ...string) {
	f.t.Helper()
	for _, words := range all {
		name, role, _ := strings.Cut(words, " ")
		if _, err := f.People.Add(f.t.Context(), root, auth.NewPerson{Name: name, Role: auth.Role(role)}); err != nil {
			f.t.Fatal(err)
		}
	}
}

// says reads the record, oldest first, in words.
func (f *fixture) says() string {
	f.t.Helper()
	lines, err := f.rows.record.Lines(f.t.Context(), shelf.LineQuery{})
	if err != nil {
		f.t.Fatal(err)
	}
	var all []string
	for _, l := range slices.Backward(lines) {
		all = append(all, strings.TrimRight(fmt.Sprintf("%s %s %s: %s", l.By, l.Action, l.About, l.Detail), ": "))
	}
	return strings.Join(all, "\n")
}

// person returns an account.
func (f *fixture) person(name string) auth.Person {
	f.t.Helper()
	p, err := f.People.One(f.t.Context(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func (f *fixture) begin(name, secret string) auth.Session {
	f.t.Helper()
	p := f.person(name)
	s := auth.Session{Person: p.ID, Way: auth.WayPassword, Made: f.at, Seen: f.at, Ends: f.at.Add(auth.SessionLife)}
	s, err := f.Sessions.Begin(f.t.Context(), p.Actor(), s, hash(secret))
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func hash(secret string) auth.Hash { return sha256.Sum256([]byte(secret)) }

func wantKind(t *testing.T, err error, want image.Kind) {
	t.Helper()
	if err == nil || image.KindOf(err) != want {
		t.Errorf("%v (%s), want %s", err, image.KindOf(err), want)
	}
}

func TestAnAccountIsWhatWasAdded(t *testing.T) {
	f := newTables(t)
	kim := auth.NewPerson{Name: "kim", Display: "Kim Min", Role: auth.Operator, Password: "$hash"}
	want, err := f.People.Add(t.Context(), root, kim)
	if err != nil || want.Role != auth.Operator || !want.Password || !want.Made.Equal(f.at) || want.MadeBy != root.Name {
		t.Fatalf("%+v, %v", want, err)
	}
	if got := f.person("kim"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	if _, err := f.Robots.Add(t.Context(), root, "ci", nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kim", "ci"} {
		_, err := f.People.Add(t.Context(), root, auth.NewPerson{Name: name})
		wantKind(t, err, image.Conflict)
		_, err = f.Robots.Add(t.Context(), root, name, nil)
		wantKind(t, err, image.Conflict)
	}
	_, err = f.People.One(t.Context(), "mira")
	wantKind(t, err, image.NotFound)
	if got := f.says(); got != "terminal:0 person.add kim: operator\nterminal:0 robot.add ci: []" {
		t.Errorf("the record says\n%s", got)
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	f := newTables(t)
	f.add("kim admin", "mira admin", "ben operator")
	if err := f.People.Disable(t.Context(), root, "mira"); err != nil {
		t.Fatal(err)
	}
	before := f.says()
	_, removing := f.People.Remove(t.Context(), root, "kim")
	_, saving := f.People.SaveGroups(t.Context(), root, auth.GroupRoles{"ops": auth.Admin}) // nobody is in it
	for what, err := range map[string]error{
		"disable":     f.People.Disable(t.Context(), root, "kim"),
		"lower":       f.People.SetRole(t.Context(), root, "kim", auth.Operator),
		"to groups":   f.People.SetRole(t.Context(), root, "kim", auth.NoRole),
		"remove":      removing,
		"save groups": saving,
	} {
		if what == "save groups" {
			if err != nil {
				t.Error(what, err)
			}
			continue
		}
		if image.KindOf(err) != image.Conflict || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if p := f.person("kim"); p.Role != auth.Admin || !p.Disabled.IsZero() {
		t.Errorf("kim is now %+v", p)
	}
	if got, _ := strings.CutPrefix(f.says(), before); got != "\nterminal:0 groups.save : ops: admin" {
		t.Errorf("what was refused is in the record as done: %s", got)
	}
	if err := f.People.Enable(t.Context(), root, "mira"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.People.Remove(t.Context(), root, "kim"); err != nil {
		t.Errorf("with another administrator: %v", err)
	}
}

func TestAnAdministratorByGroupsCountsAsOne(t *testing.T) {
	f := newTables(t)
	f.add("kim admin")
	if _, err := f.People.SaveGroups(t.Context(), root, auth.GroupRoles{"ops": auth.Admin}); err != nil {
		t.Fatal(err)
	}
	ann := Arrival{Provider: "https://sso", Subject: "1", Name: "ann", Groups: []string{"ops"}}
	if _, err := f.People.Arrive(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	if err := f.People.Disable(t.Context(), root, "kim"); err != nil {
		t.Fatalf("ann is an administrator: %v", err)
	}
	_, err := f.People.SaveGroups(t.Context(), root, auth.GroupRoles{"ops": auth.Operator})
	wantKind(t, err, image.Conflict)
	if roles, err := f.People.Groups(t.Context()); roles["ops"] != auth.Admin || err != nil {
		t.Errorf("groups %v, %v", roles, err)
	}
}

func TestOfTwoAdministratorsWhoRemoveEachOtherOneStays(t *testing.T) {
	f := newTables(t)
	f.add("kim admin", "mira admin")
	var all sync.WaitGroup
	var refused atomic.Int32
	for _, name := range []string{"kim", "mira"} {
		all.Go(func() {
			if _, err := f.People.Remove(t.Context(), root, name); image.KindOf(err) == image.Conflict && err != nil {
				refused.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if has, err := f.People.HasAdmin(t.Context()); !has || err != nil || refused.Load() != 1 {
		t.Errorf("an administrator %v, %v; refused %d", has, err, refused.Load())
	}
}

func TestOfWhoIsRemovedNothingStaysButANumber(t *testing.T) {
	f := newTables(t)
	f.add("mira admin")
	arrival := Arrival{
		Provider: "https://sso", Subject: "kim-subject", Name: "kim", Display: "Kim Min", Groups: []string{"kims-group"},
	}
	if _, err := f.People.Arrive(t.Context(), arrival); err != nil {
		t.Fatal(err)
	}
	kim := f.person("kim")
	if _, err := f.People.Add(t.Context(), kim.Actor(), auth.NewPerson{Name: "ben"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Robots.Add(t.Context(), kim.Actor(), "ci", nil); err != nil {
		t.Fatal(err)
	}
	f.begin("kim", "s1")
	token := auth.Token{Name: "laptop", Owner: kim.Actor(), Role: auth.Viewer, MadeBy: "kim"}
	if _, err := f.Tokens.Make(t.Context(), kim.Actor(), token, hash("t1")); err != nil {
		t.Fatal(err)
	}
	number, err := f.People.Remove(t.Context(), root, "kim")
	if err != nil || number != kim.ID {
		t.Fatal(number, err)
	}
	_, _, err = f.Sessions.Find(t.Context(), hash("s1"))
	wantKind(t, err, image.NotFound)
	_, _, _, err = f.Tokens.Find(t.Context(), hash("t1"))
	wantKind(t, err, image.NotFound)
	for _, table := range []string{"people", "robots", "sessions", "tokens", "codes", "record"} {
		if dump := f.dump(table); strings.Contains(strings.ToLower(dump), "kim") {
			t.Errorf("%s still has kim: %s", table, dump)
		}
	}
	got := f.says()
	if !strings.HasSuffix(got, "terminal:0 person.remove former member 2") ||
		!strings.Contains(got, "former member 2 robot.add ci") {
		t.Errorf("the record says\n%s", got)
	}
	if p, err := f.People.Arrive(t.Context(), arrival); err != nil || p.ID == number {
		t.Errorf("who comes back is %+v, %v", p, err)
	}
}

// dump returns all that a table holds.
func (f *fixture) dump(table string) (all string) {
	f.t.Helper()
	err := f.rows.db.View(f.t.Context(), func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(f.t.Context(), `SELECT * FROM `+table)
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			values := make([]any, len(columns))
			to := make([]any, len(columns))
			for i := range values {
				to[i] = &values[i]
			}
			if err := rows.Scan(to...); err != nil {
				return err
			}
			all += fmt.Sprintln(values...)
		}
		return rows.Err()
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

func TestWhoIsDisabledIsOutUntilTheyAreEnabled(t *testing.T) {
	f := newTables(t)
	f.add("mira admin", "kim viewer")
	f.begin("kim", "s1")
	if err := f.People.Disable(t.Context(), root, "kim"); err != nil {
		t.Fatal(err)
	}
	_, _, err := f.Sessions.Find(t.Context(), hash("s1"))
	wantKind(t, err, image.NotFound)
	wantKind(t, f.person("kim").LetIn(), image.Forbidden)
	if err := f.People.Enable(t.Context(), root, "kim"); err != nil {
		t.Fatal(err)
	}
	if err := f.person("kim").LetIn(); err != nil {
		t.Error(err)
	}
	wantKind(t, f.People.Disable(t.Context(), root, "nobody"), image.NotFound)
}

func TestWhomAProviderLetsInKeepsTheirAccount(t *testing.T) {
	f := newTables(t)
	f.add("kim admin")
	if _, err := f.People.SaveGroups(t.Context(), root, auth.GroupRoles{"platform": auth.Operator}); err != nil {
		t.Fatal(err)
	}
	arrive := func(subject, name string, groups ...string) auth.Person {
		t.Helper()
		p, err := f.People.Arrive(t.Context(), Arrival{Provider: "https://sso", Subject: subject, Name: name, Groups: groups})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := arrive("1", "kim", "platform")
	if first.Name != "kim-2" || first.Role != auth.Operator || first.RoleFrom != "platform" {
		t.Errorf("another kim is %+v", first)
	}
	if third := arrive("2", "kim"); third.Name != "kim-3" || third.Role != auth.NoRole {
		t.Errorf("a third kim is %+v", third)
	}
	f.begin("kim-2", "s1")
	again := arrive("1", "renamed", "elsewhere")
	if again.ID != first.ID || again.Name != "kim-2" || again.Role != auth.NoRole {
		t.Errorf("who comes again is %+v", again)
	}
	if s, _, err := f.Sessions.Find(t.Context(), hash("s1")); err != nil || !s.Renew {
		t.Errorf("another role, and the session keeps its secret: %+v, %v", s, err)
	}
	wantKind(t, f.People.SetPassword(t.Context(), root, first.ID, "$hash", 0, auth.Hash{}), image.Conflict)
	wantKind(t, f.People.KeepCode(t.Context(), root, "kim-2", hash("c"), time.Hour), image.Conflict)
	want := `terminal:0 person.add kim: admin
terminal:0 groups.save : platform: operator
 person.add kim-2: operator, by https://sso
 person.add kim-3: none, by https://sso
kim-2 sign-in kim-2: password
 person.role kim-2: operator → none, by https://sso`
	if got := f.says(); got != want {
		t.Errorf("the record says\n%s", got)
	}
}

func TestSavingGroupsHoldsAtOnce(t *testing.T) {
	f := newTables(t)
	f.add("mira admin", "kim")
	f.begin("kim", "s1")
	roles := auth.GroupRoles{auth.EverybodyElse: auth.Viewer, "ops": auth.Operator}
	changes, err := f.People.SaveGroups(t.Context(), root, roles)
	if want := []auth.RoleChange{{Name: "kim", After: auth.Viewer}}; !slices.Equal(changes, want) || err != nil {
		t.Errorf("changes %v, %v", changes, err)
	}
	if s, p, err := f.Sessions.Find(t.Context(), hash("s1")); err != nil || p.Role != auth.Viewer || !s.Renew {
		t.Errorf("%+v, %+v, %v", s, p, err)
	}
	if got := f.says(); !strings.HasSuffix(got, "groups.save : everybody else: viewer, ops: operator") {
		t.Errorf("the record says\n%s", got)
	}
}

func TestATokenBelongsToItsOwner(t *testing.T) {
	f := newTables(t)
	f.add("kim operator", "mira admin")
	if _, err := f.Robots.Add(t.Context(), root, "ci", []auth.Grant{auth.GrantRead, auth.GrantPull}); err != nil {
		t.Fatal(err)
	}
	kim, mira, ci := f.person("kim").Actor(), f.person("mira").Actor(), image.Actor{Kind: image.ActorRobot, Name: "ci"}
	laptop := auth.Token{Name: " my  laptop ", Hint: "stw_abcd", Owner: kim, Role: auth.Viewer, Made: f.at, MadeBy: "kim"}
	mine, err := f.Tokens.Make(t.Context(), kim, laptop, hash("t1"))
	if err != nil || mine.Name != "my laptop" {
		t.Fatal(mine, err)
	}
	deploy := auth.Token{Name: "deploy", Owner: ci, MadeBy: "mira"}
	if _, err := f.Tokens.Make(t.Context(), mira, deploy, hash("t2")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"my laptop", "", " ", strings.Repeat("x", 101)} {
		if _, err := f.Tokens.Make(t.Context(), kim, auth.Token{Name: name, Owner: kim}, hash("t3"+name)); err == nil {
			t.Errorf("a token is called %q", name)
		}
	}
	token, person, _, err := f.Tokens.Find(t.Context(), hash("t1"))
	if err != nil || token.Owner != kim || person.Name != "kim" || token.Role != auth.Viewer || token.Hint != "stw_abcd" {
		t.Errorf("%+v of %+v, %v", token, person, err)
	}
	token, person, robot, err := f.Tokens.Find(t.Context(), hash("t2"))
	if err != nil || token.Owner != ci || person.ID != 0 || fmt.Sprint(robot.Grants) != "[read pull]" {
		t.Errorf("%+v of %+v and %+v, %v", token, person, robot, err)
	}
	wantKind(t, f.Tokens.End(t.Context(), mira, mira, mine.ID), image.NotFound) // not hers
	if err := f.Tokens.End(t.Context(), kim, kim, mine.ID); err != nil {
		t.Fatal(err)
	}
	if all, err := f.Tokens.Of(t.Context(), kim); len(all) != 0 || err != nil {
		t.Errorf("left are %+v, %v", all, err)
	}
	want := `
kim token.make kim: my laptop, stw_abcd…
mira token.make ci: deploy, …
kim token.revoke kim: my laptop`
	if got := f.says(); !strings.HasSuffix(got, want) {
		t.Errorf("the record says\n%s", got)
	}
}

func TestNobodyHasMoreThanFiftyTokens(t *testing.T) {
	f := newTables(t)
	f.add("kim operator")
	kim := f.person("kim").Actor()
	for i := range auth.MostTokens {
		name := fmt.Sprint("t", i)
		if _, err := f.Tokens.Make(t.Context(), kim, auth.Token{Name: name, Owner: kim}, hash(name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.Tokens.Make(t.Context(), kim, auth.Token{Name: "one more", Owner: kim}, hash("one more"))
	wantKind(t, err, image.Conflict)
}

func TestATokenThatIsReplacedGoesOnForAWhile(t *testing.T) {
	f := newTables(t)
	if _, err := f.Robots.Add(t.Context(), root, "ci", nil); err != nil {
		t.Fatal(err)
	}
	ci := image.Actor{Kind: image.ActorRobot, Name: "ci"}
	week := f.at.Add(7 * 24 * time.Hour)
	hour := f.at.Add(time.Hour)
	for i, c := range []struct{ ends, want time.Time }{{time.Time{}, week}, {week.Add(time.Hour), week}, {hour, hour}} {
		name := fmt.Sprint(i)
		token, err := f.Tokens.Make(t.Context(), root, auth.Token{Name: name, Owner: ci, Ends: c.ends}, hash(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Tokens.Shorten(t.Context(), root, ci, token.ID, week); err != nil {
			t.Fatal(err)
		}
		if got, _, _, err := f.Tokens.Find(t.Context(), hash(name)); !got.Ends.Equal(c.want) || err != nil {
			t.Errorf("ends at %s, %v, want %s", got.Ends, err, c.want)
		}
	}
}

func TestARobotIsWhatAnAdministratorAllowsIt(t *testing.T) {
	f := newTables(t)
	if _, err := f.Robots.Add(t.Context(), root, "ci", []auth.Grant{auth.GrantRead}); err != nil {
		t.Fatal(err)
	}
	if err := f.Robots.Change(t.Context(), root, "ci", []auth.Grant{auth.GrantRead, auth.GrantFetch}, true); err != nil {
		t.Fatal(err)
	}
	r, err := f.Robots.One(t.Context(), "ci")
	if err != nil || len(r.Grants) != 2 || !r.Disabled.Equal(f.at) {
		t.Errorf("%+v, %v", r, err)
	}
	wantKind(t, r.LetIn(), image.Forbidden)
	if err := f.Robots.Change(t.Context(), root, "ci", nil, false); err != nil {
		t.Fatal(err)
	}
	all, err := f.Robots.List(t.Context())
	if err != nil || len(all) != 1 || all[0].LetIn() != nil || len(all[0].Grants) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := f.Robots.Remove(t.Context(), root, "ci"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, f.Robots.Remove(t.Context(), root, "ci"), image.NotFound)
	want := `terminal:0 robot.add ci: [read]
terminal:0 robot.change ci: [read] → [read fetch], disabled
terminal:0 robot.change ci: [read fetch] → []
terminal:0 robot.remove ci`
	if got := f.says(); got != want {
		t.Errorf("the record says\n%s", got)
	}
}

func TestSessionsAreEndedOneByOneAndAllAtOnce(t *testing.T) {
	f := newTables(t)
	f.add("kim viewer", "mira viewer")
	kim := f.person("kim")
	one, two := f.begin("kim", "s1"), f.begin("kim", "s2")
	f.begin("kim", "s3")
	f.begin("mira", "s4")
	if err := f.Sessions.End(t.Context(), kim.Actor(), image.ActionSessionEnd, one.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, f.Sessions.End(t.Context(), kim.Actor(), image.ActionSessionEnd, one.ID), image.NotFound)
	if n, err := f.Sessions.EndAll(t.Context(), kim.Actor(), kim.ID, two.ID); n != 1 || err != nil {
		t.Errorf("%d ended, %v", n, err)
	}
	for secret, stands := range map[string]bool{"s1": false, "s2": true, "s3": false, "s4": true} {
		if _, _, err := f.Sessions.Find(t.Context(), hash(secret)); (err == nil) != stands {
			t.Errorf("%s: %v", secret, err)
		}
	}
	if all, err := f.Sessions.Of(t.Context(), kim.ID); len(all) != 1 || all[0].ID != two.ID || err != nil {
		t.Errorf("%+v, %v", all, err)
	}
	if got := f.says(); !strings.HasSuffix(got, "kim session.end kim: session 1\nkim session.end kim: 1 sessions") {
		t.Errorf("the record says\n%s", got)
	}
}

func TestSomebodysFiftyFirstSessionEndsTheOldest(t *testing.T) {
	f := newTables(t)
	f.add("kim viewer")
	for i := range mostSessions + 1 {
		f.at = f.at.Add(time.Second)
		f.begin("kim", fmt.Sprint("s", i))
	}
	_, _, err := f.Sessions.Find(t.Context(), hash("s0"))
	wantKind(t, err, image.NotFound)
	if all, err := f.Sessions.Of(t.Context(), f.person("kim").ID); len(all) != mostSessions || err != nil {
		t.Errorf("%d sessions, %v", len(all), err)
	}
}

func TestWhatHasEndedIsSweptAway(t *testing.T) {
	f := newTables(t)
	f.add("kim admin")
	kim := f.person("kim").Actor()
	f.begin("kim", "s1")
	if err := f.People.KeepCode(t.Context(), root, "kim", hash("c"), auth.CodeLife); err != nil {
		t.Fatal(err)
	}
	for name, ends := range map[string]time.Time{"soon": f.at.Add(time.Hour), "never": {}} {
		if _, err := f.Tokens.Make(t.Context(), kim, auth.Token{Name: name, Owner: kim, Ends: ends}, hash(name)); err != nil {
			t.Fatal(err)
		}
	}
	count := func() string {
		t.Helper()
		if err := f.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows := func(table string) int { return strings.Count(f.dump(table), "\n") }
		return fmt.Sprint(rows("sessions"), rows("codes"), rows("tokens"))
	}
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{time.Hour, "1 1 2"},
		{auth.SessionIdle, "0 1 2"},
		{auth.CodeLife, "0 0 2"}, // a token that has ended is still listed
		{auth.TokenListed + time.Hour, "0 0 1"},
	} {
		begin := f.at
		f.at = f.at.Add(c.after)
		if got := count(); got != c.want {
			t.Errorf("after %s: %s sessions, codes and tokens, want %s", c.after, got, c.want)
		}
		f.at = begin
	}
}

func TestWhoeverFollowsIsToldOfEveryEnd(t *testing.T) {
	f := newTables(t)
	f.add("mira admin", "kim operator")
	kim := f.person("kim")
	s := f.begin("kim", "s1")
	token, err := f.Tokens.Make(t.Context(), kim.Actor(), auth.Token{Name: "t", Owner: kim.Actor()}, hash("t"))
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	f.OnEnd(func() { told++ })
	ann := Arrival{Provider: "https://sso", Subject: "1", Name: "ann", Groups: []string{"platform"}}
	if _, err := f.People.SaveGroups(t.Context(), root, auth.GroupRoles{"platform": auth.Viewer}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.People.Arrive(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	ann.Groups = nil
	for _, c := range []struct {
		what string
		do   func() error
	}{
		{"end a session", func() error { return f.Sessions.End(t.Context(), root, image.ActionSessionEnd, s.ID) }},
		{"revoke a token", func() error { return f.Tokens.End(t.Context(), root, kim.Actor(), token.ID) }},
		{"disable", func() error { return f.People.Disable(t.Context(), root, "kim") }},
		{"out of the group", func() error { _, err := f.People.Arrive(t.Context(), ann); return err }},
		{"role", func() error { return f.People.SetRole(t.Context(), root, "kim", auth.Viewer) }},
	} {
		before := told
		if err := c.do(); err != nil || told != before+1 {
			t.Errorf("%s: told %d times, %v", c.what, told-before, err)
		}
	}
	before := told
	wantKind(t, f.People.Disable(t.Context(), root, "nobody"), image.NotFound)
	if told != before {
		t.Error("told of what was refused")
	}
}

func TestAnotherPasswordByAnAdministratorEndsAllSessionsAndCodes(t *testing.T) {
	f := newTables(t)
	f.add("kim operator")
	f.begin("kim", "s1")
	if err := f.People.KeepCode(t.Context(), root, "kim", hash("c"), auth.CodeLife); err != nil {
		t.Fatal(err)
	}
	if err := f.People.SetPassword(t.Context(), root, f.person("kim").ID, "$hash", 0, auth.Hash{}); err != nil {
		t.Fatal(err)
	}
	_, _, err := f.Sessions.Find(t.Context(), hash("s1"))
	wantKind(t, err, image.NotFound)
	_, _, err = f.Sessions.Find(t.Context(), auth.Hash{})
	wantKind(t, err, image.NotFound)
	wantKind(t, f.People.Code(t.Context(), hash("c"), "kim"), image.NotFound)
	if _, kept, err := f.People.Kept(t.Context(), "kim"); kept != "$hash" || err != nil {
		t.Errorf("kept is %q, %v", kept, err)
	}
}

func TestWhatEachRequestShowsIsFoundByAnIndex(t *testing.T) {
	f := newTables(t)
	for _, query := range []string{
		`SELECT ` + sessionColumns + ` FROM sessions s WHERE ` + byShown,
		selectTokens + `t.secret = ?1 OR t.secret = ?2`,
		`SELECT ` + personColumns + ` FROM people p WHERE p.removed_at = 0 AND p.name = ?1 AND ?2 > 0`,
		`SELECT ` + personColumns + ` FROM people p WHERE p.removed_at = 0 ` + byProvider,
	} {
		var plan []string
		err := f.rows.db.View(t.Context(), func(tx *sql.Tx) (err error) {
			plan, err = database.RowsOf(t.Context(), tx, func(rows *sql.Rows) (s string, err error) {
				var id, parent, unused int
				return s, rows.Scan(&id, &parent, &unused, &s)
			}, `EXPLAIN QUERY PLAN `+query, "x", 1)
			return err
		})
		if all := strings.Join(plan, "; "); err != nil || strings.Contains(all, "SCAN") {
			t.Errorf("%s\nis found by %s, %v", query, all, err)
		}
	}
}
