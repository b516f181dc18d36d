package pulls_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/pulls"
)

// heldLayer makes the registry stop half-way in the first layer of an image.
func heldLayer(p *pullServer, img sample.Built) *fake.Hold {
	return p.registry.Hold(fake.GetBlob(img.Layers()[0].Descriptor.Digest), 100)
}

func TestAnImageIsPulledWithScriptingOff(t *testing.T) {
	p := newPulls(t, nil)
	img := pages.PlatformOf(t, pages.Built(t, "library/postgres", "15"), "linux/arm64/v8")
	hold := heldLayer(p, img)
	form := p.form(p.ref("library/postgres:15"), "linux/arm64")
	_, ticked := pages.Boxes(form)
	form.Is(t, http.StatusOK, `<form class="panel" action="/pulls" method="post"`, `name="ref" value="`+p.ref("library/postgres:15")+`"`)
	address := p.start(p.ref("library/postgres:15"), ticked...)
	<-hold.Reached()
	live := p.get(address)
	live.Is(t, http.StatusOK, "Pulling", `<noscript><meta http-equiv="refresh" content="2">`, `action="`+address+`/cancel"`, "Downloading", "by mira")
	if s := state(t, live.Body); s != "pulling" {
		t.Errorf("state %s while a layer is held", s)
	}
	hold.Release()
	p.end(address)
	if err := p.store.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := p.get(address)
	done.Is(t, http.StatusOK, "Pulled", "100%", `href="/images/`+p.ref("library/postgres:15")+`?platform=linux/arm64"`, "Status: Downloaded newer image for")
	done.Lacks(t, "http-equiv", "/cancel", "hx-sse:connect")
	if s := state(t, done.Body); s != "done" {
		t.Errorf("state %s at the end", s)
	}
	ref, err := image.ParseReference(p.ref("library/postgres:15"))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := p.store.Images.Resolved(t.Context(), ref)
	if err != nil || len(stored.Images) != 1 || stored.Images[0].Manifest != img.Digest() {
		t.Errorf("stored: %+v, %v; want %s", stored, err, img.Digest())
	}
}

func TestNoPlatformTickedMeansThatNobodyChose(t *testing.T) {
	p := newPulls(t, nil)
	j := p.end(p.start(p.ref("library/postgres:16")))
	if j.State != job.Done || len(pull.Wanted(j)) != 0 || len(j.Outcome.Pulled) != 1 || j.Outcome.Pulled[0].String() != "linux/amd64" {
		t.Errorf("%+v", j)
	}
}

func TestInvalidInputComesBackInTheForm(t *testing.T) {
	p := newPulls(t, nil)
	for name, form := range map[string]url.Values{
		"reference": {"ref": {"POSTGRES"}},
		"nothing":   {},
		"platform":  {"ref": {"postgres:15"}, "platform": {"linux/amd64", "what is this"}},
		"unknown":   {"ref": {"postgres:15"}, "platform": {"unknown/unknown"}},
		"many":      {"ref": {"postgres:15"}, "platform": strings.Split(strings.Repeat("linux/amd64 ", 100)+"x", " ")},
	} {
		t.Run(name, func(t *testing.T) {
			p.post("/pulls", form).Is(t, http.StatusBadRequest, `<form action="/pull" method="get"`, "That cannot be read", `value="`+form.Get("ref")+`"`)
		})
	}
	if n := p.jobs.ActiveCount(); n != 0 {
		t.Errorf("%d pulls were started", n)
	}
}

func TestTheSamePullTwiceIsOne(t *testing.T) {
	p := newPulls(t, nil)
	img := pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64")
	hold := heldLayer(p, img)
	ref := p.ref("library/postgres:16")
	first := p.start(ref, "linux/amd64")
	<-hold.Reached()
	if second := p.start(ref, "linux/amd64"); second != first {
		t.Errorf("%s, want %s", second, first)
	}
	p.get(first).Is(t, http.StatusOK, "You have joined it.")
	if third := p.start(ref, "linux/arm64"); third == first {
		t.Error("another platform joined the pull")
	}
}

