package imagepage_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/shelf"
	"github.com/stowage/stowage/test/pages"
	"github.com/stowage/stowage/views/address"
)

const (
	postgresPage = "/images/docker.io/library/postgres:15"
	ubuntuPage   = "/images/docker.io/library/ubuntu:22.04"
)

func TestTheLayersOfAnImageAreItsHistory(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64", "linux/arm64")
	s.Pull("postgres:16", "linux/amd64")
	page := s.Get(postgresPage)
	page.Is(t, http.StatusOK, "13 layers", "25 steps in the history", "shared by 2 images", "This page follows the tag.",
		"RUN mkdir /docker-entrypoint-initdb.d", "docker history --platform linux/amd64 --no-trunc postgres:15")
	if layers := strings.Count(page.Body, "data-row-link"); layers != 13 {
		t.Errorf("%d layers have a row", layers)
	}
	if quiet := strings.Count(page.Body, "no layer"); quiet != 12 {
		t.Errorf("%d steps have no layer", quiet)
	}
	for _, l := range layersOf(s, "postgres:15", "linux/amd64") {
		page.Is(t, http.StatusOK, `href="`+address.Layer(l.Digest)+`"`, string(l.DiffID))
	}
	s.Get(postgresPage+"/layers").Is(t, http.StatusOK, "13 layers", "25 steps in the history")
}

// layersOf returns the stored layers of one platform.
func layersOf(s *pages.Shelf, reference, platform string) []shelf.Layer {
	s.T.Helper()
	for _, i := range s.Target(reference).Images {
		if i.Platform.String() == platform {
			layers, err := s.Store.Images.ImageLayers(s.T.Context(), i.Manifest)
			if err != nil {
				s.T.Fatal(err)
			}
			return layers
		}
	}
	s.T.Fatalf("%s is not stored for %s", reference, platform)
	return nil
}

func TestTheSectionsOfAnImagesPage(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/arm64/v8")
	for _, section := range []string{"layers", "config", "manifest", "inspect", "history"} {
		page := s.Get(ubuntuPage + "/" + section)
		page.Is(t, http.StatusOK)
		page.ImageGolden(t, "image_"+section)
		if got := page.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", section, got)
		}
		if tabs := strings.Count(page.Body, `aria-current="page"`); tabs != 2 { // the navigation's and the tab's
			t.Errorf("%s: %d current links", section, tabs)
		}
	}
	korean := s.Get(ubuntuPage, "Accept-Language", "ko")
	korean.Is(t, http.StatusOK, "이 페이지는 태그를 따라갑니다.", "레이어 1개", "다른 이미지와 공유하지 않음")
	korean.ImageGolden(t, "image_korean")
}

func TestPullingUbuntuForARM64ShowsThatArchitecture(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/arm64/v8")
	page := s.Get(ubuntuPage + "/inspect")
	page.Is(t, http.StatusOK, `<span class="k">&#34;Architecture&#34;</span><span class="p">:</span> <span class="s">&#34;arm64&#34;</span>`, "docker image inspect --platform linux/arm64 ubuntu:22.04")

	bare := s.Get(ubuntuPage+"/inspect", "Accept", "application/json")
	bare.Is(t, http.StatusOK, `        "Architecture": "arm64",`)
	if got := bare.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	if got := strings.Join(bare.Header.Values("Vary"), ", "); !strings.Contains(got, "Accept") {
		t.Errorf("Vary %q", got)
	}
	var objects []map[string]any
	if err := json.Unmarshal([]byte(bare.Body), &objects); err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	target := s.Target("ubuntu:22.04")
	if got, want := fmt.Sprintln(objects[0]["RepoTags"], objects[0]["RepoDigests"], objects[0]["Id"]), fmt.Sprintf("[ubuntu:22.04] [ubuntu@%s] %s\n", target.Digest, target.Images[0].ID); got != want {
		t.Errorf("names %s, want %s", got, want)
	}
	if got := int64(objects[0]["Size"].(float64)); got != target.Images[0].Unpacked {
		t.Errorf("Size %d, unpacked %d", got, target.Images[0].Unpacked)
	}
	if browser := s.Get(ubuntuPage+"/inspect", "Accept", "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"); !strings.Contains(browser.Body, "<html") {
		t.Error("a browser gets bare JSON")
	}
}

