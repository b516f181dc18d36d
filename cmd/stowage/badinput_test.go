package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

// stocked is a server with one image on its shelf, which nothing bad may touch.
func stocked(t *testing.T) (s *stowage, unchanged func(t *testing.T)) {
	t.Helper()
	u := realUpstream(t)
	u.library(t, "library/ubuntu", "22.04")
	s = startStowage(t)
	s.awaitState(s.pull(u.ref("library/ubuntu:22.04"), "linux/amd64"), "done")
	s.checkLayoutSoon(u.ref("library/ubuntu:22.04"))
	rows, names := s.shelf(), layoutNames(t, s.data)
	return s, func(t *testing.T) {
		t.Helper()
		if now := s.shelf(); !slices.Equal(now, rows) {
			t.Errorf("the shelf has changed: it lists %v, it had %v", now, rows)
		}
		if now := layoutNames(t, s.data); len(now) != len(names) {
			t.Errorf("index.json has changed: it names %v, it had %v", now, names)
		}
	}
}

func TestWhatIsNoReferenceIsRefusedWithWhatToTypeInstead(t *testing.T) {
	t.Parallel()
	s, unchanged := stocked(t)
	u := sampleUpstream(t)
	hex := strings.Repeat("a", 64)
	for _, c := range []struct {
		name, ref string
		want      []string
	}{
		{"a folder of the server", "ocidir:///etc", []string{`"ocidir:///etc" is an address, not an image reference`, `Leave "ocidir://" out`}},
		{"a layout of the server", "ocidir://" + s.data, []string{"is an address, not an image reference"}},
		{"a web address", "http://" + u.ref("a/b:1"), []string{"is an address, not an image reference", `Leave "http://" out`}},
		{"upper case", u.ref("Team/App:1"), []string{"is not an image reference", "Repository names are lower case: try " + u.ref("team/app:1")}},
		{"a tag of 200 characters", u.ref("a/b:" + strings.Repeat("t", 200)), []string{"is not an image reference", "A tag has at most 128 characters; this one has 200."}},
		{"a digest of the wrong length", u.ref("a/b@sha256:" + hex[:10]), []string{"is not an image reference", "A digest is sha256: and 64 hex digits; this one has 10."}},
		{"a digest of another algorithm", u.ref("a/b@md5:" + hex[:32]), []string{"is not an image reference", "After @ comes a digest: sha256: and 64 hex digits."}},
		{"an image ID", hex, []string{"is not an image reference", "are an image ID: open it at /images/sha256:"}},
		{"markup", "<script>alert(1)</script>", []string{`"<script>alert(1)</script>" is not an image reference`}},
		{"a path", u.ref("../../etc/passwd"), []string{"is not an image reference"}},
		{"two lines", "ubuntu\r\nX-Header: 1", []string{"is not an image reference"}},
		{"a very long one", strings.Repeat("a", 5000), []string{"the reference has 5000 characters"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.page("/pull?ref=" + url.QueryEscape(c.ref))
			p.says(http.StatusBadRequest, c.want...)
			if strings.Contains(p.body, "<script>alert") {
				t.Errorf("markup reaches the page:\n%s", p.body)
			}
			s.post("/pulls", url.Values{"ref": {c.ref}}).says(http.StatusBadRequest, c.want...)
		})
	}
	t.Run("an unknown platform", func(t *testing.T) {
		u.holds(t, "a/b", sample.Sized(1, 1000, v1.Platform{OS: "linux", Architecture: "amd64"}), "1")
		for _, platform := range []string{"lin ux/amd64", "linux/amd64/v1/v2/v3", "<b>"} {
			want := `"` + platform + `" is not a platform`
			s.page("/pull?ref="+url.QueryEscape(u.ref("a/b:1"))+"&platform="+url.QueryEscape(platform)).says(http.StatusBadRequest, want, "such as linux/amd64")
			s.post("/pulls", url.Values{"ref": {u.ref("a/b:1")}, "platform": {platform}}).says(http.StatusBadRequest, want, "such as linux/amd64")
		}
	})
	if n := u.Count(http.MethodGet, "/blobs/"); n > 1 { // the config of what was looked up
		t.Errorf("%d blobs were fetched", n)
	}
	if pulls := s.page("/pulls").links("/pulls/"); len(pulls) != 1 { // the one that stocked the shelf
		t.Errorf("refused requests made pulls: %v", pulls)
	}
	unchanged(t)
}

