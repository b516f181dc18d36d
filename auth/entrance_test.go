package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
	"github.com/stowage/stowage/storage/people"
	"github.com/stowage/stowage/storage/record"
)

// door is an Entrance over a database of its own, with a clock.
type door struct {
	*auth.Entrance
	tables *people.Tables
	record *record.Record
	db     *database.DB
	t      *testing.T
	dir    string
	clock  atomic.Int64 // milliseconds
}

var (
	root = image.Actor{Kind: image.ActorTerminal, Name: "terminal:0"}
	desk = auth.Visit{Address: "10.0.0.1", Agent: "Firefox", Request: "r1"}
)

const secretWord = "correct horse battery"

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, dir: t.TempDir()}
	blobs, err := blob.Open(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	db, err := database.Open(t.Context(), d.dir, blobs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	d.clock.Store(time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC).UnixMilli())
	d.db, d.record = db, record.New(db, d.now)
	d.tables = people.New(db, d.record, d.now)
	d.Entrance = auth.NewEntrance(auth.Options{
		People: d.tables.People, Sessions: d.tables.Sessions, Tokens: d.tables.Tokens, Record: d.record, Now: d.now,
	})
	return d
}

func (d *door) now() time.Time       { return time.UnixMilli(d.clock.Load()).UTC() }
func (d *door) pass(t time.Duration) { d.clock.Add(t.Milliseconds()) }

// add makes accounts with a role and a password: "kim admin".
func (d *door) add(all ...string) {
	d.t.Helper()
	hash, err := auth.NewPasswords().Hash(d.t.Context(), secretWord, "")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, words := range all {
		name, role, _ := strings.Cut(words, " ")
		n := auth.NewPerson{Name: name, Role: auth.Role(role), Password: hash}
		if _, err := d.tables.People.Add(d.t.Context(), root, n); err != nil {
			d.t.Fatal(err)
		}
	}
}

// signIn signs in, and returns what the cookie holds.
func (d *door) signIn(name string) string {
	d.t.Helper()
	secret, _, err := d.Password(d.t.Context(), desk, name, secretWord)
	if err != nil {
		d.t.Fatal(err)
	}
	return secret
}