func TestThePlatformSwitchOffersWhatIsStoredAndWhatIsNot(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64", "linux/arm64")
	page := s.Get(postgresPage + "/config?platform=linux/arm64/v8")
	page.Is(t, http.StatusOK, "linux/arm64/v8", "Attestations: SBOM, provenance", `href="`+postgresPage+`/config?platform=linux/amd64"`, `href="/pull?ref=postgres:15&amp;platform=linux/s390x"`)

	missing := s.Get(postgresPage + "?platform=linux/s390x")
	missing.Is(t, http.StatusNotFound, "linux/s390x is not stored", "6 attestations", `href="/pull?ref=postgres:15&amp;platform=linux/s390x"`, "docker pull --platform linux/s390x postgres:15", "<nav")
	missing.Lacks(t, "Pull again")

	s.Get(postgresPage+"?platform=linux/riscv64").Is(t, http.StatusNotFound, "has no image for linux/riscv64; it has linux/amd64, linux/arm/v7, linux/arm64")
	s.Get(postgresPage+"?platform=a/b/c/d/e").Is(t, http.StatusBadRequest, "is not a platform")
}

func TestNestedIndexesAreUnfoldedInThePlatformSwitch(t *testing.T) {
	s := pages.New(t)
	s.Pull("test/nested-index:latest", "linux/arm64")
	page := s.Get("/images/docker.io/test/nested-index:latest")
	page.Is(t, http.StatusOK, "linux/arm64", `platform=linux/arm/v7"`, `platform=linux/amd64"`)
}

func TestWindowsBuildsAreToldApartByTheirVersion(t *testing.T) {
	s := pages.New(t)
	s.Pull("acme/windows-agent:1.4", "windows(10.0.20348.2227)/amd64")
	const page = "/images/docker.io/acme/windows-agent:1.4"
	s.Get(page+"?platform=windows%2810.0.20348.2227%29/amd64").Is(t, http.StatusOK, "COPY dir:9f86d081884c7d65 in c:\\agent")
	s.Get(page+"?platform=windows/amd64").Is(t, http.StatusOK) // the one that is stored stands for both
	s.Get(page+"?platform=windows%2810.0.17763.5329%29/amd64").Is(t, http.StatusNotFound, "is not stored")
	s.Get(page+"/inspect").Is(t, http.StatusOK, "OsVersion", "10.0.20348.2227", "&#39;windows(10.0.20348.2227)/amd64&#39;")
}

func TestADigestsPageIsPermanentAndNamesItsTags(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64")
	s.Pull("ubuntu:jammy", "linux/amd64")
	digest := s.Target("ubuntu:22.04").Digest
	address := "/images/docker.io/library/ubuntu@" + string(digest)
	s.Get(ubuntuPage).Is(t, http.StatusOK, `href="`+address+`">Permanent link to this digest`)
	s.Get(address).Is(t, http.StatusOK, "This page is permanent.", `href="`+ubuntuPage+`">22.04</a>`, `>jammy</a>`)
	s.Get(address+"/history").Is(t, http.StatusOK, "ubuntu:22.04", "ubuntu:jammy", "When tags came to this digest")
}

func TestAnImagePulledByDigestIsNoDanglingOne(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64")
	digest := s.Target("postgres:15").Digest
	by := pages.New(t)
	by.Pull("postgres@"+string(digest), "linux/amd64")
	page := by.Get("/images/docker.io/library/postgres@" + string(digest))
	page.Is(t, http.StatusOK, "by digest", "13 layers", "No tag points at this digest.")
	page.Lacks(t, ">dangling<")
	by.Get("/images/docker.io/library/postgres@"+string(digest)+"/history").Is(t, http.StatusOK, "No tag ever pointed here")
}

func TestAPlatformsManifestLeadsToThatPlatformOfItsIndex(t *testing.T) {
	s := pages.New(t)
	s.Pull("postgres:15", "linux/amd64", "linux/arm64")
	target := s.Target("postgres:15")
	page := s.Get("/images/docker.io/library/postgres@" + string(target.Images[1].Manifest) + "/config")
	if got, want := page.Header.Get("Location"), "/images/docker.io/library/postgres@"+string(target.Digest)+"/config?platform=linux/arm64"; page.Status != http.StatusFound || got != want {
		t.Errorf("%d to %s, want %s", page.Status, got, want)
	}
}

