package auth

import (
	"errors"
	"slices"
	"testing"

	"github.com/stowage/stowage/image"
)

func asError(err error, to **image.Error) bool {
	*to = &image.Error{}
	return errors.As(err, to)
}

func TestTheHighestRoleOfSomebodysGroupsCounts(t *testing.T) {
	roles := GroupRoles{
		"platform": Operator, "everyone": Viewer, "ops": Admin, "contractors": NoRole, EverybodyElse: Viewer,
	}
	for _, c := range []struct {
		own    Role
		groups []string
		role   Role
		from   string
	}{
		{NoRole, []string{"everyone", "platform"}, Operator, "platform"},
		{NoRole, []string{"ops", "platform"}, Admin, "ops"},
		{NoRole, []string{"somewhere"}, Viewer, ""},
		{NoRole, nil, Viewer, ""},
		{NoRole, []string{"contractors"}, NoRole, "contractors"}, // no access, in spite of everybody else's
		{NoRole, []string{"contractors", "everyone"}, Viewer, "everyone"},
		{NoRole, []string{""}, Viewer, ""},
		{Viewer, []string{"ops"}, Viewer, ""}, // their own stands above
	} {
		p := Person{Own: c.own, Groups: c.groups}.WithRole(roles)
		if p.Role != c.role || p.RoleFrom != c.from {
			t.Errorf("%q of %q: %q from %q, want %q from %q", c.own, c.groups, p.Role, p.RoleFrom, c.role, c.from)
		}
	}
	if p := (Person{Groups: []string{"ops"}}).WithRole(nil); p.Role != NoRole {
		t.Errorf("without any rule: %q", p.Role)
	}
}

func TestSavingGroupsSaysWhomItChanges(t *testing.T) {
	before, after := GroupRoles{EverybodyElse: Viewer}, GroupRoles{"platform": Operator}
	var people []Person
	for _, p := range []Person{{Name: "ann", Own: Admin}, {Name: "ben", Groups: []string{"platform"}}, {Name: "cho"}} {
		people = append(people, p.WithRole(before))
	}
	want := []RoleChange{{"ben", Viewer, Operator}, {"cho", Viewer, NoRole}}
	if got := RoleChanges(people, after); !slices.Equal(got, want) {
		t.Errorf("changes %v, want %v", got, want)
	}
}

func TestNamesAreReadTheSameHoweverTheyAreTyped(t *testing.T) {
	for typed, want := range map[string]string{
		" Kim ": "kim", "j.kim@acme.com": "j.kim@acme.com", "ci-2_x": "ci-2_x", "7of9": "7of9",
	} {
		if got, err := ParseName(typed); got != want || err != nil {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	for _, typed := range []string{
		"", "  ", "-x", "@x", "a b", "a/b", "kím", "a\nb", "server", "Anonymous", "10.0.0.1", string(make([]byte, 65)),
	} {
		if got, err := ParseName(typed); image.KindOf(err) != image.Invalid {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	if _, err := ParseRole("reader"); image.KindOf(err) != image.Invalid {
		t.Errorf("an account can be a reader: %v", err)
	}
}