func TestARegistryThatMisbehavesIsExplainedAndLeavesTheShelfAsItWas(t *testing.T) {
	t.Parallel()
	s, unchanged := stocked(t)
	amd64 := v1.Platform{OS: "linux", Architecture: "amd64"}
	// Images differ from case to case: what one registry has served is not asked of another.
	size := int64(100_000)
	good := func() sample.Source {
		size += 1000
		return sample.Sized(2, size, amd64)
	}
	const fine = http.StatusOK
	type answer struct {
		status int // of the form; not looked at when 0
		form   []string
		pull   []string // what the failed pull says
	}
	cases := []struct {
		name     string
		source   sample.Source
		set      func(u *upstream, b sample.Built)
		platform string
		want     answer
	}{
		{"a manifest of 100 MB", good(), func(u *upstream, _ sample.Built) { u.On(sample.Manifests, sample.HugeManifest(100<<20, true)) }, "",
			answer{http.StatusUnprocessableEntity, []string{"more than 4194304 bytes"}, []string{"more than 4194304 bytes"}}},
		{"a manifest of 100 MB that does not say so", good(), func(u *upstream, _ sample.Built) { u.On(sample.Manifests, sample.HugeManifest(100<<20, false)) }, "",
			answer{http.StatusUnprocessableEntity, []string{"more than 4194304 bytes"}, []string{"more than 4194304 bytes"}}},
		{"an index that points to itself", good(), func(u *upstream, _ sample.Built) { u.On(sample.Manifests, sample.SelfIndex()) }, "",
			answer{http.StatusBadGateway, []string{"sent something else for"}, []string{"sent something else for"}}},
		{"indexes in indexes without end", sample.DeepIndex(40), nil, "",
			answer{http.StatusUnprocessableEntity, []string{"indexes are nested more than"}, []string{"indexes are nested more than"}}},
		{"a web page", good(), func(u *upstream, _ sample.Built) { u.On(sample.Manifests, sample.HTML()) }, "",
			answer{http.StatusBadGateway, []string{"a web page", "Check the registry's address"}, nil}},
		{"a web page in place of everything", good(), func(u *upstream, _ sample.Built) { u.On(sample.Any, sample.HTML()) }, "",
			answer{http.StatusBadGateway, []string{"a web page", "Check the registry's address"}, nil}},
		{"a connection closed half-way through the manifest", good(), func(u *upstream, _ sample.Built) { u.On(sample.Manifests, sample.CloseAfter(50)) }, "",
			answer{http.StatusBadGateway, []string{"closed the connection half-way through"}, nil}},
		{"a platform that is not there", good(), nil, "linux/riscv64",
			answer{http.StatusNotFound, []string{"has no image for linux/riscv64", "linux/amd64"}, []string{"has no image for linux/riscv64; it has linux/amd64"}}},
		{"nothing under the name", nil, nil, "",
			answer{http.StatusNotFound, []string{"not found", "Check the name"}, []string{"not found", "Check the name"}}},
		{"a sign-in", good(), func(u *upstream, _ sample.Built) { u.On(sample.Any, sample.BasicAuth("user", "secret")) }, "",
			answer{http.StatusForbidden, []string{"wants a sign-in for", "docker login"}, []string{"wants a sign-in for", "docker login"}}},
		{"a rate limit of hours", good(), func(u *upstream, _ sample.Built) { u.On(sample.Manifests, sample.TooManyRequests("7200")) }, "",
			answer{http.StatusTooManyRequests, []string{"its rate limit is reached", "until 20"}, []string{"its rate limit is reached", "until 20"}}},
		{"what is no image", sample.Chart(), nil, "",
			answer{http.StatusUnprocessableEntity, []string{"helm"}, []string{"helm"}}},
		{"a manifest of schema 1", good(), func(u *upstream, _ sample.Built) {
			u.On(sample.Manifests, sample.Replace(sample.MediaTypeSchema1, sample.Schema1("a/b", "1")))
		}, "",
			answer{http.StatusUnprocessableEntity, []string{"schema 1"}, []string{"schema 1"}}},
		{"a layer whose bytes do not match", good(), func(u *upstream, b sample.Built) {
			u.On(sample.GetBlob(b.Children[0].Layers()[1].Descriptor.Digest), sample.Corrupt())
		}, "",
			answer{fine, []string{"linux/amd64"}, []string{"is not what was received: the bytes have the digest"}}},
		{"a layer shorter than its manifest says", sample.WrongSize(10), nil, "",
			answer{fine, nil, []string{"bytes"}}},
		{"a layer longer than its manifest says", sample.WrongSize(-10), nil, "",
			answer{fine, nil, []string{"bytes"}}},
		{"a config with fewer diff IDs than layers", must(sample.MissingDiffID()), nil, "",
			answer{0, nil, []string{"diff IDs"}}},
		{"a config that is not JSON", must(sample.BadConfig()), nil, "",
			answer{0, nil, []string{"config"}}},
	}
	t.Run("cases", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				u := sampleUpstream(t)
				var b sample.Built
				if c.source != nil {
					b = u.holds(t, "a/b", c.source, "1")
				}
				if c.set != nil {
					c.set(u, b)
				}
				own := *s // reports to this case
				own.t = t
				query := url.Values{"ref": {u.ref("a/b:1")}}
				if c.platform != "" {
					query.Set("platform", c.platform)
				}
				if c.want.status != 0 {
					p := own.page("/pull?" + query.Encode())
					p.says(c.want.status, c.want.form...)
					if strings.Contains(p.body, "<script>alert") {
						t.Errorf("markup of the registry reaches the page:\n%s", p.body)
					}
				}
				pull := own.post("/pulls", query).url.Path
				if len(c.want.pull) > 0 {
					own.awaitState(pull, "failed").says(http.StatusOK, c.want.pull...)
				} else {
					// What may pass is tried again, and the page says why; nobody has to wait for it.
					own.await(pull, "tried again", func(p *page) bool { return strings.Contains(p.text(), "Retrying") }).says(http.StatusOK, c.want.form[0])
					if p := own.post(pull+"/cancel", nil); p.pullState() != "cancelled" {
						t.Errorf("after the cancel: %d %s", p.status, p.text())
					}
				}
				if p := own.page(u.address("a/b:1")); p.status != http.StatusNotFound {
					t.Errorf("%s is on the shelf: %d %s", u.ref("a/b:1"), p.status, p.text())
				}
			})
		}
	})
	unchanged(t)
}

