package search

import (
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// one returns the group of a list that is one registry's.
func (r SearchResults) one() (SearchGroup, bool) {
	if len(r.Asked) == 1 && len(r.Groups) == 1 {
		return r.Groups[0], true
	}
	return SearchGroup{}, false
}

// asked reports whether registries were asked.
func (r SearchResults) asked() bool { return len(r.Groups) > 0 }

// count returns how many results are in view.
func (r SearchResults) count() (n int) {
	for _, g := range r.Groups {
		n += len(g.Hits)
	}
	return n
}

// nothing reports whether every registry answered, and with nothing.
func (r SearchResults) nothing() bool {
	for _, g := range r.Groups {
		if len(g.Hits) > 0 || g.Problem != nil || g.Partial {
			return false
		}
	}
	return r.asked() && r.State.PageInView() == 1
}

// fruitless reports whether there is no list to put in order.
func (r SearchResults) fruitless() bool {
	g, one := r.one()
	return r.nothing() || one && g.Problem != nil
}

// MostAgain is how often a page asks again by itself. Registries answer or fail by then; a long catalog may take
// longer, and then somebody has to want it.
const MostAgain = 20

// unfinished reports whether the page asks again by itself, since that may give more.
func (r SearchResults) unfinished() bool {
	return r.Again < MostAgain && slices.ContainsFunc(r.Groups, func(g SearchGroup) bool { return g.Late || g.Reading })
}

// againURL is what the page asks for by itself. The number is no part of the page's address.
func (r SearchResults) againURL() string {
	return r.State.AskingAgain(r.Again + 1)
}

// summary words how many results there are.
func (r SearchResults) summary(ctx context.Context) string {
	if g, ok := r.one(); ok {
		return g.summary(ctx, r.State.PageInView(), r.Limit)
	}
	answered, more := 0, false
	for _, g := range r.Groups {
		if g.Problem == nil {
			answered++
		}
		more = more || g.more()
	}
	registries := text.T(ctx, "search.registries", text.Count, answered)
	if more {
		return text.T(ctx, "search.first_in_all", text.Count, r.count(), "Registries", registries)
	}
	return text.T(ctx, "search.in_all", text.Count, r.count(), "Registries", registries)
}

// summary words how many results a registry has, and which of them are in view.
func (g SearchGroup) summary(ctx context.Context, page, limit int) string {
	if g.Problem != nil {
		return text.T(ctx, g.label())
	}
	n, first := len(g.Hits), (page-1)*limit+1
	switch {
	case n == 0 && g.Partial:
		return text.T(ctx, "search.label_late")
	case n == 0:
		return text.T(ctx, "search.label_none")
	case page > 1 && g.known():
		return text.T(ctx, "search.range_of", "From", first, "To", first+n-1, "Total", g.Total)
	case page > 1:
		return text.T(ctx, "search.range", "From", first, "To", first+n-1)
	case g.known() && g.Total > n:
		return text.T(ctx, "search.count_of", "Shown", n, text.Count, g.Total)
	case g.More:
		return text.T(ctx, "search.first", text.Count, n)
	}
	return text.T(ctx, "search.count", text.Count, n)
}

// known reports whether the registry said how many results there are.
func (g SearchGroup) known() bool { return g.Total >= 0 && !g.Partial }

// more reports whether there are results beyond those in view.
func (g SearchGroup) more() bool {
	return g.Problem == nil && len(g.Hits) > 0 && (g.More || g.known() && g.Total > len(g.Hits))
}

// deepest is how far down its results a registry is asked.
const deepest = 10_000

// pages returns how many pages a registry's results have, as far as it is asked; 0 where it does not say.
func (g SearchGroup) pages(limit int) int {
	if !g.known() || limit < 1 {
		return 0
	}
	return min((g.Total+limit-1)/limit, deepest/limit)
}

// smallestWindow is fewer results than any service gives where it has more.
const smallestWindow = 90

// windowText says what an order or a filter that was applied here could see, where that may not be all.
func (g SearchGroup) windowText(ctx context.Context, s address.Search) string {
	switch {
	case g.Window < smallestWindow:
		return ""
	case s.Sort != "" && s.Filtered():
		return text.T(ctx, "search.window_both", text.Count, g.Window)
	case s.Sort != "":
		return text.T(ctx, "search.window_sorted", text.Count, g.Window)
	}
	return text.T(ctx, "search.window_filtered", text.Count, g.Window)
}

// problemTitles says in one line why a registry gave nothing, by kind.
var problemTitles = map[image.Kind]text.MessageID{
	image.NotFound:     "search.unsearchable",
	image.RateLimited:  "search.limited",
	image.Unauthorized: "search.signin",
}

// problemLabels says it in a word or two beside the registry's name.
var problemLabels = map[image.Kind]text.MessageID{
	image.NotFound:     "search.label_unsearchable",
	image.RateLimited:  "search.label_limited",
	image.Unauthorized: "search.label_signin",
}

// title says in one line why the registry gave nothing.
func (g SearchGroup) title(ctx context.Context) string {
	id, ok := problemTitles[g.Kind]
	switch {
	case g.Late:
		id = "search.late"
	case !ok:
		id = "search.failed"
	}
	return text.T(ctx, id, "Registry", g.Registry.Name)
}

// label says it beside the registry's name.
func (g SearchGroup) label() text.MessageID {
	if g.Late {
		return "search.label_late"
	}
	if id, ok := problemLabels[g.Kind]; ok {
		return id
	}
	return "search.label_failed"
}

// icon stands beside title.
func (g SearchGroup) icon() ui.IconName {
	switch {
	case g.Late, g.Kind == image.RateLimited:
		return ui.IconClock
	case g.Kind == image.NotFound:
		return ui.IconInfo
	}
	return ui.IconWarning
}

// byName reports whether a repository's whole name is the way on: it cannot be searched, but pulled from.
func (g SearchGroup) byName() bool { return g.Kind == image.NotFound && !g.Late }

// nameGuess begins the whole name of a repository in the registry, with the words where they can be one.
func (g SearchGroup) nameGuess(words string) string {
	guess := g.Registry.Host + "/"
	if ref, err := image.ParseRepositoryReference(guess + words); err == nil && ref.Tag == "" && ref.Digest == "" {
		return ref.Repository.Familiar()
	}
	return guess
}

// wholeName returns the repository that the words are the whole name of, where they can be one.
func wholeName(s address.Search) (image.Repository, bool) {
	name := s.Query
	if s.Registry != "" && s.Registry != image.DockerHub && !strings.HasPrefix(name, s.Registry+"/") {
		name = s.Registry + "/" + name
	}
	ref, err := image.ParseRepositoryReference(name)
	if err != nil || ref.Tag != "" || ref.Digest != "" {
		return "", false
	}
	return ref.Repository, true
}

// searchCommand words the docker search that asks the same, as far as docker can.
func searchCommand(s address.Search) string {
	words := []string{"docker", "search"}
	if s.Official {
		words = append(words, "--filter", "is-official=true")
	}
	if s.Stars > 0 {
		words = append(words, "--filter", "stars="+strconv.Itoa(s.Stars))
	}
	if s.Limit > 0 {
		words = append(words, "--limit", strconv.Itoa(s.Limit))
	}
	term := s.Query
	if s.Registry != "" && s.Registry != image.DockerHub && !strings.HasPrefix(term, s.Registry+"/") {
		term = s.Registry + "/" + term
	}
	if strings.HasPrefix(term, "-") {
		words = append(words, "--")
	}
	return ui.ShellWords(append(words, term))
}

const (
	maxDescription = 240 // characters of a description in a row, which shows two lines
	maxTitle       = 600 // characters of one that is too long for its row, in the title
)

// description returns the text for a row, and the longer one for its title where the row may cut it.
func (h SearchHit) description() (row, title string) {
	const surelyFits = 140 // two lines where there is a pointer to show titles with
	row = ui.Shortened(h.Description, maxDescription)
	if len([]rune(row)) > surelyFits {
		title = ui.Shortened(h.Description, maxTitle)
	}
	return row, title
}

// hitID returns the ID of a result's link, by which the answer to a pick finds it.
func hitID(repo image.Repository) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(repo)) // a hash takes everything
	return "hit-" + strconv.FormatUint(h.Sum64(), 36)
}
