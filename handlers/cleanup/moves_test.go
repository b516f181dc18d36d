package cleanup_test

import (
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/storage"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/address"
	"github.com/stowage/stowage/views/text"
)

// version is what app:1 is in one of its versions: each has a layer and an environment variable more than the one before.
func version(n int) sample.Image {
	im := sample.Image{Platform: pages.Amd64, Created: sample.Epoch}
	for i := range n {
		name := []string{"first", "second", "third"}[i]
		im.Config.Env = append(im.Config.Env, strings.ToUpper(name)+"=1")
		im.Steps = append(im.Steps, sample.Step{By: "COPY " + name, Layer: sample.NewLayer(sample.Gzip, sample.Data(name, name, 3000))})
	}
	// A layer of its own, which goes with it.
	im.Steps = append(im.Steps, sample.Step{By: "COPY own", Layer: sample.NewLayer(sample.Gzip, sample.Data("own", strings.Repeat("x", n), 5000))})
	return im
}

// bytesOn adds the files of the blob folder up.
func bytesOn(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var planField = regexp.MustCompile(`name="(plan|at)" value="([^"]*)"`)

func TestATagThatMovesBetweenPullsIsToldComparedAndPrunedToTheByte(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	dir := t.TempDir()
	s := pages.NewOn(t, reg, func(o *storage.Options) { o.Dir, o.UndoWindow = dir, 0 })
	const page = "/images/docker.io/library/app:1"
	var digests []image.Digest
	for n := 1; n <= 3; n++ {
		if err := reg.Push(t.Context(), "library/app", version(n), "1"); err != nil {
			t.Fatal(err)
		}
		if n > 1 { // the check says so before the pull
			s.Post(page+"/check", nil)
			s.Get(page).Is(t, http.StatusOK, `data-update="available"`, string(digests[n-2]))
		}
		s.Pull("app:1")
		digests = append(digests, s.Target("app:1").Digest)
		s.Get(page).Is(t, http.StatusOK, `data-update="current"`)
	}

	history := s.Get(page + "/history")
	if rows := strings.Count(history.Body, "<tr data-row"); rows != 3 {
		t.Errorf("the history has %d entries, want 3", rows)
	}
	rows, dangling, err := s.Store.Lists.List(t.Context(), shelf.Query{Text: "app@", Limit: 10})
	if err != nil || dangling != 2 || rows[0].Reason != shelf.Dangling || rows[1].Reason != shelf.Dangling {
		t.Fatalf("%d dangling digests: %+v, %v", dangling, rows, err)
	}
	for n := 1; n <= 2; n++ {
		changes := address.ChangesOf("docker.io/library/app", digests[n-1], digests[n], image.Platform{}).String()
		history.Is(t, http.StatusOK, `href="`+changes+`"`)
		name := []string{"", "second", "third"}[n]
		s.Get(changes).Is(t, http.StatusOK, "COPY "+name, strings.ToUpper(name), "added")
	}

	plan, err := s.Store.Removals.PlanPrune(t.Context(), shelf.Prune{})
	if err != nil || plan.Totals.Images != 2 || plan.Totals.Refused != 0 {
		t.Fatalf("%+v, %v", plan.Totals, err)
	}
	preview := s.Get("/prune")
	preview.Is(t, http.StatusOK, text.HumanSize(plan.Totals.Freed))
	form := url.Values{}
	for _, m := range planField.FindAllStringSubmatch(preview.Body, -1) {
		form.Set(m[1], m[2])
	}
	before := bytesOn(t, dir)
	if a := s.Post("/prune", form); a.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	s.Store.Janitor.Settle()
	if freed := before - bytesOn(t, dir); freed != plan.Totals.Freed {
		t.Errorf("%d bytes left the disk, the preview said %d", freed, plan.Totals.Freed)
	}
	s.Get("/prune").Is(t, http.StatusOK)
	s.Get(page).Is(t, http.StatusOK, "third")
}
