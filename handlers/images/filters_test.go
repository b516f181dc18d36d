package images_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/images"
)

const partial = "HX-Request"

// typing asks for the list as htmx does while somebody types or switches something at an address.
func typing(s *pages.Shelf, current, address string) pages.Answer {
	s.T.Helper()
	return s.Get(address, partial, "true", "HX-Request-Type", "partial", "HX-Source", "form", "HX-Current-URL", "http://example.com"+current)
}

// followList asks for a list at the address that it is redirected to.
func followList(s *pages.Shelf, address string) pages.Answer {
	s.T.Helper()
	page := s.Get(address)
	if page.Status == http.StatusFound {
		page = s.Get(page.Header.Get("Location"))
	}
	return page
}

func TestTheFiltersAreInTheAddress(t *testing.T) {
	s := pages.Filled(t)
	ubuntu := []string{"ubuntu:22.04", "ubuntu:latest"}
	all := []string{"ghcr.io/acme/api:v2.14.0", "redis", "test/no-created:latest", "ubuntu:22.04", "ubuntu:latest"}
	for query, want := range map[string][]string{
		"reference=ub*": ubuntu, "reference=ub*&reference=ghcr.io/*/*": {"ghcr.io/acme/api:v2.14.0", "ubuntu:22.04", "ubuntu:latest"},
		"reference=*:latest&registry=docker.io": {"ubuntu:latest"}, "registry=ghcr.io": {"ghcr.io/acme/api:v2.14.0"},
		"platform=linux/arm64": ubuntu, "dangling=true": nil, "dangling=false": all, "update=unchecked": {"redis"}, "update=current&registry=docker.io&q=ubuntu": ubuntu,
		"update=gone": nil, "pinned=1": nil, "before=ubuntu:latest&reference=*/*": nil, "since=redis@" + pages.DigestOf(t, "library/redis", "7") + "&reference=ubuntu": ubuntu,
		"until=2026-01-01&q=ubuntu": nil, "until=1h&q=ubuntu": ubuntu, "label=no-such": nil,
	} {
		page := followList(s, "/images?"+query)
		page.Is(t, http.StatusOK)
		if got := rows(page); !slices.Equal(got, want) {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
	s.Get("/images?label=no-such").Is(t, http.StatusOK, "Nothing passes all of these filters together.", "Clear all filters")
}

func TestAWrongFilterIsRefusedAndNamesThePart(t *testing.T) {
	s := pages.Filled(t)
	for query, part := range map[string]string{
		"reference=[": "(reference)", "reference=" + strings.Repeat("a", 301): "(reference)", strings.Repeat("reference=a*&", 5) + "dangling=maybe": "(dangling)",
		"label==x": "(label)", "until=yesterday": "(until)", "platform=a/b/c/d": "(platform)", "update=soon": "(update)", "pinned=yes": "(pinned)",
		"group=tag": "(group)", "no-trunc=true": "(no-trunc)", "before=UPPER": "(before)", "since=sha256:xyz": "(since)", "registry=" + strings.Repeat("a", 256): "(registry)",
		"since=test/no-created": "(since)", "q=" + url.QueryEscape("--filter nope=1"): "(q)",
	} {
		s.Get("/images?"+query).Is(t, http.StatusBadRequest, part)
	}
	many := ""
	for i := range 21 {
		many += "label=a" + string(rune('a'+i)) + "&"
	}
	s.Get("/images?"+many).Is(t, http.StatusBadRequest, "(label)")
	for query, part := range map[string]string{"before=no-such": "no-such:latest is not stored (before)", "since=ubuntu:99": "(since)", "before=ffff0000ffff": "(before)"} {
		s.Get("/images?"+query).Is(t, http.StatusNotFound, part)
	}
	s.Get("/images?before=no-such", "Accept-Language", "ko").Is(t, http.StatusNotFound, "이 필터를 쓸 수 없습니다", "(before)")
}

func TestAFilteredListHasOneAddress(t *testing.T) {
	s := pages.Filled(t)
	for said, own := range map[string]string{
		"label=&reference=&q=&registry=&platform=&group=":              "/images",
		"platform=linux/arm64/v8&q=a":                                  "/images?q=a&platform=linux/arm64",
		"digests=1&q=a&no-trunc=0&registry=QUAY.IO":                    "/images?q=a&registry=quay.io&digests=1",
		"dangling=false&dangling=true":                                 "/images?dangling=true", // the switch comes after what the form carries along
		"label=a&label=a&label=b":                                      "/images?label=a&label=b",
		"sort=tags":                                                    "/images",
		"sort=-id&group=repository":                                    "/images?group=repository",
		"sort=-tags&group=repository":                                  "/images?sort=-tags&group=repository",
		"q=" + url.QueryEscape("label=stage=ci ub"):                    "/images?q=ub&label=stage%3Dci",
		"q=" + url.QueryEscape(`label="a b" x=y`):                      "/images?q=x%3Dy&label=a+b",
		"q=" + url.QueryEscape("dangling=true digests=1"):              "/images?q=digests%3D1&dangling=true",
		"q=" + url.QueryEscape("-f dangling=true --digests"):           "/images?dangling=true&digests=1",
		"q=" + url.QueryEscape("docker images ubuntu -q"):              "/images?reference=ubuntu",
		"q=" + url.QueryEscape("docker image ls --no-trunc"):           "/images?no-trunc=1",
		"q=" + url.QueryEscape("docker images --filter=label=a 'ub*'"): "/images?reference=ub%2A&label=a",
	} {
		page := s.Get("/images?" + said)
		if got := page.Header.Get("Location"); got != own && (page.Status != http.StatusOK || own != "/images?"+said) {
			t.Errorf("%s: %d to %q, want %q", said, page.Status, got, own)
		}
		if page := s.Get(own); page.Status != http.StatusOK {
			t.Errorf("%s is redirected on to %q", own, page.Header.Get("Location"))
		}
	}
}

func TestFiltersInUseAreChipsThatCanBeTakenOff(t *testing.T) {
	s := pages.Filled(t)
	page := followList(s, "/images?q=u&reference=ub*&label=a%3Db&dangling=false&registry=docker.io&update=unchecked&sort=-size&page=1")
	page.Is(t, http.StatusOK,
		`href="/images?q=u&amp;dangling=false&amp;label=a%3Db&amp;registry=docker.io&amp;update=unchecked&amp;sort=-size"`,
		`href="/images?q=u&amp;reference=ub%2A&amp;label=a%3Db&amp;registry=docker.io&amp;update=unchecked&amp;sort=-size"`,
		`href="/images?sort=-size"`, // all at once
		`<input type="hidden" name="dangling" value="false">`, `<input type="hidden" name="label" value="a=b">`, `<input type="hidden" name="update" value="unchecked">`,
		`<option value="docker.io" selected>`, `<input type="hidden" name="sort" value="-size">`)
	page.Lacks(t, `type="hidden" name="registry"`)
	hostile := s.Get("/images?label=" + url.QueryEscape(`"><script>alert(1)</script>`) + "&registry=" + url.QueryEscape("\u202ex"))
	hostile.Is(t, http.StatusOK, "&lt;script&gt;")
	hostile.Lacks(t, "<script>alert")
}

// While somebody types, docker's words are filters as soon as they are finished; each other change is a step to go back from.
func TestTypedWordsBecomeFiltersWhenTheyAreFinished(t *testing.T) {
	s := pages.Filled(t)
	for _, c := range []struct{ current, address, replaced, pushed, box string }{
		{"/images", "/images?q=ub&registry=&platform=", "/images?q=ub", "", "ub"},
		{"/images", "/images?q=ub+label%3Dst", "/images?q=ub", "", "ub label=st"}, // not finished
		{"/images", "/images?q=ub+label%3Dstage%3Dci+", "", "/images?q=ub&label=stage%3Dci", "ub"},
		{"/images", "/images?q=label%3Dstage%3Dci&go=1", "", "/images?label=stage%3Dci", ""},
		{"/images?q=ub", "/images?q=ub&dangling=true", "", "/images?q=ub&dangling=true", "ub"},
		{"/images?q=ub&dangling=true", "/images?q=ub&dangling=true", "/images?q=ub&dangling=true", "", "ub"},
		{"/images?q=ub", "/images?q=ub&go=1", "/images?q=ub", "", "ub"},
		{"/images?q=ub&page=2", "/images?q=ubu", "/images?q=ubu", "", "ubu"},
	} {
		part := typing(s, c.current, c.address)
		part.Is(t, http.StatusOK, `name="q" value="`+c.box+`"`)
		if r, p := part.Header.Get("HX-Replace-Url"), part.Header.Get("HX-Push-Url"); r != c.replaced || p != c.pushed {
			t.Errorf("%s at %s: replaced %q, pushed %q", c.address, c.current, r, p)
		}
	}
	link := s.Get("/images?q=ub", partial, "true", "HX-Request-Type", "partial", "HX-Source", "a", "HX-Current-URL", "http://example.com/images")
	if link.Header.Get("HX-Push-Url")+link.Header.Get("HX-Replace-Url") != "" {
		t.Error("a link says its address itself")
	}
}

func TestTheImageIDsAreAskedForAsText(t *testing.T) {
	s := pages.Filled(t)
	id := s.Store.Images.Preferred(s.Target("ubuntu:22.04").Images).ID
	short := image.ShortDigest(id)
	const accept, plain = "Accept", "text/plain"
	page := s.Get("/images?q=ubuntu", accept, plain)
	page.Is(t, http.StatusOK)
	if want := short + "\n" + short + "\n"; page.Body != want { // a line for each of the two tags, as docker images -q
		t.Errorf("the answer is %q, want %q", page.Body, want)
	}
	for name, want := range map[string]string{"Content-Type": "text/plain; charset=UTF-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept"} {
		if got := page.Header.Values(name); !slices.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for address, want := range map[string]string{
		"/images?q=ubuntu&no-trunc=1": string(id) + "\n" + string(id) + "\n", "/images?q=ubuntu&page=9": short + "\n" + short + "\n", "/images?q=nosuch": "",
		"/images?q=label%3Dnone":                              "", // not sent to another address
		"/images/docker.io/library/ubuntu?reference=*:latest": short + "\n",
	} {
		if page := s.Get(address, accept, plain); page.Status != http.StatusOK || page.Body != want {
			t.Errorf("%s: %d %q, want %q", address, page.Status, page.Body, want)
		}
	}
	if n := strings.Count(s.Get("/images", accept, "text/plain, */*;q=0.1").Body, "\n"); n != 5 {
		t.Errorf("%d lines for 5 rows", n)
	}
	for _, html := range []string{"", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html,text/plain;q=0.9", "text/plain;q=0"} {
		if page := s.Get("/images", accept, html); !strings.Contains(page.Body, "<html") {
			t.Errorf("%q is answered with %.40q", html, page.Body)
		}
	}
	wrong := s.Get("/images?before=nope", accept, plain)
	if want := "this filter cannot be used: nope:latest is not stored (before). Name a stored image"; wrong.Status != http.StatusNotFound || !strings.HasPrefix(wrong.Body, want) {
		t.Errorf("%d %q", wrong.Status, wrong.Body)
	}
}

func TestTheListByRepositoryAddsUpWhatTheFilterChooses(t *testing.T) {
	s := pages.Filled(t)
	s.Pull("ubuntu@" + pages.DigestOf(t, "library/ubuntu", "rolling"))
	page := s.Get("/images?group=repository")
	page.Is(t, http.StatusOK, "4 repositories", `href="/images/docker.io/library/ubuntu"`, "1 by digest", `href="/images?sort=-name&amp;group=repository"`)
	page.Lacks(t, `name="ref"`)
	page.Golden(t, "images-grouped")
	if got := rows(page); !slices.Equal(got, []string{"ghcr.io/acme/api", "redis", "test/no-created", "ubuntu"}) {
		t.Errorf("rows %q", got)
	}
	if got := rows(s.Get("/images?sort=-tags&group=repository"))[0]; got != "ubuntu" {
		t.Errorf("most tags has %s", got)
	}
	if got := rows(s.Get("/images?registry=ghcr.io&group=repository")); !slices.Equal(got, []string{"ghcr.io/acme/api"}) {
		t.Errorf("of ghcr.io: %q", got)
	}
	s.Get("/images?group=repository&page=2").Is(t, http.StatusNotFound, "(page)")
}

// Of several that are wrong, the same one is named each time.
func TestTheFirstFilterThatIsWrongIsNamed(t *testing.T) {
	s := pages.New(t)
	for range 20 {
		s.Get("/images?until="+strings.Repeat("x", 400)+"&since="+strings.Repeat("x", 400)+"&label="+strings.Repeat("x", 6000)).Is(t, http.StatusBadRequest, "(label)")
	}
}

func TestTheListSaysHowDockerListsTheSame(t *testing.T) {
	s := pages.Filled(t)
	page := s.Get("/images?q=x&reference=ub*&dangling=true&label=a%3Db+c&registry=quay.io&digests=1&no-trunc=1")
	page.Is(t, http.StatusOK,
		`docker images --digests --no-trunc --filter &#39;reference=ub*&#39; --filter dangling=true --filter &#39;label=a=b c&#39;`,
		`docker has nothing for this part: q=x, registry=quay.io`, "docker counts what was pulled by digest as dangling",
		`curl -H &#39;Accept: text/plain&#39; &#39;http://example.com/images?q=x&amp;reference=ub%2A&amp;dangling=true&amp;label=a%3Db+c&amp;registry=quay.io&amp;no-trunc=1&#39;`)
	s.Get("/images/docker.io/library/ubuntu").Is(t, http.StatusOK, `docker images ubuntu</code>`)
	for query, command := range map[string]string{
		"q=postgres": "docker images postgres", "q=docker.io/library/ubuntu": "docker images ubuntu", "q=ubuntu:22.04&digests=1": "docker images ubuntu:22.04 --digests",
		"q=ubuntu&dangling=true": "docker images ubuntu --filter dangling=true",
	} {
		page := s.Get("/images?" + query)
		page.Is(t, http.StatusOK, command+"</code>", "docker takes a whole name.")
		page.Lacks(t, "docker has nothing for this part: q=")
	}
	for _, query := range []string{"q=Not+a+name", "q=174c8c134b2a", "q=ubuntu&reference=ub%2A"} {
		s.Get("/images?"+query).Is(t, http.StatusOK, "docker has nothing for this part: q=")
	}
	s.Get("/images").Lacks(t, "docker has nothing for this part")
}

func TestRowsSayWhatIsPinnedAndWhatHasAnUpdate(t *testing.T) {
	for state, text := range map[shelf.UpdateState]string{
		shelf.UpdateAvailable: "update available", shelf.UpdateGone: "gone from registry", shelf.UpdateUnknown: "update unknown", shelf.UpdateCurrent: "", shelf.UpdateUnchecked: "",
	} {
		row := shelf.Row{Reference: image.Reference{Repository: "docker.io/library/a", Tag: "1"}, Update: state, Pinned: state == shelf.UpdateGone}
		var page strings.Builder
		if err := images.ImageListPart(images.ImageList{Rows: []shelf.Row{row}, All: 1, Matches: 1, Pages: 1}).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		if shown := page.String(); text != "" && !strings.Contains(shown, text) || strings.Contains(shown, "pinned</span>") != row.Pinned || text == "" && strings.Contains(shown, "badge-accent") {
			t.Errorf("%q: %s", state, shown)
		}
	}
}

func TestRowsCanBeTickedForDeleting(t *testing.T) {
	s := pages.Filled(t)
	redis := "redis@" + pages.DigestOf(t, "library/redis", "7")
	s.Get("/images").Is(t, http.StatusOK, `<form id="selection"`, `action="/delete" method="get"`, `name="ref" value="ubuntu:22.04" form="selection"`,
		`name="ref" value="`+redis+`" form="selection"`, `hx-get="/delete/summary"`)
	s.Get("/images/docker.io/library/ubuntu").Is(t, http.StatusOK, `name="ref" value="ubuntu:22.04" form="selection"`)
}

func TestTheTitleOfAListNamesItsFilters(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64")
	for address, want := range map[string]string{
		"/images":            "Images · Stowage",
		"/images?q=postgres": "postgres – Images · Stowage",
		"/images?q=postgres&dangling=false&platform=linux/amd64": "postgres dangling=false linux/amd64 – Images · Stowage",
		"/images/docker.io/library/postgres?pinned=1":            "pinned=1 – postgres · Stowage",
		"/images?sort=-size&digests=1":                           "Images · Stowage",
		"/images?q=" + strings.Repeat("x", 200):                  strings.Repeat("x", 59) + "… – Images · Stowage",
		"/images?q=%3C%2Ftitle%3E%3Cscript%3E&dangling=true":     "&lt;/title&gt;&lt;script&gt; dangling=true – Images · Stowage",
	} {
		title := "<title>" + want + "</title>"
		s.Get(address).Is(t, http.StatusOK, title)
		part := s.Get(address, "HX-Request", "true", "HX-Request-Type", "partial")
		if part.Status != http.StatusOK || !strings.HasPrefix(part.Body, title) {
			t.Errorf("%s, for htmx: %d %.200s, want %s", address, part.Status, part.Body, title)
		}
	}
}
