package e2e

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
	"github.com/stowage/stowage/sample/fake"
	"github.com/stowage/stowage/test/shelf"
)

// stocked is a server with one image on its shelf, which nothing bad may touch.
func stocked(t *testing.T) (s *shelf.Server, unchanged func(t *testing.T)) {
	t.Helper()
	u := shelf.RealUpstream(t)
	u.Library(t, "library/ubuntu", "22.04")
	s = shelf.Start(t)
	s.AwaitState(s.Pull(u.Ref("library/ubuntu:22.04"), "linux/amd64"), "done")
	checkLayoutSoon(s, u.Ref("library/ubuntu:22.04"))
	rows, names := s.Images(), shelf.LayoutNames(t, s.Data)
	return s, func(t *testing.T) {
		t.Helper()
		if now := s.Images(); !slices.Equal(now, rows) {
			t.Errorf("the shelf has changed: it lists %v, it had %v", now, rows)
		}
		if now := shelf.LayoutNames(t, s.Data); len(now) != len(names) {
			t.Errorf("index.json has changed: it names %v, it had %v", now, names)
		}
	}
}

func TestWhatIsNoReferenceIsRefusedWithWhatToTypeInstead(t *testing.T) {
	t.Parallel()
	s, unchanged := stocked(t)
	u := shelf.SampleUpstream(t)
	hex := strings.Repeat("a", 64)
	for _, c := range []struct {
		name, ref string
		want      []string
	}{
		{"a folder of the server", "ocidir:///etc", []string{`"ocidir:///etc" is an address, not an image reference`, `Leave "ocidir://" out`}},
		{"a layout of the server", "ocidir://" + s.Data, []string{"is an address, not an image reference"}},
		{"a web address", "http://" + u.Ref("a/b:1"), []string{"is an address, not an image reference", `Leave "http://" out`}},
		{"upper case", u.Ref("Team/App:1"), []string{"is not an image reference", "Repository names are lower case: try " + u.Ref("team/app:1")}},
		{"a tag of 200 characters", u.Ref("a/b:" + strings.Repeat("t", 200)), []string{"is not an image reference", "A tag has at most 128 characters; this one has 200."}},
		{"a digest of the wrong length", u.Ref("a/b@sha256:" + hex[:10]), []string{"is not an image reference", "A digest is sha256: and 64 hex digits; this one has 10."}},
		{"a digest of another algorithm", u.Ref("a/b@md5:" + hex[:32]), []string{"is not an image reference", "After @ comes a digest: sha256: and 64 hex digits."}},
		{"an image ID", hex, []string{"is not an image reference", "are an image ID: open it at /images/sha256:"}},
		{"markup", "<script>alert(1)</script>", []string{`"<script>alert(1)</script>" is not an image reference`}},
		{"a path", u.Ref("../../etc/passwd"), []string{"is not an image reference"}},
		{"two lines", "ubuntu\r\nX-Header: 1", []string{"is not an image reference"}},
		{"a very long one", strings.Repeat("a", 5000), []string{"the reference has 5000 characters"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.Page("/pull?ref=" + url.QueryEscape(c.ref))
			p.Says(http.StatusBadRequest, c.want...)
			if strings.Contains(p.Body, "<script>alert") {
				t.Errorf("markup reaches the page:\n%s", p.Body)
			}
			s.Post("/pulls", url.Values{"ref": {c.ref}}).Says(http.StatusBadRequest, c.want...)
		})
	}
	t.Run("an unknown platform", func(t *testing.T) {
		u.Holds(t, "a/b", sample.Sized(1, 1000, v1.Platform{OS: "linux", Architecture: "amd64"}), "1")
		for _, platform := range []string{"lin ux/amd64", "linux/amd64/v1/v2/v3", "<b>"} {
			want := `"` + platform + `" is not a platform`
			s.Page("/pull?ref="+url.QueryEscape(u.Ref("a/b:1"))+"&platform="+url.QueryEscape(platform)).Says(http.StatusBadRequest, want, "such as linux/amd64")
			s.Post("/pulls", url.Values{"ref": {u.Ref("a/b:1")}, "platform": {platform}}).Says(http.StatusBadRequest, want, "such as linux/amd64")
		}
	})
	if n := u.Count(http.MethodGet, "/blobs/"); n > 1 { // the config of what was looked up
		t.Errorf("%d blobs were fetched", n)
	}
	if pulls := s.Page("/pulls").Links("/pulls/"); len(pulls) != 1 { // the one that stocked the shelf
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
		set      func(u *shelf.Upstream, b sample.Built)
		platform string
		want     answer
	}{
		{"a manifest of 100 MB", good(), func(u *shelf.Upstream, _ sample.Built) { u.On(fake.Manifests, fake.HugeManifest(100<<20, true)) }, "",
			answer{http.StatusUnprocessableEntity, []string{"more than 4194304 bytes"}, []string{"more than 4194304 bytes"}}},
		{"a manifest of 100 MB that does not say so", good(), func(u *shelf.Upstream, _ sample.Built) { u.On(fake.Manifests, fake.HugeManifest(100<<20, false)) }, "",
			answer{http.StatusUnprocessableEntity, []string{"more than 4194304 bytes"}, []string{"more than 4194304 bytes"}}},
		{"an index that points to itself", good(), func(u *shelf.Upstream, _ sample.Built) { u.On(fake.Manifests, fake.SelfIndex()) }, "",
			answer{http.StatusBadGateway, []string{"sent something else for"}, []string{"sent something else for"}}},
		{"indexes in indexes without end", sample.DeepIndex(40), nil, "",
			answer{http.StatusUnprocessableEntity, []string{"indexes are nested more than"}, []string{"indexes are nested more than"}}},
		{"a web page", good(), func(u *shelf.Upstream, _ sample.Built) { u.On(fake.Manifests, fake.HTML()) }, "",
			answer{http.StatusBadGateway, []string{"a web page", "Check the registry's address"}, nil}},
		{"a web page in place of everything", good(), func(u *shelf.Upstream, _ sample.Built) { u.On(fake.Any, fake.HTML()) }, "",
			answer{http.StatusBadGateway, []string{"a web page", "Check the registry's address"}, nil}},
		{"a connection closed half-way through the manifest", good(), func(u *shelf.Upstream, _ sample.Built) { u.On(fake.Manifests, fake.CloseAfter(50)) }, "",
			answer{http.StatusBadGateway, []string{"closed the connection half-way through"}, nil}},
		{"a platform that is not there", good(), nil, "linux/riscv64",
			answer{http.StatusNotFound, []string{"has no image for linux/riscv64", "linux/amd64"}, []string{"has no image for linux/riscv64; it has linux/amd64"}}},
		{"nothing under the name", nil, nil, "",
			answer{http.StatusNotFound, []string{"not found", "Check the name"}, []string{"not found", "Check the name"}}},
		{"a sign-in", good(), func(u *shelf.Upstream, _ sample.Built) { u.On(fake.Any, fake.BasicAuth("user", "secret")) }, "",
			answer{http.StatusForbidden, []string{"wants a sign-in for", "docker login"}, []string{"wants a sign-in for", "docker login"}}},
		{"a rate limit of hours", good(), func(u *shelf.Upstream, _ sample.Built) { u.On(fake.Manifests, fake.TooManyRequests("7200")) }, "",
			answer{http.StatusTooManyRequests, []string{"its rate limit is reached", "until 20"}, []string{"its rate limit is reached", "until 20"}}},
		{"what is no image", sample.Chart(), nil, "",
			answer{http.StatusUnprocessableEntity, []string{"helm"}, []string{"helm"}}},
		{"a manifest of schema 1", good(), func(u *shelf.Upstream, _ sample.Built) {
			u.On(fake.Manifests, fake.Replace(sample.MediaTypeSchema1, sample.Schema1("a/b", "1")))
		}, "",
			answer{http.StatusUnprocessableEntity, []string{"schema 1"}, []string{"schema 1"}}},
		{"a layer whose bytes do not match", good(), func(u *shelf.Upstream, b sample.Built) {
			u.On(fake.GetBlob(b.Children[0].Layers()[1].Descriptor.Digest), fake.Corrupt())
		}, "",
			answer{fine, []string{"linux/amd64"}, []string{"is not what was received: the bytes have the digest"}}},
		{"a layer shorter than its manifest says", sample.WrongSize(10), nil, "",
			answer{fine, nil, []string{"bytes"}}},
		{"a layer longer than its manifest says", sample.WrongSize(-10), nil, "",
			answer{fine, nil, []string{"bytes"}}},
		{"a config with fewer diff IDs than layers", shelf.Must(sample.MissingDiffID()), nil, "",
			answer{0, nil, []string{"diff IDs"}}},
		{"a config that is not JSON", shelf.Must(sample.BadConfig()), nil, "",
			answer{0, nil, []string{"config"}}},
	}
	t.Run("cases", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				u := shelf.SampleUpstream(t)
				var b sample.Built
				if c.source != nil {
					b = u.Holds(t, "a/b", c.source, "1")
				}
				if c.set != nil {
					c.set(u, b)
				}
				own := *s // reports to this case
				own.T = t
				query := url.Values{"ref": {u.Ref("a/b:1")}}
				if c.platform != "" {
					query.Set("platform", c.platform)
				}
				if c.want.status != 0 {
					p := own.Page("/pull?" + query.Encode())
					p.Says(c.want.status, c.want.form...)
					if strings.Contains(p.Body, "<script>alert") {
						t.Errorf("markup of the registry reaches the page:\n%s", p.Body)
					}
				}
				pull := own.Post("/pulls", query).URL.Path
				if len(c.want.pull) > 0 {
					own.AwaitState(pull, "failed").Says(http.StatusOK, c.want.pull...)
				} else {
					// What may pass is tried again, and the page says why; nobody has to wait for it.
					own.Await(pull, "tried again", func(p *shelf.Page) bool { return strings.Contains(p.Text(), "Retrying") }).Says(http.StatusOK, c.want.form[0])
					if p := own.Post(pull+"/cancel", nil); p.PullState() != "cancelled" {
						t.Errorf("after the cancel: %d %s", p.Status, p.Text())
					}
				}
				if p := own.Page(u.Address("a/b:1")); p.Status != http.StatusNotFound {
					t.Errorf("%s is on the shelf: %d %s", u.Ref("a/b:1"), p.Status, p.Text())
				}
			})
		}
	})
	unchanged(t)
}

func TestARegistryThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s, unchanged := stocked(t)
	u := shelf.SampleUpstream(t)
	u.Holds(t, "a/b", sample.Sized(1, 1000, v1.Platform{OS: "linux", Architecture: "amd64"}), "1")
	hold := u.Hold(fake.Manifests, -1)

	pull := s.Pull(u.Ref("a/b:1"))
	<-hold.Reached()
	if state := s.Page(pull).PullState(); state != "resolving" {
		t.Errorf("the pull is %s while the registry hangs, want resolving", state)
	}
	if p := s.Post(pull+"/cancel", nil); p.PullState() != "cancelled" {
		t.Errorf("after the cancel: %d %s", p.Status, p.Text())
	}
	began := time.Now()
	s.Page("/pull?ref="+url.QueryEscape(u.Ref("a/b:1"))).Says(http.StatusBadGateway, u.Host+" did not answer in time", "Try again in a moment.")
	if took := time.Since(began); took < 15*time.Second || took > 30*time.Second {
		t.Errorf("the form gave up after %s, want about 20 s", took)
	}
	unchanged(t)
}

func TestALayerThatBreaksOffIsContinuedAndThePageSaysWhy(t *testing.T) {
	t.Parallel()
	u := shelf.RealUpstream(t)
	b := u.Holds(t, "team/app", sample.Sized(1, 400_000, v1.Platform{OS: "linux", Architecture: "amd64"}), "1")
	layer := b.Children[0].Layers()[0].Descriptor
	s := shelf.Start(t)
	u.Times(1, fake.GetBlob(layer.Digest), fake.CloseAfter(150_000))
	mend := u.On(func(r *http.Request) bool { return r.Header.Get("Range") != "" }, fake.CloseAfter(0))

	pull := s.Pull(u.Ref("team/app:1"))
	s.Await(pull, "tried again", func(p *shelf.Page) bool {
		text, _ := p.Layer(0)
		return strings.Contains(text, "Retrying") && strings.Contains(text, "closed the connection half-way through blob")
	})
	mend()
	s.AwaitState(pull, "done")
	if n := u.Served(layer.Digest); n != layer.Size {
		t.Errorf("%d bytes were served of a layer of %d: what was there is not asked for again", n, layer.Size)
	}
}