func must(b sample.Built, err error) sample.Built {
	if err != nil {
		panic(err)
	}
	return b
}

func TestARegistryThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s, unchanged := stocked(t)
	u := sampleUpstream(t)
	u.holds(t, "a/b", sample.Sized(1, 1000, v1.Platform{OS: "linux", Architecture: "amd64"}), "1")
	hold := u.Hold(sample.Manifests, -1)

	pull := s.pull(u.ref("a/b:1"))
	<-hold.Reached()
	if state := s.page(pull).pullState(); state != "resolving" {
		t.Errorf("the pull is %s while the registry hangs, want resolving", state)
	}
	if p := s.post(pull+"/cancel", nil); p.pullState() != "cancelled" {
		t.Errorf("after the cancel: %d %s", p.status, p.text())
	}
	began := time.Now()
	s.page("/pull?ref="+url.QueryEscape(u.ref("a/b:1"))).says(http.StatusBadGateway, u.host+" did not answer in time", "Try again in a moment.")
	if took := time.Since(began); took < 15*time.Second || took > 30*time.Second {
		t.Errorf("the form gave up after %s, want about 20 s", took)
	}
	unchanged(t)
}

func TestALayerThatBreaksOffIsContinuedAndThePageSaysWhy(t *testing.T) {
	t.Parallel()
	u := realUpstream(t)
	b := u.holds(t, "team/app", sample.Sized(1, 400_000, v1.Platform{OS: "linux", Architecture: "amd64"}), "1")
	layer := b.Children[0].Layers()[0].Descriptor
	s := startStowage(t)
	u.Times(1, sample.GetBlob(layer.Digest), sample.CloseAfter(150_000))
	mend := u.On(func(r *http.Request) bool { return r.Header.Get("Range") != "" }, sample.CloseAfter(0))

	pull := s.pull(u.ref("team/app:1"))
	s.await(pull, "tried again", func(p *page) bool {
		text, _ := p.layer(0)
		return strings.Contains(text, "Retrying") && strings.Contains(text, "closed the connection half-way through blob")
	})
	mend()
	s.awaitState(pull, "done")
	if n := u.Served(layer.Digest); n != layer.Size {
		t.Errorf("%d bytes were served of a layer of %d: what was there is not asked for again", n, layer.Size)
	}
}

