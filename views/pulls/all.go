package pulls

import (
	"context"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// PullAllView is the form that pulls all tags of a repository. Before anything starts it shows how many they
// are and what they cost, as far as that is known.
type PullAllView struct {
	Input      string           // what the person typed, kept as it was
	Problem    *ui.ErrorView    // what is wrong with it or with the registry; nil if nothing
	Repository image.Repository // empty where Input cannot be read
	Match      string           // only tags whose names contain this
	Asked      []image.Platform // empty: nobody chose
	Default    string           // the platform that is pulled then
	Choices    []PlatformBox    // what can be chosen
	Further    int              // platforms that are left out of Choices
	Survey     *pull.Survey     // nil: nothing was asked of the registry
	Foreign    bool             // that is because the request came from another site
	Running    []int64          // the pulls of the same repository that are under way
	Free       int64            // bytes that there is room for on the data folder's volume; negative while unknown
	Allowance  *offer.Allowance
	Polled     bool // the page asked by itself, and nobody changed anything
}

// PlatformBox is one tick box of the form.
type PlatformBox struct {
	Platform string // as it is sent; nothing hostile is offered
	Ticked   bool
	Default  bool // pulled when nobody chooses
}

// The parts of the form that htmx swaps by themselves.
const (
	platformsID = "survey-platforms"
	matchID     = "survey-match"
	choiceID    = "survey-choice"
	surveyID    = "survey"
)

// SurveyPollID is what asks again by itself while the survey goes on. Handlers know it from HX-Source.
const SurveyPollID = "survey-poll"

// reference names the repository, as components and commands want it.
func (v PullAllView) reference() image.Reference { return image.Reference{Repository: v.Repository} }

// URL returns the form's own address.
func (v PullAllView) URL() string {
	return address.PullAllOf(v.Repository, v.Match, v.Asked...).String()
}

// asking reports whether the survey goes on.
func (v PullAllView) asking() bool { return v.Survey != nil && !v.Survey.Done }

// crowded reports whether what is known to be fetched does not fit on the disk.
func (v PullAllView) crowded() bool {
	return v.Survey != nil && v.Free >= 0 && v.Survey.Fetch > v.Free
}

// pullable reports whether there is something to pull. Tags that could not be read are tried again.
func (v PullAllView) pullable() bool {
	return v.Survey != nil && v.Survey.Done && v.Survey.Tags > v.Survey.Lacking
}

// platformNames names the platforms that the survey is for.
func (v PullAllView) platformNames() string {
	if len(v.Asked) == 0 {
		return v.Default
	}
	return joinPlatforms(v.Asked)
}

// surveyHeading says how far the survey is, or what it found.
func surveyHeading(ctx context.Context, s pull.Survey) string {
	switch {
	case s.Done && !broken(s):
		return text.T(ctx, "pullall.tags", text.Count, s.Tags)
	case s.Tags == 0:
		return text.T(ctx, "pullall.listing")
	}
	return text.T(ctx, "pullall.asked_of", "Asked", s.Asked, text.Count, s.Tags)
}

// broken reports whether a survey ended before it knew all tags.
func broken(s pull.Survey) bool { return s.Done && s.Asked < s.Tags }

// fetchLabel says what the bytes to download are.
func fetchLabel(ctx context.Context, s pull.Survey) string {
	switch {
	case !s.Done:
		return text.T(ctx, "pullall.so_far")
	case broken(s) || s.Unread > 0:
		return text.T(ctx, "pullall.at_least")
	}
	return text.T(ctx, "pullform.to_download")
}

// unreadText says why the first of the tags that could not be read could not.
func unreadText(ctx context.Context, s pull.Survey) string {
	if s.Problem == nil {
		return ""
	}
	return text.ErrorText(ctx, s.Problem.Message)
}

// surveyBar returns the bar's value and maximum.
func surveyBar(s pull.Survey) (value, whole int64) {
	if s.Tags == 0 {
		return -1, 1
	}
	return int64(s.Asked), int64(s.Tags)
}

// pullAllLabel words the button.
func pullAllLabel(ctx context.Context, v PullAllView) string {
	if v.Match != "" {
		return text.T(ctx, "pullall.pull_matching", text.Count, v.Survey.Tags)
	}
	return text.T(ctx, "pullall.pull", text.Count, v.Survey.Tags)
}

// pullAllCommands give the docker commands that do the same: one a platform, as docker takes only one. docker
// cannot choose among tags.
func pullAllCommands(repo image.Repository, platforms []image.Platform) []string {
	words := func(options ...string) string {
		return ui.ShellWords(append(append([]string{"docker", "pull", "--all-tags"}, options...), repo.Familiar()))
	}
	if len(platforms) == 0 {
		return []string{words()}
	}
	commands := make([]string, len(platforms))
	for i, p := range platforms {
		commands[i] = words("--platform", p.String())
	}
	return commands
}

func joinPlatforms(platforms []image.Platform) string {
	names := ""
	for i, p := range platforms {
		if i > 0 {
			names += ", "
		}
		names += text.Visible(p.String())
	}
	return names
}

// id returns a tick box's ID. It goes by the platform, so that the box stays the same while others come in.
func (p PlatformBox) id() string { return platformsID + "-" + p.Platform }

// state returns how far the form is, for the page's own tests and for scripts around it.
func (v PullAllView) state() string {
	switch {
	case v.Problem != nil:
		return "failed"
	case v.Survey == nil:
		return "idle"
	case v.Survey.Done:
		return "done"
	}
	return "asking"
}
