package browser

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/net/html"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
	"github.com/stowage/stowage/views/text"
)

// manyTags is a repository of seven tags whose images share layers: each brings one more than the one before, in the
// order in which they are pulled. The last is for another platform.
type manyTags struct {
	*shelf.Upstream
	repository string
	layers     []sample.Blob // in the order in which they are pulled
	bytes      int64         // of them all
}

// tagsInOrder are its tags, newest version first.
var tagsInOrder = []string{"latest", "1.5", "1.4", "1.3", "1.2", "1.1", "0.9"}

func pushManyTags(t *testing.T) *manyTags {
	t.Helper()
	m := &manyTags{Upstream: shelf.RealUpstream(t), repository: "team/all-tags"}
	for n := 1; n <= 5; n++ {
		tags := []string{tagsInOrder[n]}
		if n == 1 {
			tags = append(tags, "latest")
		}
		index := m.Holds(t, m.repository, sample.Sized(n, 300_000, v1.Platform{OS: "linux", Architecture: "amd64"}), tags...)
		m.layers = shelf.Platform(t, index, "linux/amd64").Layers()
	}
	m.Holds(t, m.repository, sample.Sized(1, 300_000, v1.Platform{OS: "linux", Architecture: "arm64"}), "0.9")
	for _, l := range m.layers {
		m.bytes += l.Descriptor.Size
	}
	return m
}

// tagLines are the lines of a pull of all tags, without its sizes.
func tagLines(p *shelf.Page) (lines []string) {
	for _, row := range p.All(func(n *html.Node) bool { return n.Data == "li" && strings.HasPrefix(shelf.Attribute(n, "id"), "tag-") }) {
		var words []string
		for n := range row.Descendants() {
			switch {
			case n.Type != html.ElementNode:
			case n.Data == "a" || n.Data == "bdi" || strings.Contains(shelf.Attribute(n, "class"), "badge"):
				words = append(words, shelf.TextOf(n))
			}
		}
		// Lines are saved now and then: of a tag that was whole just before a crash the next start may find only
		// that it is there.
		lines = append(lines, strings.ToLower(strings.Replace(strings.Join(words, " "), "up to date", "done", 1)))
	}
	slices.Sort(lines)
	return lines
}

