package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/sample"
)

// tarredImage is an image as `docker save` since version 25 writes it, or skopeo: an OCI image layout in a tar.
func tarredImage(t *testing.T, name string, b sample.Built) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	write := func(name string, body []byte) {
		t.Helper()
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	for m := range b.All() {
		for _, blob := range m.Blobs {
			write("blobs/sha256/"+blob.Descriptor.Digest.Encoded(), blob.Data)
		}
		write("blobs/sha256/"+m.Digest().Encoded(), m.Body)
	}
	d := b.Descriptor
	if name != "" {
		d.Annotations = map[string]string{"io.containerd.image.name": name}
	}
	index, err := json.Marshal(v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []v1.Descriptor{d}})
	if err != nil {
		t.Fatal(err)
	}
	write("index.json", index)
	write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// plainImage is an image with one uncompressed layer of 3 MB, more than a form may have.
func plainImage(t *testing.T) sample.Built {
	t.Helper()
	return must(sample.Image{Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Steps: []sample.Step{
		{By: "COPY tool /", Layer: sample.NewLayer(sample.Uncompressed, sample.Data("tool", "tool", 3_000_000))},
	}}.Build())
}

// put sends a body as curl -T does.
func (s *stowage) put(path string, body io.Reader, header map[string]string) (status int, text string, h http.Header) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(raw), resp.Header
}