func TestAnImageIsFoundByItsID(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/arm64")
	s.Pull("ubuntu:latest", "linux/arm64")
	id := s.Target("ubuntu:22.04").Images[0].ID
	full := "/images/" + string(id)
	page := s.Get(full)
	page.Is(t, http.StatusOK, image.ShortDigest(id), "Stored as:", ">ubuntu:22.04</a>", ">ubuntu:latest</a>", "docker history --no-trunc "+image.ShortDigest(id))
	page.ImageGolden(t, "image_by_id")
	s.Get(full+"/history").Is(t, http.StatusOK, "ubuntu:latest")

	short := s.Get("/images/sha256:" + id.Encoded()[:8] + "/inspect?platform=linux/arm64")
	if got, want := short.Header.Get("Location"), full+"/inspect?platform=linux/arm64"; short.Status != http.StatusFound || got != want {
		t.Errorf("%d to %s, want %s", short.Status, got, want)
	}
	s.Get(full+"?platform=linux/amd64").Is(t, http.StatusNotFound, "has no image for linux/amd64; it has linux/arm64")
	s.Get("/images/sha256:"+strings.Repeat("0", 64)).Is(t, http.StatusNotFound, "An image cannot be pulled by its ID.")
	s.Get("/images/sha256:xyz").Is(t, http.StatusBadRequest, "is not an image ID")
	s.Get(full+"/manifest?document=index").Is(t, http.StatusNotFound, "without an index")
}

// docker takes the first digits of an ID, however few, with sha256: before them or without; a name of that spelling comes first.
func TestAnImageIsFoundByAnyFirstDigitsOfItsIDUnlessANameIsSpeltSo(t *testing.T) {
	plain := func(content string) sample.Image {
		return sample.Image{Platform: pages.Amd64, Steps: []sample.Step{{By: "COPY", Layer: sample.NewLayer(sample.Gzip, sample.Text("file", content))}}}
	}
	idOf := func(im sample.Image) string {
		b, err := im.Build()
		if err != nil {
			t.Fatal(err)
		}
		return b.Blobs[0].Descriptor.Digest.Encoded()
	}
	first, other := plain("1"), plain("2")
	id, otherID := idOf(first), idOf(other)
	reg := fake.NewEmptyRegistry()
	push := func(repository, tag string, im sample.Image) {
		t.Helper()
		if err := reg.Push(t.Context(), repository, im, tag); err != nil {
			t.Fatal(err)
		}
	}
	push("test/first", "1", first)
	s := pages.NewOn(t, reg)
	s.Pull("test/first:1")
	leads := func(from, to string) {
		t.Helper()
		if page := s.Get(from); page.Status != http.StatusFound || page.Header.Get("Location") != to {
			t.Errorf("%s: %d to %q, want %s", from, page.Status, page.Header.Get("Location"), to)
		}
	}
	full := "/images/sha256:" + id
	for _, n := range []int{1, 2, 3, 12, 63} {
		leads("/images/sha256:"+id[:n], full)
		leads("/images/"+id[:n], full)
		leads("/images/"+id[:n]+"/inspect?format=json", full+"/inspect?format=json")
	}
	leads("/images/"+id[:3]+"/delete", full+"/delete")
	s.Get("/images/docker.io/library/"+id[:3]).Is(t, http.StatusNotFound, "Not stored here")

	name := id[:12]
	push("library/"+name, "latest", other)
	push("library/sha256", name, other)
	s.Pull(name + ":latest")
	leads("/images/"+name, "/images/docker.io/library/"+name)
	leads("/images/"+name+"/inspect", "/images/docker.io/library/"+name+":latest/inspect")
	leads("/images/sha256:"+id[:13], full)
	leads("/images/sha256:"+name, full)
	s.Pull("sha256:" + name)
	leads("/images/sha256:"+name, "/images/docker.io/library/sha256:"+name)
	leads("/images/sha256:"+otherID[:3], "/images/sha256:"+otherID)
	for text, want := range map[string]string{name: name + ":latest", "sha256:" + name: "sha256:" + name} {
		named, err := s.Store.Images.Named(t.Context(), text)
		if err != nil || named.Reference.Familiar() != want {
			t.Errorf("%s names %+v, %v; want %s", text, named, err, want)
		}
	}
	if named, err := s.Store.Images.Named(t.Context(), id); err != nil || string(named.Image.ID) != "sha256:"+id {
		t.Errorf("64 digits name %+v, %v", named, err)
	}
}

