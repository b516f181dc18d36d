package auth

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/stowage/stowage/image"
)

// rule says who may do an action.
type rule struct {
	least  Role  // the lowest role that may
	grant  Grant // with which a robot may; empty: no robot may
	inHand bool  // not with a token: what lets people in is changed by people
	words  image.Text
}

// table is all of it: who may do what. Whoever may act on their own things only, may not do image.ActionOthers.
var table = map[image.Action]rule{
	image.ActionOpen:    {words: image.Textf("see the sign-in page")},
	image.ActionSignIn:  {words: image.Textf("sign in")},
	image.ActionSignOut: {words: image.Textf("sign out")},
	image.ActionPrefer:  {words: image.Textf("choose theme and language")},
	image.ActionOperate: {words: image.Textf("ask whether the server works")},

	image.ActionLook:     {least: Reader, grant: GrantRead, words: image.Textf("see what is stored")},
	image.ActionDownload: {least: Reader, grant: GrantRead, words: image.Textf("download what is stored")},

	image.ActionTemplate: {least: Viewer, words: image.Textf("run templates and compare images")},
	image.ActionAsk:      {least: Viewer, words: image.Textf("have registries asked")},

	image.ActionFetch:  {least: Operator, grant: GrantFetch, words: image.Textf("fetch what is not stored")},
	image.ActionPull:   {least: Operator, grant: GrantPull, words: image.Textf("pull images, and cancel that")},
	image.ActionCheck:  {least: Operator, grant: GrantPull, words: image.Textf("check for updates")},
	image.ActionPin:    {least: Operator, grant: GrantPull, words: image.Textf("pin and unpin images")},
	image.ActionUpload: {least: Operator, grant: GrantUpload, words: image.Textf("upload images")},
	image.ActionDelete: {least: Operator, grant: GrantDelete, words: image.Textf("delete images, and undo that")},

	image.ActionOthers:    {least: Admin, words: image.Textf("change what others pulled, pinned or began")},
	image.ActionOverwrite: {least: Admin, words: image.Textf("upload over a registry's name, or move its tags")},
	image.ActionForce:     {least: Admin, words: image.Textf("delete in spite of the rules")},
	image.ActionFree:      {least: Admin, words: image.Textf("free the disk, which ends undoing")},
	image.ActionVerify:    {least: Admin, words: image.Textf("verify what is stored")},
	image.ActionBackup:    {least: Admin, words: image.Textf("make backups")},
	image.ActionMetrics:   {least: Admin, grant: GrantMetrics, words: image.Textf("read the server's metrics")},

	image.ActionProfile:    {least: Viewer, inHand: true, words: image.Textf("see one's own profile")},
	image.ActionPassword:   {least: Viewer, inHand: true, words: image.Textf("change one's own password")},
	image.ActionSessionEnd: {least: Viewer, inHand: true, words: image.Textf("end sessions")},
	image.ActionTokenMake:  {least: Viewer, inHand: true, words: image.Textf("make tokens")},
	image.ActionTokenEnd:   {least: Viewer, inHand: true, words: image.Textf("revoke tokens")},

	image.ActionAdminister:    {least: Admin, words: image.Textf("see people, robots and registries")},
	image.ActionPersonAdd:     {least: Admin, inHand: true, words: image.Textf("add people")},
	image.ActionPersonRole:    {least: Admin, inHand: true, words: image.Textf("change roles")},
	image.ActionPersonCode:    {least: Admin, inHand: true, words: image.Textf("make one-time codes")},
	image.ActionPersonSignOut: {least: Admin, inHand: true, words: image.Textf("sign people out")},
	image.ActionPersonDisable: {least: Admin, inHand: true, words: image.Textf("disable people")},
	image.ActionPersonEnable:  {least: Admin, inHand: true, words: image.Textf("enable people")},
	image.ActionPersonRemove:  {least: Admin, inHand: true, words: image.Textf("remove people")},
	image.ActionGroupsSave:    {least: Admin, inHand: true, words: image.Textf("change the roles of groups")},
	image.ActionRobotAdd:      {least: Admin, inHand: true, words: image.Textf("add robots")},
	image.ActionRobotChange:   {least: Admin, inHand: true, words: image.Textf("change robots")},
	image.ActionRobotRemove:   {least: Admin, inHand: true, words: image.Textf("remove robots")},
	image.ActionRegistrySave:  {least: Admin, inHand: true, words: image.Textf("change registries and their logins")},
	image.ActionSettingsSave:  {least: Admin, inHand: true, words: image.Textf("change settings")},
	image.ActionRecord:        {least: Admin, words: image.Textf("read the record")},
	image.ActionRecordExport:  {least: Admin, words: image.Textf("export the record")},
}

