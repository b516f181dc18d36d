package pulls_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/text"
)

// all returns the address of the form for all tags of a repository of the registry; pairs are further parameters.
func (p *pullServer) all(repository string, pairs ...string) string {
	query := url.Values{"ref": {p.ref(repository)}, "all": {"1"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	return "/pull?" + query.Encode()
}

// surveyed asks for a form until it knows all.
func (p *pullServer) surveyed(address string, headers ...string) pages.Answer {
	p.t.Helper()
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		if a := p.get(address, headers...); strings.Contains(a.Body, `id="survey" data-state="done"`) {
			return a
		} else if a.Status != http.StatusOK {
			p.t.Fatalf("status %d: %s", a.Status, a.Main())
		}
	}
	p.t.Fatal("the survey does not come to its end")
	return pages.Answer{}
}

// startAll posts a pull of all tags and gives its address.
func (p *pullServer) startAll(repository string, pairs ...string) string {
	p.t.Helper()
	form := url.Values{"ref": {p.ref(repository)}, "all": {"1"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	a := p.post("/pulls", form)
	a.Is(p.t, http.StatusSeeOther)
	return a.Header.Get("Location")
}

// tagsOf lists the tags of a repository of the sample registry.
func tagsOf(t *testing.T, repository string) (tags []string) {
	t.Helper()
	reg, err := pages.Samples()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range reg.TagsOf(repository) {
		tags = append(tags, at.Tag)
	}
	if len(tags) < 2 {
		t.Fatalf("%s has the tags %v", repository, tags)
	}
	return tags
}

// different counts the tags that are no alias of another, the bytes of one platform of all of them with what describes
// it, and the tags that do not have it.
func different(t *testing.T, repository, platform string) (digests int, bytes int64, lacking int) {
	t.Helper()
	seen := map[image.Digest]bool{}
	var all []sample.Built
	for _, tag := range tagsOf(t, repository) {
		b := pages.Built(t, repository, tag)
		if _, ok := b.For(platform); !ok {
			lacking++
		}
		if seen[image.Digest(b.Digest())] {
			continue
		}
		seen[image.Digest(b.Digest())] = true
		if img, ok := b.For(platform); ok {
			all = append(all, img)
			for m := range b.All() { // and what describes it
				if m.Descriptor.Annotations[sample.AnnotationReferenceDigest] == string(img.Digest()) {
					all = append(all, m)
				}
			}
		}
	}
	return len(seen), pages.Union(all...), lacking
}

func TestTheCountAndTheBytesOfAllTagsAreShownBeforeAnythingStarts(t *testing.T) {
	p := newPulls(t, nil)
	tags := tagsOf(t, "library/postgres")
	digests, bytes, _ := different(t, "library/postgres", "linux/amd64")
	a := p.surveyed(p.all("library/postgres"))
	a.Is(t, http.StatusOK,
		strconv.Itoa(len(tags))+" tags", strconv.Itoa(digests)+" different images", text.HumanSize(bytes), "Room on the disk",
		"Pull all "+strconv.Itoa(len(tags))+" tags", "docker pull --all-tags "+p.ref("library/postgres"),
		`value="linux/arm64"`, `<form action="/pulls" method="post"`)
	a.Lacks(t, "survey-poll", "http-equiv", "Counting first")
	if jobs, total, err := p.store.Jobs.Jobs(t.Context(), 0, 1); total != 0 || err != nil {
		t.Errorf("%v, %v", jobs, err)
	}
	for d, n := range p.registry.ServedBlobs() {
		if n > 10_000 {
			t.Errorf("%d bytes of %s came", n, d)
		}
	}
}

func TestAllTagsCannotBePulledWhileTheyAreBeingCounted(t *testing.T) {
	p := newPulls(t, nil)
	hold := p.registry.Hold(getManifests, 0)
	address := p.all("library/postgres")
	p.get(address)
	<-hold.Reached()
	a := p.get(address)
	a.Is(t, http.StatusOK, `data-state="asking"`, `id="survey-poll" hx-get="`, `hx-trigger="every 1s"`, "data-poll", `<noscript><meta http-equiv="refresh" content="2">`, `aria-busy="true"`,
		`class="btn btn-primary ml-auto js-only" disabled`)
	a.Lacks(t, `<form action="/pulls" method="post"`)
	hold.Release()
	p.surveyed(address).Is(t, http.StatusOK, `<form action="/pulls" method="post"`)
}

func TestAPlatformThatIsTickedMakesAnotherSurvey(t *testing.T) {
	p := newPulls(t, nil)
	_, standard, _ := different(t, "library/postgres", "linux/amd64")
	_, bytes, lacking := different(t, "library/postgres", "linux/arm/v7")
	if standard == bytes || lacking < 2 {
		t.Fatal("the samples cannot be told apart")
	}
	a := p.surveyed(p.all("library/postgres", "platform", "linux/arm/v7"))
	a.Is(t, http.StatusOK, text.HumanSize(bytes), strconv.Itoa(lacking)+" tags have no image for linux/arm/v7 and will be skipped",
		"docker pull --all-tags --platform linux/arm/v7 "+p.ref("library/postgres"),
		`<input type="hidden" name="platform" value="linux/arm/v7">`)
	if n := strings.Count(a.Body, " checked"); n != 1 {
		t.Errorf("%d boxes are ticked", n)
	}
}

func TestTagsCanBeNarrowedDownByAText(t *testing.T) {
	p := newPulls(t, nil)
	a := p.surveyed(p.all("library/postgres", "match", "16"))
	a.Is(t, http.StatusOK, `<input type="hidden" name="match" value="16">`)
	a.Lacks(t, "docker pull --all-tags") // docker cannot do that
	p.get(p.all("library/postgres", "match", "no such tag"))
	for began := time.Now(); ; {
		if a = p.get(p.all("library/postgres", "match", "no such tag")); a.Status == http.StatusNotFound {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("status %d", a.Status)
		}
	}
	a.Is(t, http.StatusNotFound, "no such tag", `href="/pull?ref=`+p.ref("library/postgres")+`&amp;all=1"`)
}

func TestHtmxGetsThePartOfTheFormThatIsFoundOut(t *testing.T) {
	p := newPulls(t, nil)
	address := p.all("library/postgres")
	p.surveyed(address)
	changed := p.get(address, "HX-Request", "true", "HX-Request-Type", "partial", "HX-Source", "form#survey-choice")
	changed.Is(t, http.StatusOK, `<div id="survey"`, `<hx-partial hx-target="#survey-platforms" hx-swap="innerHTML">`)
	changed.Lacks(t, "<html", "<main", `id="survey-choice"`)
	if got, want := changed.Header.Get("HX-Replace-Url"), "/pull?ref="+p.ref("library/postgres")+"&all=1"; got != want {
		t.Errorf("the address becomes %q, want %q", got, want)
	}
	polled := p.get(address, "HX-Request", "true", "HX-Request-Type", "partial", "HX-Source", "i#survey-poll")
	polled.Is(t, http.StatusOK, `<hx-partial hx-target="#survey-platforms" hx-swap="outerMorph">`)
	if got := polled.Header.Get("HX-Replace-Url"); got != "" {
		t.Errorf("polling changes the address to %q", got)
	}
}

func TestAllTagsTakesNoTag(t *testing.T) {
	p := newPulls(t, nil)
	for _, ref := range []string{p.ref("library/postgres:16"), "docker pull -a " + p.ref("library/postgres:16"), p.ref("library/postgres@" + string(image.DigestOf(nil)))} {
		a := p.follow("/pull?" + url.Values{"ref": {ref}, "all": {"1"}}.Encode())
		a.Is(t, http.StatusBadRequest, "Tag can&#39;t be used with --all-tags/-a.", "Leave the tag or the digest out: "+p.ref("library/postgres"), `aria-invalid="true"`)
		p.post("/pulls", url.Values{"ref": {ref}, "all": {"1"}}).Is(t, http.StatusBadRequest, "--all-tags/-a")
	}
}

func TestAPastedCommandForAllTagsOpensTheFormForThem(t *testing.T) {
	p := newPulls(t, nil)
	for _, command := range []string{"docker pull --all-tags %", "docker image pull -a %", "podman pull --all-tags %"} {
		ref := strings.ReplaceAll(command, "%", p.ref("library/postgres"))
		a := p.get("/pull?" + url.Values{"ref": {ref}}.Encode())
		pages.Same(t, "where it leads", a.Header["Location"], []string{"/pull?ref=" + p.ref("library/postgres") + "&all=1"})
		p.surveyed(a.Header.Get("Location")).Is(t, http.StatusOK, "All tags of ")
	}
}

func TestBadRequestsForAllTagsAreShownInTheForm(t *testing.T) {
	p := newPulls(t, nil)
	for name, tt := range map[string]struct {
		pairs []string
		text  string
	}{
		"no platform":        {[]string{"platform", "linux/amd64/v1/v2/v3"}, "is not a platform"},
		"too many platforms": {strings.Split(strings.Repeat("platform linux/amd64 ", 64+1)+"x", " "), "65 platforms were asked for"},
		"too long a text":    {[]string{"match", strings.Repeat("x", 5000)}, "is longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			a := p.get(p.all("library/postgres", tt.pairs...))
			a.Is(t, http.StatusBadRequest, tt.text, `data-state="failed"`)
			form := url.Values{"ref": {p.ref("library/postgres")}, "all": {"1"}}
			for i := 0; i+1 < len(tt.pairs); i += 2 {
				form.Add(tt.pairs[i], tt.pairs[i+1])
			}
			p.post("/pulls", form).Is(t, http.StatusBadRequest, tt.text)
		})
	}
	p.get("/pull?ref=UPPER&all=1").Is(t, http.StatusBadRequest, "Repository names are lower case")
	p.get("/pull?ref=&all=1").Is(t, http.StatusOK, `href="/pull?ref=postgres:15"`)
}

func TestARegistryThatListsNoTagsIsNamedInTheForm(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  fake.Fault
		status int
		text   string
	}{
		"sign-in":    {fake.Challenge(`Basic realm="x"`), http.StatusForbidden, "Sign-in needed"},
		"rate limit": {fake.TooManyRequests("600"), http.StatusTooManyRequests, "Rate limit reached"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPulls(t, nil)
			p.registry.On(fake.TagLists, tt.fault)
			address := p.all("library/postgres")
			for began := time.Now(); ; {
				a := p.get(address)
				if a.Status == tt.status {
					a.Is(t, tt.status, tt.text, "Look again", `data-state="failed"`)
					break
				}
				if time.Since(began) > 20*time.Second {
					t.Fatalf("status %d", a.Status)
				}
			}
		})
	}
}

