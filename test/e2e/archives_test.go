package e2e

import (
	"bufio"
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stowage/stowage/sample"
	"github.com/stowage/stowage/test/shelf"
)

func TestCurlSendsAnArchiveAndReadsWhatWasStored(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	img := shelf.Plain(t)
	raw := shelf.Tarred(t, "docker.io/library/tool:1", img)
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
		status, text, header := s.Put(tt.path, tt.body, nil)
		name, page := "tool:1", "/images/docker.io/library/tool:1"
		if strings.Contains(tt.path, "name=") {
			name, page = "team/tool:2", "/images/docker.io/team/tool:2"
		}
		if want := "Loaded image: " + name + "\n" + s.URL + page + "\n"; status != tt.status || text != want ||
			!strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
			t.Errorf("PUT %s: %d %q", tt.path, status, text)
		}
		s.Page(header.Get("Location")).Says(http.StatusOK, "Uploaded", "Open "+name)
		s.Page(page).Says(http.StatusOK, img.Blobs[0].Descriptor.Digest.Encoded()[:12])
	}
	s.Page("/pulls").Says(http.StatusOK, "tool.tar upload")
	// An engine pulls it as it was sent, uncompressed.
	if p := s.Page("/v2/library/tool/manifests/1"); p.Status != http.StatusOK || p.Body != string(img.Body) {
		t.Errorf("the manifest: %d %s", p.Status, p.Body)
	}
	layer := img.Layers()[0]
	resp, err := http.Get(s.URL + "/v2/library/tool/blobs/" + layer.Descriptor.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if blob, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK ||
		!bytes.Equal(blob, layer.Data) {
		t.Errorf("the layer: %s, %d bytes, %v", resp.Status, len(blob), err)
	}
	if found := s.Staged(); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

func TestARefusedUploadSaysWhyInWordsWithItsStatus(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t, "--max-upload=10MB")
	good := shelf.Tarred(t, "", shelf.Plain(t))
	noPage := map[string]bool{"a folder": true, "another site's page": true} // which were no uploads
	for name, tt := range map[string]struct {
		path   string
		body   []byte
		header map[string]string
		status int
		says   string
	}{
		"no archive": {"/archives", []byte("nothing of the kind"), nil, http.StatusBadRequest,
			"this is not a tar archive. Send"},
		"nothing":         {"/archives", nil, nil, http.StatusBadRequest, "nothing was sent"},
		"no name":         {"/archives", good, nil, http.StatusBadRequest, "?name=REPOSITORY:TAG"},
		"what is no name": {"/archives?name=A:B:C", good, nil, http.StatusBadRequest, "not an image reference"},
		"a folder":        {"/archives/a/b.tar", good, nil, http.StatusNotFound, "/archives"},
		"truncated": {"/archives?name=a:1", good[:len(good)/2], nil, http.StatusUnprocessableEntity,
			"ends too early"},
		"a wrong diff ID": {"/archives", shelf.Tarred(t, "a:1", shelf.Must(sample.WrongDiffID().Build())), nil,
			http.StatusUnprocessableEntity, "the image's config says"},
		"too large": {"/archives?name=a:1", make([]byte, 11_000_000), nil, http.StatusRequestEntityTooLarge,
			"--max-upload"},
		"another site's page": {"/archives?name=a:1", good,
			map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, http.StatusForbidden,
			"another site"},
	} {
		status, text, header := s.Put(tt.path, bytes.NewReader(tt.body), tt.header)
		if status != tt.status || !strings.Contains(text, tt.says) || strings.Contains(text, "<") {
			t.Errorf("%s: %d %q, not %d %q", name, status, text, tt.status, tt.says)
		}
		// A page says the same to whomever its address is sent.
		at := header.Get("Location")
		if noPage[name] != (at == "") || at != "" && !strings.Contains(text, "\n"+s.URL+at+"\n") {
			t.Errorf("%s: the page is %q, the text %q", name, at, text)
		}
		if at != "" {
			s.Page(at).Says(http.StatusOK, "Nothing was stored", "nothing is left on the server")
		}
	}
	// Without a size it is refused while it comes.
	if status, text, _ := s.Put("/archives?name=a:1", io.MultiReader(bytes.NewReader(make([]byte, 11_000_000))),
		nil); status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large, without a size: %d %q", status, text)
	}
	if found := s.Staged(); len(found) > 0 || s.Blobs() > 0 {
		t.Errorf("left: %v and %d blobs", found, s.Blobs())
	}
}