// May is the one question: it returns nil where who asks may do action to repository, and else an error that says why
// not and what to do, of kind image.SignIn where signing in may help and image.Forbidden where it does not. An action
// without a repository has an empty one. Until there are spaces, all repositories are alike.
func May(ctx context.Context, action image.Action, _ image.Repository) error {
	p, known := Of(ctx)
	if !known {
		return errors.New("nobody found out who asks")
	}
	return p.may(action)
}

// MayOwned is May for what belongs to owners: what is nobody's of who asks takes image.ActionOthers, too.
func MayOwned(ctx context.Context, action image.Action, repository image.Repository, owners ...image.Actor) error {
	if err := May(ctx, action, repository); err != nil {
		return err
	}
	p, _ := Of(ctx)
	if p.owns(owners) || p.may(image.ActionOthers) == nil {
		return nil
	}
	words := table[action].words
	return image.Errorf(image.Forbidden, "%s may not do this to what is somebody else's: %s", p.name(), words).
		Suggest("Ask whoever pulled, pinned or began it, or an administrator.")
}

// Allowed lists what p may do, in words, in the order of the roles, and what it may not.
func (p Principal) Allowed() (may, mayNot []image.Text) {
	actions := make([]image.Action, 0, len(table))
	for a, r := range table {
		if r.least != NoRole {
			actions = append(actions, a)
		}
	}
	slices.SortFunc(actions, compareActions)
	for _, a := range actions {
		if p.may(a) == nil {
			may = append(may, table[a].words)
		} else {
			mayNot = append(mayNot, table[a].words)
		}
	}
	return may, mayNot
}

func compareActions(a, b image.Action) int {
	if d := slices.Index(roles, table[a].least) - slices.Index(roles, table[b].least); d != 0 {
		return d
	}
	if a < b {
		return -1
	}
	return 1
}

func (p Principal) may(action image.Action) error {
	r, listed := table[action]
	switch {
	case !listed:
		return image.Errorf(image.Forbidden, "nobody may do this: no rule says who may")
	case r.least == NoRole:
		return nil
	case p.Actor.Kind == image.ActorRobot:
		return p.mayAsRobot(r)
	case r.inHand && p.Via == ViaToken:
		return image.Errorf(image.Forbidden, "a token is not enough to %s", r.words).Suggest("Sign in to the pages.")
	case p.Role.AtLeast(r.least):
		return nil
	case !p.SignedIn():
		return image.Errorf(image.SignIn, "nobody may %s without signing in", r.words).
			Suggest("Sign in; programs sign in with a token.")
	}
	e := image.Errorf(image.Forbidden, "%s may not %s", p.name(), r.words)
	if r.least == Admin {
		return e.Suggest("Ask an administrator to do it.")
	}
	return e.Suggest("Ask an administrator for the role %s.", higher(r.least, Viewer))
}

func (p Principal) mayAsRobot(r rule) error {
	if r.grant == "" {
		return image.Errorf(image.Forbidden, "no robot may %s", r.words).Suggest("Sign in as a person.")
	}
	if slices.Contains(p.Grants, r.grant) {
		return nil
	}
	return image.Errorf(image.Forbidden, "the robot %s may not %s", p.name(), r.words).
		Suggest("Ask an administrator to allow it %s.", r.grant)
}

// name returns p's name for people.
func (p Principal) name() string {
	if p.Actor.Name == "" {
		return "the server"
	}
	return p.Actor.Name
}

// Recorded lists the actions that the record may have lines about, by name.
func Recorded() []image.Action {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(table)), func(a image.Action) bool {
		return slices.Contains(unrecorded, a)
	})
}

// unrecorded are actions that nothing is written about, unless they are refused.
var unrecorded = []image.Action{image.ActionOpen, image.ActionOperate, image.ActionPrefer}
