package pulls_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/handlers"
	"github.com/stowage/stowage/handlers/page"
	pullpages "github.com/stowage/stowage/handlers/pulls"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/pulls"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// brokenHost is a registry with test/broken:1, whose layer ends half-way.
func brokenHost(t *testing.T) string {
	t.Helper()
	reg := fake.NewEmptyRegistry()
	server := httptest.NewServer(reg)
	t.Cleanup(server.Close)
	content, err := sample.NewLayer(sample.Gzip, sample.Data("usr/data", "broken", 5000)).Content()
	if err != nil {
		t.Fatal(err)
	}
	cut := sample.RawLayer(sample.Gzip, sample.LayerContent{Blob: bytes.Clone(content.Blob[:len(content.Blob)/2]), DiffID: content.DiffID})
	im := sample.Image{Platform: sample.NoLayers().Platform, Steps: []sample.Step{{By: "COPY data /usr", Layer: cut}}}
	if err := reg.Push(t.Context(), "test/broken", im, "1"); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(server.URL, "http://")
}

func TestAPullThatBroughtABrokenImageSaysSo(t *testing.T) {
	p := newPulls(t, nil)
	ref := brokenHost(t) + "/test/broken:1"
	address := p.start(ref)
	j := p.end(address)
	if err := p.store.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	content := p.get(address)
	content.Is(t, http.StatusOK, "the content cannot be used", "cannot be unpacked", `role="alert"`,
		`href="/images/`+strings.TrimSuffix(ref, ":1")+"@"+string(pull.DigestOf(j))+`?platform=`)
	content.Lacks(t, "Everything is stored", "Checking the layers", "alert-success")
	if s := state(t, content.Body); s != "failed" {
		t.Errorf("state %s", s)
	}
	p.get("/pulls").Is(t, http.StatusOK, `data-state="failed"`, "broken")
	kept, err := p.store.Jobs.Job(t.Context(), j.ID)
	if err != nil || kept.State != job.Failed || !kept.Outcome.Broken || kept.Problem == nil || kept.Problem.Kind != image.Corrupt {
		t.Errorf("the record is %+v, %v", kept, err)
	}
	if slices.ContainsFunc(kept.Outcome.Lines, func(line string) bool { return strings.HasPrefix(line, "Status: ") }) {
		t.Errorf("docker would not say %q", kept.Outcome.Lines)
	}
	script := p.get(address, "Accept", "application/json")
	script.Is(t, page.Status(image.Corrupt), `"state":"failed"`, `"kind":"corrupt"`, "cannot be unpacked", `"broken":[`)
	p.get(address, "Accept", "text/plain").Is(t, page.Status(image.Corrupt), "Pulling from test/broken\n", "Error: the image is stored and broken: layer", "\nfailed\n")
	p.get(address, "Accept-Language", "ko").Is(t, http.StatusOK, "내용을 사용할 수 없습니다")
}

func TestAPullOfSoundImagesIsFineOnceTheyAreChecked(t *testing.T) {
	p := newPulls(t, nil)
	address := p.start(p.ref("library/postgres:16"))
	p.end(address)
	if err := p.store.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	page := p.get(address)
	page.Is(t, http.StatusOK, "Everything is stored")
	page.Lacks(t, "Checking the layers", "every 2s")
	part := p.get(address, "HX-Request", "true", "HX-Request-Type", "partial")
	part.Is(t, http.StatusOK, `<div id="pull" data-state="done">`)
	part.Lacks(t, "<html", "<main")
	p.get("/pulls").Lacks(t, "broken")
	p.get(address, "Accept", "text/plain").Is(t, http.StatusOK, "Status: Downloaded newer image for", "\ndone\n")
	p.get(address, "Accept", "application/json").Is(t, http.StatusOK, `"state":"done"`, `"newer":true`)
}

// A script that asks between the end of a pull and that of unpacking is told to ask again, and the state is not done before.
func TestAPullIsNotDoneForScriptsBeforeItsLayersAreProved(t *testing.T) {
	view := pulls.PullView{Job: aPull(job.Done), Check: pulls.PullCheck{Pending: true, Poll: true}}
	for _, asJSON := range []bool{true, false} {
		r := httptest.NewRecorder()
		if err := pullpages.Answer(echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/pulls/1", nil), r), view, asJSON); err != nil {
			t.Fatal(err)
		}
		if r.Code != http.StatusAccepted || r.Header().Get("Retry-After") == "" || !strings.Contains(r.Body.String(), "unpacking") {
			t.Errorf("%d %q", r.Code, r.Body)
		}
	}
	if page := pages.Rendered(t, text.English, pulls.PullPart(view)); !strings.Contains(page.Body, `data-state="unpacking"`) {
		t.Error("the page says that it is done")
	}
	view.Check.Poll = false // nobody would wait that long
	if page := pages.Rendered(t, text.English, pulls.PullPart(view)); !strings.Contains(page.Body, `data-state="done"`) {
		t.Error("the page never ends")
	}
}

func TestThePageOfAPullWhoseLayersAreBeingCheckedAsksAgain(t *testing.T) {
	a := pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: aPull(job.Done), Check: pulls.PullCheck{Pending: true, Poll: true}}))
	a.Is(t, 0, "Checking the layers…", `hx-get="/pulls/128" hx-trigger="every 2s" hx-target="#pull"`, "Everything is stored", `data-state="unpacking"`)
	rest := pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: aPull(job.Done), Check: pulls.PullCheck{Pending: true}}))
	rest.Is(t, 0, "Checking the layers…")
	rest.Lacks(t, `hx-get="/pulls/128"`)
}

