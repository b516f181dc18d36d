// Package pulls has the pages of pulling: the form, a pull that runs, and the list of all.
package pulls

import (
	"context"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// PullView is one pull, live while it runs and a record afterwards.
type PullView struct {
	Job         pull.Job
	ActivePulls int // for the navigation, which the stream of a live pull keeps true
	Check       PullCheck

	// Of a pull of all tags:
	Tags    TagWindow // the tags in view
	Changed TagChange // those that the stream's browser does not have yet
}

// PullCheck is what unpacking the layers of a pull that is done has found so far.
type PullCheck struct {
	Pending bool // layers are still to be unpacked
	Poll    bool // that is worth asking for again
	Broken  []BrokenImage
}

// Unpacking is the state, for scripts, of a pull that is done and whose layers are still to be proved.
const Unpacking = "unpacking"

// State is where the pull stands, in a word for scripts. It is done once what it brought is proved; what takes longer than
// somebody would ask is left unproved.
func (v PullView) State() string {
	if v.Job.State == pull.Done && v.Check.Poll {
		return Unpacking
	}
	return string(v.Job.State)
}

// kind colours the pull as a whole.
func (v PullView) kind() ui.Kind {
	if len(v.Check.Broken) > 0 {
		return ui.KindError
	}
	return pullKinds[v.Job.State]
}

// BrokenImage is an image that a pull brought and that cannot be used.
type BrokenImage struct {
	Platform string     // hostile text; empty where it is not stated
	Reason   image.Text // hostile text
	URL      string     // its page
}

// PullTitle gives the title of a pull's page.
func PullTitle(ctx context.Context, j pull.Job) string {
	if j.AllTags {
		return text.T(ctx, "pullall.title", "Name", tagsTitle(ctx, j.Reference.Repository, j.Match), "State", text.T(ctx, pullStates[j.State]))
	}
	if j.Upload != nil {
		return uploadTitle(ctx, j)
	}
	return strings.Replace(text.T(ctx, pullHeadings[j.State]), "#", j.Reference.Familiar(), 1)
}

// pullHeadings word a pull's state around its reference, which stands for #.
var pullHeadings = map[pull.State]text.MessageID{
	pull.Queued:    "pull.heading_queued",
	pull.Resolving: "pull.heading_pulling",
	pull.Pulling:   "pull.heading_pulling",
	pull.Done:      "pull.heading_done",
	pull.Failed:    "pull.heading_failed",
	pull.Cancelled: "pull.heading_cancelled",
}

// doneTitle tells a pull that brought something from one that found everything up to date.
func doneTitle(ctx context.Context, j pull.Job) string {
	if j.Newer {
		return text.T(ctx, "pull.done_title")
	}
	return text.T(ctx, "pull.up_to_date_title")
}

// pullStates word a pull's state for lists.
var pullStates = map[pull.State]text.MessageID{
	pull.Queued:    "pull.state_queued",
	pull.Resolving: "pull.state_resolving",
	pull.Pulling:   "pull.state_pulling",
	pull.Done:      "pull.state_done",
	pull.Failed:    "pull.state_failed",
	pull.Cancelled: "pull.state_cancelled",
}

// pullKinds colour a pull's state.
var pullKinds = map[pull.State]ui.Kind{
	pull.Queued:    ui.KindNeutral,
	pull.Resolving: ui.KindInfo,
	pull.Pulling:   ui.KindPrimary,
	pull.Done:      ui.KindSuccess,
	pull.Failed:    ui.KindError,
	pull.Cancelled: ui.KindNeutral,
}

// layerStates word and colour a layer's state. That of a retry has the reason too.
var layerStates = map[pull.LayerState]struct {
	text text.MessageID
	kind ui.Kind
}{
	pull.Waiting:       {"pull.layer_waiting", ui.KindNeutral},
	pull.AlreadyStored: {"pull.layer_stored", ui.KindSuccess},
	pull.Downloading:   {"pull.layer_downloading", ui.KindPrimary},
	pull.Verifying:     {"pull.layer_verifying", ui.KindInfo},
	pull.Complete:      {"pull.layer_done", ui.KindSuccess},
	pull.Retrying:      {"pull.layer_retrying", ui.KindWarning},
}

// platforms gives the platforms to name: those that the pull settled on, or else those asked for.
func (v PullView) platforms() []image.Platform { return pullPlatforms(v.Job) }

func pullPlatforms(j pull.Job) []image.Platform {
	if len(j.Pulled) > 0 {
		return j.Pulled
	}
	return j.Platforms
}

// wanted gives the platforms that somebody chose as tick boxes send them.
func (v PullView) wanted() []string {
	names := make([]string, len(v.Job.Platforms))
	for i, p := range v.Job.Platforms {
		names[i] = p.String()
	}
	return names
}

// commands gives docker's commands for the same pull; none where docker has no words for it.
func (v PullView) commands() []string {
	if v.Job.AllTags {
		if v.Job.Match != "" {
			return nil
		}
		return pullAllCommands(v.Job.Reference.Repository, v.Job.Platforms)
	}
	if len(v.Job.Platforms) == 0 {
		return []string{offer.Command(v.Job.Reference, "")}
	}
	var all []string
	for _, name := range v.wanted() {
		all = append(all, offer.Command(v.Job.Reference, name))
	}
	return all
}

// pullPercent gives how far a pull is. One that is done has all, were it nothing.
func pullPercent(j pull.Job) int {
	done, total := progressOf(j)
	switch {
	case j.State == pull.Done:
		return 100
	case total == 0:
		return 0
	}
	return text.Percent(done, total)
}

// barValue gives the overall bar's value and maximum; a negative value means that nobody knows yet.
func barValue(j pull.Job) (value, whole int64) {
	value, whole = progressOf(j)
	switch {
	case j.Upload != nil && !uploadKnown(j):
		return -1, 1
	case j.State == pull.Resolving && (!j.AllTags || whole == 0):
		return -1, 1
	case whole == 0 && j.State == pull.Done:
		return 1, 1
	}
	return value, whole
}

// keeps tells whether a pull left anything on disk for the next try.
func keeps(j pull.Job) bool {
	done, _ := j.Bytes()
	return done > 0
}

// countLayers counts the layers, and those that are on disk. What describes the image is no layer.
func countLayers(j pull.Job) (all, complete int) {
	for _, l := range j.Layers {
		if l.Attests {
			continue
		}
		all++
		if isFinished(l) {
			complete++
		}
	}
	return all, complete
}

func isFinished(l pull.Layer) bool { return l.State == pull.AlreadyStored || l.State == pull.Complete }

// requesters names who asked for a pull, the first few of many.
func requesters(ctx context.Context, j pull.Job) string {
	const most = 3
	names := slices.Clone(j.Requesters)
	for i := range names {
		names[i] = text.Visible(names[i])
	}
	if len(names) > most {
		return text.T(ctx, "pull.by_many", "Names", strings.Join(names[:most], ", "), text.Count, len(names)-most)
	}
	return strings.Join(names, ", ")
}

// manyLayers is from how many layers on those under way are shown before the others.
const manyLayers = 24

// layerGroup is the list of layers, or a part of it with a title.
type layerGroup struct {
	part   bool
	closed bool // only its title is shown
	title  text.MessageID
	layers []numberedLayer
}

// layerPart begins a part of the list.
func layerPart(title text.MessageID) layerGroup { return layerGroup{part: true, title: title} }

// numberedLayer is a layer with its place in the image, which is its ID on the page.
type numberedLayer struct {
	number int
	pull.Layer
}

// layerGroups lists the layers in the image's order, and after them what describes it. A long list of a pull that runs
// is divided, so that what moves is in view.
func layerGroups(j pull.Job) []layerGroup {
	var all layerGroup
	attests := layerPart("attestations.group")
	active, waiting, finished := layerPart("pull.group_active"), layerPart("pull.group_waiting"), layerPart("pull.group_finished")
	for i, layer := range j.Layers {
		l := numberedLayer{i, layer}
		if layer.Attests {
			attests.layers = append(attests.layers, l)
			continue
		}
		all.layers = append(all.layers, l)
		switch {
		case isFinished(layer):
			finished.layers = append(finished.layers, l)
		case layer.State == pull.Waiting:
			waiting.layers = append(waiting.layers, l)
		default:
			active.layers = append(active.layers, l)
		}
	}
	groups := []layerGroup{all, attests}
	if len(j.Layers) > manyLayers && !j.State.Final() {
		groups = []layerGroup{active, waiting, finished, attests}
	}
	return slices.DeleteFunc(groups, func(g layerGroup) bool { return len(g.layers) == 0 })
}

// isStopped tells whether a layer is not on disk and nothing more happens to it: its pull is over.
func isStopped(j pull.Job, l pull.Layer) bool {
	return !isFinished(l) && (j.State == pull.Failed || j.State == pull.Cancelled)
}

// layerKind colours a layer's state.
func layerKind(j pull.Job, l pull.Layer) ui.Kind {
	if isStopped(j, l) {
		return ui.KindNeutral
	}
	return layerStates[l.State].kind
}

// layerText words a layer's state.
func layerText(ctx context.Context, j pull.Job, l pull.Layer) string {
	switch {
	case isStopped(j, l):
		return stoppedText(ctx, l)
	case l.State == pull.Retrying:
		return retryText(ctx, l.ReasonText.Or(l.Reason), l.RetryAt)
	case l.State == pull.Waiting && l.Reason != "":
		return text.T(ctx, "pull.layer_stopped", "Reason", text.ErrorText(ctx, l.ReasonText.Or(l.Reason)))
	case l.State == pull.Downloading && l.Resumed > 0:
		return text.T(ctx, "pull.layer_resumed", "Size", text.HumanSize(l.Resumed))
	}
	return text.T(ctx, layerStates[l.State].text)
}

// stoppedText words a layer that a pull did not bring to its end: what the next try continues from, and why
// it stopped where the layer itself was the reason.
func stoppedText(ctx context.Context, l pull.Layer) string {
	halted := text.T(ctx, "pull.layer_halted")
	if l.Bytes > 0 {
		halted = text.T(ctx, "pull.layer_halted_kept", "Size", text.HumanSize(l.Bytes))
	}
	if l.Reason == "" {
		return halted
	}
	return halted + " · " + text.ErrorText(ctx, l.ReasonText.Or(l.Reason))
}

// layerBytes words how much of a layer is on disk.
func layerBytes(l pull.Layer) string {
	if isFinished(l) || l.Bytes == 0 || l.State == pull.Verifying {
		return text.HumanSize(l.Size)
	}
	return text.HumanSize(l.Bytes) + " / " + text.HumanSize(l.Size)
}

// layerPlatforms names the platforms that use a layer, where a pull has several.
func layerPlatforms(j pull.Job, l pull.Layer) string {
	if len(j.Pulled) < 2 {
		return ""
	}
	names := make([]string, len(l.Platform))
	for i, p := range l.Platform {
		names[i] = text.ShortPlatform(text.Visible(p.String()))
	}
	return strings.Join(names, ", ")
}