func TestAPageOfAnotherSiteMakesThisServerAskNoRegistry(t *testing.T) {
	p := newPulls(t, nil)
	foreign := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}
	one := p.get("/pull?ref="+url.QueryEscape(p.ref("library/postgres:16")), foreign...)
	one.Is(t, http.StatusOK, "This address was opened from outside", `value="`+p.ref("library/postgres:16")+`"`, "Look up")
	all := p.get(p.all("library/postgres"), foreign...)
	all.Is(t, http.StatusOK, "This address was opened from outside", `data-state="idle"`, "Look up")
	all.Lacks(t, "survey-poll", "http-equiv")
	if got := p.registry.Requests(); len(got) > 0 {
		t.Errorf("%d requests, such as %+v", len(got), got[0])
	}
	clicked := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-User", "?1"}
	p.get("/pull?ref="+url.QueryEscape(p.ref("library/postgres:16")), clicked...).Is(t, http.StatusOK, `name="platform" value="linux/amd64"`)
}

func TestThePullFormLeadsToTheRestOfTheRepository(t *testing.T) {
	p := newPulls(t, nil)
	for _, tag := range []string{"16", "99"} {
		a := p.form(p.ref("library/postgres:" + tag))
		a.Is(t, a.Status, `href="/search?repo=`+p.ref("library/postgres")+`"`, `href="/pull?ref=`+p.ref("library/postgres")+`&amp;all=1"`)
	}
}