func TestALayerThatIsNotWhatItsConfigSaysMarksTheImageAsBroken(t *testing.T) {
	t.Parallel()
	u := realUpstream(t)
	s := startStowage(t)
	u.holds(t, "team/wrong-diff-id", sample.WrongDiffID(), "1")
	u.holds(t, "team/not-gzip", sample.NotGzip(), "1")
	u.holds(t, "team/truncated", sample.Truncated(), "1")
	u.holds(t, "team/bomb", bomb(t), "1")
	for name, want := range map[string]string{
		"team/wrong-diff-id:1": "diff ID", "team/not-gzip:1": "cannot be unpacked", "team/truncated:1": "cannot be unpacked",
		"team/bomb:1": "it unpacks to more than 1.074GB",
	} {
		pull := s.pull(u.ref(name), "linux/amd64")
		eventually(t, name+" to be marked as broken", func() bool {
			return strings.Contains(s.page(u.address(name)).text(), "This image cannot be used")
		})
		s.page(u.address(name)).says(http.StatusOK, want, "Delete it and pull it again.")
		if state := s.page(pull).pullState(); state != "failed" {
			t.Errorf("the pull of %s is %s", name, state)
		}
	}
	list := s.page("/images").text()
	if n := strings.Count(list, "broken"); n != 4 {
		t.Errorf("%d of the 4 images are marked as broken in the list: %s", n, list)
	}
	if status, body := s.get("/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d %s", status, body)
	}
}

// bomb is an image whose second layer is of some MB and unpacks to more than a layer may: one file of zeros. It
// is put together from equal parts, gzip members one after the other, so that it takes no time to make.
func bomb(t *testing.T) sample.Image {
	t.Helper()
	small, err := sample.Bomb(1000)
	if err != nil {
		t.Fatal(err)
	}
	var member bytes.Buffer
	z := gzip.NewWriter(&member)
	if _, err := z.Write(make([]byte, 16<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	last := len(small.Steps) - 1
	content := sample.LayerContent{Blob: append(tarOfZeros(t, 70*16<<20), bytes.Repeat(member.Bytes(), 70)...)}
	small.Steps[last].Layer = sample.RawLayer(sample.Gzip, content)
	return small
}

// tarOfZeros is the header, compressed, of a file of n zero bytes.
func tarOfZeros(t *testing.T, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := tar.NewWriter(z).WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: n}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