// who returns the principal of a session.
func (d *door) who(secret string) auth.Principal {
	d.t.Helper()
	p, err := d.Session(d.t.Context(), desk, secret)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// ended holds a session to have ended.
func (d *door) ended(secret, why string) {
	d.t.Helper()
	if _, err := d.Session(d.t.Context(), desk, secret); image.KindOf(err) != image.SignIn || err == nil {
		d.t.Errorf("%s: %v", why, err)
	}
}

func (d *door) lines(q shelf.LineQuery) []shelf.Line {
	d.t.Helper()
	if err := d.Flush(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	lines, err := d.record.Lines(d.t.Context(), q)
	if err != nil {
		d.t.Fatal(err)
	}
	return lines
}

func wantKind(t *testing.T, err error, want image.Kind, what string) {
	t.Helper()
	if err == nil || image.KindOf(err) != want {
		t.Errorf("%s: %v (%s), want %s", what, err, image.KindOf(err), want)
	}
}

func TestARightPasswordOpensASession(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	secret, s, err := d.Password(t.Context(), desk, " KIM", secretWord)
	if err != nil || s.Way != auth.WayPassword || s.Address != desk.Address || s.Agent != "Firefox" {
		t.Fatal(s, err)
	}
	p := d.who(secret)
	want := auth.Principal{
		Actor: image.Actor{Kind: image.ActorPerson, Name: "kim"}, ID: s.Person, Role: auth.Operator, Via: auth.ViaSession,
		Holds: s.ID, Until: s.Ends, Address: "10.0.0.1", Request: "r1",
	}
	if fmt.Sprint(p) != fmt.Sprint(want) {
		t.Errorf("who asks is %+v", p)
	}
	if err := auth.May(auth.With(t.Context(), p), image.ActionPull, ""); err != nil {
		t.Error(err)
	}
	l := d.lines(shelf.LineQuery{By: "kim"})
	from := shelf.WayIn{Via: "session", Credential: fmt.Sprint("session ", s.ID), Address: "10.0.0.1", Request: "r1"}
	if len(l) != 1 || l[0].Action != image.ActionSignIn || l[0].From != from || p.WayIn() != from {
		t.Errorf("the record has %+v", l)
	}
}

func TestAWrongNameAndAWrongPasswordAreTheSame(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	ann := people.Arrival{Provider: "https://sso", Subject: "1", Name: "ann"}
	if _, err := d.tables.People.Arrive(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	_, _, want := d.Password(t.Context(), desk, "kim", "something else entirely")
	wantKind(t, want, image.SignIn, "a wrong password")
	for _, name := range []string{"mira", "ann", "", "no name at all!", secretWord} {
		_, _, err := d.Password(t.Context(), desk, name, secretWord)
		if err == nil || err.Error() != want.Error() || image.KindOf(err) != image.SignIn {
			t.Errorf("%q: %v", name, err)
		}
	}
	lines := d.lines(shelf.LineQuery{Troubled: true})
	about := map[string]int{}
	for _, l := range lines {
		about[l.About.Name]++
		if l.Outcome != shelf.Refused || l.By.Name != desk.Address || l.From.Request != "r1" {
			t.Errorf("line %+v", l)
		}
	}
	if about["kim"] != 1 || about["ann"] != 1 || about[""] != 1 || len(lines) != 3 { // names that nobody has are not kept
		t.Errorf("the record has %+v", lines)
	}
}

func TestWhoMayNotComeInIsToldWhyWithTheRightPasswordOnly(t *testing.T) {
	d := newDoor(t)
	d.add("mira admin", "kim operator", "ben")
	if err := d.tables.People.Disable(t.Context(), root, "kim"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"kim": "the account kim is disabled", "ben": "the account ben has no role here",
	} {
		_, _, err := d.Password(t.Context(), desk, name, secretWord)
		wantKind(t, err, image.Forbidden, name)
		if err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
		_, _, err = d.Password(t.Context(), desk, name, "something else entirely")
		wantKind(t, err, image.SignIn, name)
	}
}

func TestASessionEndsWhenItIsIdleAndAfterAWeek(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	idle, used := d.signIn("kim"), d.signIn("kim")
	for range 14 {
		d.pass(auth.SessionIdle - time.Minute)
		if d.who(used); d.Flush(t.Context()) != nil {
			t.Fatal("uses are not written")
		}
	}
	d.ended(idle, "idle for more than twelve hours")
	d.pass(15 * time.Minute)
	d.ended(used, "used all the time for a week")
	d.pass(time.Minute)
	company := auth.Visit{Address: "10.0.0.2"}
	p, err := d.tables.People.One(t.Context(), "kim")
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := d.Arrive(t.Context(), company, p, auth.WayOpenID)
	if err != nil {
		t.Fatal(err)
	}
	d.pass(6 * time.Hour)
	if d.who(secret); d.Flush(t.Context()) != nil {
		t.Fatal("uses are not written")
	}
	d.pass(6 * time.Hour)
	d.ended(secret, "of a provider, after twelve hours")
}

func TestAUseThatIsNotWrittenYetCounts(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	secret := d.signIn("kim")
	d.pass(auth.SessionIdle - time.Second)
	d.who(secret)
	d.pass(2 * time.Second)
	d.who(secret)
}

func TestARefusalIsNoted(t *testing.T) {
	d := newDoor(t)
	d.add("kim viewer")
	ctx := auth.With(t.Context(), d.who(d.signIn("kim")))
	ref, err := image.ParseReference("nginx:1")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d.Refused(ctx, image.ActionPull, ref, auth.May(ctx, image.ActionPull, ref.Repository))
	}
	l := d.lines(shelf.LineQuery{Troubled: true})
	const why = "kim may not pull images, and cancel that"
	if len(l) != 1 || l[0].By.Name != "kim" || l[0].What != ref || l[0].Detail != why {
		t.Errorf("the record has %+v", l)
	}
}

func TestWhomAProxyNamesComesInWithoutASession(t *testing.T) {
	d := newDoor(t)
	d.add("mira admin")
	if _, err := d.tables.People.SaveGroups(t.Context(), root, auth.GroupRoles{"platform": auth.Operator}); err != nil {
		t.Fatal(err)
	}
	come := func(groups ...string) (auth.Principal, error) {
		t.Helper()
		arrival := people.Arrival{Provider: auth.ProviderProxy, Subject: "kim", Name: "kim", Groups: groups}
		p, err := d.tables.People.Arrive(t.Context(), arrival)
		if err != nil {
			t.Fatal(err)
		}
		return auth.Proxied(p, desk)
	}
	before := len(d.lines(shelf.LineQuery{}))
	for range 3 {
		p, err := come("platform")
		if err != nil || p.Role != auth.Operator || p.Via != auth.ViaProxy || p.Actor.Name != "kim" {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if n := len(d.lines(shelf.LineQuery{})) - before; n != 1 {
		t.Errorf("%d lines for an account that was made once", n)
	}
	_, err := come("elsewhere")
	wantKind(t, err, image.Forbidden, "out of the group")
}

func TestACookieThatWasStolenIsNothingAfterSigningOut(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	secret, other := d.signIn("kim"), d.signIn("kim")
	if err := d.SignOut(t.Context(), d.who(secret)); err != nil {
		t.Fatal(err)
	}
	d.ended(secret, "signed out")
	d.who(other)
	for _, made := range []string{"", "x", secret + "x", strings.ToUpper(other)} {
		d.ended(made, "never given")
	}
	if l := d.lines(shelf.LineQuery{Actions: []image.Action{image.ActionSignOut}}); len(l) != 1 || l[0].By.Name != "kim" {
		t.Errorf("the record has %+v", l)
	}
}

func TestEachSignInHasASecretOfItsOwn(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	if first, second := d.signIn("kim"), d.signIn("kim"); first == second || len(first) < 43 {
		t.Errorf("%q and %q", first, second)
	}
}

func TestAnotherRoleHoldsAtOnceAndRenewsTheSecret(t *testing.T) {
	d := newDoor(t)
	d.add("mira admin", "kim viewer")
	old := d.signIn("kim")
	if err := d.tables.People.SetRole(t.Context(), root, "kim", auth.Operator); err != nil {
		t.Fatal(err)
	}
	p := d.who(old)
	if p.Role != auth.Operator || !p.Renew {
		t.Errorf("%+v", p)
	}
	secret, err := d.Renew(t.Context(), p)
	if err != nil || secret == "" {
		t.Fatal(secret, err)
	}
	if again, err := d.Renew(t.Context(), p); again != "" || err != nil { // two requests at once
		t.Errorf("renewed twice: %q, %v", again, err)
	}
	if p := d.who(secret); p.Renew || p.Role != auth.Operator {
		t.Errorf("%+v", p)
	}
	d.who(old) // a request that was under way
	d.pass(31 * time.Second)
	d.ended(old, "replaced")
	d.who(secret)
}

func TestAnotherPasswordEndsTheOtherSessions(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	mine, other := d.signIn("kim"), d.signIn("kim")
	p := d.who(mine)
	_, err := d.ChangePassword(t.Context(), p, "something else entirely", "a quite different one")
	wantKind(t, err, image.Invalid, "the old one is wrong")
	_, err = d.ChangePassword(t.Context(), p, secretWord, "short")
	wantKind(t, err, image.Invalid, "the new one is short")
	d.who(other)
	secret, err := d.ChangePassword(t.Context(), p, secretWord, "a quite different one")
	if err != nil {
		t.Fatal(err)
	}
	d.ended(mine, "the secret before")
	d.ended(other, "another session")
	if p := d.who(secret); p.Actor.Name != "kim" {
		t.Errorf("%+v", p)
	}
	_, _, err = d.Password(t.Context(), desk, "kim", secretWord)
	wantKind(t, err, image.SignIn, "the old password")
	if _, _, err := d.Password(t.Context(), desk, "kim", "a quite different one"); err != nil {
		t.Error(err)
	}
}

func TestAHashOfOtherCostsIsReplacedAtTheNextSignIn(t *testing.T) {
	d := newDoor(t)
	const other = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	kim := auth.NewPerson{Name: "kim", Role: auth.Viewer, Password: other}
	if _, err := d.tables.People.Add(t.Context(), root, kim); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := d.Password(t.Context(), desk, "kim", "password"); err != nil {
			t.Fatal(err)
		}
		_, kept, err := d.tables.People.Kept(t.Context(), "kim")
		if !strings.HasPrefix(kept, "$argon2id$v=19$m=19456,t=2,p=1$") || err != nil {
			t.Errorf("kept is %s, %v", kept, err)
		}
	}
}

func TestTheFirstCodeMakesOneAdministrator(t *testing.T) {
	d := newDoor(t)
	stale, err := d.FirstCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	code, err := d.FirstCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kim := auth.NewPerson{Name: "Kim", Display: " Kim  Min ", Password: secretWord}
	_, _, err = d.First(t.Context(), desk, stale, kim)
	wantKind(t, err, image.SignIn, "a code that was replaced")
	_, _, err = d.First(t.Context(), desk, code, auth.NewPerson{Name: "kim", Password: "short"})
	wantKind(t, err, image.Invalid, "a short password")
	_, _, err = d.First(t.Context(), desk, code, auth.NewPerson{Name: "k m", Password: secretWord})
	wantKind(t, err, image.Invalid, "no name")
	secret, _, err := d.First(t.Context(), desk, "First start code: "+strings.ToLower(code), kim)
	if err != nil {
		t.Fatal(err)
	}
	if p := d.who(secret); p.Role != auth.Admin || p.Display != "Kim Min" || p.Actor.Name != "kim" {
		t.Errorf("the administrator is %+v", p)
	}
	d.pass(time.Minute)
	_, _, err = d.First(t.Context(), desk, code, auth.NewPerson{Name: "mira", Password: secretWord})
	wantKind(t, err, image.SignIn, "the code a second time")
	_, err = d.FirstCode(t.Context())
	wantKind(t, err, image.Conflict, "another first code")
}

func TestTheFirstCodeEndsAfterAnHour(t *testing.T) {
	d := newDoor(t)
	code, err := d.FirstCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.pass(auth.FirstCodeLife)
	_, _, err = d.First(t.Context(), desk, code, auth.NewPerson{Name: "kim", Password: secretWord})
	wantKind(t, err, image.SignIn, "after an hour")
}

func TestOfSeveralWhoHaveTheFirstCodeOneBecomesAdministrator(t *testing.T) {
	d := newDoor(t)
	code, err := d.FirstCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var won atomic.Int32
	for i := range 4 {
		all.Go(func() {
			v := auth.Visit{Address: fmt.Sprint("10.0.0.", i)}
			_, _, err := d.First(t.Context(), v, code, auth.NewPerson{Name: fmt.Sprint("kim", i), Password: secretWord})
			switch {
			case err == nil:
				won.Add(1)
			case image.KindOf(err) != image.Conflict && image.KindOf(err) != image.SignIn:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if list, err := d.tables.People.List(t.Context()); won.Load() != 1 || len(list) != 1 || err != nil {
		t.Errorf("%d won, the accounts are %+v, %v", won.Load(), list, err)
	}
}

func TestACodeIsTriedFiveTimesAMinute(t *testing.T) {
	d := newDoor(t)
	code, err := d.FirstCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kim := auth.NewPerson{Name: "kim", Password: secretWord}
	for left := 4; left >= 0; left-- {
		_, _, err := d.First(t.Context(), desk, "AAAA-BBBB-CCCC", kim)
		wantKind(t, err, image.SignIn, "a wrong code")
		var e *image.Error
		want := fmt.Sprintf("It can be tried %d more times within a minute.", left)
		if errors.As(err, &e); e == nil || e.Suggestion != want {
			t.Errorf("%d left: %v", left, e)
		}
	}
	_, _, err = d.First(t.Context(), desk, code, kim)
	wantKind(t, err, image.RateLimited, "the right one, after five wrong ones")
	if _, _, err := d.First(t.Context(), auth.Visit{Address: "10.0.0.2"}, code, kim); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

func TestAOneTimeCodeSetsAPasswordOnce(t *testing.T) {
	d := newDoor(t)
	d.add("mira admin", "kim operator")
	before := d.signIn("kim")
	code, err := d.Code(t.Context(), root, "kim")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = d.Redeem(t.Context(), desk, "mira", code, "a quite different one")
	wantKind(t, err, image.SignIn, "for somebody else")
	_, _, err = d.Redeem(t.Context(), desk, "nobody", code, "a quite different one")
	wantKind(t, err, image.SignIn, "for nobody")
	_, _, err = d.Redeem(t.Context(), desk, "kim", code, "short")
	wantKind(t, err, image.Invalid, "a short password")
	secret, _, err := d.Redeem(t.Context(), desk, "kim", code, "a quite different one")
	if err != nil {
		t.Fatal(err)
	}
	d.who(secret)
	d.ended(before, "before the new password")
	_, _, err = d.Redeem(t.Context(), desk, "kim", code, "a quite different one")
	wantKind(t, err, image.SignIn, "a second time")
	if _, _, err := d.Password(t.Context(), desk, "kim", "a quite different one"); err != nil {
		t.Error(err)
	}
	_, err = d.Code(t.Context(), root, "nobody")
	wantKind(t, err, image.NotFound, "a code for nobody")
}

// makeToken makes a token for p, who is signed in.
func (d *door) makeToken(p auth.Principal, t auth.Token) string {
	d.t.Helper()
	token, made, err := d.MakeToken(d.t.Context(), p, t)
	if err != nil || !strings.HasPrefix(token, made.Hint) || !auth.IsToken(token) {
		d.t.Fatalf("%q, %+v, %v", token, made, err)
	}
	return token
}

func TestATokenMayAtMostWhatItsOwnerMay(t *testing.T) {
	d := newDoor(t)
	d.add("mira admin", "kim operator")
	kim := d.who(d.signIn("kim"))
	full := d.makeToken(kim, auth.Token{Name: "full", Owner: kim.Actor, Role: auth.Operator})
	low := d.makeToken(kim, auth.Token{Name: "low", Owner: kim.Actor, Role: auth.Viewer})
	_, _, err := d.MakeToken(t.Context(), kim, auth.Token{Name: "more", Owner: kim.Actor, Role: auth.Admin})
	wantKind(t, err, image.Forbidden, "more than the owner may")
	role := func(token string) auth.Role {
		t.Helper()
		p, err := d.Token(t.Context(), desk, token)
		if err != nil || p.Via != auth.ViaToken || p.Actor != kim.Actor {
			t.Fatal(p, err)
		}
		return p.Role
	}
	if role(full) != auth.Operator || role(low) != auth.Viewer {
		t.Errorf("%s and %s", role(full), role(low))
	}
	for want, set := range map[auth.Role]auth.Role{auth.Viewer: auth.Viewer, auth.Operator: auth.Admin} {
		if err := d.tables.People.SetRole(t.Context(), root, "kim", set); err != nil {
			t.Fatal(err)
		}
		if role(full) != want || role(low) != auth.Viewer {
			t.Errorf("of %s: %s and %s", set, role(full), role(low))
		}
	}
	if err := d.tables.People.Disable(t.Context(), root, "kim"); err != nil {
		t.Fatal(err)
	}
	_, err = d.Token(t.Context(), desk, full)
	wantKind(t, err, image.Forbidden, "the owner is disabled")
}

func TestATokenIsForOneselfOrForARobot(t *testing.T) {
	d := newDoor(t)
	d.add("mira admin", "kim operator")
	mira := d.who(d.signIn("mira"))
	kim := image.Actor{Kind: image.ActorPerson, Name: "kim"}
	_, _, err := d.MakeToken(t.Context(), mira, auth.Token{Name: "t", Owner: kim, Role: auth.Viewer})
	wantKind(t, err, image.Forbidden, "for somebody else")
	_, _, err = d.MakeToken(t.Context(), mira, auth.Token{Name: "t", Owner: mira.Actor})
	wantKind(t, err, image.Invalid, "without a role")
}

func TestATokenLastsNoLongerThanIsAllowed(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	limited := auth.NewEntrance(auth.Options{
		People: d.tables.People, Sessions: d.tables.Sessions, Tokens: d.tables.Tokens, Record: d.record, Now: d.now,
		LongestToken: auth.TokenLife,
	})
	kim := d.who(d.signIn("kim"))
	for ends, want := range map[time.Time]bool{
		d.now().Add(auth.TokenLife): true, d.now().Add(auth.TokenLife + time.Second): false, {}: false,
	} {
		token := auth.Token{Name: ends.String(), Owner: kim.Actor, Role: auth.Viewer, Ends: ends}
		if _, _, err := limited.MakeToken(t.Context(), kim, token); (err == nil) != want {
			t.Errorf("until %s: %v", ends, err)
		}
	}
}

func TestATokenIsNothingOnceItHasEnded(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	kim := d.who(d.signIn("kim"))
	short := d.makeToken(kim, auth.Token{Name: "short", Owner: kim.Actor, Role: auth.Viewer, Ends: d.now().Add(time.Hour)})
	gone := d.makeToken(kim, auth.Token{Name: "gone", Owner: kim.Actor, Role: auth.Viewer})
	all, err := d.tables.Tokens.Of(t.Context(), kim.Actor)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if err := d.tables.Tokens.End(t.Context(), kim.Actor, kim.Actor, all[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(t.Context(), desk, short); err != nil {
		t.Error(err)
	}
	d.pass(time.Hour)
	for what, token := range map[string]string{
		"ended": short, "revoked": gone, "mistyped": short[:52] + "x", "none": "stw_", "a password": secretWord,
	} {
		_, err := d.Token(t.Context(), desk, token)
		wantKind(t, err, image.SignIn, what)
	}
}

func TestARobotsTokenMayWhatTheRobotMay(t *testing.T) {
	d := newDoor(t)
	d.add("mira admin")
	if _, err := d.tables.Robots.Add(t.Context(), root, "ci", []auth.Grant{auth.GrantRead}); err != nil {
		t.Fatal(err)
	}
	ci := image.Actor{Kind: image.ActorRobot, Name: "ci"}
	mira := d.who(d.signIn("mira"))
	token := d.makeToken(mira, auth.Token{Name: "deploy", Owner: ci})
	may := func(a image.Action) error {
		t.Helper()
		p, err := d.Token(t.Context(), desk, token)
		if err != nil || p.Actor != ci {
			t.Fatal(p, err)
		}
		return auth.May(auth.With(t.Context(), p), a, "docker.io/library/nginx")
	}
	if err := may(image.ActionDownload); err != nil {
		t.Error(err)
	}
	wantKind(t, may(image.ActionFetch), image.Forbidden, "fetch")
	more := []auth.Grant{auth.GrantRead, auth.GrantFetch}
	if err := d.tables.Robots.Change(t.Context(), root, "ci", more, false); err != nil {
		t.Fatal(err)
	}
	if err := may(image.ActionFetch); err != nil {
		t.Error(err)
	}
	if _, err := d.tables.People.Add(t.Context(), root, auth.NewPerson{Name: "ann", Role: auth.Admin}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.tables.People.Remove(t.Context(), root, "mira"); err != nil {
		t.Fatal(err)
	}
	if err := may(image.ActionFetch); err != nil {
		t.Errorf("robots outlive people: %v", err)
	}
	if err := d.tables.Robots.Change(t.Context(), root, "ci", []auth.Grant{auth.GrantRead}, true); err != nil {
		t.Fatal(err)
	}
	_, err := d.Token(t.Context(), desk, token)
	wantKind(t, err, image.Forbidden, "disabled")
}

func TestTheLastUseOfATokenIsWrittenNowAndThen(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	kim := d.who(d.signIn("kim"))
	token := d.makeToken(kim, auth.Token{Name: "laptop", Owner: kim.Actor, Role: auth.Viewer})
	used := func() auth.Token {
		t.Helper()
		all, err := d.tables.Tokens.Of(t.Context(), kim.Actor)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	for _, address := range []string{"10.0.0.7", "10.0.0.8"} {
		d.pass(time.Second)
		if _, err := d.Token(t.Context(), auth.Visit{Address: address, Agent: "docker/28.3"}, token); err != nil {
			t.Fatal(err)
		}
	}
	if got := used(); !got.Used.IsZero() {
		t.Errorf("before it is written: %+v", got)
	}
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := used(); !got.Used.Equal(d.now()) || got.UsedAddress != "10.0.0.8" || got.UsedAgent != "docker/28.3" {
		t.Errorf("written: %+v", got)
	}
}

func TestWhatIsNotWrittenWhenTheServerStopsIsWrittenThen(t *testing.T) {
	d := newDoor(t)
	d.add("kim operator")
	kim := d.who(d.signIn("kim"))
	token := d.makeToken(kim, auth.Token{Name: "t", Owner: kim.Actor, Role: auth.Viewer})
	_, _, err := d.Password(t.Context(), desk, "kim", "something else entirely")
	wantKind(t, err, image.SignIn, "a wrong password")
	if _, err := d.Token(t.Context(), desk, token); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := d.Flush(stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("too late: %v", err)
	}
	d.Run(stopped, func(err error) { t.Error(err) })
	all, err := d.tables.Tokens.Of(t.Context(), kim.Actor)
	if err != nil || len(all) != 1 || all[0].Used.IsZero() {
		t.Errorf("tokens %+v, %v", all, err)
	}
	if l, err := d.record.Lines(t.Context(), shelf.LineQuery{Troubled: true}); len(l) != 1 || err != nil {
		t.Errorf("refusals %+v, %v", l, err)
	}
}

func TestWhatLastsEndsWithTheSession(t *testing.T) {
	d := newDoor(t)
	d.add("mira admin", "kim operator", "ben viewer")
	d.tables.OnEnd(func() {
		if err := d.Recheck(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	follow := func(p auth.Principal) context.Context {
		ctx, stop := d.Lasting(t.Context(), p)
		t.Cleanup(stop)
		return ctx
	}
	kim := d.who(d.signIn("kim"))
	token, err := d.Token(t.Context(), desk, d.makeToken(kim, auth.Token{Name: "t", Owner: kim.Actor, Role: auth.Viewer}))
	if err != nil {
		t.Fatal(err)
	}
	byToken, bySession, other := follow(token), follow(kim), follow(d.who(d.signIn("kim")))
	ben, anonymous := follow(d.who(d.signIn("ben"))), follow(auth.Anonymous("10.0.0.1", "", true))
	ends := func(what string, do func() error, ended, going []context.Context) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(ended, func(c context.Context) bool { return c.Err() == nil }); i >= 0 {
			t.Errorf("%s: number %d goes on", what, i)
		}
		if i := slices.IndexFunc(going, func(c context.Context) bool { return c.Err() != nil }); i >= 0 {
			t.Errorf("%s: number %d has ended", what, i)
		}
	}
	ends("sign out", func() error { return d.SignOut(t.Context(), kim) },
		[]context.Context{bySession}, []context.Context{other, byToken, ben, anonymous})
	ends("revoke", func() error { return d.tables.Tokens.End(t.Context(), root, kim.Actor, token.Holds) },
		[]context.Context{byToken}, []context.Context{other, ben, anonymous})
	ends("disable", func() error { return d.tables.People.Disable(t.Context(), root, "kim") },
		[]context.Context{other}, []context.Context{ben, anonymous})
	ends("take the role", func() error { return d.tables.People.SetRole(t.Context(), root, "ben", auth.NoRole) },
		[]context.Context{ben}, []context.Context{anonymous})
}

func TestTenThousandWrongPasswordsKeepNobodyOut(t *testing.T) {
	d := newDoor(t)
	const right = 20
	for i := range right {
		d.add(fmt.Sprintf("person%d viewer", i))
	}
	d.add("kim admin")
	d.signIn("kim")
	var all sync.WaitGroup
	var hashed, slowed atomic.Int32
	for worker := range 8 { // one hostile network, and many more of them
		all.Go(func() {
			for i := worker; i < 10_000; i += 8 {
				v := auth.Visit{Address: fmt.Sprintf("2001:db8:0:%x::1", i%2)}
				name := []string{"kim", "admin", fmt.Sprint("guess", i)}[i%3]
				_, _, err := d.Password(t.Context(), v, name, fmt.Sprint("a wrong password ", i))
				switch image.KindOf(err) {
				case image.SignIn:
					hashed.Add(1)
				case image.RateLimited:
					slowed.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	for i := range right {
		all.Go(func() {
			v := auth.Visit{Address: fmt.Sprintf("10.0.0.%d", i%4)}
			if _, _, err := d.Password(t.Context(), v, fmt.Sprint("person", i), secretWord); err != nil {
				t.Errorf("person%d: %v", i, err)
			}
		})
	}
	all.Wait()
	d.signIn("kim") // whose name was tried thousands of times
	// Two networks have twenty tries each, and those that were under way; the clock stands still.
	if n := hashed.Load(); n > 2*20+8 || n+slowed.Load() != 10_000 {
		t.Errorf("%d hashed, %d refused before that", n, slowed.Load())
	}
	if n := len(d.lines(shelf.LineQuery{Troubled: true})); n > 1100 {
		t.Errorf("%d lines in the record", n)
	}
}

func TestManySignInAtTheSameTime(t *testing.T) {
	d := newDoor(t)
	const many = 12
	for i := range many {
		d.add(fmt.Sprintf("person%d viewer", i))
	}
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			secret, _, err := d.Password(t.Context(), desk, fmt.Sprint("person", i), secretWord)
			if err != nil {
				t.Errorf("person%d: %v", i, err)
				return
			}
			if p := d.who(secret); p.Actor.Name != fmt.Sprint("person", i) {
				t.Errorf("person%d is %+v", i, p)
			}
		})
	}
	all.Wait()
}

func TestNoSecretIsKeptAsItIs(t *testing.T) {
	d := newDoor(t)
	first, err := d.FirstCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := d.First(t.Context(), desk, first, auth.NewPerson{Name: "mira", Password: secretWord})
	if err != nil {
		t.Fatal(err)
	}
	d.add("kim operator")
	code, err := d.Code(t.Context(), root, "kim")
	if err != nil {
		t.Fatal(err)
	}
	mira := d.who(session)
	token := d.makeToken(mira, auth.Token{Name: "laptop", Owner: mira.Actor, Role: auth.Admin})
	_, _, err = d.Password(t.Context(), desk, secretWord, "typed-into-the-wrong-box")
	wantKind(t, err, image.SignIn, "the password in place of the name")
	if len(d.lines(shelf.LineQuery{Troubled: true})) != 1 {
		t.Error("the refusal is not in the record")
	}
	files, err := filepath.Glob(filepath.Join(d.dir, "stowage.db*"))
	if err != nil || len(files) < 2 { // what is not in the database yet is in the file beside it
		t.Fatal(files, err)
	}
	for _, name := range files {
		kept, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, secret := range map[string]string{
			"password": secretWord, "another password": "typed-into-the-wrong-box", "session": session, "token": token,
			"token's digits": token[10:], "code": code, "bare code": strings.ReplaceAll(code, "-", ""),
			"first code": first, "bare first code": strings.ReplaceAll(first, "-", ""),
		} {
			if bytes.Contains(bytes.ToLower(kept), bytes.ToLower([]byte(secret))) {
				t.Errorf("%s holds the %s", filepath.Base(name), what)
			}
		}
	}
}
