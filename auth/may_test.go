package auth

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
)

// who are the principals that the tables below are about.
func who() map[string]Principal {
	person := func(role Role, via Via) Principal {
		return Principal{Actor: image.Actor{Kind: image.ActorPerson, Name: "kim"}, Role: role, Via: via}
	}
	robot := func(g ...Grant) Principal {
		return Principal{Actor: image.Actor{Kind: image.ActorRobot, Name: "ci"}, Grants: g, Via: ViaToken}
	}
	all := map[string]Principal{
		"stranger":  Anonymous("192.0.2.1", "", false),
		"anonymous": Anonymous("10.0.0.1", "", true),
		"no role":   person(NoRole, ViaSession),
		"viewer":    person(Viewer, ViaSession),
		"operator":  person(Operator, ViaSession),
		"admin":     person(Admin, ViaSession),
		"token":     person(Admin, ViaToken),
		"robot":     robot(),
	}
	for _, g := range Grants {
		all[string(g)] = robot(g)
	}
	return all
}

func TestTheTableSaysWhoMayDoWhat(t *testing.T) {
	// The lowest of stranger, anonymous, viewer, operator and admin who may, whether an administrator's token may, and
	// which grant a robot needs.
	want := `
open            stranger  token all
sign-in         stranger  token all
sign-out        stranger  token all
prefer          stranger  token all
operate         stranger  token all
look            anonymous token read
download        anonymous token read
template        viewer    token
ask             viewer    token
fetch           operator  token fetch
pull            operator  token pull
check           operator  token pull
pin             operator  token pull
upload          operator  token upload
delete          operator  token delete
others          admin     token
overwrite       admin     token
force           admin     token
free            admin     token
verify          admin     token
backup          admin     token
metrics         admin     token metrics
administer      admin     token
record          admin     token
record.export   admin     token
profile         viewer
password        viewer
session.end     viewer
token.make      viewer
token.revoke    viewer
person.add      admin
person.role     admin
person.code     admin
person.sign-out admin
person.disable  admin
person.enable   admin
person.remove   admin
groups.save     admin
robot.add       admin
robot.change    admin
robot.remove    admin
registry.save   admin
settings.save   admin
record.prune    nobody
tend            nobody`
	var got []string
	for line := range strings.Lines(strings.TrimSpace(want)) {
		got = append(got, rowOf(image.Action(strings.Fields(line)[0])))
	}
	if got := "\n" + strings.Join(got, "\n"); got != want {
		t.Errorf("the table is%s\nand should be%s", got, want)
	}
	if n := len(strings.Split(want, "\n")) - 3; n != len(table) {
		t.Errorf("%d rules, and %d of them are held here", len(table), n)
	}
}

// rowOf asks for an action as everybody, and writes the answers as a row of the table.
func rowOf(action image.Action) string {
	all := who()
	may := func(name string) bool { return May(With(ctx, all[name]), action, "") == nil }
	ranks := []string{"stranger", "anonymous", "viewer", "operator", "admin"}
	first := slices.IndexFunc(ranks, may)
	row := fmt.Sprintf("%-15s ", action)
	if first < 0 {
		return row + "nobody"
	}
	for _, higher := range ranks[first:] {
		if !may(higher) {
			return row + higher + " may not"
		}
	}
	row += fmt.Sprintf("%-9s", ranks[first])
	if may("token") {
		row += " token"
	}
	if may("robot") {
		return row + " all"
	}
	for _, g := range Grants {
		if may(string(g)) {
			row += " " + string(g)
		}
	}
	return strings.TrimSpace(row)
}

func TestEveryActionHasARule(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../image/actor.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	byServer := []image.Action{image.ActionRecordPrune, image.ActionTend} // nobody asks for it
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Action" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if _, has := table[image.Action(value)]; has == slices.Contains(byServer, image.Action(value)) {
			t.Errorf("%s: has a rule %v", value, has)
		}
		return true
	})
	if n < 40 {
		t.Errorf("only %d actions found", n)
	}
}