// Two manifests can differ in their annotations alone.
func TestAnIDNamesTheOtherManifestsWithItsConfig(t *testing.T) {
	one := sample.NewLayer(sample.Gzip, sample.Text("one", "1\n"))
	im := sample.Image{Platform: pages.Amd64, Steps: []sample.Step{{By: "COPY one", Layer: one}}}
	twin := im
	im.Annotations = map[string]string{"build": "1"}
	twin.Annotations = map[string]string{"build": "2"}
	s := pages.NewWith(t, "test/twins", map[string]sample.Source{"1": im, "2": twin})
	s.Pull("test/twins:1")
	s.Pull("test/twins:2")
	first, second := s.Target("test/twins:1").Images[0], s.Target("test/twins:2").Images[0]
	if first.ID != second.ID || first.Manifest == second.Manifest {
		t.Fatalf("no twins: %+v %+v", first, second)
	}
	page := s.Get("/images/" + string(first.ID))
	page.Is(t, http.StatusOK, "Other manifests with the same config:", ">test/twins:1</a>", ">test/twins:2</a>")
}

func TestAnIDThatIsAmbiguousIsRefused(t *testing.T) {
	one := sample.NewLayer(sample.Gzip, sample.Text("one", "1\n"))
	seen := map[string]sample.Image{}
	var pair []sample.Image
	var prefix string
	for i := 0; pair == nil; i++ { // a few hundred: the first two that share four digits
		im := sample.Image{Platform: pages.Amd64, Author: strconv.Itoa(i), Steps: []sample.Step{{By: "COPY one", Layer: one}}}
		b, err := im.Build()
		if err != nil {
			t.Fatal(err)
		}
		prefix = b.Blobs[0].Descriptor.Digest.Encoded()[:4]
		if other, ok := seen[prefix]; ok {
			pair = []sample.Image{other, im}
		}
		seen[prefix] = im
	}
	s := pages.NewWith(t, "test/alike", map[string]sample.Source{"1": pair[0], "2": pair[1]})
	s.Pull("test/alike:1")
	s.Get("/images/sha256:"+prefix).Is(t, http.StatusFound)
	s.Pull("test/alike:2")
	s.Get("/images/sha256:"+prefix).Is(t, http.StatusConflict, "Several images", "Give more digits of the ID.")
}

func TestWhatIsNotStoredCanBePulled(t *testing.T) {
	s := pages.New(t)
	page := s.Get("/images/docker.io/library/postgres:17")
	page.Is(t, http.StatusNotFound, "Not stored here", `href="/pull?ref=postgres:17"`, "docker pull postgres:17")
	page.Lacks(t, "It was here before", "What is stored of")
	page.ImageGolden(t, "image_absent")
	s.Pull("postgres:16", "linux/amd64")
	s.Get("/images/docker.io/library/postgres:17").Is(t, http.StatusNotFound, `href="/images/docker.io/library/postgres">What is stored of postgres`)
	s.Get("/images/docker.io/library/postgres@sha256:"+strings.Repeat("a", 64)).Is(t, http.StatusNotFound, "docker pull postgres@sha256:aaaa")
}

