// Package pulls has the pages of pulling: the form, a pull that runs, and the list of all.
package pulls

import (
	"context"
	"slices"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/views/offer"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// PullView is one pull, live while it runs and a record afterwards.
type PullView struct {
	Job         job.Job
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

// State is where the pull stands, in a word for scripts. It is done once what it brought is proved; what takes longer
// than somebody would ask is left unproved.
func (v PullView) State() string {
	if v.Job.State == job.Done && v.Check.Poll {
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

// PullTitle returns the title of a pull's page.
func PullTitle(ctx context.Context, j job.Job) string {
	if j.Kind() == job.PullAll {
		return text.T(ctx, "pullall.title", "Name", tagsTitle(ctx, j.Reference().Repository, allTags(j).Match), "State",
			text.T(ctx, pullStates[j.State]))
	}
	if j.Kind() == job.Upload {
		return uploadTitle(ctx, j)
	}
	return strings.Replace(text.T(ctx, pullHeadings[j.State]), "#", j.Reference().Familiar(), 1)
}

// pullHeadings word a pull's state around its reference, which stands for #.
var pullHeadings = map[job.State]text.MessageID{
	job.Queued:    "pull.heading_queued",
	job.Resolving: "pull.heading_pulling",
	job.Pulling:   "pull.heading_pulling",
	job.Done:      "pull.heading_done",
	job.Failed:    "pull.heading_failed",
	job.Cancelled: "pull.heading_cancelled",
}

// doneTitle words apart a pull that brought something from one that found everything up to date.
func doneTitle(ctx context.Context, j job.Job) string {
	if j.Outcome.Newer {
		return text.T(ctx, "pull.done_title")
	}
	return text.T(ctx, "pull.up_to_date_title")
}

// pullStates word a pull's state for lists.
var pullStates = map[job.State]text.MessageID{
	job.Queued:    "pull.state_queued",
	job.Resolving: "pull.state_resolving",
	job.Pulling:   "pull.state_pulling",
	job.Done:      "pull.state_done",
	job.Failed:    "pull.state_failed",
	job.Cancelled: "pull.state_cancelled",
}

// pullKinds colour a pull's state.
var pullKinds = map[job.State]ui.Kind{
	job.Queued:    ui.KindNeutral,
	job.Resolving: ui.KindInfo,
	job.Pulling:   ui.KindPrimary,
	job.Done:      ui.KindSuccess,
	job.Failed:    ui.KindError,
	job.Cancelled: ui.KindNeutral,
}

// layerStates word and colour a layer's state. That of a retry has the reason too.
var layerStates = map[job.LayerState]struct {
	text text.MessageID
	kind ui.Kind
}{
	job.Waiting:       {"pull.layer_waiting", ui.KindNeutral},
	job.AlreadyStored: {"pull.layer_stored", ui.KindSuccess},
	job.Downloading:   {"pull.layer_downloading", ui.KindPrimary},
	job.Verifying:     {"pull.layer_verifying", ui.KindInfo},
	job.Complete:      {"pull.layer_done", ui.KindSuccess},
	job.Retrying:      {"pull.layer_retrying", ui.KindWarning},
}

// platforms returns the platforms to name: those that the pull settled on, or else those asked for.
func (v PullView) platforms() []image.Platform { return pullPlatforms(v.Job) }

func pullPlatforms(j job.Job) []image.Platform {
	if len(j.Outcome.Pulled) > 0 {
		return j.Outcome.Pulled
	}
	return pull.Wanted(j)
}

// wanted returns the platforms that somebody chose as tick boxes send them.
func (v PullView) wanted() []string {
	names := make([]string, len(pull.Wanted(v.Job)))
	for i, p := range pull.Wanted(v.Job) {
		names[i] = p.String()
	}
	return names
}

// commands returns docker's commands for the same pull; none where docker has no words for it.
func (v PullView) commands() []string {
	if v.Job.Kind() == job.PullAll {
		if allTags(v.Job).Match != "" {
			return nil
		}
		return pullAllCommands(v.Job.Reference().Repository, pull.Wanted(v.Job))
	}
	if len(pull.Wanted(v.Job)) == 0 {
		return []string{offer.Command(v.Job.Reference(), "")}
	}
	var all []string
	for _, name := range v.wanted() {
		all = append(all, offer.Command(v.Job.Reference(), name))
	}
	return all
}

// pullPercent returns how far a pull is. One that is done has all, were it nothing.
func pullPercent(j job.Job) int {
	done, total := progressOf(j)
	switch {
	case j.State == job.Done:
		return 100
	case total == 0:
		return 0
	}
	return text.Percent(done, total)
}

// barValue returns the overall bar's value and maximum; a negative value means that nobody knows yet.
func barValue(j job.Job) (value, whole int64) {
	value, whole = progressOf(j)
	switch {
	case j.Kind() == job.Upload && !uploadKnown(j):
		return -1, 1
	case j.State == job.Resolving && (j.Kind() != job.PullAll || whole == 0):
		return -1, 1
	case whole == 0 && j.State == job.Done:
		return 1, 1
	}
	return value, whole
}

// keeps reports whether a pull left anything on disk for the next try.
func keeps(j job.Job) bool {
	done, _ := j.Bytes()
	return done > 0
}

// countLayers counts the layers, and those that are on disk. What describes the image is no layer.
func countLayers(j job.Job) (all, complete int) {
	for _, l := range j.Progress.Layers {
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

func isFinished(l job.Layer) bool { return l.State == job.AlreadyStored || l.State == job.Complete }

// requesters names who asked for a pull, the first few of many.
func requesters(ctx context.Context, j job.Job) string {
	const most = 3
	names := slices.Clone(j.By)
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
	job.Layer
}

// layerGroups lists the layers in the image's order, and after them what describes it. A long list of a pull that runs
// is divided, so that what moves is in view.
func layerGroups(j job.Job) []layerGroup {
	var all layerGroup
	attests := layerPart("attestations.group")
	active, waiting, finished := layerPart("pull.group_active"), layerPart("pull.group_waiting"),
		layerPart("pull.group_finished")
	for i, layer := range j.Progress.Layers {
		l := numberedLayer{i, layer}
		if layer.Attests {
			attests.layers = append(attests.layers, l)
			continue
		}
		all.layers = append(all.layers, l)
		switch {
		case isFinished(layer):
			finished.layers = append(finished.layers, l)
		case layer.State == job.Waiting:
			waiting.layers = append(waiting.layers, l)
		default:
			active.layers = append(active.layers, l)
		}
	}
	groups := []layerGroup{all, attests}
	if len(j.Progress.Layers) > manyLayers && !j.State.Final() {
		groups = []layerGroup{active, waiting, finished, attests}
	}
	return slices.DeleteFunc(groups, func(g layerGroup) bool { return len(g.layers) == 0 })
}

// isStopped reports whether a layer is not on disk and nothing more happens to it: its pull is over.
func isStopped(j job.Job, l job.Layer) bool {
	return !isFinished(l) && (j.State == job.Failed || j.State == job.Cancelled)
}

// layerKind colours a layer's state.
func layerKind(j job.Job, l job.Layer) ui.Kind {
	if isStopped(j, l) {
		return ui.KindNeutral
	}
	return layerStates[l.State].kind
}

// layerText words a layer's state.
func layerText(ctx context.Context, j job.Job, l job.Layer) string {
	switch {
	case isStopped(j, l):
		return stoppedText(ctx, l)
	case l.State == job.Retrying:
		return retryText(ctx, l.Reason, l.RetryAt)
	case l.State == job.Waiting && !l.Reason.Empty():
		return text.T(ctx, "pull.layer_stopped", "Reason", text.ErrorText(ctx, l.Reason))
	case l.State == job.Downloading && l.Resumed > 0:
		return text.T(ctx, "pull.layer_resumed", "Size", text.HumanSize(l.Resumed))
	}
	return text.T(ctx, layerStates[l.State].text)
}

// stoppedText words a layer that a pull did not bring to its end: what the next try continues from, and why
// it stopped where the layer itself was the reason.
func stoppedText(ctx context.Context, l job.Layer) string {
	halted := text.T(ctx, "pull.layer_halted")
	if l.Bytes > 0 {
		halted = text.T(ctx, "pull.layer_halted_kept", "Size", text.HumanSize(l.Bytes))
	}
	if l.Reason.Empty() {
		return halted
	}
	return halted + " · " + text.ErrorText(ctx, l.Reason)
}

// layerBytes words how much of a layer is on disk.
func layerBytes(l job.Layer) string {
	if isFinished(l) || l.Bytes == 0 || l.State == job.Verifying {
		return text.HumanSize(l.Size)
	}
	return text.HumanSize(l.Bytes) + " / " + text.HumanSize(l.Size)
}

// layerPlatforms names the platforms that use a layer, where a pull has several.
func layerPlatforms(j job.Job, l job.Layer) string {
	if len(j.Outcome.Pulled) < 2 {
		return ""
	}
	names := make([]string, len(l.Platform))
	for i, p := range l.Platform {
		names[i] = text.ShortPlatform(text.Visible(p.String()))
	}
	return strings.Join(names, ", ")
}
