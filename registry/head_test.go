package registry

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/test/outside"
)

// refusingHead answers HEAD in one way, and GET with an image.
func refusingHead(t *testing.T, head http.HandlerFunc) (rec *outside.Recorder, host string, img testImage) {
	t.Helper()
	img = newImage(t, []byte("layer"))
	rec, host = outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodHead {
			head(w, req)
			return
		}
		manifest(w, ocispec.MediaTypeImageManifest, img.raw)
	})
	return rec, host, img
}

func TestARefusedHeadIsNoAnswer(t *testing.T) {
	heads := map[string]http.HandlerFunc{
		"no digest":    func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "application/json") },
		"other digest": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Docker-Content-Digest", "sha512:0") },
		"a web page":   func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") },
		"a challenge that cannot be met": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(http.StatusUnauthorized)
		},
		"a challenge without a login": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for _, code := range []int{400, 401, 402, 403, 404, 405, 406, 409, 410, 412, 418, 451, 500, 501, 502, 503, 504} {
		heads[strconv.Itoa(code)] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, head := range heads {
		t.Run(name, func(t *testing.T) {
			rec, host, img := refusingHead(t, head)
			d, err := client(t, Options{}).Head(t.Context(), mustRef(t, host+"/app:1"))
			if err != nil || d.Digest != img.digest() || !bytes.Equal(d.Data, img.raw) {
				t.Errorf("got %+v, %v", d, err)
			}
			want := []string{"HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"}
			// net/http itself asks again where a connection is cut
			if got := slices.Compact(rec.Requests()); !slices.Equal(got, want) {
				t.Errorf("requests are %v", got)
			}
			if digest, gone, err := client(t, Options{}).Check(t.Context(), mustRef(t, host+"/app:1")); digest != img.digest() ||
				gone || err != nil {
				t.Errorf("a check says %s, gone %v, %v", digest, gone, err)
			}
		})
	}
}

func TestARateLimitOfHeadIsAnAnswer(t *testing.T) {
	rec, host, _ := refusingHead(t,
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	_, err := client(t, Options{}).Head(t.Context(), mustRef(t, host+"/app:1"))
	outside.WantKind(t, err, image.RateLimited, host)
	if got := rec.Requests(); len(got) != 1 {
		t.Errorf("requests are %v", got)
	}
}

func TestTheReasonOfARefusalIsThatOfTheGET(t *testing.T) {
	for _, tt := range []struct {
		status  int
		media   string
		body    string
		kind    image.Kind
		reason  string
		advises string
	}{
		{412, "application/json", `{"errors":[{"code":"PROJECTPOLICYVIOLATION","message":"current image with 3 vulnerabilities cannot be pulled"}]}`, image.Forbidden, "412 Precondition Failed: current image with 3 vulnerabilities", "Ask whoever runs"},
		{403, "application/json", `{"errors":[{"code":"DENIED","message":"quarantined by the security team"}]}`,
			image.Forbidden, "403 Forbidden: quarantined by the security team", "docker login"},
		{403, "text/plain", "Requested item is quarantined", image.Forbidden, "Requested item is quarantined",
			"Ask whoever runs"},
		{403, "application/json", `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`,
			image.Unauthorized, "denied", "docker login"},
		{403, "", "", image.Unauthorized, "wants a sign-in", "docker login"},
		{451, "application/problem+json", `{"title":"Blocked","detail":"removed for legal reasons"}`, image.Forbidden,
			"451 Unavailable For Legal Reasons: removed for legal reasons", "Ask"},
		{402, "application/json", `{"message":"the subscription has ended"}`, image.Forbidden,
			"402 Payment Required: the subscription has ended", "Ask"},
		{423, "application/json", `{"error":{"message":"scan in progress"}}`, image.Forbidden, "scan in progress", "Ask"},
		{409, "application/json", `{"errors":[{"code":"CONFLICT","message":"the repository is being migrated"}]}`,
			image.Unavailable, "409 Conflict: the repository is being migrated", "later"},
		{400, "application/json", `{"errors":["two parts, please","and no more"]}`, image.Unavailable,
			"two parts, please; and no more", "later"},
		{404, "application/json", `{"errors":[{"status":404,"message":"The named manifest is not known."}]}`, image.NotFound,
			"The named manifest is not known.", "Check"},
		{404, "text/plain", "404 page not found", image.NotFound, "404 page not found", "Check"},
		{410, "application/json", `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"was removed"}]}`, image.NotFound,
			"manifest unknown: was removed", "Check"},
		{404, "text/html", "<html><title>Not &amp; found</title></html>", image.Unavailable,
			"web page (404 Not Found: Not & found)", "proxy"},
		{503, "application/xml", "<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>", image.Unavailable, "503 Service Unavailable: Reduce your rate", "later"},
		{500, "application/json", `{"errors":null}`, image.Unavailable, "500 Internal Server Error", "later"},
	} {
		_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", tt.media)
			w.WriteHeader(tt.status)
			if req.Method != http.MethodHead {
				_, _ = w.Write([]byte(tt.body))
			}
		})
		_, err := client(t, Options{}).Head(t.Context(), mustRef(t, host+"/app:1"))
		outside.WantKind(t, err, tt.kind, host, tt.reason, tt.advises)
	}
}

func TestWhatARedirectLeadsToIsNoAnswerAboutTheImage(t *testing.T) {
	for path, kind := range map[string]image.Kind{"/login": image.Unavailable, "/v2/other/manifests/1": image.NotFound} {
		_, host := outside.Server(t, func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == path {
				outside.ErrorBody(w, http.StatusNotFound, "", "not found")
				return
			}
			http.Redirect(w, req, path, http.StatusFound)
		})
		_, gone, err := client(t, Options{}).Check(t.Context(), mustRef(t, host+"/app:1"))
		if kind == image.NotFound {
			if !gone {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		outside.WantKind(t, err, kind, host+" redirects "+host+"/app:1 to a page of "+host, "404")
	}
}

func TestGoneIsTheAnswerOfAGET(t *testing.T) {
	for status, want := range map[int]bool{404: true, 410: true, 403: false, 500: false} {
		_, host := outside.Server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		_, gone, err := client(t, Options{}).Check(t.Context(), mustRef(t, host+"/app:1"))
		if gone != want || want != (err == nil) {
			t.Errorf("%d: gone %v, %v", status, gone, err)
		}
	}
}