func TestALayerThatIsNotWhatItsConfigSaysMarksTheImageAsBroken(t *testing.T) {
	t.Parallel()
	u := shelf.RealUpstream(t)
	s := shelf.Start(t)
	u.Holds(t, "team/wrong-diff-id", sample.WrongDiffID(), "1")
	u.Holds(t, "team/not-gzip", sample.NotGzip(), "1")
	u.Holds(t, "team/truncated", sample.Truncated(), "1")
	u.Holds(t, "team/bomb", bomb(t), "1")
	for name, want := range map[string]string{
		"team/wrong-diff-id:1": "diff ID", "team/not-gzip:1": "cannot be unpacked", "team/truncated:1": "cannot be unpacked",
		"team/bomb:1": "it unpacks to more than 1.074GB",
	} {
		pull := s.Pull(u.Ref(name), "linux/amd64")
		shelf.Eventually(t, name+" to be marked as broken", func() bool {
			return strings.Contains(s.Page(u.Address(name)).Text(), "This image cannot be used")
		})
		s.Page(u.Address(name)).Says(http.StatusOK, want, "Delete it and pull it again.")
		if state := s.Page(pull).PullState(); state != "failed" {
			t.Errorf("the pull of %s is %s", name, state)
		}
	}
	list := s.Page("/images").Text()
	if n := strings.Count(list, "broken"); n != 4 {
		t.Errorf("%d of the 4 images are marked as broken in the list: %s", n, list)
	}
	if status, body := s.Get("/readyz"); status != http.StatusOK {
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
