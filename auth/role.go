package auth

import (
	"slices"

	"github.com/stowage/stowage/image"
)

// Role is how much somebody may do. Each role may what those before it may.
type Role string

// The roles.
const (
	NoRole   Role = ""       // nothing but to sign in
	Reader   Role = "reader" // of who is not signed in, where that is allowed; no account has it
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Admin    Role = "admin"
)

var roles = []Role{NoRole, Reader, Viewer, Operator, Admin}

// Roles are those that an account can have.
var Roles = []Role{Viewer, Operator, Admin}

// ParseRole reads the name of a role that an account can have.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles, r) {
		return r, nil
	}
	return NoRole, image.Errorf(image.Invalid, "%q is not a role", s).Suggest("The roles are viewer, operator and admin.")
}

// AtLeast reports whether r may all that other may.
func (r Role) AtLeast(other Role) bool { return slices.Index(roles, r) >= slices.Index(roles, other) }

// lower returns the role of a and b that may less.
func lower(a, b Role) Role {
	if a.AtLeast(b) {
		return b
	}
	return a
}

// higher returns the role of a and b that may more.
func higher(a, b Role) Role {
	if a.AtLeast(b) {
		return a
	}
	return b
}

// EverybodyElse names, in GroupRoles, those whose groups have no role.
const EverybodyElse = ""

// GroupRoles are the roles of a provider's groups.
type GroupRoles map[string]Role

// Of returns the role that groups give, the highest of them, and the group that gives it.
func (g GroupRoles) Of(groups []string) (role Role, from string) {
	role, from = NoRole, EverybodyElse
	for _, name := range groups {
		if r, known := g[name]; known && name != EverybodyElse && (from == EverybodyElse || !role.AtLeast(r)) {
			role, from = r, name
		}
	}
	if from == EverybodyElse {
		role = g[EverybodyElse]
	}
	return role, from
}

// Grant is what a robot may do.
type Grant string

// The grants.
const (
	GrantRead    Grant = "read"
	GrantFetch   Grant = "fetch" // uses the shelf's logins at registries
	GrantPull    Grant = "pull"
	GrantUpload  Grant = "upload"
	GrantDelete  Grant = "delete"
	GrantMetrics Grant = "metrics"
)

// Grants are all there are.
var Grants = []Grant{GrantRead, GrantFetch, GrantPull, GrantUpload, GrantDelete, GrantMetrics}

// ParseGrant reads the name of a grant.
func ParseGrant(s string) (Grant, error) {
	if g := Grant(s); slices.Contains(Grants, g) {
		return g, nil
	}
	return "", image.Errorf(image.Invalid, "%q is nothing that a robot can be allowed", s).
		Suggest("Robots can be allowed read, fetch, pull, upload, delete and metrics.")
}