func TestAllTagsArePulledFromTheSearchPageAndGoOnAfterKill9(t *testing.T) {
	t.Parallel()
	m := pushManyTags(t)
	s := shelf.Start(t)
	b := Open(t, s)
	const part = 100_000 // bytes of the layer that 1.3 brings
	hold := m.Hold(fake.GetBlob(m.layers[2].Descriptor.Digest), part)

	// From the tags to what all of them would cost. Nothing has started.
	b.Open("/search?repo=" + m.Ref(m.repository))
	b.See("#tag-list")
	if text := b.Text("#search-tags a[href*=all]"); text != "Pull all 7 tags…" {
		t.Errorf("the link says %q", text)
	}
	b.Click("#search-tags a[href*=all]")
	b.See(`#survey form[action="/pulls"] button`)
	survey := b.spaced("#survey")
	for _, want := range []string{
		"7 tags", "6 different images", "1 tag has no image for linux/amd64 and will be skipped", "To download " + text.HumanSize(m.bytes), "Stored already 0 B", "Pull all 7 tags",
		"docker pull --all-tags " + m.Ref(m.repository),
	} {
		if !strings.Contains(survey, want) {
			t.Errorf("the survey does not say %q but %q", want, survey)
		}
	}
	if n := len(m.ServedBlobs()); n != 0 {
		t.Errorf("looking at the cost fetched %d blobs", n)
	}
	if rows := s.Images(); len(rows) > 0 {
		t.Errorf("looking at the cost stored %v", rows)
	}

	// One pull, a line for each tag. It stands in the middle of the fourth.
	b.Click(`#survey form[action="/pulls"] button`)
	b.See(`#pull[data-state="pulling"] progress[value="%d"]`, part)
	pull := b.Location()
	for i, want := range []string{"latest done", "1.5 done", "1.4 done", "1.3 pulling", "1.2 waiting", "1.1 waiting", "0.9 waiting"} {
		shelf.Eventually(t, "the line of "+want, func() bool {
			return strings.HasPrefix(strings.ToLower(b.spaced(fmt.Sprintf("#tag-%d", i))), want)
		})
	}
	b.Open("/images") // no script is to miss the server
	s.Kill()
	hold.Abort() // what it held has nobody to go to

	// The next start goes on by itself. What was whole before stays.
	next := m.Hold(fake.GetBlob(m.layers[3].Descriptor.Digest), -1)
	again := shelf.StartOn(t, s.Data, nil)
	<-next.Reached()
	again.Await(pull, "at 1.2", func(p *shelf.Page) bool {
		return slices.Equal(tagLines(p), []string{"0.9 waiting", "1.1 waiting", "1.2 pulling", "1.3 done", "1.4 done", "1.5 done", "latest done"})
	})
	for _, tag := range tagsInOrder[:4] {
		again.Page(m.Address(m.repository+":"+tag)).Says(http.StatusOK, "linux/amd64")
	}
	b = Open(t, again)
	b.Open(pull)
	b.See(`#pull[data-state="pulling"]`)
	next.Release()
	b.See(`#pull[data-state="done"]`)
	if text := b.Text("#pull"); !strings.Contains(text, "Everything is stored, but for 1 tag that has no such image") || !strings.Contains(text, "100%") {
		t.Errorf("the outcome is %q", text)
	}
	if lines := tagLines(again.Page(pull)); !slices.Equal(lines, []string{"0.9 skipped", "1.1 done", "1.2 done", "1.3 done", "1.4 done", "1.5 done", "latest done"}) {
		t.Errorf("the lines are %v", lines)
	}

	// The registry has served what the survey said, each byte once.
	var served int64
	for i, l := range m.layers {
		n := m.Served(l.Descriptor.Digest)
		if served += n; n != l.Descriptor.Size {
			t.Errorf("layer %d: %d bytes served, it has %d", i, n, l.Descriptor.Size)
		}
	}
	if served != m.bytes {
		t.Errorf("%d bytes of layers were served, the survey said %d", served, m.bytes)
	}
	for d, n := range m.ServedBlobs() {
		if got := blobSize(t, again, d.Encoded()); got != n {
			t.Errorf("blob %s: %d bytes served, %d stored", d, n, got)
		}
	}
	var ranges []string
	for _, r := range m.Requests() {
		if r.Range != "" {
			ranges = append(ranges, r.Range)
		}
	}
	if want := []string{"bytes=" + strconv.Itoa(part) + "-"}; !slices.Equal(ranges, want) {
		t.Errorf("the ranges asked for are %v, want %v", ranges, want)
	}
	if rows := again.Page("/images").Text(); !strings.Contains(rows, "latest") || strings.Contains(rows, "0.9") {
		t.Errorf("the shelf has %s", rows)
	}
	shelf.CheckLayout(t, again.Data)

	// A second time there is nothing to fetch.
	b.Open("/pull?ref=" + m.Ref(m.repository) + "&all=1")
	b.See(`#survey form[action="/pulls"] button`)
	if text := b.spaced("#survey"); !strings.Contains(text, "To download 0 B") {
		t.Errorf("the second survey says %q", text)
	}
}

func TestAllTagsWithAPartOfTheirNamesArePulledWithScriptingOff(t *testing.T) {
	t.Parallel()
	m := pushManyTags(t)
	s := shelf.Start(t)
	b := Open(t, s)
	b.WithoutScripting()
	b.Open("/pull?ref=" + m.Ref(m.repository) + "&all=1")
	b.See(`#survey form[action="/pulls"] button`) // the page loads itself until then
	b.Enter("#survey-match", "1.5")
	b.Click(`#survey form[action="/pulls"]:has(input[name=match][value="1.5"]) button`)
	b.See(`#pull[data-state="done"]`)
	if lines := tagLines(s.Page(b.Location())); !slices.Equal(lines, []string{"1.5 done"}) {
		t.Errorf("the lines are %v", lines)
	}
	if n := len(m.ServedBlobs()); n != 2 { // a layer and a config
		t.Errorf("%d blobs were served", n)
	}
}

// spaced is text with a space between what stands side by side.
func (b *Tab) spaced(selector string) string {
	b.t.Helper()
	b.See("%s", selector)
	return strings.Join(strings.Fields(Is[string](b, fmt.Sprintf(element, selector)+".innerText")), " ")
}