func TestCancellingAPull(t *testing.T) {
	p := newPulls(t, nil)
	hold := heldLayer(p, pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64"))
	address := p.start(p.ref("library/postgres:16"), "linux/amd64")
	<-hold.Reached()
	a := p.post(address+"/cancel", nil)
	a.Is(t, http.StatusSeeOther)
	if to := a.Header.Get("Location"); to != address {
		t.Errorf("leads to %s", to)
	}
	page := p.get(address)
	page.Is(t, http.StatusOK, "Cancelled by mira.", "Try again", `name="platform" value="linux/amd64"`)
	p.get(address, "Accept-Language", "ko").Is(t, http.StatusOK, "mira 님이 취소했습니다.")
	if s := state(t, page.Body); s != "cancelled" {
		t.Errorf("state %s", s)
	}
	p.post(address+"/cancel", nil).Is(t, http.StatusConflict, "is over already")
}

func TestCancellingAPullOfAnEarlierRunOfTheServerIsAConflict(t *testing.T) {
	p := newPulls(t, nil)
	lease, err := p.store.Jobs.Begin(t.Context(), job.Job{State: job.Done, Detail: pull.Single{Ref: image.Reference{Repository: "docker.io/library/x", Tag: "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	p.post("/pulls/"+strconv.FormatInt(lease.ID, 10)+"/cancel", nil).Is(t, http.StatusConflict, "is over already")
}

func TestAPullThatIsNotThere(t *testing.T) {
	p := newPulls(t, nil)
	for _, path := range []string{"", "/events"} {
		p.get("/pulls/77"+path).Is(t, http.StatusNotFound, "There is no pull 77.")
		for _, id := range []string{"x", "0", "-1", "1.5", "99999999999999999999", "%3Cscript%3E"} {
			p.get("/pulls/"+id+path).Is(t, http.StatusBadRequest, "is not the number of a pull")
		}
	}
	p.post("/pulls/77/cancel", nil).Is(t, http.StatusNotFound)
	p.post("/pulls/x/cancel", nil).Is(t, http.StatusBadRequest)
}

func TestAFailedPullSaysWhyAndCanBeTriedAgain(t *testing.T) {
	p := newPulls(t, nil)
	address := p.start(p.ref("library/postgres:16"), "linux/riscv64")
	p.end(address)
	a := p.get(address)
	a.Is(t, http.StatusOK, "No such platform", "it has linux/amd64, linux/arm64", "Choose one of the platforms that it has.",
		`<form action="/pulls" method="post">`, `name="ref" value="`+p.ref("library/postgres:16")+`"`, `name="platform" value="linux/riscv64"`)
	if s := state(t, a.Body); s != "failed" {
		t.Errorf("state %s", s)
	}
}

func TestHostileTextInAPullsProblemIsOnlyText(t *testing.T) {
	p := newPulls(t, nil)
	p.registry.On(getManifests, fake.Status(http.StatusBadRequest, "NAME_INVALID", "<img src=x onerror=alert(1)>\u202e"))
	address := p.start(p.ref("library/postgres:16"))
	p.end(address)
	a := p.get(address)
	a.Is(t, http.StatusOK, "onerror=alert(1)")
	a.Lacks(t, "<img", "\u202e")
}

func TestTheStreamSendsWholeStatesUntilTheEnd(t *testing.T) {
	p := newPulls(t, nil)
	img := pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64")
	hold := heldLayer(p, img)
	address := p.start(p.ref("library/postgres:16"), "linux/amd64")
	<-hold.Reached()
	began := time.Now()
	s := p.listen(t.Context(), address)
	if h := s.response.Header; s.response.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/event-stream" || h.Get("X-Accel-Buffering") != "no" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, header %v", s.response.StatusCode, h)
	}
	var seen []string
	messages, downloading := 0, false
	for {
		e, ok := s.next()
		if !ok {
			t.Fatalf("the stream broke off after %v", seen)
		}
		if e.name == "end" {
			break
		}
		messages++
		now := state(t, e.data)
		if len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
		}
		if n := strings.Count(e.data, `id="layer-`); n != len(img.Layers())+2 { // and the SBOM and the provenance
			t.Fatalf("a message has %d of %d layers", n, len(img.Layers()))
		}
		if strings.Contains(e.data, ">Downloading<") && strings.Contains(e.data, "100 B / ") && !downloading {
			downloading = true
			hold.Release()
		}
	}
	if took := time.Since(began); float64(messages) > 2+took.Seconds()*4 {
		t.Errorf("%d messages in %v, more than 4 a second", messages, took)
	}
	if len(seen) < 2 || seen[0] != "pulling" || seen[len(seen)-1] != "done" && seen[len(seen)-1] != pulls.Unpacking {
		t.Errorf("states %v", seen)
	}
	if e, ok := s.next(); ok {
		t.Errorf("after the end came %+v", e)
	}
}

func TestTheStreamOfAPullThatIsOverSendsItsStateAndEnds(t *testing.T) {
	p := newPulls(t, nil)
	address := p.start(p.ref("library/postgres:16"))
	p.end(address)
	if err := p.store.Unpacker.AwaitUnpacked(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := p.listen(t.Context(), address)
	if e, ok := s.next(); !ok || state(t, e.data) != "done" || !strings.Contains(e.data, "<title>Pulled ") || !strings.Contains(e.data, `hx-target="#pull-count"`) {
		t.Errorf("%+v", e)
	}
	if e, ok := s.next(); !ok || e.name != "end" || e.data != "done" {
		t.Errorf("%+v", e)
	}
	if e, ok := s.next(); ok {
		t.Errorf("after the end came %+v", e)
	}
}

func TestTheStreamEndsWhenTheServerStops(t *testing.T) {
	p := newPulls(t, nil)
	hold := heldLayer(p, pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64"))
	address := p.start(p.ref("library/postgres:16"), "linux/amd64")
	<-hold.Reached()
	s := p.listen(t.Context(), address)
	s.next()
	close(p.closing)
	for {
		e, ok := s.next()
		if !ok {
			break
		}
		if e.name != "" {
			t.Errorf("%s was sent for a pull that goes on", e.name)
		}
	}
}

func TestTheStreamEndsWhenTheBrowserGoes(t *testing.T) {
	p := newPulls(t, nil)
	hold := heldLayer(p, pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64"))
	address := p.start(p.ref("library/postgres:16"), "linux/amd64")
	<-hold.Reached()
	ctx, goAway := context.WithCancel(t.Context())
	s := p.listen(ctx, address)
	s.next()
	goAway()
	for path := range p.left {
		if path == address+"/events" {
			return // the handler came back
		}
	}
}

func TestTheLivePageFollowsTheStream(t *testing.T) {
	p := newPulls(t, nil)
	hold := heldLayer(p, pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64"))
	address := p.start(p.ref("library/postgres:16"), "linux/amd64")
	<-hold.Reached()
	p.get(address).Is(t, http.StatusOK, `hx-sse:connect="`+address+`/events"`, `hx-sse:close="end"`, `hx-swap="innerMorph"`)
}