func TestTheAllowanceIsShownWhereTheRegistrySaysIt(t *testing.T) {
	p := newPulls(t, nil)
	p.form(p.ref("library/postgres:16")).Lacks(t, "manifest requests left")
	p.registry.On(fake.Manifests, fake.RateLimit(100, 6*time.Hour))
	p.form(p.ref("library/postgres:15")).Is(t, http.StatusOK, " of 100 manifest requests left (limit per 6 h)")
	p.surveyed(p.all("library/postgres")).Is(t, http.StatusOK, " of 100 manifest requests left", "Each different image takes at least one manifest request")
}

func TestAllTagsArePulledWithScriptingOff(t *testing.T) {
	p := newPulls(t, nil)
	tags := tagsOf(t, "library/postgres")
	p.surveyed(p.all("library/postgres"))
	address := p.startAll("library/postgres")
	j := p.end(address)
	if j.Kind() != job.PullAll || j.State != job.Done || len(manyOf(j).Tags) != len(tags) {
		t.Fatalf("%+v", j)
	}
	a := p.get(address)
	a.Is(t, http.StatusOK, "All tags of ", "100%", strconv.Itoa(len(tags))+" of "+strconv.Itoa(len(tags))+" tags", "Everything is stored",
		`id="pull" data-state="done"`, "docker pull --all-tags "+p.ref("library/postgres"), "downloaded")
	a.Lacks(t, "hx-sse:connect", "http-equiv")
	for _, tag := range tags {
		a.Is(t, http.StatusOK, `<a href="/images/`+p.ref("library/postgres:"+tag)+`">`+tag+`</a>`)
		p.get("/images/"+p.ref("library/postgres:"+tag)).Is(t, http.StatusOK)
	}
	list := p.get("/pulls")
	list.Is(t, http.StatusOK, ", all tags ("+strconv.Itoa(len(tags))+" of "+strconv.Itoa(len(tags))+")")
	p.get(address, "Accept-Language", "ko").Is(t, http.StatusOK, "의 모든 태그", "모두 저장되었습니다")

	again := p.end(p.startAll("library/postgres"))
	p.get(fmt.Sprint("/pulls/", again.ID)).Is(t, http.StatusOK, "Already up to date", ">up to date<")
}