func TestATagThatMovedAndWentLeavesItsHistory(t *testing.T) {
	first, err := sample.Rolling(1)
	if err != nil {
		t.Fatal(err)
	}
	second, err := sample.Rolling(2)
	if err != nil {
		t.Fatal(err)
	}
	reg := fake.NewEmptyRegistry()
	s := pages.NewOn(t, reg)
	var old image.Digest
	for _, source := range []sample.Source{first, second} {
		if err := reg.Push(t.Context(), "library/ubuntu", source, "rolling"); err != nil {
			t.Fatal(err)
		}
		s.Pull("ubuntu:rolling", "linux/amd64")
		if old == "" {
			old = s.Target("ubuntu:rolling").Digest
		}
	}
	const page = "/images/docker.io/library/ubuntu:rolling"
	oldPage := "/images/docker.io/library/ubuntu@" + string(old)
	history := s.Get(page + "/history")
	history.Is(t, http.StatusOK, "moved", "pulled", `href="`+oldPage+`"`, `href="/pulls/2"`, "mira")
	history.ImageGolden(t, "image_moved")
	s.Get(oldPage).Is(t, http.StatusOK, "dangling", "No tag points at this digest.")
	s.Get(oldPage+"/history").Is(t, http.StatusOK, "moved", "ubuntu:rolling")

	ref := image.Reference{Repository: "docker.io/library/ubuntu", Tag: "rolling"}
	plan, err := s.Store.Removals.PlanRemoval(t.Context(), shelf.Remove(shelf.RemovalItem{Reference: ref}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.Removals.Remove(t.Context(), plan.Asked, plan.Fingerprint, image.ActorNamed("mira")); err != nil {
		t.Fatal(err)
	}
	s.Get(page).Is(t, http.StatusNotFound, "Not stored here", "It was here before", "deleted", "moved")
}

func TestABrokenImageSaysWhy(t *testing.T) {
	s := pages.NewWith(t, "test/wrong", map[string]sample.Source{"latest": sample.WrongDiffID()})
	s.Pull("test/wrong:latest")
	s.Get("/images/docker.io/test/wrong:latest").Is(t, http.StatusOK, "broken</span>", "This image cannot be used", "do not match the image&#39;s config", `role="alert"`)
}

func TestHostileTextOfAnImageStaysText(t *testing.T) {
	s := pages.NewWith(t, "acme/hostile", map[string]sample.Source{"latest": sample.Hostile()})
	s.Pull("acme/hostile:latest")
	for _, section := range []string{"layers", "config", "manifest", "inspect"} {
		page := s.Get("/images/docker.io/acme/hostile:latest/" + section)
		page.Is(t, http.StatusOK)
		page.Lacks(t, "<script>alert", "<img src=x", "<svg onload", "<b>bold", "<u>80", `href="javascript:`, "\u202e", "\u2066", "\x1b", "\u200b")
	}
	s.Get("/images/docker.io/acme/hostile:latest/config").Is(t, http.StatusOK,
		"&lt;script&gt;alert(4)&lt;/script&gt;", "javascript:alert(6)", `\u202e</span>gnp.exe`, `\x1b</span>[31mred`, "컨테이너 이미지", "&#39;; DROP TABLE images; --")
	s.Get("/images/docker.io/acme/hostile:latest").Is(t, http.StatusOK, "RUN echo &#34;&lt;script&gt;alert(1)")
}

func TestConfigSaysHowAContainerRuns(t *testing.T) {
	s := pages.New(t)
	s.Pull("acme/api:v2.14.0", "linux/amd64")
	page := s.Get("/images/docker.io/acme/api:v2.14.0/config")
	page.Is(t, http.StatusOK, "tini -- docker-entrypoint.sh", "8080/tcp", "/srv/api/uploads", "curl -fsS http://127.0.0.1:8080/healthz", "every 10 s · time-out 2 s · unhealthy after 3 failures",
		"APP_PORT", `rel="noreferrer noopener nofollow"`, `href="https://git.acme.example/platform/api"`)
	page.ImageGolden(t, "image_config_full")
}

func TestImagesWithoutLayersHistoryOrDate(t *testing.T) {
	s := pages.New(t)
	s.Pull("test/no-layers:latest")
	s.Pull("test/no-created:latest")
	s.Pull("test/no-history:latest")
	s.Get("/images/docker.io/test/no-layers:latest").Is(t, http.StatusOK, "LABEL empty=yes", "0 layers")
	s.Get("/images/docker.io/test/no-created:latest").Is(t, http.StatusOK, "the image does not say")
	s.Get("/images/docker.io/test/no-history:latest").Is(t, http.StatusOK, "the history does not say", "2 layers")
}

func TestHTMXGetsThePartThatChanges(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64")
	part := s.Get(ubuntuPage+"/config", "HX-Request", "true", "HX-Request-Type", "partial")
	part.Is(t, http.StatusOK, `<title>ubuntu:22.04 · Config · Stowage</title>`, `<div id="image">`)
	part.Lacks(t, "<html", "<header")
	s.Get("/images/docker.io/library/gone:1", "HX-Request", "true", "HX-Request-Type", "partial").Is(t, http.StatusNotFound, `<div id="image">`)
}

func TestAnAddressIsUnescapedOnce(t *testing.T) {
	s := pages.New(t)
	s.Pull("ubuntu:22.04", "linux/amd64")
	for address, status := range map[string]int{
		"/images/docker.io%2Flibrary%2Fubuntu%3A22.04": http.StatusFound, "/images/ubuntu%253A22.04": http.StatusBadRequest, "/images/ubuntu%252F": http.StatusBadRequest,
		"/images/100%25": http.StatusBadRequest, "/layers/sha256%253A" + strings.Repeat("0", 64): http.StatusBadRequest, "/layers/sha256%3A" + strings.Repeat("0", 64): http.StatusNotFound,
	} {
		if got := s.Get(address); got.Status != status {
			t.Errorf("%s: status %d, want %d; it leads to %q", address, got.Status, status, got.Header.Get("Location"))
		}
	}
}
