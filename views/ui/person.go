package ui

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stowage/stowage/auth"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
)

// Person is who is signed in, as the layout shows it.
type Person struct {
	Name    string // for signing in
	Display string // for others; may be empty
	Role    auth.Role
}

// Shown returns the name that pages show where there is room.
func (p Person) Shown() string {
	if p.Display != "" {
		return p.Display
	}
	return p.Name
}

// Initials returns the first letters of the first and the last word of a name.
func Initials(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 {
		return "?"
	}
	if len(words) > 2 {
		words = []string{words[0], words[len(words)-1]}
	}
	initials := ""
	for _, w := range words {
		first, _ := utf8.DecodeRuneInString(w)
		initials += string(unicode.ToUpper(first))
	}
	return initials
}

// May reports whether who looks at a page may do something: what they may not is not shown. Where nobody has found out
// who looks, as in a test of a template alone, everything is.
func May(ctx context.Context, action image.Action) bool {
	_, known := auth.Of(ctx)
	return !known || auth.May(ctx, action, "") == nil
}

// MayOwned is May for what belongs to owners.
func MayOwned(ctx context.Context, action image.Action, owners ...image.Actor) bool {
	_, known := auth.Of(ctx)
	return !known || auth.MayOwned(ctx, action, "", owners...) == nil
}

var roleNames = map[auth.Role]text.MessageID{
	auth.NoRole: "people.role_none", auth.Viewer: "people.role_viewer", auth.Operator: "people.role_operator",
	auth.Admin: "people.role_admin",
}

// RoleName words a role.
func RoleName(ctx context.Context, r auth.Role) string {
	if id, known := roleNames[r]; known {
		return text.T(ctx, id)
	}
	return string(r)
}

var roleMeanings = map[auth.Role]text.MessageID{
	auth.Viewer: "people.may_viewer", auth.Operator: "people.may_operator", auth.Admin: "people.may_admin",
}

// RoleMeaning says in a sentence what a role may do.
func RoleMeaning(ctx context.Context, r auth.Role) string {
	if id, known := roleMeanings[r]; known {
		return text.T(ctx, id)
	}
	return ""
}