func TestAFailedPullOfAllTagsSaysWhichAndCanBeTriedAgain(t *testing.T) {
	p := newPulls(t, nil)
	bad := string(pages.Built(t, "library/postgres", "15").Digest())
	p.registry.On(fake.GetManifest(bad), fake.Status(http.StatusBadRequest, "NAME_INVALID", "<img src=x onerror=alert(1)>\u202e"))
	address := p.startAll("library/postgres", "match", "1", "platform", "linux/amd64")
	j := p.end(address)
	if j.State != job.Failed {
		t.Fatalf("%s: %+v", j.State, manyOf(j).Tags)
	}
	a := p.get(address)
	a.Is(t, http.StatusOK, `id="pull" data-state="failed"`, "3 failed", "onerror=alert(1)", "only those with “1”",
		`name="all" value="1"`, `name="match" value="1"`, `name="platform" value="linux/amd64"`, "Try again")
	a.Lacks(t, "<img", "\u202e", "docker pull --all-tags")
	if failed := strings.Index(a.Body, "<bdi>15</bdi>"); failed < 0 || failed > strings.Index(a.Body, `id="tag-0"`) {
		t.Error("the tags that failed do not stand first")
	}
	p.registry.Reset()
	if again := p.end(p.startAll("library/postgres", "match", "1", "platform", "linux/amd64")); again.State != job.Done {
		t.Errorf("the next try: %s, %+v", again.State, again.Problem)
	}
}

func TestTheSamePullOfAllTagsTwiceIsOne(t *testing.T) {
	p := newPulls(t, nil)
	hold := p.registry.Hold(getManifests, 0)
	address := p.startAll("library/postgres")
	<-hold.Reached()
	if second := p.startAll("library/postgres"); second != address {
		t.Errorf("%s and %s", address, second)
	}
	p.get(address).Is(t, http.StatusOK, "You have joined it")
	p.get(p.all("library/postgres")).Is(t, http.StatusOK, "All tags of this repository are being pulled right now", `href="`+address+`"`)
	p.post(address+"/cancel", nil).Is(t, http.StatusSeeOther)
	hold.Release()
	p.end(address)
	p.get(address).Is(t, http.StatusOK, "Cancelled by mira.", "Tags that are done stay stored", "not pulled", "Try again", `name="all" value="1"`)
}

func TestTheStreamOfAllTagsSendsTheListOnceAndThenWhatChanged(t *testing.T) {
	p := newPulls(t, nil)
	hold := heldLayer(p, pages.PlatformOf(t, pages.Built(t, "library/postgres", "16"), "linux/amd64"))
	address := p.startAll("library/postgres", "match", "1")
	<-hold.Reached()
	s := p.listen(t.Context(), address)
	first, ok := s.next()
	if !ok || !strings.Contains(first.data, `<hx-partial hx-target="#tags" hx-swap="outerMorph">`) {
		t.Fatalf("%+v", first)
	}
	hold.Release()
	rows, last := 0, first
	for {
		e, ok := s.next()
		if !ok {
			t.Fatal("the stream broke off")
		}
		if e.name == "end" {
			break
		}
		rows += strings.Count(e.data, `<hx-partial hx-target="#tag-`)
		if strings.Contains(e.data, `hx-target="#tags"`) {
			t.Error("the list came twice though no other tags are in view")
		}
		last = e
	}
	if state(t, last.data) != "done" || rows == 0 || !strings.Contains(last.data, "<title>All tags of ") {
		t.Errorf("%d rows changed; last: %s", rows, last.data)
	}
}

func TestAPageOfLinesThatIsNoneIsRefused(t *testing.T) {
	p := newPulls(t, nil)
	address := p.startAll("library/postgres")
	p.end(address)
	for _, lines := range []string{"0", "-1", "x", "99999999999999999999"} {
		p.get(address+"?lines="+lines).Is(t, http.StatusBadRequest, "is not the number of a page")
		p.get(address+"/events?lines="+lines).Is(t, http.StatusBadRequest, "is not the number of a page")
	}
	p.get(address+"?lines=7").Is(t, http.StatusOK, `id="tag-0"`) // the last one
}

func TestTheFormForAllTagsSpeaksKorean(t *testing.T) {
	p := newPulls(t, nil)
	p.surveyed(p.all("library/postgres"), "Accept-Language", "ko").Is(t, http.StatusOK, `lang="ko"`, "의 모든 태그", "모두 가져오기", "서로 다른 이미지")
	p.get("/pull?ref=redis:7&all=1", "Accept-Language", "ko").Is(t, http.StatusBadRequest, "모든 태그를 가져올 때는 태그나 다이제스트를 쓸 수 없습니다")
}