func TestTheCheckOfAPullIsPendingUntilItsLayersAreUnpacked(t *testing.T) {
	p := newPulls(t, nil)
	j := p.end(p.start(p.ref("library/postgres:16"), "linux/amd64"))
	h := handlers.New(handlers.Options{Shelf: pages.Of(p.store), Jobs: p.jobs, Queue: p.queue})
	if err := p.store.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	settled, err := h.Pulls.Check(t.Context(), j)
	if err != nil || settled.Pending || len(settled.Broken) > 0 {
		t.Errorf("%+v, %v", settled, err)
	}
	now := j.Finished.Add(time.Minute)
	for _, tt := range []struct {
		images []shelf.Image
		want   pulls.PullCheck
	}{
		{[]shelf.Image{{Unpacked: 1}, {Unpacked: -1}}, pulls.PullCheck{Pending: true, Poll: true}},
		{[]shelf.Image{{Unpacked: 1}}, pulls.PullCheck{}},
	} {
		if got := pullpages.CheckOf(j, tt.images, j.Reference(), now); got.Pending != tt.want.Pending || got.Poll != tt.want.Poll {
			t.Errorf("%+v, want %+v", got, tt.want)
		}
	}
	if late := pullpages.CheckOf(j, []shelf.Image{{Unpacked: -1}}, j.Reference(), j.Finished.Add(pullpages.PollCheck)); !late.Pending || late.Poll {
		t.Errorf("after a long time: %+v", late)
	}
}

func TestAPullWhoseImageWasDeletedHasNoCheck(t *testing.T) {
	p := newPulls(t, nil)
	j := job.Job{State: job.Done, Detail: pull.Single{Ref: image.Reference{Repository: "docker.io/library/gone", Tag: "1"}, Digest: image.DigestOf([]byte("gone"))}}
	check, err := handlers.New(handlers.Options{Shelf: pages.Of(p.store), Jobs: p.jobs, Queue: p.queue}).Pulls.Check(context.Background(), j)
	if err != nil || check.Pending || len(check.Broken) > 0 {
		t.Errorf("%+v, %v", check, err)
	}
}

func TestLayersOfAPullThatEndedEarlySayWhatIsKept(t *testing.T) {
	for _, s := range []job.State{job.Failed, job.Cancelled} {
		j := aPull(s)
		j.Problem = &job.Problem{Kind: image.Cancelled, Message: image.Plain("cancelled")}
		a := pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: j}))
		a.Is(t, 0, "<p>Stopped</p>", "<p>Stopped, 66.4 MB kept</p>", "Stopped, 1.1 MB kept · ", "and so does what came of the others")
		a.Lacks(t, ">Waiting<", ">Downloading<", ">Verifying<", "Retrying")
	}
}

func TestThePageOfALivePullHasANoticeForALostConnection(t *testing.T) {
	a := pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: aPull(job.Pulling)}))
	a.Is(t, 0, "Connection lost, trying again…", "data-stream-lost hidden")
	pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: aPull(job.Done)})).Lacks(t, "data-stream-lost")
}

func TestAgesWithinASentenceHaveNoCapital(t *testing.T) {
	j := aPull(job.Done)
	j.Finished = pages.Clock
	a := pages.Rendered(t, text.English, pulls.PullPage(ui.Chrome{}, pulls.PullView{Job: j}))
	a.Is(t, 0, "took 3 s · less than a second ago by jlee, mira")
}

func TestPullFormLeadsToTheSamePullThatRuns(t *testing.T) {
	p := newPulls(t, nil)
	hold := heldLayer(p, pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64"))
	address := p.start(p.ref("library/postgres:16"), "linux/amd64")
	<-hold.Reached()
	p.form(p.ref("library/postgres:16")).Is(t, http.StatusOK, "is being pulled right now", `href="`+address+`"`)
	p.get("/images/"+p.ref("library/postgres:16")).Is(t, http.StatusNotFound, "is being pulled right now", `href="`+address+`"`)
	p.form(p.ref("library/postgres:15")).Lacks(t, "is being pulled right now")
	hold.Release()
	p.end(address)
	p.form(p.ref("library/postgres:16")).Lacks(t, "is being pulled right now")
}

func TestPullFormSaysThatOnlyTheNameIsMissing(t *testing.T) {
	reg := fake.NewEmptyRegistry()
	server := httptest.NewServer(reg)
	t.Cleanup(server.Close)
	source, ok := sample.Lookup(sample.Library(), "library/postgres", "16")
	if !ok {
		t.Fatal("no sample")
	}
	if err := reg.Push(t.Context(), "test/twice", source, "1", "2"); err != nil {
		t.Fatal(err)
	}
	p := newPulls(t, nil)
	host := strings.TrimPrefix(server.URL, "http://")
	p.end(p.start(host + "/test/twice:1"))
	p.form(host+"/test/twice:2").Is(t, http.StatusOK, "Not stored yet", "the content is here already; pulling only adds the name")
	p.form(host+"/test/twice:1").Lacks(t, "only adds the name")
}

func TestPlatformsAreOfferedBelowTheErrorThatOneIsMissing(t *testing.T) {
	p := newPulls(t, nil)
	ref := p.ref("library/postgres:16")
	a := p.form(ref, "linux/riscv64")
	a.Is(t, http.StatusNotFound, "No such platform")
	if all, _ := pages.Boxes(a); len(all) != 2 || strings.Index(a.Body, `id="pull-problem"`) > strings.Index(a.Body, `id="offer-0"`) {
		t.Errorf("offered: %v", all)
	}
	address := p.start(ref, "linux/riscv64")
	p.end(address)
	p.get(address).Is(t, http.StatusOK, "Choose platforms", `href="/pull?ref=`+ref+`"`)
}