func TestARefusalSaysWhatToDoNext(t *testing.T) {
	for name, p := range who() {
		for action := range table {
			err := May(With(ctx, p), action, "docker.io/library/nginx")
			if err == nil {
				continue
			}
			want := image.Forbidden
			if !p.SignedIn() {
				want = image.SignIn
			}
			var e *image.Error
			if !asError(err, &e) || e.Kind != want || e.Suggestion == "" {
				t.Errorf("%s, %s: %v (%s), then %q", name, action, err, image.KindOf(err), e.Suggestion)
			}
		}
	}
	for _, c := range []struct {
		who     string
		action  image.Action
		message string
		then    string
	}{
		{
			"stranger", image.ActionLook, "nobody may see what is stored without signing in",
			"Sign in; programs sign in with a token.",
		},
		{"no role", image.ActionLook, "kim may not see what is stored", "Ask an administrator for the role viewer."},
		{"viewer", image.ActionCheck, "kim may not check for updates", "Ask an administrator for the role operator."},
		{"operator", image.ActionForce, "kim may not delete in spite of the rules", "Ask an administrator to do it."},
		{"read", image.ActionPin, "the robot ci may not pin and unpin images", "Ask an administrator to allow it pull."},
		{"robot", image.ActionProfile, "no robot may see one's own profile", "Sign in as a person."},
		{"token", image.ActionTokenMake, "a token is not enough to make tokens", "Sign in to the pages."},
	} {
		var e *image.Error
		err := May(With(ctx, who()[c.who]), c.action, "")
		if !asError(err, &e) || e.Message != c.message || e.Suggestion != c.then {
			t.Errorf("%s, %s: %v, then %q", c.who, c.action, err, e.Suggestion)
		}
	}
}

func TestWhereNobodyFoundOutWhoAsksEverythingIsRefused(t *testing.T) {
	for action := range table {
		if err := May(ctx, action, ""); image.KindOf(err) != image.Internal || err == nil {
			t.Errorf("%s: %v", action, err)
		}
	}
}

func TestWhatIsSomebodyElsesTakesAnAdministrator(t *testing.T) {
	kim, mira := image.Actor{Kind: image.ActorPerson, Name: "kim"}, image.Actor{Kind: image.ActorPerson, Name: "mira"}
	all := who()
	for _, c := range []struct {
		who    string
		owners []image.Actor
		may    bool
	}{
		{"operator", []image.Actor{kim}, true},
		{"operator", []image.Actor{mira, kim}, true}, // pulled together
		{"operator", []image.Actor{mira}, false},
		{"operator", []image.Actor{{Kind: image.ActorAnonymous, Name: "kim"}}, false},
		{"operator", nil, false}, // what was there before there were accounts
		{"admin", []image.Actor{mira}, true},
		{"viewer", []image.Actor{kim}, false},
		{"delete", []image.Actor{{Kind: image.ActorRobot, Name: "ci"}}, true},
		{"delete", []image.Actor{mira}, false},
	} {
		err := MayOwned(With(ctx, all[c.who]), image.ActionDelete, "", c.owners...)
		if (err == nil) != c.may || err != nil && image.KindOf(err) != image.Forbidden {
			t.Errorf("%s, of %v: %v", c.who, c.owners, err)
		}
	}
}

func TestAServerWithoutAccountsLetsEverybodyDoEverything(t *testing.T) {
	p := Local(image.Actor{Kind: image.ActorPerson, Name: "mira"}, "127.0.0.1", "r1")
	for action := range table {
		if err := May(With(ctx, p), action, ""); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
	if err := MayOwned(With(ctx, p), image.ActionDelete, ""); err != nil {
		t.Error(err)
	}
}

func TestWhatSomebodyMayIsListedInWords(t *testing.T) {
	may, not := who()["operator"].Allowed()
	first, last := may[0].String(), not[len(not)-1].String()
	if first != "download what is stored" || last != "verify what is stored" {
		t.Errorf("may %q, not %q", may, not)
	}
	if may, not := who()["admin"].Allowed(); len(not) != 0 || len(may) < 30 {
		t.Errorf("an administrator may %q, not %q", may, not)
	}
}