// staged is what lies in the folder for what is not proved yet.
func (s *stowage) staged() []string {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.data, "ingest", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// blobs is how many blobs the data folder holds.
func (s *stowage) blobs() int {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.data, "blobs", "sha256"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}

func TestCurlSendsAnArchiveAndReadsWhatWasStored(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	img := plainImage(t)
	raw := tarredImage(t, "docker.io/library/tool:1", img)
	for _, tt := range []struct {
		path   string
		body   io.Reader
		status int
	}{
		{"/archives", bytes.NewReader(raw), http.StatusCreated},
		{"/archives/tool.tar", bytes.NewReader(raw), http.StatusOK},        // curl -T tool.tar …/archives/
		{"/archives", io.MultiReader(bytes.NewReader(raw)), http.StatusOK}, // curl -T -: nobody knows the size
		{"/archives?name=team/tool:2", bytes.NewReader(raw), http.StatusCreated},
	} {
		status, text, header := s.put(tt.path, tt.body, nil)
		name, page := "tool:1", "/images/docker.io/library/tool:1"
		if strings.Contains(tt.path, "name=") {
			name, page = "team/tool:2", "/images/docker.io/team/tool:2"
		}
		if want := "Loaded image: " + name + "\n" + s.url + page + "\n"; status != tt.status || text != want || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
			t.Errorf("PUT %s: %d %q", tt.path, status, text)
		}
		s.page(header.Get("Location")).says(http.StatusOK, "Uploaded", "Open "+name)
		s.page(page).says(http.StatusOK, img.Blobs[0].Descriptor.Digest.Encoded()[:12])
	}
	s.page("/pulls").says(http.StatusOK, "tool.tar upload")
	// An engine pulls it as it was sent, uncompressed.
	if p := s.page("/v2/library/tool/manifests/1"); p.status != http.StatusOK || p.body != string(img.Body) {
		t.Errorf("the manifest: %d %s", p.status, p.body)
	}
	layer := img.Layers()[0]
	resp, err := http.Get(s.url + "/v2/library/tool/blobs/" + layer.Descriptor.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if blob, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(blob, layer.Data) {
		t.Errorf("the layer: %s, %d bytes, %v", resp.Status, len(blob), err)
	}
	if found := s.staged(); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

func TestARefusedUploadSaysWhyInWordsWithItsStatus(t *testing.T) {
	t.Parallel()
	s := startStowage(t, "--max-upload=10MB")
	good := tarredImage(t, "", plainImage(t))
	noPage := map[string]bool{"a folder": true, "another site's page": true} // which were no uploads
	for name, tt := range map[string]struct {
		path   string
		body   []byte
		header map[string]string
		status int
		says   string
	}{
		"no archive":          {"/archives", []byte("nothing of the kind"), nil, http.StatusBadRequest, "this is not a tar archive. Send"},
		"nothing":             {"/archives", nil, nil, http.StatusBadRequest, "nothing was sent"},
		"no name":             {"/archives", good, nil, http.StatusBadRequest, "?name=REPOSITORY:TAG"},
		"what is no name":     {"/archives?name=A:B:C", good, nil, http.StatusBadRequest, "not an image reference"},
		"a folder":            {"/archives/a/b.tar", good, nil, http.StatusNotFound, "/archives"},
		"truncated":           {"/archives?name=a:1", good[:len(good)/2], nil, http.StatusUnprocessableEntity, "ends too early"},
		"a wrong diff ID":     {"/archives", tarredImage(t, "a:1", must(sample.WrongDiffID().Build())), nil, http.StatusUnprocessableEntity, "the image's config says"},
		"too large":           {"/archives?name=a:1", make([]byte, 11_000_000), nil, http.StatusRequestEntityTooLarge, "--max-upload"},
		"another site's page": {"/archives?name=a:1", good, map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, http.StatusForbidden, "another site"},
	} {
		status, text, header := s.put(tt.path, bytes.NewReader(tt.body), tt.header)
		if status != tt.status || !strings.Contains(text, tt.says) || strings.Contains(text, "<") {
			t.Errorf("%s: %d %q, not %d %q", name, status, text, tt.status, tt.says)
		}
		// A page says the same to whomever its address is sent.
		at := header.Get("Location")
		if noPage[name] != (at == "") || at != "" && !strings.Contains(text, "\n"+s.url+at+"\n") {
			t.Errorf("%s: the page is %q, the text %q", name, at, text)
		}
		if at != "" {
			s.page(at).says(http.StatusOK, "Nothing was stored", "nothing is left on the server")
		}
	}
	// Without a size it is refused while it comes.
	if status, text, _ := s.put("/archives?name=a:1", io.MultiReader(bytes.NewReader(make([]byte, 11_000_000))), nil); status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large, without a size: %d %q", status, text)
	}
	if found := s.staged(); len(found) > 0 || s.blobs() > 0 {
		t.Errorf("left: %v and %d blobs", found, s.blobs())
	}
}

func TestTheUploadFormWorksWithoutScripting(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	s.page("/archives").says(http.StatusOK, "Upload an archive", "docker save ubuntu:22.04 | curl -T - "+s.url+"/archives")
	raw := tarredImage(t, "", plainImage(t))
	type field struct{ name, file, value string }
	name, archive := field{"name", "", "team/tool:1"}, field{"archive", "tool.tar", string(raw)}
	form := func(header map[string]string, fields ...field) *page {
		t.Helper()
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for _, f := range fields {
			create := func() (io.Writer, error) { return w.CreateFormField(f.name) }
			if f.name == "archive" {
				create = func() (io.Writer, error) { return w.CreateFormFile(f.name, f.file) }
			}
			part, err := create()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(part, f.value); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{"Content-Type": w.FormDataContentType(), "Origin": s.url, "Sec-Fetch-Site": "same-origin"}
		for k, v := range header {
			all[k] = v
		}
		return s.sendBody(http.MethodPost, "/archives", &body, all)
	}
	if p := form(nil, name, archive); !regexp.MustCompile(`^/pulls/\d+$`).MatchString(p.url.Path) {
		t.Errorf("it leads to %s: %s", p.url, p.text())
	} else {
		p.says(http.StatusOK, "Uploaded tool.tar", "Everything is stored", "Open team/tool:1")
	}
	// curl -F archive=@tool.tar -F name=… sends the name last.
	form(nil, archive, field{"name", "", "team/tool:2"}).says(http.StatusOK, "Open team/tool:2")
	if p := form(map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}, name, archive); p.status != http.StatusNoContent || !strings.HasPrefix(p.header.Get("HX-Redirect"), "/pulls/") {
		t.Errorf("for the page's own request: %d %v", p.status, p.header)
	}
	if p := form(map[string]string{"Accept": "text/plain"}, name, archive); p.status != http.StatusOK || !strings.HasPrefix(p.body, "Loaded image: team/tool:1\n") {
		t.Errorf("as text: %d %s", p.status, p.body)
	}
	failed := form(nil, archive)
	failed.says(http.StatusOK, "does not say what its image", "Nothing was stored")
	if !regexp.MustCompile(`^/pulls/\d+$`).MatchString(failed.url.Path) {
		t.Errorf("one that fails leads to %s", failed.url)
	}
	if p := form(map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}, archive); p.status != http.StatusBadRequest || !strings.HasPrefix(p.header.Get("HX-Redirect"), "/pulls/") {
		t.Errorf("one that fails, for the page's own request: %d %v", p.status, p.header)
	}
	form(nil, name).says(http.StatusBadRequest, "No archive was chosen")
	form(nil, name, field{"archive", "", ""}).says(http.StatusBadRequest, "No archive was chosen")
	form(nil, name, archive, archive).says(http.StatusOK, "several archives", "Nothing was stored")
	form(nil, field{"surprise", "", "x"}, archive).says(http.StatusBadRequest, "surprise")
	form(map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, name, field{"archive", "tool.tar", "never read"}).says(http.StatusForbidden, "another site")
	s.send(http.MethodPost, "/archives", nil, map[string]string{"Content-Type": "text/plain"}).says(http.StatusBadRequest, "multipart/form-data")
	if found := s.staged(); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

// raw opens a connection and writes a request's head.
func (s *stowage) raw(head string) (net.Conn, *bufio.Reader) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.host())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")); err != nil {
		s.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func TestASenderThatAsksFirstIsRefusedBeforeItSends(t *testing.T) {
	t.Parallel()
	s := startStowage(t, "--max-upload=1000")
	_, answer := s.raw("PUT /archives?name=a:1 HTTP/1.1\nHost: " + s.host() + "\nContent-Length: 5000\nExpect: 100-continue\n\n")
	resp, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), "1kB is the most") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if !resp.Close {
		t.Error("the connection is kept, with a body that may come or not")
	}
}