func TestTheUploadFormWorksWithoutScripting(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	s.Page("/archives").Says(http.StatusOK, "Upload an archive", "docker save ubuntu:22.04 | curl -T - "+s.URL+"/archives")
	raw := shelf.Tarred(t, "", shelf.Plain(t))
	type field struct{ name, file, value string }
	name, archive := field{"name", "", "team/tool:1"}, field{"archive", "tool.tar", string(raw)}
	form := func(header map[string]string, fields ...field) *shelf.Page {
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
		all := map[string]string{"Content-Type": w.FormDataContentType(), "Origin": s.URL, "Sec-Fetch-Site": "same-origin"}
		for k, v := range header {
			all[k] = v
		}
		return s.SendBody(http.MethodPost, "/archives", &body, all)
	}
	if p := form(nil, name, archive); !regexp.MustCompile(`^/pulls/\d+$`).MatchString(p.URL.Path) {
		t.Errorf("it leads to %s: %s", p.URL, p.Text())
	} else {
		p.Says(http.StatusOK, "Uploaded tool.tar", "Everything is stored", "Open team/tool:1")
	}
	// curl -F archive=@tool.tar -F name=… sends the name last.
	form(nil, archive, field{"name", "", "team/tool:2"}).Says(http.StatusOK, "Open team/tool:2")
	if p := form(map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}, name,
		archive); p.Status != http.StatusNoContent || !strings.HasPrefix(p.Header.Get("HX-Redirect"), "/pulls/") {
		t.Errorf("for the page's own request: %d %v", p.Status, p.Header)
	}
	if p := form(map[string]string{"Accept": "text/plain"}, name, archive); p.Status != http.StatusOK ||
		!strings.HasPrefix(p.Body, "Loaded image: team/tool:1\n") {
		t.Errorf("as text: %d %s", p.Status, p.Body)
	}
	failed := form(nil, archive)
	failed.Says(http.StatusOK, "does not say what its image", "Nothing was stored")
	if !regexp.MustCompile(`^/pulls/\d+$`).MatchString(failed.URL.Path) {
		t.Errorf("one that fails leads to %s", failed.URL)
	}
	if p := form(map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"},
		archive); p.Status != http.StatusBadRequest || !strings.HasPrefix(p.Header.Get("HX-Redirect"), "/pulls/") {
		t.Errorf("one that fails, for the page's own request: %d %v", p.Status, p.Header)
	}
	form(nil, name).Says(http.StatusBadRequest, "No archive was chosen")
	form(nil, name, field{"archive", "", ""}).Says(http.StatusBadRequest, "No archive was chosen")
	form(nil, name, archive, archive).Says(http.StatusOK, "several archives", "Nothing was stored")
	form(nil, field{"surprise", "", "x"}, archive).Says(http.StatusBadRequest, "surprise")
	form(map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, name,
		field{"archive", "tool.tar", "never read"}).Says(http.StatusForbidden, "another site")
	s.Send(http.MethodPost, "/archives", nil, map[string]string{"Content-Type": "text/plain"}).
		Says(http.StatusBadRequest, "multipart/form-data")
	if found := s.Staged(); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

func TestASenderThatAsksFirstIsRefusedBeforeItSends(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t, "--max-upload=1000")
	_, answer := s.Raw("PUT /archives?name=a:1 HTTP/1.1\nHost: " + s.Host() +
		"\nContent-Length: 5000\nExpect: 100-continue\n\n")
	resp, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestEntityTooLarge ||
		!strings.Contains(string(body), "1kB is the most") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if !resp.Close {
		t.Error("the connection is kept, with a body that may come or not")
	}
}

func TestWhoGoesAwayLeavesNothing(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	conn := s.HalfSent()
	s.Page("/pulls/1").Says(http.StatusOK, "Uploading", "received")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	shelf.Eventually(t, "the end of the upload", func() bool { return len(s.Staged()) == 0 })
	shelf.Eventually(t, "its record",
		func() bool { _, body := s.Get("/pulls/1"); return strings.Contains(body, "Nothing was stored") })
	s.Page("/pulls/1").Says(http.StatusOK, "Nothing was stored", "Upload it again", "nothing is left on the server")
	if s.Blobs() > 0 {
		t.Errorf("%d blobs are left", s.Blobs())
	}
}

func TestAnUploadIsCancelledFromItsPage(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	conn := s.HalfSent()
	s.Post("/pulls/1/cancel", nil).Says(http.StatusOK, "cancelled", "nothing is left on the server")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusConflict ||
		!strings.Contains(string(body), "cancelled") {
		t.Errorf("the sender is told %s %s", resp.Status, body)
	}
	if found := s.Staged(); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

func TestAThirdUploadIsToldWhenToTryAgain(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	first := s.HalfSent()
	s.HalfSent()
	raw := shelf.Tarred(t, "b:1", shelf.Plain(t))
	status, text, header := s.Put("/archives", bytes.NewReader(raw), nil)
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(text, "already") {
		t.Errorf("%d %q, Retry-After %q", status, text, header.Get("Retry-After"))
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	shelf.Eventually(t, "a place", func() bool {
		status, _, _ := s.Put("/archives", bytes.NewReader(raw), nil)
		return status == http.StatusCreated
	})
}

func TestAnUploadDoesNotHoldUpTheEndOfTheServer(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	conn := s.HalfSent()
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
	s.Stop()
	if status := <-answered; status != http.StatusServiceUnavailable {
		t.Errorf("the sender is told %d", status)
	}
	if found := s.Staged(); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

func TestAKilledUploadIsGoneAfterTheNextStart(t *testing.T) {
	t.Parallel()
	s := shelf.Start(t)
	s.HalfSent()
	s.Kill()
	if len(s.Staged()) == 0 {
		t.Fatal("the kill left nothing to clean up")
	}
	s = shelf.StartOn(t, s.Data, nil)
	if found := s.Staged(); len(found) > 0 || s.Blobs() > 0 {
		t.Errorf("left: %v and %d blobs", found, s.Blobs())
	}
	s.Page("/pulls/1").Says(http.StatusOK, "Nothing was stored", "the server stopped while this was uploaded")
	if status, text, _ := s.Put("/archives", bytes.NewReader(shelf.Tarred(t, "a:1", shelf.Plain(t))),
		nil); status != http.StatusCreated {
		t.Errorf("sent again: %d %s", status, text)
	}
}
