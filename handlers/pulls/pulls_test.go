package pulls_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/handlers/page"
	pullpages "github.com/stowage/stowage/handlers/pulls"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/test/pages"
)

func TestPullsWithoutAnySaysWhatToDoFirst(t *testing.T) {
	p := newPulls(t, nil)
	a := p.get("/pulls")
	a.Is(t, http.StatusOK, "Nothing was pulled yet", `href="/pull"`)
	a.Is(t, http.StatusOK, `hx-trigger="every 10s"`)
	a.Lacks(t, "every 2s", "http-equiv", "/demo/move-tag")
}

func TestPullsListsTheNewestFirstAndAsksAgainWhileOneIsLive(t *testing.T) {
	p := newPulls(t, nil)
	p.end(p.start(p.ref("test/no-layers")))
	hold := heldLayer(p, pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64"))
	p.start(p.ref("library/postgres:16"), "linux/amd64")
	<-hold.Reached()
	a := p.get("/pulls")
	a.Is(t, http.StatusOK, `hx-get="/pulls"`, `hx-trigger="every 2s"`, `<noscript><meta http-equiv="refresh"`, "mira", `data-state="pulling"`, `data-state="done"`)
	if strings.Index(a.Body, `id="pull-2"`) > strings.Index(a.Body, `id="pull-1"`) || !strings.Contains(a.Body, `id="pull-1"`) {
		t.Error("the newest is not the first")
	}
	part := p.get("/pulls", "HX-Request", "true", "HX-Request-Type", "partial")
	part.Is(t, http.StatusOK, `<section id="pulls"`, `hx-target="#pull-count"`)
	part.Lacks(t, "<html", "<main")
	hold.Release()
	p.end("/pulls/2")
	over := p.get("/pulls", "HX-Request", "true", "HX-Request-Type", "partial")
	over.Is(t, http.StatusOK, `<section id="pulls"`)
	over.Is(t, http.StatusOK, `id="pulls-poll-idle" hx-get="/pulls" hx-trigger="every 10s"`, `hx-target="#pull-count"`)
	over.Lacks(t, "every 2s")
}

func TestPullsHasPages(t *testing.T) {
	p := newPulls(t, nil)
	for i := range pullpages.PerPage + 1 {
		_, err := p.store.Jobs.Begin(t.Context(), job.Job{
			State: job.Done, Detail: pull.Single{Ref: image.Reference{Repository: "docker.io/library/app", Tag: fmt.Sprint(i)}}, Created: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	first := p.get("/pulls")
	first.Is(t, http.StatusOK, "26 pulls", `href="/pulls?page=2"`, `id="pull-26"`)
	first.Lacks(t, `id="pull-1"`)
	second := p.get("/pulls?page=2")
	second.Is(t, http.StatusOK, `id="pull-1"`)
	second.Lacks(t, `id="pull-2"`)
	if a := p.get("/pulls?page=3"); a.Status != http.StatusFound || a.Header.Get("Location") != "/pulls?page=2" {
		t.Errorf("after the last page: %d to %q", a.Status, a.Header.Get("Location"))
	}
	for _, page := range []string{"0", "-1", "x", "1e3", "99999999999999999999"} {
		p.get("/pulls?page="+page).Is(t, http.StatusBadRequest, "is not the number of a page")
	}
}

func TestPullsSpeaksKorean(t *testing.T) {
	p := newPulls(t, nil)
	p.get("/pulls", "Accept-Language", "ko-KR").Is(t, http.StatusOK, `lang="ko"`, "가져오기", "아직 가져온 이미지가 없습니다")
}

func TestTheSampleTagMovesInTheDemoOnly(t *testing.T) {
	newPulls(t, nil).post("/demo/move-tag", nil).Is(t, http.StatusNotFound)

	ref, err := image.ParseReference("ubuntu:rolling")
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	p := newPulls(t, &page.Demo{MoveTag: func(context.Context) (image.Reference, error) {
		moved++
		return ref, nil
	}})
	p.get("/pulls").Is(t, http.StatusOK, `action="/demo/move-tag"`)
	a := p.post("/demo/move-tag", nil)
	a.Is(t, http.StatusSeeOther)
	if to := a.Header.Get("Location"); to != "/pull?ref=ubuntu:rolling" || moved != 1 {
		t.Errorf("moved %d times, leads to %s", moved, to)
	}
	p.get("/pull?"+url.Values{"ref": {""}}.Encode()).Is(t, http.StatusOK, "ubuntu:rolling now points to another image")
}

func TestASampleTagThatCannotMoveIsAnError(t *testing.T) {
	full := image.Errorf(image.Unavailable, "the sample registry is gone").Because(errors.New("closed"))
	p := newPulls(t, &page.Demo{MoveTag: func(context.Context) (image.Reference, error) { return image.Reference{}, full }})
	p.post("/demo/move-tag", nil).Is(t, http.StatusBadGateway, "The sample registry is gone.")
}