// halfSent sends a part of an archive and waits until the server has it.
func (s *stowage) halfSent() net.Conn {
	s.t.Helper()
	raw := tarredImage(s.t, "a:1", plainImage(s.t))
	before := len(s.staged())
	conn, _ := s.raw(fmt.Sprintf("PUT /archives HTTP/1.1\nHost: %s\nContent-Length: %d\n\n", s.host(), len(raw)))
	if _, err := conn.Write(raw[:len(raw)/2]); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "a stage", func() bool { return len(s.staged()) > before })
	return conn
}

func TestWhoGoesAwayLeavesNothing(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	conn := s.halfSent()
	s.page("/pulls/1").says(http.StatusOK, "Uploading", "received")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the upload", func() bool { return len(s.staged()) == 0 })
	eventually(t, "its record", func() bool { _, body := s.get("/pulls/1"); return strings.Contains(body, "Nothing was stored") })
	s.page("/pulls/1").says(http.StatusOK, "Nothing was stored", "Upload it again", "nothing is left on the server")
	if s.blobs() > 0 {
		t.Errorf("%d blobs are left", s.blobs())
	}
}

func TestAnUploadIsCancelledFromItsPage(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	conn := s.halfSent()
	s.post("/pulls/1/cancel", nil).says(http.StatusOK, "cancelled", "nothing is left on the server")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusConflict || !strings.Contains(string(body), "cancelled") {
		t.Errorf("the sender is told %s %s", resp.Status, body)
	}
	if found := s.staged(); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

func TestAThirdUploadIsToldWhenToTryAgain(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	first := s.halfSent()
	s.halfSent()
	raw := tarredImage(t, "b:1", plainImage(t))
	status, text, header := s.put("/archives", bytes.NewReader(raw), nil)
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(text, "already") {
		t.Errorf("%d %q, Retry-After %q", status, text, header.Get("Retry-After"))
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a place", func() bool {
		status, _, _ := s.put("/archives", bytes.NewReader(raw), nil)
		return status == http.StatusCreated
	})
}

func TestAnUploadDoesNotHoldUpTheEndOfTheServer(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	conn := s.halfSent()
	answered := make(chan int, 1)
	go func() {
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	s.stop()
	if status := <-answered; status != http.StatusServiceUnavailable {
		t.Errorf("the sender is told %d", status)
	}
	if found := s.staged(); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

func TestAKilledUploadIsGoneAfterTheNextStart(t *testing.T) {
	t.Parallel()
	s := startStowage(t)
	s.halfSent()
	s.kill()
	if len(s.staged()) == 0 {
		t.Fatal("the kill left nothing to clean up")
	}
	s = startStowageOn(t, s.data, nil)
	if found := s.staged(); len(found) > 0 || s.blobs() > 0 {
		t.Errorf("left: %v and %d blobs", found, s.blobs())
	}
	s.page("/pulls/1").says(http.StatusOK, "Nothing was stored", "the server stopped while this was uploaded")
	if status, text, _ := s.put("/archives", bytes.NewReader(tarredImage(t, "a:1", plainImage(t))), nil); status != http.StatusCreated {
		t.Errorf("sent again: %d %s", status, text)
	}
}
